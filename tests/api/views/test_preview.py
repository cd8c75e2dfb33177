"""What a command would do (RM-5, R3), read before it is given; its states are those that the command would set."""

from __future__ import annotations

from typing import Any

import pytest

from api.views.preview import effect_of
from statemachines.limits.operator_actions import ACTIONS
from statemachines.limits.operator_scopes import allowed_scopes, scopes_for


def order(name: str, engine: str = "trend-1", **changes: Any) -> dict[str, Any]:
    sound = {
        "client_order_id": name, "engine": engine, "symbol": "BTCUSDT", "category": "linear", "side": "Buy",
        "order_type": "Limit", "quantity": 1, "price": 1, "trigger_price": None, "state": "OPEN", "reduce_only": False,
    }  # fmt: skip
    return sound | changes


ORDERS = [
    order("entry"),
    order("stop", reduce_only=True, side="Sell", trigger_price=5),
    order("tranche", "core-hodl", category="spot"),
    order("sale", "core-hodl", category="spot", side="Sell"),
    order("pair", "funding", side="Sell"),
]
POSITIONS = [{"engine": "trend-1", "symbol": "BTCUSDT"}, {"engine": "funding", "symbol": "ETHUSDT"}]


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["client_order_id"] for row in rows]


def test_a_halt_of_everything_cancels_entries_and_no_stop_and_no_sale() -> None:
    found = effect_of("halt", "GLOBAL", ORDERS, POSITIONS, {})
    assert names(found["orders_cancelled"]) == ["entry", "tranche", "pair"]
    assert names(found["orders_kept"]) == ["stop", "sale"]
    assert found["positions_closed"] == [] and found["positions_kept"] == POSITIONS
    assert found["states"] == [{"scope": "GLOBAL", "before": "NORMAL", "after": "HALTED"}]
    assert found["ends_by"] == "normal"


def test_a_flatten_of_all_derivatives_closes_positions_and_leaves_core_alone() -> None:
    found = effect_of("flatten", "GLOBAL", ORDERS, POSITIONS, {})
    assert found["positions_closed"] == POSITIONS and found["positions_kept"] == []
    assert "core-hodl" not in found["engines"] and names(found["orders_cancelled"]) == ["entry", "pair"]
    assert {one["scope"] for one in found["states"]} == set(scopes_for("flatten", "GLOBAL"))


def test_of_one_engine_only_its_own() -> None:
    found = effect_of("pause", "trend-1", ORDERS, POSITIONS, {})
    assert names(found["orders_cancelled"]) == ["entry"] and names(found["orders_kept"]) == ["stop"]
    assert found["positions_kept"] == POSITIONS[:1] and found["ends_by"] == "resume or normal"


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("pause", "HALTED", "HALTED"),
        ("reduce_only", "CAUTION", "REDUCE_ONLY"),
        ("resume", "PAUSED", "NORMAL"),
        ("resume", "HALTED", "HALTED"),
        ("normal", "HALTED", "NORMAL"),
    ],
)
def test_no_command_but_normal_and_the_end_of_a_pause_makes_a_state_less_strict(
    action: str, before: str, after: str
) -> None:
    found = effect_of(action, "GLOBAL", ORDERS, [], {"GLOBAL": before})
    assert found["states"][0] == {"scope": "GLOBAL", "before": before, "after": after}
    if action in ("resume", "normal"):
        assert found["orders_cancelled"] == []


def test_every_command_has_its_preview() -> None:
    for action in ACTIONS:
        for scope in allowed_scopes(action):
            assert effect_of(action, scope, ORDERS, POSITIONS, {})["effect"], (action, scope)
