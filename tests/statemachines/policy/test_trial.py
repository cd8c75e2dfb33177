"""RM-6: what a change would do now: orders refused and capital moved, by the rules in service, and nothing changes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from api.policy_trial import Effects
from statemachines.actor_logic import StateRow
from statemachines.execution.orders.parent_order import PREFIX, SCHEMA, ParentOrder
from statemachines.messages.control import ComponentChanged, RiskState
from statemachines.messages.orders import Approved, Intent
from statemachines.orchestration.parameters import OrchestratorParameters
from statemachines.policy.trial import capital_moves, capital_rests, open_intents, refused_orders
from statemachines.risk.logic import RiskManagerLogic
from statemachines.risk.parameters import RiskParameters
from statemachines.values import ActorName
from tests.kit.builders import intent
from tests.kit.restoring import restore_logic
from tests.statemachines.orchestration.test_logic import World as Orchestrated
from tests.statemachines.risk.world import T0, World, sent

ENTRY = intent(1)
"""1 BTC at 1,000 USDT, of an engine with 15,000."""


def approved(*intents: Intent) -> World:
    world = World().open()
    for one in intents:
        assert sent(world.tell(one, T0, str(one.engine)), "approved")
    return world


def made(world: World, parameters: RiskParameters) -> RiskManagerLogic:
    logic = RiskManagerLogic(parameters)
    restore_logic(logic, world.rows)
    return logic


@pytest.mark.parametrize(
    ("limit", "is_refused"), [("999", True), ("1000", False), ("1001", False)], ids=["below", "at", "above"]
)
def test_an_order_under_way_is_checked_against_the_changed_limit_without_its_own_part(
    limit: str, is_refused: bool
) -> None:
    """It commits 1,000 USDT: with its own part counted twice, any limit below 2,000 would refuse it."""
    world = approved(ENTRY)
    before, after = (
        made(world, RiskParameters(**settings))
        for settings in ({"limit_tolerance": 0}, {"limit_tolerance": 0, "capital_limit_usdt": limit})
    )
    rows = dict(world.rows)
    found = refused_orders(before, after, [ENTRY], T0)
    assert [one.intent for one in found] == ([ENTRY] if is_refused else [])
    if is_refused:
        (refusal,) = found[0].refusals
        assert (refusal.check, refusal.limit) == ("capital_limit", Decimal(limit))
    assert {row.key: row for row in after.rows()} == {row.key: row for row in before.rows()}
    assert world.rows == rows and not after.dirty()


def test_what_the_limits_in_force_refuse_already_is_no_effect_of_the_change() -> None:
    world = approved(ENTRY)
    tight = RiskParameters(capital_limit_usdt=Decimal(500))
    assert refused_orders(made(world, tight), made(world, tight), [ENTRY], T0) == []


def test_an_engine_that_may_not_trade_any_more_has_its_orders_refused() -> None:
    rest = {name: one for name, one in RiskParameters().engines.items() if name is not ActorName.TREND_1}
    after = RiskManagerLogic(RiskParameters.model_construct(**{**dict(RiskParameters()), "engines": rest}))
    assert [one.check for one in after.recheck(ENTRY, T0)] == ["ownership"]


def _parent(slot: int, order: Intent, filled: str) -> StateRow:
    approval = Approved(
        intent=order,
        max_quantity=order.quantity,
        price_limit=None,
        slippage_limit=Decimal("0.01"),
        expires_ms=None,
        portfolio_version=1,
    )
    parent = ParentOrder(slot, slot, approval, T0, "trace", order.quantity, None, None, filled=Decimal(filled))
    return StateRow(f"{PREFIX}{slot}", parent.state.value, SCHEMA, parent.as_data())


def test_the_orders_under_way_are_those_of_the_order_manager_with_what_is_left() -> None:
    rows = {row.key: row for row in (_parent(0, ENTRY, "0.25"), _parent(1, intent(2), "1"))}
    (found,) = open_intents({**rows, "control": StateRow("control", "", 1, {})})
    assert (found.intent_id, found.quantity) == (ENTRY.intent_id, Decimal("0.75"))


def test_capital_moves_as_a_close_now_would_move_it() -> None:
    """Weights of OR-1 in the regime DEFAULT: 5 points from CORE to TACTICAL, which is what a day may move."""
    world = Orchestrated().open()
    world.close_day()
    default = OrchestratorParameters()
    weights = dict(default.weights) | {
        ActorName.CORE_HODL: default.weights[ActorName.CORE_HODL] - Decimal("0.05"),
        ActorName.TACTICAL: default.weights[ActorName.TACTICAL] + Decimal("0.05"),
    }
    rows = dict(world.rows)
    now, then = capital_moves(default, rows), capital_moves(OrchestratorParameters(weights=weights), rows)
    total = Decimal(str(rows["portfolio"].data["equity_usdt"]))
    assert now == [], "what the cycle has moved already is on its way"
    ((giver, receiver, amount, rule),) = then
    assert (giver, receiver, rule) == (ActorName.CORE_HODL, ActorName.TACTICAL, "OR-2")
    assert amount == total * Decimal("0.05")
    assert world.rows == rows
    del rows["portfolio"]
    assert capital_moves(OrchestratorParameters(weights=weights), rows) == []


def _weights(core: str) -> OrchestratorParameters:
    default = OrchestratorParameters()
    taken = default.weights[ActorName.CORE_HODL] - Decimal(core)
    changed = {
        ActorName.CORE_HODL: Decimal(core),
        ActorName.TACTICAL: default.weights[ActorName.TACTICAL] + taken,
    }
    return OrchestratorParameters(weights=dict(default.weights) | changed)


def test_an_engine_that_a_close_would_not_ask_is_not_said_to_give() -> None:
    """It is FAULTED: a close leaves its capital where it is."""
    world = Orchestrated().open()
    world.close_day()
    assert [move.giver for move in capital_moves(_weights("0.55"), dict(world.rows))] == [ActorName.CORE_HODL]
    world.tell(ComponentChanged(component=ActorName.CORE_HODL, state="FAULTED", reason="6 restarts"))
    assert capital_moves(_weights("0.55"), dict(world.rows)) == []


@pytest.mark.parametrize("state", ["NORMAL", "CAUTION", "PAUSED", "REDUCE_ONLY", "HALTED"])
def test_in_any_state_of_global_but_normal_capital_is_said_to_rest(state: Any) -> None:
    world = Orchestrated().open()
    world.close_day()
    assert capital_rests(dict(world.rows)) == ""
    world.tell(RiskState(scope="GLOBAL", state=state, size_factor=Decimal(1), reason="a test"))
    world.tell(RiskState(scope="trend-1", state="HALTED", size_factor=Decimal(0), reason="a test"))
    assert capital_rests(dict(world.rows)) == ("" if state == "NORMAL" else state)
    effects = Effects(0, [], ["5 USDT"], [], {}, capital_rests(dict(world.rows)))
    told = " ".join(effects.lines())
    assert ("a daily close now moves no capital" in told) is (state != "NORMAL")
    assert ("A daily close now would move: 5 USDT." in told) is (state == "NORMAL")
