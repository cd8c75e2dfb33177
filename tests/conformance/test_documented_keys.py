"""Every endpoint and topic answers with the keys and JSON types that Bybit's documentation lists (documented.txt)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.simulator.api import ApiRequest
from infra.simulator.api.routes import ROUTES
from tests.conformance.played import BTC, REST, SPOT, Played

DOCUMENTED = Path(__file__).with_name("documented.txt")
NOTHING_TO_SHOW = {"/v5/announcements/index", "/v5/system/status", "/v5/account/set-margin-mode"}
"""Their lists are empty, as nothing is announced, maintained or wrong."""

ALREADY_SO = {"/v5/position/switch-mode": 110025}
"""One-way is the only position mode, so that it is never changed."""

NULLABLE = {"preListingInfo"}
"""null in the documentation's own examples."""


class Key(NamedTuple):
    """One documented key: its type letter and the keys below it."""

    kind: str
    below: dict[str, Key]


def _entries() -> dict[str, dict[str, Key]]:
    lines = [line for line in DOCUMENTED.read_text().splitlines() if not line.startswith("#")]
    entries: dict[str, str] = {}
    for line in lines:
        if not line.startswith(" "):
            entries[line] = ""
        else:
            entries[list(entries)[-1]] += line
    return {name: _keys(iter(_words(text))) for name, text in entries.items()}


def _words(text: str) -> list[str]:
    return text.replace("{", " { ").replace("}", " } ").split()


def _keys(words: Iterator[str]) -> dict[str, Key]:
    found: dict[str, Key] = {}
    last = ""
    for word in words:
        if word == "}":
            break
        if word == "{":
            found[last].below.update(_keys(words))
        else:
            last, _, kind = word.partition(":")
            found[last] = Key(kind or "s", {})
    return found


ENTRIES = _entries()
REQUESTS = [name for name in ENTRIES if not name.startswith("TOPIC")]
TOPICS = [name for name in ENTRIES if name.startswith("TOPIC")]


def _faults(keys: dict[str, Key], value: Any, at: str, may_be_empty: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at or 'the answer'} is no object"
        return
    for name, key in keys.items():
        where = f"{at}.{name}" if at else name
        if name not in value:
            yield f"{where} is missing"
        elif not _is(key.kind, value[name]):
            if not (value[name] is None and name in NULLABLE):
                yield f"{where} is {value[name]!r}, not of type {key.kind}"
        elif key.kind == "a" and key.below:
            if not value[name] and not may_be_empty:
                yield f"{where} is empty, so nothing is proved"
            for row in value[name]:
                yield from _faults(key.below, row, f"{where}[]", may_be_empty)
        elif key.below:
            yield from _faults(key.below, value[name], where, may_be_empty)


def _is(kind: str, value: Any) -> bool:
    types: dict[str, tuple[type, ...]] = {
        "s": (str,), "i": (int,), "n": (int, float), "b": (bool,), "a": (list,), "o": (dict,),
    }  # fmt: skip
    return isinstance(value, types[kind]) and (kind == "b" or not isinstance(value, bool))


def _answer(name: str, played: Played) -> dict[str, Any]:
    """What the exchange answered to the documented request."""
    method, path, *variant = name.split()
    found = [one for one, call in REST.items() if call[:2] == (method, path)]
    if variant:
        found = [one for one in found if REST[one][3].get("category") == variant[0]]
    return played.rest[found[0]] if found else played.answers[method, path]


@pytest.mark.parametrize("name", REQUESTS)
def test_an_endpoint_answers_with_the_documented_keys(name: str, played: Played) -> None:
    answer = _answer(name, played)
    path = name.split()[1]
    assert answer["retCode"] == ALREADY_SO.get(path, 0), answer
    assert not list(_faults(ENTRIES[name], answer["result"], "", path in NOTHING_TO_SHOW))


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_has_the_documented_keys(name: str, played: Played) -> None:
    _, topic, category = name.split()
    assert not list(_faults(ENTRIES[name], played.frames[category, topic], "", False))


def test_every_documented_endpoint_has_a_route_and_every_route_is_documented_or_named() -> None:
    further = {
        "/v5/asset/deposit/query-address", "/v5/asset/withdraw/query-address", "/v5/user/frozen-sub-member",
        "/v5/user/del-submember", "/v5/user/delete-sub-api",
    }  # fmt: skip
    documented = {tuple(name.split()[:2]) for name in REQUESTS}
    routes = {route for route in ROUTES if route[1] not in further and not route[1].startswith("/v5/earn/")}
    assert routes == documented


@pytest.mark.parametrize(
    ("name", "key"),
    [("GET /v5/order/realtime", "cumFeeDetail"), ("GET /v5/user/sub-apikeys", "permissions")],
)
def test_a_key_that_is_missing_is_found(name: str, key: str, played: Played) -> None:
    """The planted defect: without it the check above would prove nothing."""
    broken = copy.deepcopy(_answer(name, played)["result"])
    rows = broken.get("list") or broken["result"]
    del rows[0][key]
    assert list(_faults(ENTRIES[name], broken, "", False)) == [
        f"{'list' if 'list' in broken else 'result'}[].{key} is missing"
    ]
    rows[0][key] = 7
    assert any("not of type" in fault for fault in _faults(ENTRIES[name], broken, "", False))


def test_what_is_not_simulated_is_refused_with_bybits_code(played: Played) -> None:
    refused: dict[tuple[str, str, int], dict[str, Any]] = {
        ("GET", "/v5/market/kline", 10001): {"category": "inverse", "symbol": "BTCUSD", "interval": "60"},
        ("GET", "/v5/market/open-interest", 10001): {**SPOT, "intervalTime": "1h"},
        ("GET", "/v5/market/kline", 170121): {**SPOT, "symbol": "NOUSDT", "interval": "60"},
        ("POST", "/v5/position/switch-mode", 10001): {**BTC, "mode": 3},
        ("POST", "/v5/account/set-margin-mode", 3400045): {"setMarginMode": "PORTFOLIO_MARGIN"},
        ("POST", "/v5/account/set-hedging-mode", 10001): {"setHedgingMode": "ON"},
    }
    for (method, path, code), params in refused.items():
        answer = played.exchange.handle(ApiRequest(method, path, params, played.uids["TREND-1"]))
        assert (path, answer["retCode"]) == (path, code)
