"""What the log of inputs holds is what was carried out: after a kill the exchange is the one that it was.

NaN in a body once was written to the log as null. The replay took null as "not given", carried out the order that had
been refused, and every later order had another id.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.simulator.api import ApiRequest
from infra.simulator.api.faithful_json import UnfaithfulError, read_json
from infra.simulator.config import SimConfig
from infra.simulator.credentials import load_or_create
from infra.simulator.disk.durable import DurableExchange
from infra.simulator.venue.errors import VenueError
from tests.infra.simulator.venue.world import WAVE, TinyMarket

STAKE = {"category": "FlexibleSaving", "orderType": "Stake", "accountType": "UNIFIED", "amount": "1", "coin": "USDT"}
BODIES: dict[str, dict[str, Any]] = {
    "/v5/order/create": {
        "category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.001",
        "timeInForce": "IOC", "reduceOnly": False, "takeProfit": None, "orderLinkId": "a", "positionIdx": 0,
        "triggerPrice": None, "closeOnTrigger": None, "price": None, "isLeverage": 0, "stopLoss": None,
    },
    "/v5/earn/place-order": STAKE | {"productId": "428", "orderLinkId": "b", "interestCard": None},
    "/v5/position/set-leverage": {"category": "linear", "symbol": "BTCUSDT", "buyLeverage": "3", "sellLeverage": "3"},
}  # fmt: skip
FIELDS = [(path, field) for path, body in BODIES.items() for field in body]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
PLAIN = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.001"}


def _open(folder: Path) -> DurableExchange:
    return DurableExchange(folder, TinyMarket(WAVE), SimConfig(), load_or_create(folder))


def _asked(durable: DurableExchange, folder: Path, path: str, body: dict[str, Any]) -> dict[str, Any]:
    key = next(one for one in load_or_create(folder).keys.values() if one.account == "TREND-1")
    return durable.handle(ApiRequest("POST", path, body, key.uid, key))


def _is_the_same_after_a_restart(folder: Path, path: str, body: dict[str, Any]) -> dict[str, Any]:
    durable = _open(folder)
    answer = _asked(durable, folder, path, body)
    assert _asked(durable, folder, "/v5/order/create", PLAIN)["retCode"] == 0
    before = durable.exchange.dump()
    durable.close()
    again = _open(folder)
    assert again.exchange.dump() == before
    again.close()
    return answer


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_nan_in_any_field_is_refused_and_stays_refused_after_a_restart(tmp_path: Path, path: str, field: str) -> None:
    answer = _is_the_same_after_a_restart(tmp_path, path, BODIES[path] | {field: math.nan})
    assert answer["retCode"] == 10001
    assert "not finite" in answer["retMsg"]


@given(where=st.sampled_from(FIELDS), value=VALUES)
@settings(max_examples=60)
def test_whatever_a_field_holds_the_state_after_a_restart_is_the_one_before(
    where: tuple[str, str], value: object
) -> None:
    path, field = where
    with TemporaryDirectory() as folder:
        _is_the_same_after_a_restart(Path(folder), path, BODIES[path] | {field: value})


@given(value=VALUES)
@settings(max_examples=200)
def test_what_a_client_may_send_is_read_back_equal_from_the_log(value: object) -> None:
    text = json.dumps(value)
    try:
        read = read_json(text)
    except UnfaithfulError:
        return
    assert json.loads(json.dumps(read, allow_nan=False)) == read


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_constant_that_json_does_not_have_is_named_in_the_refusal(constant: str) -> None:
    with pytest.raises(UnfaithfulError, match=f"{constant} is no JSON value"):
        read_json(f'{{"ignored": [{constant}]}}')


def test_a_movement_that_the_log_cannot_hold_is_refused_before_anything_moves(tmp_path: Path) -> None:
    durable = _open(tmp_path)
    before = durable.exchange.dump()
    with pytest.raises(VenueError, match="not finite"):
        durable.transact("TREND-1", "USDT", "SETTLEMENT", Decimal(1), Decimal(0), {"cashFlow": math.inf})
    assert durable.exchange.dump() == before
    durable.close()
