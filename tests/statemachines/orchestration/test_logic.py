"""The orchestrator: OR-1, OR-3 (exactly once, also with a restart at every point), OR-6, OR-8."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from statemachines.commands import Alert, AlertEnded, Command, JournalEntry, Record, Remark, Send
from statemachines.conditions import Conditions
from statemachines.facts import AlertFact
from statemachines.messages.accounts import FundingPaid, Reconciled, TransferEnded, TransferOrdered, TransferWanted
from statemachines.messages.control import (
    AccessFailures,
    AssessRisk,
    ComponentAlert,
    ComponentChanged,
    CycleDone,
    RiskAssessed,
    RiskState,
    RunCycle,
)
from statemachines.messages.envelope import Body
from statemachines.messages.market import DayClosed
from statemachines.messages.orders import OrderDenied
from statemachines.orchestration.daily_cycle import CYCLE_TABLE, Stage
from statemachines.orchestration.logic import OrchestratorLogic
from statemachines.orchestration.parameters import OrchestratorParameters
from statemachines.portfolio.equity import Holdings
from statemachines.values import ACCOUNT_OF, DAY_MS, HOUR_MS, Account, ActorName, Side
from tests.kit import builders
from tests.statemachines.orchestration.answered import Answered

DAY0 = 20_000 * DAY_MS
CYCLE = [ActorName.CORE_HODL, ActorName.TREND_1, ActorName.TREND_2, ActorName.TACTICAL]


class World(Answered):
    """Plays risk manager, engines and order manager around the logic."""

    def __init__(self, restart_before: Callable[[int], bool] = lambda _n: False) -> None:
        super().__init__(OrchestratorLogic, DAY0, restart_before)
        self.risk = "NORMAL"
        self.silent: set[ActorName] = set()
        self.failing: set[str] = set()

    def act(self, command: Command) -> None:
        if isinstance(command, Send):
            self._answer(command.body)

    def _answer(self, body: Body) -> None:
        match body:
            case AssessRisk():
                self.inbox.append(RiskAssessed(day_ms=body.day_ms, state=self.risk, reason="as told"))  # type: ignore[arg-type]
            case RunCycle() if body.engine not in self.silent:
                self.inbox.append(CycleDone(day_ms=body.day_ms, engine=body.engine, summary="nothing to do"))
            case TransferOrdered():
                fields = body.model_dump()
                succeeded = body.request_id not in self.failing
                self.inbox.append(TransferEnded(**fields, succeeded=succeeded, reason="" if succeeded else "refused"))
            case _:
                pass

    def open(self) -> World:
        self.tell(Reconciled(market_ms=self.now_ms, reason="start", discrepancies=0), portfolio(self.now_ms))
        return self

    def close_day(self) -> None:
        self.now_ms += DAY_MS
        self.tell(portfolio(self.now_ms), DayClosed(day_ms=self.now_ms - DAY_MS, close_ms=self.now_ms, bars=()))

    def summaries(self) -> list[Any]:
        return [c.fact for c in self.log if isinstance(c, Record)]

    def stages(self) -> list[str]:
        return [c.dest for c in self.log if isinstance(c, JournalEntry) and c.machine == "daily-cycle"]


def portfolio(now_ms: int) -> Body:
    accounts = {account: Holdings({"USDT": Decimal(20_000)}, {}) for account in ACCOUNT_OF.values()}
    return builders.portfolio(now_ms // HOUR_MS, now_ms, accounts, {})


def wish(number: int) -> TransferWanted:
    return TransferWanted(
        request_id=f"funding-{number}",
        engine=ActorName.FUNDING,
        from_account=Account.FUNDING,
        to_account=Account.TACTICAL,
        coin="USDT",
        amount=Decimal(10),
        purpose="FU-5",
    )


NORMAL_DAY = ["REFRESH", "RISK", "ENGINES", "CAPITAL", "SUMMARY", "IDLE"]


def test_or3_stages_follow_the_specification() -> None:
    world = World().open()
    world.close_day()
    assert world.stages() == NORMAL_DAY
    assert CYCLE_TABLE.russian[Stage.CAPITAL] == "Оркестрация капитала"


def test_or3_engines_run_one_after_the_other_in_order() -> None:
    """O7: CORE, TREND, TACTICAL; FUNDING is not driven by the cycle (F3)."""
    world = World().open()
    world.silent = {ActorName.TREND_1}
    world.close_day()
    assert [r.engine for r in world.bodies(RunCycle)] == CYCLE[:2]
    world.tell(CycleDone(day_ms=DAY0, engine=ActorName.TREND_1, summary="late"))
    assert [r.engine for r in world.bodies(RunCycle)] == CYCLE
    assert len(world.summaries()) == 1


def test_or1_targets_are_weights_of_the_portfolio() -> None:
    world = World().open()
    world.close_day()
    targets = {r.engine: r.target_usdt for r in world.bodies(RunCycle)}
    assert targets == {
        ActorName.CORE_HODL: 60_000,
        ActorName.TREND_1: 15_000,
        ActorName.TREND_2: 5_000,
        ActorName.TACTICAL: 5_000,
    }
    assert {r.portfolio_usdt for r in world.bodies(RunCycle)} == {Decimal(100_000)}


def test_or1_weights_must_sum_to_one() -> None:
    weights = OrchestratorParameters().weights
    assert weights[ActorName.FUNDING] == Decimal("0.15") and sum(weights.values()) == 1
    with pytest.raises(ValidationError, match="exactly 1"):
        OrchestratorParameters(weights=weights | {ActorName.CORE_HODL: Decimal("0.61")})


def test_or9_no_cycle_before_reconciliation() -> None:
    world = World()
    world.close_day()
    assert world.stages() == []
    world.tell(Reconciled(market_ms=world.now_ms, reason="start", discrepancies=0))
    assert world.stages() == NORMAL_DAY


def test_or3_a_day_is_never_run_twice() -> None:
    world = World().open()
    world.close_day()
    again = DayClosed(day_ms=DAY0, close_ms=world.now_ms, bars=())
    world.tell(again, again)
    assert len(world.summaries()) == 1 and len(world.bodies(RunCycle)) == 4


def test_r2_in_caution_the_cycle_runs_and_capital_rests() -> None:
    """GLOBAL CAUTION (CH-9): the engines may enter, at half size, and no transfer is made before the next NORMAL cycle.
    Before, the cycle stopped as in REDUCE_ONLY."""
    world = World().open()
    world.risk = "CAUTION"
    world.tell(wish(1))
    world.close_day()
    assert world.stages() == ["REFRESH", "RISK", "ENGINES", "SUMMARY", "IDLE"]
    assert len(world.bodies(RunCycle)) == 4 and all(r.entries_allowed for r in world.bodies(RunCycle))
    assert not world.bodies(TransferOrdered)
    world.risk = "NORMAL"
    world.close_day()
    assert len(world.bodies(TransferOrdered)) == 1


@pytest.mark.parametrize("state", ["REDUCE_ONLY", "HALTED", "PAUSED"])
def test_or3_unless_normal_the_risk_action_is_executed_and_the_cycle_stops(state: str) -> None:
    world = World().open()
    world.risk = state
    world.tell(wish(1))
    world.close_day()
    assert world.stages() == ["REFRESH", "RISK", "PROTECTION", "SUMMARY", "IDLE"]
    assert not any(r.entries_allowed for r in world.bodies(RunCycle))
    assert not world.bodies(TransferOrdered)
    world.risk = "NORMAL"
    world.close_day()
    assert len(world.bodies(TransferOrdered)) == 1


def test_a_halt_of_many_days_is_one_alert_with_a_beginning_and_an_end() -> None:
    """There was one alert per market day, and none of them ever ended."""
    world = World().open()
    world.risk = "HALTED"
    for _ in range(5):
        world.close_day()
    world.risk = "NORMAL"
    world.close_day()
    book, facts = Conditions(ActorName.ORCHESTRATOR), []
    for number, command in enumerate(c for c in world.log if isinstance(c, Alert | AlertEnded)):
        fact = book.take(command, f"a{number}", number)
        facts += [] if fact is None else [fact]
    assert [(fact.alert_id, fact.state) for fact in facts] == [("a0", "open"), ("a0", "ended")]
    assert "NORMAL" in facts[-1].text


def test_rm2_an_engines_own_state_forbids_only_its_entries() -> None:
    world = World().open()
    world.tell(RiskState(scope="trend-1", state="REDUCE_ONLY", size_factor=Decimal(0), reason="RM-3"))
    world.close_day()
    assert [r.engine for r in world.bodies(RunCycle) if not r.entries_allowed] == [ActorName.TREND_1]


def test_or8_a_faulted_engine_is_skipped_with_a_note() -> None:
    world = World().open()
    world.tell(ComponentChanged(component=ActorName.TREND_1, state="FAULTED", reason="6 restarts"))
    assert len(world.bodies(ComponentChanged)) == 1
    world.close_day()
    assert [r.engine for r in world.bodies(RunCycle)] == [e for e in CYCLE if e is not ActorName.TREND_1]
    assert any(isinstance(c, Remark) and c.trigger == "skip_engine" for c in world.log)
    assert "FAULTED" in world.summaries()[0].data["engines"]["trend-1"]["cycle"]


def test_or8_a_component_that_is_down_is_one_alert_until_it_runs_again() -> None:
    """Five failures and FAULTED were six alerts, and none of them ever ended."""
    world, conditions = World().open(), Conditions(ActorName.ORCHESTRATOR)

    def told(*bodies: Body) -> list[AlertFact]:
        before = len(world.log)
        world.tell(*bodies)
        alerts = (c for c in world.log[before:] if isinstance(c, Alert | AlertEnded))
        return [fact for c in alerts if (fact := conditions.take(c, "a", world.now_ms)) is not None]

    down = [
        ComponentAlert(component=ActorName.TREND_1, severity="warning", text=f"failure {n}", is_open=True)
        for n in range(3)
    ]
    assert [fact.state for fact in told(*down)] == ["open", "changed", "changed"]
    (once,) = told(ComponentAlert(component=ActorName.TREND_1, severity="warning", text="was over when told"))
    assert once.state == "ended"
    assert [f.state for f in told(ComponentChanged(component=ActorName.TREND_1, state="RUNNING", reason="x"))] == [
        "ended"
    ]
    assert told(ComponentChanged(component=ActorName.TREND_1, state="RUNNING", reason="x")) == []


def test_failed_attempts_at_the_interface_are_one_alert_that_ends() -> None:
    """DE-3: the interface reports them; what was not open does not end."""
    world, conditions = World().open(), Conditions(ActorName.ORCHESTRATOR)
    before = len(world.log)
    world.tell(
        AccessFailures(is_open=False, text="the interface was restarted."),
        AccessFailures(is_open=True, text="5 attempts"),
        AccessFailures(is_open=True, is_critical=True, text="10 attempts"),
        AccessFailures(is_open=False, text="it is quiet."),
    )
    alerts = (c for c in world.log[before:] if isinstance(c, Alert | AlertEnded))
    facts = [fact for c in alerts if (fact := conditions.take(c, "a", world.now_ms)) is not None]
    assert [(one.state, one.severity) for one in facts] == [
        ("open", "warning"),
        ("changed", "critical"),
        ("ended", "critical"),
    ]
    assert facts[-1].text == "10 attempts Ended: it is quiet."


def test_or8_an_engine_that_faults_during_its_turn_does_not_hold_the_others() -> None:
    world = World().open()
    world.silent = {ActorName.CORE_HODL}
    world.close_day()
    world.tell(ComponentChanged(component=ActorName.CORE_HODL, state="FAULTED", reason="x"))
    assert [r.engine for r in world.bodies(RunCycle)] == CYCLE
    assert len(world.summaries()) == 1


def test_or3_a_cycle_that_hangs_is_ended_by_the_next_day() -> None:
    world = World().open()
    world.silent = {ActorName.TREND_2}
    world.close_day()
    world.silent = set()
    world.close_day()
    assert [s.day_ms for s in world.summaries()] == [DAY0, DAY0 + DAY_MS]
    first = world.summaries()[0].data["engines"]
    assert first["trend-2"]["cycle"] == first["tactical"]["cycle"] == "not ended when the next day closed"
    assert any(isinstance(c, Alert) and c.severity == "critical" for c in world.log)
    world.tell(CycleDone(day_ms=DAY0, engine=ActorName.TREND_2, summary="much too late"))
    assert len(world.summaries()) == 2


def test_or3_without_a_portfolio_no_engine_is_run() -> None:
    world = World()
    world.tell(Reconciled(market_ms=DAY0, reason="start", discrepancies=0))
    world.tell(DayClosed(day_ms=DAY0, close_ms=DAY0 + DAY_MS, bars=()))
    assert not world.bodies(RunCycle)
    assert world.summaries()[0].data["equity_usdt"] is None


def test_or6_a_failed_transfer_asked_again_moves_in_the_next_cycle() -> None:
    world = World().open()
    world.failing = {"funding-1"}
    world.tell(wish(1), wish(2))
    world.close_day()
    assert len(world.bodies(TransferOrdered)) == 2
    world.failing = set()
    world.tell(wish(1))
    assert len(world.bodies(TransferOrdered)) == 2
    world.close_day()
    world.close_day()
    assert [t.request_id for t in world.bodies(TransferOrdered)] == ["funding-1", "funding-2", "funding-1"]
    assert len({t.transfer_id for t in world.bodies(TransferOrdered)}) == 3


def test_or3_the_summary_counts_since_the_last_one() -> None:
    world = World().open()
    fill = builders.fill(
        ActorName.CORE_HODL,
        "BTCUSDT",
        Side.BUY,
        "2",
        "100",
        0,
        intent_id="core-hodl-1",
        category="spot",
        fee=Decimal("0.002"),
        fee_coin="BTC",
        is_maker=True,
        position_quantity=Decimal(2),
    )
    paid = FundingPaid(
        execution_id="f",
        engine=ActorName.FUNDING,
        account=Account.FUNDING,
        symbol="BTCUSDT",
        amount_usdt=Decimal("1.25"),
        rate=Decimal("0.0001"),
        settle_ms=0,
        cash_usdt=Decimal(0),
    )
    denied = OrderDenied(intent_id="trend-1-1", engine=ActorName.TREND_1, reasons=("size: x",), checks=("size",))
    world.tell(fill, paid, denied)
    world.close_day()
    world.close_day()
    first, second = (s.data for s in world.summaries())
    assert (first["fills"], first["refusals"]) == (1, {"size": 1})
    assert Decimal(first["fees_usdt"]) == Decimal("0.2")
    assert Decimal(first["funding_usdt"]) == Decimal("1.25")
    assert first["cash_idle_usdt"] == "100000"
    assert (second["fills"], second["refusals"]) == (0, {})


# --- exactly once, whatever crashes ---


def script(world: World) -> World:
    world.open()
    world.tell(wish(1))
    world.close_day()
    world.failing = {"funding-2"}
    world.tell(wish(2), ComponentChanged(component=ActorName.TREND_2, state="FAULTED", reason="x"))
    world.close_day()
    world.failing, world.risk = set(), "REDUCE_ONLY"
    world.close_day()
    world.risk, world.silent = "NORMAL", {ActorName.TACTICAL}
    world.close_day()
    world.close_day()
    return world


STEADY = script(World())


def test_or3_a_restart_before_every_single_step_changes_nothing() -> None:
    shaken = script(World(lambda _n: True))
    assert shaken.log == STEADY.log and shaken.rows == STEADY.rows


@pytest.mark.parametrize("step", range(1, STEADY.steps + 1))
def test_or3_one_restart_at_any_point_changes_nothing(step: int) -> None:
    shaken = script(World(lambda n: n == step))
    assert shaken.log == STEADY.log


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["close", "repeat", "fault", "back", "risk", "calm", "wish", "silence"]), max_size=25))
def test_or3_one_summary_per_day_and_one_turn_per_engine_and_day(events: list[str]) -> None:
    world, number, closed = World(lambda n: n % 3 == 0).open(), 0, 0
    for event in events:
        if event == "close":
            world.close_day()
            closed += 1
        elif event == "repeat" and closed:
            world.tell(DayClosed(day_ms=world.now_ms - DAY_MS, close_ms=world.now_ms, bars=()))
        elif event in ("fault", "back"):
            state = "FAULTED" if event == "fault" else "RUNNING"
            world.tell(ComponentChanged(component=ActorName.TREND_1, state=state, reason="x"))
        elif event in ("risk", "calm"):
            world.risk = "CAUTION" if event == "risk" else "NORMAL"
        elif event == "wish":
            number += 1
            world.tell(wish(number))
        elif event == "silence":
            world.silent ^= {ActorName.TREND_2}
    days = [s.day_ms for s in world.summaries()]
    assert days == sorted(set(days)) and closed - 1 <= len(days) <= closed
    turns = [(r.day_ms, r.engine) for r in world.bodies(RunCycle)]
    assert len(turns) == len(set(turns))
    done = [t.request_id for t in world.bodies(TransferOrdered)]
    assert len(done) == len(set(done))
