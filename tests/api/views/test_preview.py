"""What a command would do (RM-5, R3), read before it is given; its states are those that the command would set."""

from __future__ import annotations

from typing import Any

import pytest

from api.views.preview import effect_of, machines_of
from statemachines.limits.operator_actions import ACTIONS
from statemachines.limits.operator_scopes import allowed_scopes, scopes_for
from statemachines.risk.machine import SCOPE_ROWS, RiskMachine


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
    found = effect_of("halt", "GLOBAL", ORDERS, POSITIONS, machines_of([]))
    assert names(found["orders_cancelled"]) == ["entry", "tranche", "pair"]
    assert names(found["orders_kept"]) == ["stop", "sale"]
    assert found["positions_closed"] == [] and found["positions_kept"] == POSITIONS
    assert found["states"] == [{"scope": "GLOBAL", "before": "NORMAL", "after": "HALTED"}]
    assert found["ends_by"] == "normal"


def test_a_flatten_of_all_derivatives_closes_positions_and_leaves_core_alone() -> None:
    found = effect_of("flatten", "GLOBAL", ORDERS, POSITIONS, machines_of([]))
    assert found["positions_closed"] == POSITIONS and found["positions_kept"] == []
    assert "core-hodl" not in found["engines"]
    assert names(found["orders_cancelled"]) == ["entry", "stop", "pair"], "the stops too, once it is flat"
    assert {one["scope"] for one in found["states"]} == set(scopes_for("flatten", "GLOBAL"))


def test_of_one_engine_only_its_own() -> None:
    found = effect_of("pause", "trend-1", ORDERS, POSITIONS, machines_of([]))
    assert names(found["orders_cancelled"]) == ["entry"] and names(found["orders_kept"]) == ["stop"]
    assert found["positions_kept"] == POSITIONS[:1] and found["ends_by"] == "resume or normal"


def given(*commands: tuple[str, str]) -> dict[str, RiskMachine]:
    """Machines to which these commands were given, as their rows have them."""
    machines = machines_of([])
    for action, scope in commands:
        for one in scopes_for(action, scope):
            machines[one].operator(action, "alice", "drill", 1)
    rows = [
        {"key": f"scope:{scope}", "state": machine.state.value, "schema": SCOPE_ROWS.schema, "data": machine.to_data()}
        for scope, machine in machines.items()
    ]
    return machines_of(rows)


@pytest.mark.parametrize(
    ("action", "earlier", "before", "after"),
    [
        ("pause", "halt", "HALTED", "HALTED"),
        ("reduce_only", "halt", "HALTED", "REDUCE_ONLY"),
        ("reduce_only", "pause", "PAUSED", "PAUSED"),
        ("resume", "pause", "PAUSED", "NORMAL"),
        ("resume", "halt", "HALTED", "HALTED"),
        ("normal", "halt", "HALTED", "NORMAL"),
    ],
)
def test_the_state_afterwards_is_what_the_risk_managers_machine_comes_to(
    action: str, earlier: str, before: str, after: str
) -> None:
    """A judge saw previews by a rule of their own: a command that loosened a halt was shown as keeping it."""
    machines = given((earlier, "GLOBAL"))
    found = effect_of(action, "GLOBAL", ORDERS, [], machines)
    assert found["states"][0] == {"scope": "GLOBAL", "before": before, "after": after}
    truth = given((earlier, "GLOBAL"), (action, "GLOBAL"))["GLOBAL"].state
    assert truth == after
    if action in ("resume", "normal"):
        assert found["orders_cancelled"] == []


def test_a_pause_of_what_is_halted_ends_by_normal() -> None:
    assert effect_of("pause", "GLOBAL", [], [], given(("halt", "GLOBAL")))["ends_by"] == "normal"


def test_what_stays_in_force_by_another_scope_is_named() -> None:
    """Back to normal for everything leaves the engines that a flatten has halted; resume of an engine leaves GLOBAL."""
    found = effect_of("normal", "GLOBAL", [], [], given(("flatten", "GLOBAL")))
    left = {
        one["engine"] for one in found["engines_after"] if one["state"] == "HALTED" and one["scope"] == one["engine"]
    }
    assert left == {"trend-1", "trend-2", "funding"}
    assert "not ended by it: trend-1 HALTED, trend-2 HALTED, funding HALTED (each" in found["effect"]
    (one,) = effect_of("resume", "trend-1", [], [], given(("pause", "GLOBAL")))["engines_after"]
    assert (one["state"], one["scope"]) == ("PAUSED", "GLOBAL")


def test_every_command_has_its_preview() -> None:
    for action in ACTIONS:
        for scope in allowed_scopes(action):
            assert effect_of(action, scope, ORDERS, POSITIONS, machines_of([]))["effect"], (action, scope)
