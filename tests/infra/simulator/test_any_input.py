"""Whatever a client sends, the simulated exchange answers with Bybit's envelope: a refusal, never a fault of its own.

An order of 1e40, a take-profit of 1e20000000 or an integer above 64 bits once led to 10016 (server error), answers of
20 MB and time-outs. Here every endpoint gets values of every kind in every field that it reads.
"""

from __future__ import annotations

import ast
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

import infra.simulator.api as api
from infra.simulator.api import ApiRequest
from infra.simulator.api.params import Params
from infra.simulator.api.routes import ROUTES
from infra.simulator.server import _params
from infra.simulator.venue.errors import VenueError
from tests.infra.simulator.venue.world import WAVE, World, at

LARGEST_ANSWER = 1_000_000
ROUNDS = 12
"""Requests per endpoint in `make test`; `--fuzz` raises their sum."""

NUMBERS = (
    "0",
    "1",
    "-1",
    "0.001",
    "0.0010000001",
    "1e40",
    "1E+300",
    "1e-300",
    "1e20000000",
    "NaN",
    "Infinity",
    "-0",
    "１２",
)
TEXTS = (
    "",
    " ",
    "BTCUSDT",
    "SOLUSDT",
    "DOGEUSDT",
    "linear",
    "spot",
    "option",
    "\x00",
    "\ud800",
    "x" * 100_000,
    "'; --",
)
WORDS = (
    "Buy", "Sell", "Market", "Limit", "GTC", "IOC", "FOK", "PostOnly", "60", "D", "W", "999", "UNIFIED", "FUND",
    "Order", "StopOrder", "Full", "Partial", "LastPrice", "MarkPrice", "IndexPrice", "Percent", "TickSize",
    "baseCoin", "quoteCoin",
)  # fmt: skip
STRANGE: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    10**40,
    -(10**40),
    0.1,
    float("inf"),
    [],
    {},
    ["a"],
    {"a": 1},
)


def fields() -> list[str]:
    """Every parameter that the endpoints read, from their source: one added later is tried by itself."""
    found: set[str] = set()
    for path in Path(next(iter(api.__path__))).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                found |= {
                    arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
                }
    return sorted(name for name in found if name.isidentifier() and name[0].islower())


FIELDS = fields()
SOUND: dict[str, Any] = {
    "category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01", "price": "40000",
    "accountType": "UNIFIED", "coin": "USDT", "interval": "60", "mode": 0, "transferId": "t", "amount": "1",
    "fromAccountType": "UNIFIED", "toAccountType": "UNIFIED", "setMarginMode": "REGULAR_MARGIN", "locale": "en-US",
    "buyLeverage": "5", "sellLeverage": "5", "coinName": "USDT", "settleCoin": "USDT",
}  # fmt: skip


def strange(rng: random.Random) -> Any:
    return rng.choice((rng.choice(NUMBERS), rng.choice(TEXTS), rng.choice(WORDS), rng.choice(STRANGE)))


def request(rng: random.Random) -> dict[str, Any]:
    """A sound request of which some fields are replaced and some others added."""
    params = dict(SOUND)
    for name in rng.sample(FIELDS, rng.randint(1, 6)):
        params[name] = strange(rng)
    for name in rng.sample(sorted(SOUND), rng.randint(0, 3)):
        params[name] = strange(rng)
    if rng.random() < 0.5:
        params["request"] = rng.choice(
            [[], [params], [dict(params)] * 25, "x", [1, None], [dict(SOUND, qty=strange(rng))]]
        )
    if rng.random() < 0.3:
        params.pop(rng.choice(sorted(params)))
    return params


def ask(world: World, method: str, path: str, params: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = params
    if method == "GET":
        given = {name: str(value) for name, value in params.items()}
    return world.exchange.handle(ApiRequest(method, path, given, rng_uid(world, params)))


def rng_uid(world: World, params: dict[str, Any]) -> int:
    names = sorted(world.exchange.venue.accounts)
    return world.exchange.venue.accounts[names[len(str(params)) % len(names)]].uid


def check(answer: dict[str, Any], what: object) -> None:
    assert isinstance(answer["retCode"], int) and answer["retCode"] != 10016, what
    assert len(orjson.dumps(answer)) < LARGEST_ANSWER, what
    assert len(answer["retMsg"]) < 400, what


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> int:
    return max(ROUNDS, int(pytestconfig.getoption("--fuzz")) // len(ROUTES))


@pytest.mark.parametrize(("method", "path"), sorted(ROUTES))
def test_no_input_makes_the_exchange_fail(method: str, path: str, rounds: int) -> None:
    rng = random.Random(f"{method} {path}")
    world = World(WAVE)
    for number in range(rounds):
        params = request(rng)
        check(ask(world, method, path, params), params)
        if number % 4 == 0:
            world.run_to(at(number // 4 + 1))  # whatever was accepted is matched, too


def test_the_fields_that_are_tried_are_those_that_are_read() -> None:
    assert {"qty", "stopLoss", "slippageTolerance", "cursor", "startTime", "positionIdx"} <= set(FIELDS)


@pytest.mark.parametrize("field", ["qty", "price", "triggerPrice", "takeProfit", "stopLoss", "slippageTolerance"])
@pytest.mark.parametrize("value", ["1e40", "1e20000000", "9" * 5000, 10**40, "NaN", "Infinity"])
@pytest.mark.parametrize("category", ["spot", "linear"])
def test_a_number_beyond_any_order_is_a_bad_parameter(category: str, field: str, value: Any) -> None:
    """Case 24."""
    body = dict(SOUND, category=category, orderType="Limit" if field == "price" else "Market", **{field: value})
    if field == "slippageTolerance":
        body["slippageToleranceType"] = "Percent"
    answer = World(WAVE).exchange.handle(ApiRequest("POST", "/v5/order/create", body, 24_000_002))
    assert answer["retCode"] in (10001, 170136, 110109), answer
    assert len(answer["retMsg"]) < 400


@pytest.mark.parametrize(
    "body",
    [
        b'{"qty": 123456789012345678901234567890}',
        b'{"ignored": {"deep": [18446744073709551616]}}',
        b'{"symbol": "\\ud800"}',
        b'{"qty": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"interestCard": NaN}',
        b'{"qty": [{"deep": Infinity}]}',
        b'{"qty": -Infinity}',
        b"[1]",
        b"null",
        b"\xff\xfe",
    ],
)
def test_a_body_that_the_log_of_inputs_cannot_hold_is_refused_before_anything_is_done(body: bytes) -> None:
    with pytest.raises(VenueError) as refused:
        _params("POST", "", body)
    assert refused.value.code == 10001
    assert len(json.dumps(refused.value.message)) < 400


def test_this_fuzz_notices_a_reader_that_takes_any_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted defect: numbers read as they were before there was a judge."""

    def unbounded(self: Params, name: str) -> Decimal | None:
        value = self.text(name)
        return Decimal(value) if value else None

    monkeypatch.setattr(Params, "decimal", unbounded)
    monkeypatch.setattr(Params, "text", lambda self, name, default="": str(self.values.get(name) or default))
    rng = random.Random(1)
    world = World(WAVE)
    failures = 0
    for _round in range(60):
        params = request(rng)
        try:
            check(ask(world, "POST", "/v5/order/create", params), params)
        except (ArithmeticError, AssertionError, ValueError):
            failures += 1
    assert failures
