"""The risk manager as a whole: RM-1, RM-2, RM-3, RM-4, RM-5, OR-3, OR-8, and restarts at any point."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.runtime.routing import recipients
from statemachines.commands import JournalEntry
from statemachines.messages.accounts import Portfolio
from statemachines.messages.control import AssessRisk, ComponentChanged, OperatorCommand
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import FundingSettled
from statemachines.messages.orders import IntentDone, IntentEnded, MoveStop, OrderRejected, Withdraw
from statemachines.values import DAY_MS, ENGINES, HOUR_MS, Account, ActorName, Side
from tests.kit.builders import intent
from tests.statemachines.risk.world import (
    CASH,
    T0,
    World,
    balances,
    close,
    day,
    facts,
    fill,
    hour,
    instruments,
    notes,
    reconciled,
    sends,
    sent,
)


def command(action: str, scope: str, number: int = 1) -> OperatorCommand:
    return OperatorCommand(command_id=f"c{number}", who="alice", action=action, scope=scope, reason="test")  # type: ignore[arg-type]


def done(number: int, outcome: str = "FILLED") -> IntentEnded:
    fields: dict[str, Any] = {
        "intent_id": f"trend-1-{number}",
        "engine": ActorName.TREND_1,
        "account": Account.TREND_1,
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "reason": "",
    }
    return OrderRejected(**fields) if outcome == "REJECTED" else IntentDone(outcome=outcome, **fields)  # type: ignore[arg-type]


# --- the portfolio ---


def test_rm1_until_everything_is_known_intents_are_denied_with_what_is_missing() -> None:
    world = World()
    world.tell(instruments(), T0)
    world.tell(hour(T0), T0)
    world.tell(reconciled(T0), T0)
    (denied,) = sent(world.tell(intent(1), T0), "order_denied")
    assert denied.checks == ("portfolio_known",)
    assert "balances of TREND-1 are not known" in denied.reasons[0]
    assert not sent(world.log, "portfolio")


def test_nothing_is_let_through_before_reconciliation() -> None:
    """OR-9."""
    world = World()
    world.tell(instruments(), T0)
    world.tell(hour(T0), T0)
    for account, cash in CASH.items():
        world.tell(balances(account, str(cash)), T0)
    (denied,) = sent(world.tell(intent(1), T0), "order_denied")
    assert "reconciled" in denied.reasons[0]


def test_the_portfolio_goes_to_all_when_it_first_becomes_known() -> None:
    (send,) = sends(World().open().log, "portfolio")
    assert set(send.to) == {*ENGINES, ActorName.ORCHESTRATOR}
    assert isinstance(send.body, Portfolio)
    assert send.body.equity_usdt == 100_000


def test_a_daily_close_is_recorded_and_told_at_the_new_prices() -> None:
    world = World().open()
    order = intent(1, ActorName.CORE_HODL, category="spot", quantity=Decimal(10))
    world.tell(order, T0)
    world.tell(fill(order, T0, "10", "10", "50000"), T0)
    world.tell(hour(T0 + DAY_MS, "1100"), T0 + DAY_MS)
    commands = world.tell(day(T0 + DAY_MS, "1100"), T0 + DAY_MS)
    (fact,) = facts(commands, "portfolio_versions")
    (portfolio,) = sent(commands, "portfolio")
    assert fact.equity_usdt == portfolio.equity_usdt == 101_000
    assert portfolio.market_ms == T0 + DAY_MS


def test_hourly_bars_stay_internal_and_a_settlement_tells_everyone() -> None:
    world = World().open()
    assert not world.tell(hour(T0 + HOUR_MS), T0 + HOUR_MS)
    settled = FundingSettled(settle_ms=T0 + HOUR_MS, rates={}, predicted={}, interval_min={})
    (send,) = sends(world.tell(settled, T0 + HOUR_MS), "portfolio")
    assert set(send.to) == {*ENGINES, ActorName.ORCHESTRATOR}


def test_a_fill_tells_its_engine_and_the_orchestrator() -> None:
    world = World().open()
    world.tell(intent(1), T0)
    (send,) = sends(world.tell(fill(intent(1), T0, "1", "1", "14999"), T0), "portfolio")
    assert set(send.to) == {ActorName.TREND_1, ActorName.ORCHESTRATOR}
    assert isinstance(send.body, Portfolio)
    assert send.body.accounts[Account.TREND_1].positions == {"BTCUSDT": (Decimal(1), Decimal(1000))}
    assert send.body.accounts[Account.TREND_1].equity_usdt == 14_999


def test_versions_rise_by_one() -> None:
    world = World().open()
    for number in range(1, 4):
        world.tell(intent(number), T0)
        world.tell(fill(intent(number), T0, "1", str(number), "15000"), T0)
    assert [p.version_no for p in sent(world.log, "portfolio")] == [1, 2, 3, 4]


# --- intents ---


def test_rm1_approval_carries_bounds() -> None:
    commands = World().open().tell(intent(1), T0)
    (approved,) = sent(commands, "approved")
    assert any("new risk within all limits" in c.reason for c in commands if isinstance(c, JournalEntry))
    assert approved.max_quantity == 1
    assert approved.price_limit == Decimal("1100.0")
    assert approved.slippage_limit == Decimal("0.005")
    assert approved.portfolio_version == 1


def test_rm1_every_decision_has_a_note_with_numbers() -> None:
    world = World().open()
    (note,) = notes(world.tell(intent(1, quantity=Decimal(16)), T0))
    assert (note.source, note.dest) == ("PROPOSED", "DENIED")
    assert "16000.0000 USDT" in note.reason and "15000.0000 USDT" in note.reason


def test_rm1_approved_intents_count_until_they_end() -> None:
    """TR-9: 15,000 USDT of equity bear 15 contracts at 1,000; what is approved is as good as held."""
    world = World().open()
    assert sent(world.tell(intent(1, quantity=Decimal(10)), T0), "approved")
    (denied,) = sent(world.tell(intent(2, quantity=Decimal(6)), T0), "order_denied")
    assert denied.checks == ("leverage",)
    world.tell(done(1, "CANCELLED"), T0)
    assert sent(world.tell(intent(3, quantity=Decimal(6)), T0), "approved")


def test_rm1_fills_are_not_counted_twice() -> None:
    world = World().open()
    world.tell(intent(1, quantity=Decimal(10)), T0)
    world.tell(fill(intent(1), T0, "4", "4", "15000"), T0)
    assert sent(world.tell(intent(2, quantity=Decimal(5)), T0), "approved")
    assert sent(world.tell(intent(3, quantity=Decimal("0.001")), T0), "order_denied")


def test_rm1_a_repeated_intent_is_decided_once() -> None:
    """A second answer would end the intent for its engine while its order works: it gets a note, no answer."""
    world = World().open()
    world.tell(intent(1), T0)
    commands = world.tell(intent(1), T0)
    assert not sent(commands, "approved") and not sent(commands, "order_denied")
    (note,) = notes(commands)
    assert note.KIND == "remark" and "already been decided" in note.reason


def test_withdraw_and_stop_moves_are_never_refused() -> None:
    world = World().open()
    world.tell(command("halt", "GLOBAL"), T0)
    withdraw = Withdraw(intent_id="trend-1-1", engine=ActorName.TREND_1, reason="not wanted")
    move = MoveStop(intent_id="trend-1-1", engine=ActorName.TREND_1, trigger_price=Decimal(9), reason="TR-6")
    for body in (withdraw, move):
        (send,) = sends(world.tell(body, T0, "trend-1"), body.KIND)
        assert send.to == (ActorName.ORDER_MANAGER,)


@pytest.mark.parametrize("moved_to", [None, "950"])
def test_a_stop_is_decided_at_its_trigger_wherever_it_was_moved(moved_to: str | None) -> None:
    """P4: a stop at 900 that fills at 899 has slipped by 1; against the entry's close the whole loss was slippage."""
    world = World().open()
    entry = intent(1)
    world.tell(entry, T0)
    world.tell(fill(entry, T0, "1", "1", "14000"), T0)
    trigger = Decimal(900)
    stop = intent(2, side=Side.SELL, style="stop", trigger_price=trigger, reduce_only=True, purpose="stop")
    world.tell(stop, T0)
    if moved_to is not None:
        trigger = Decimal(moved_to)
        move = MoveStop(intent_id=stop.intent_id, engine=stop.engine, trigger_price=trigger, reason="TR-6: higher")
        world.tell(move, T0)
    world.tell(fill(stop, T0 + 1, "1", "0", "14899", price=str(trigger - 1)), T0 + 1)
    close(world, 1)
    found = [fact for fact in facts(world.log, "performance") if fact.engine == "trend-1"]
    assert found[-1].slippage_usdt == 1


def test_denied_goes_to_the_engine_and_is_counted_by_the_orchestrator() -> None:
    (send,) = sends(World().open().tell(intent(1, quantity=Decimal(99)), T0), "order_denied")
    assert recipients(send, ActorName.RISK_MANAGER) == (ActorName.TREND_1, ActorName.ORCHESTRATOR)


# --- RM-5, RM-2 ---


def test_rm5_a_switch_is_recorded_told_and_cancels_resting_entries_but_no_stops() -> None:
    world = World().open()
    world.tell(intent(1), T0)
    stop = intent(2, side=Side.SELL, style="stop", reduce_only=True, trigger_price=Decimal(900), purpose="stop")
    world.tell(stop, T0)
    commands = world.tell(command("pause", "trend-1"), T0)
    (fact,) = facts(commands, "switches")
    assert (fact.scope, fact.state, fact.who) == ("trend-1", "PAUSED", "alice")
    (state,) = sends(commands, "risk_state")
    assert state.to == (ActorName.TREND_1, ActorName.ORCHESTRATOR)
    assert [w.intent_id for w in sent(commands, "withdraw")] == ["trend-1-1"]
    assert sent(world.tell(intent(3), T0), "order_denied")
    assert sent(world.tell(intent(1, ActorName.TREND_2), T0), "approved")


def test_rm5_a_command_is_carried_out_once() -> None:
    world = World().open()
    world.tell(command("halt", "GLOBAL"), T0)
    world.tell(command("normal", "GLOBAL", 2), T0)
    world.restart()
    commands = world.tell(command("halt", "GLOBAL"), T0)
    assert not facts(commands, "switches") and "already been carried out" in notes(commands)[0].reason
    assert world.state("GLOBAL") == "NORMAL"


def test_rm5_an_unknown_scope_is_refused() -> None:
    (note,) = notes(World().open().tell(command("halt", "everything"), T0))
    assert note.KIND == "remark" and "allowed" in note.reason


def test_rm5_survives_a_restart() -> None:
    """Elsewhere a pause was lost on restart, and trading resumed against the operator's decision."""
    world = World().open()
    world.tell(command("reduce_only", "GLOBAL"), T0)
    world.restart()
    (denied,) = sent(world.tell(intent(1), T0), "order_denied")
    assert denied.checks == ("engine_active",)


def test_or8_a_faulted_engine_only_reduces_until_the_operator_acts() -> None:
    """Elsewhere an operational error ended the program with positions open. Here the engine's scope turns reduce-only;
    the stops rest at the exchange."""
    world = World().open()
    faulted = ComponentChanged(component=ActorName.TREND_1, state="FAULTED", reason="6 restarts")
    (fact,) = facts(world.tell(faulted, T0), "switches")
    assert (fact.scope, fact.state) == ("trend-1", "REDUCE_ONLY")
    back = ComponentChanged(component=ActorName.TREND_1, state="RUNNING", reason="up")
    world.tell(back, T0 + HOUR_MS)
    world.settle(T0 + 30 * DAY_MS)
    assert sent(world.tell(intent(1), T0 + 30 * DAY_MS), "order_denied")
    world.tell(command("normal", "trend-1"), T0 + 30 * DAY_MS)
    world.tell(hour(T0 + 30 * DAY_MS), T0 + 30 * DAY_MS)
    assert sent(world.tell(intent(2), T0 + 30 * DAY_MS), "approved")


# --- OR-3 ---


def test_or3_assessment_follows_the_measurement_of_the_close() -> None:
    """Also when the question comes before the risk manager's own tick."""
    world = World().open()
    at_ms = T0 + DAY_MS
    world.tell(hour(at_ms), at_ms)
    world.logic.handle(Envelope("m:1", "market-data", at_ms, "", "", day(at_ms)))
    commands = world.logic.handle(Envelope("o:1", "orchestrator", at_ms, "", "", AssessRisk(day_ms=T0)))
    order = [c.body.KIND for c in commands if hasattr(c, "body")]
    assert order == ["portfolio", "risk_assessed"]
    assert sent(commands, "risk_assessed")[0].state == "NORMAL"
    assert world.logic.deadline() is None


def test_or3_an_unknown_portfolio_is_not_normal() -> None:
    world = World()
    (assessed,) = sent(world.tell(AssessRisk(day_ms=T0), T0), "risk_assessed")
    assert assessed.state == "REDUCE_ONLY" and "not known" in assessed.reason


# --- durability ---

STEP = st.one_of(
    st.tuples(st.just("intent"), st.integers(1, 60), st.integers(1, 12)),
    st.tuples(st.just("close"), st.just(0), st.integers(500, 1500)),
    st.tuples(st.just("fill"), st.integers(1, 60), st.integers(1, 5)),
    st.tuples(st.just("done"), st.integers(1, 60), st.integers(0, 1)),
    st.tuples(st.just("loss"), st.just(0), st.integers(8_000, 15_000)),
    st.tuples(st.just("balances"), st.integers(0, 4), st.integers(0, 20_000)),
    st.tuples(st.just("instruments"), st.just(0), st.just(0)),
    st.tuples(st.just("operator"), st.integers(1, 5), st.integers(0, 4)),
    st.tuples(st.just("fault"), st.just(0), st.just(0)),
    st.tuples(st.just("reconciled"), st.just(0), st.integers(0, 1)),
)


def play(world: World, steps: list[tuple[str, int, int]]) -> None:
    world.open()
    number = 0
    for kind, which, value in steps:
        now_ms = T0 + number * DAY_MS + HOUR_MS
        order = intent(which, quantity=Decimal(value))
        if kind == "intent":
            world.tell(order, now_ms)
        elif kind == "close":
            number += 1
            close(world, number, str(value))
        elif kind == "fill":
            world.tell(fill(order, now_ms, str(value), str(value), "14000"), now_ms)
        elif kind == "done":
            world.tell(done(which, ("FILLED", "REJECTED")[value]), now_ms)
        elif kind == "loss":
            world.tell(fill(intent(999), now_ms, "1", "0", str(value)), now_ms)
        elif kind == "balances":
            account = list(CASH)[which]
            coins = {"SOL": str(value % 7)} if account is Account.FUNDING else {}
            world.tell(balances(account, str(value), **coins), now_ms)
        elif kind == "instruments":
            world.tell(instruments(), now_ms)
        elif kind == "operator":
            action = ("pause", "resume", "reduce_only", "halt", "normal")[value]
            world.tell(command(action, ("GLOBAL", "trend-1")[which % 2], which), now_ms)
        elif kind == "fault":
            world.tell(ComponentChanged(component=ActorName.TREND_1, state="FAULTED", reason="x"), now_ms)
        else:
            world.tell(reconciled(now_ms, value), now_ms)


@settings(max_examples=60)
@given(st.lists(STEP, max_size=25))
def test_restored_after_every_step_it_decides_the_same(steps: list[tuple[str, int, int]]) -> None:
    """A crash between any two steps changes no decision, message or fact."""
    steady, shaken = World(), World(restarts=True)
    play(steady, steps)
    play(shaken, steps)
    assert shaken.log == steady.log
    assert shaken.rows == steady.rows


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(list(Side)), st.booleans()), max_size=25))
def test_tr9_no_sequence_of_approvals_reaches_beyond_the_limit(steps: list[tuple[int, Side, bool]]) -> None:
    """Invariant: whatever fills or not, held + approved never stands above 1.0 × equity in one asset."""
    world = World().open()
    held = Decimal(0)
    open_orders: list[tuple[Side, Decimal]] = []
    for number, (size, side, fills) in enumerate(steps, start=1):
        order = intent(number, side=side, quantity=Decimal(size))
        if not sent(world.tell(order, T0), "approved"):
            continue
        if fills:
            held += side.sign * size
            world.tell(fill(order, T0, str(size), str(held), "15000"), T0)
            world.tell(done(number), T0)
        else:
            open_orders.append((side, Decimal(size)))
        buys = sum((q for s, q in open_orders if s is Side.BUY), Decimal(0))
        sells = sum((q for s, q in open_orders if s is Side.SELL), Decimal(0))
        assert max(abs(held + buys), abs(held - sells), abs(held)) * 1000 <= 15_000
