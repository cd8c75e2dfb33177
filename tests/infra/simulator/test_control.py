"""The control interface under requests of strangers: every refusal is {"error": sentence} with field and bounds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp.test_utils import TestClient, TestServer

from infra.simulator.config import SimConfig
from infra.simulator.credentials import load_or_create
from infra.simulator.disk.durable import DurableExchange
from infra.simulator.server import make_app
from tests.infra.simulator.venue.world import WAVE, TinyMarket


class Answer(NamedTuple):
    """Status and JSON body of an answer."""

    status: int
    body: dict[str, Any]

    @property
    def error(self) -> str:
        """The sentence of a refusal, which is all that its body has."""
        assert set(self.body) == {"error"}, self.body
        sentence = str(self.body["error"])
        assert sentence.endswith(".") and not sentence.endswith("..") and "\n" not in sentence
        return sentence


def asked(folder: Path, *requests: tuple[str, str, Any]) -> list[Answer]:
    """The answers to requests (method, path, JSON or raw bytes) of an exchange of their own."""
    keys = load_or_create(folder)
    durable = DurableExchange(folder, TinyMarket(WAVE), SimConfig(), keys)

    async def talk() -> list[Answer]:
        found = []
        async with TestClient(TestServer(make_app(durable, keys, SimConfig()))) as client:
            for method, path, body in requests:
                sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
                async with client.request(method, path, headers={"X-Sim-Token": keys.sim_token}, **sent) as answer:
                    found.append(Answer(answer.status, await answer.json()))
        return found

    return asyncio.run(talk())


WRITES = ("/sim/faults", "/sim/deposit", "/sim/transaction", "/sim/advance")
OBJECT = "it must be a JSON object."


@pytest.mark.parametrize("path", WRITES)
def test_a_body_that_is_no_object_is_refused_with_what_it_is(tmp_path: Path, path: str) -> None:
    """100,000 brackets once were a traceback and HTTP 500; a list was taken for an object without fields."""
    cases = {
        b"[" * 100_000: f"is not JSON; {OBJECT}",
        b'{"fault":' * 100_000: f"is not JSON; {OBJECT}",
        b'{"account":' + b"[" * 300 + b"]" * 300 + b"}": "more than 254 levels",
        b"not json": f"is not JSON; {OBJECT}",
        b'{"amount": NaN}': "NaN is no JSON value",
        b"\xff": f"is not JSON; {OBJECT}",
        b"[]": f"is a list; {OBJECT}",
        b"5": f"is a number; {OBJECT}",
        b"null": f"is null; {OBJECT}",
        b"": f"is empty; {OBJECT}",
        b'{"a": 36893488147419103232}': "an integer above 64 bits",
    }
    for answer, (raw, sentence) in zip(
        asked(tmp_path, *(("POST", path, raw) for raw in cases)), cases.items(), strict=True
    ):
        assert answer.status == 400 and sentence in answer.error, raw[:40]


def test_a_body_above_the_limit_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (answer,) = asked(tmp_path, ("POST", "/sim/faults", b" " * 2**21))
    assert answer.status == 413 and answer.error == "The request body is longer than 1 MiB."


PAID: dict[str, Any] = {"account": "TREND-1", "coin": "USDT", "amount": "1", "type": "BONUS"}


@pytest.mark.parametrize("path", ["/sim/deposit", "/sim/transaction"])
def test_money_from_outside_is_refused_by_field(tmp_path: Path, path: str) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "account is missing; it is required."),
        ({**PAID, "account": ["a"]}, "account is of type list; it must be a text."),
        ({**PAID, "account": "NOBODY"}, "account is 'NOBODY'; it must be one of MASTER, CORE-HODL"),
        ({**PAID, "coin": None}, "coin is missing; it is required."),
        ({**PAID, "coin": "XX"}, "coin 'XX' is not one of USDT, BTC, ETH, SOL."),
        ({**PAID, "amount": ""}, "amount is missing; it is required."),
        ({**PAID, "amount": True}, "amount is True; it must be a number"),
        ({**PAID, "amount": "much"}, "amount is 'much'; it must be a number of at most 1,000,000,000,000"),
        ({**PAID, "amount": "0." + "0" * 25 + "1"}, "with at most 18 decimals."),
        ({**PAID, "amount": "0.000000001"}, "amount 0.000000001 of USDT has more than 8 decimals."),
    ]
    if path == "/sim/deposit":
        cases.append(({**PAID, "amount": "-1"}, "amount -1 of USDT is not above 0."))
    else:
        cases += [
            ({**PAID, "type": 7}, "type is 7; it must be a text."),
            ({**PAID, "fee": False}, "fee is False; it must be a number"),
            ({**PAID, "shown": [1]}, "shown is of type list; it must be an object"),
        ]
    for answer, (body, sentence) in zip(
        asked(tmp_path, *(("POST", path, body) for body, _ in cases)), cases, strict=True
    ):
        assert answer.status == 400 and sentence in answer.error, body


def test_a_path_that_is_none_is_refused_in_the_form_of_the_control_interface(tmp_path: Path) -> None:
    put, nonsense, bare = asked(
        tmp_path, ("PUT", "/sim/faults", {}), ("GET", "/sim/nonsense", {}), ("GET", "/sim", {})
    )  # fmt: skip
    assert (put.status, nonsense.status, bare.status) == (405, 404, 404)
    assert "allowed here are DELETE, GET, POST." in put.error
    assert "'/sim/nonsense' does not exist in the control interface." in nonsense.error and bare.error


def test_true_is_no_number(tmp_path: Path) -> None:
    step = {"step": 0, "until": None, "handled": None}
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("/sim/advance", {**step, "step": True}, "step is True; it must be an integer."),
        ("/sim/advance", {**step, "until": False}, "until is False; it must be an integer of ms or null."),
        ("/sim/advance", {**step, "max_basis": {"BTCUSDT": True}}, "BTCUSDT is True; it must be a number"),
        ("/sim/faults", {"fault": {"kind": "no-pong"}, "for_s": True}, "for_s is True; it must not be a boolean."),
        ("/sim/faults", {"fault": {"kind": "no-pong"}, "seed": True}, "seed is True; it must not be a boolean."),
        ("/sim/faults", {"fault": {"kind": "no-pong", "count": True}}, "count is True; it must not be a boolean."),
        ("/sim/faults", {"fault": {"kind": "partial-fill", "share": True}}, "share is True; it must not be a boolean."),
    ]
    for answer, (_, _, sentence) in zip(
        asked(tmp_path, *(("POST", path, body) for path, body, _ in wrong)), wrong, strict=True
    ):
        assert answer.status == 400 and sentence in answer.error
