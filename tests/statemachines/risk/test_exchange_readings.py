"""RM-4, R2: the switches that are read off the exchange trip after consecutive readings and end after good minutes."""

from __future__ import annotations

import pytest

from statemachines.actor_logic import StateRow
from statemachines.orchestration.exchange_readings import ExchangeReadings, Readings
from statemachines.risk.machine import SCOPE_ROWS, Level, RiskMachine, RiskStateName
from statemachines.risk.parameters import ReadingPolicies
from statemachines.state_store import StateDialect
from statemachines.values import DAY_MS

GOOD = Readings({"REST": 1.0, "private FUNDING": 20.0}, {"public spot": 1.0}, 3)
AWAY = Readings({"REST": 31.0, "private FUNDING": 20.0}, {"public spot": 1.0}, None)
STREAM_DEAD = Readings({"REST": 1.0, "private FUNDING": 30.5}, {"public spot": 1.0}, 3)
STALE = Readings({"REST": 1.0}, {"public spot": 1.0, "public linear": 60.5}, 3)
CLOCK = Readings({"REST": 1.0}, {"public spot": 1.0}, 1_001)
AT_LIMIT = Readings({"REST": 30.0}, {"public spot": 60.0}, 1_000)


def readings() -> ExchangeReadings:
    return ExchangeReadings(ReadingPolicies())


@pytest.mark.parametrize(
    ("bad", "switch"),
    [
        (AWAY, "exchange_unreachable"),
        (STREAM_DEAD, "exchange_unreachable"),
        (STALE, "market_data_stale"),
        (CLOCK, "clock_off"),
    ],
)
def test_each_trips_at_the_second_bad_reading_and_ends_after_five_good_minutes(bad: Readings, switch: str) -> None:
    ours = readings()
    assert not ours.look(bad, 0.0), "never on one"
    (tripped,) = ours.look(bad, 1.0)
    assert (tripped.switch, tripped.is_bad) == (switch, True)
    assert not ours.look(bad, 2.0), "said once"
    changes = [change for second in range(3, 303) for change in ours.look(GOOD, second) if change.switch == switch]
    assert not changes
    (ended,) = [change for change in ours.look(GOOD, 303.0) if change.switch == switch]
    assert not ended.is_bad


def test_at_the_limit_nothing_trips() -> None:
    ours = readings()
    assert not [change for second in range(100) for change in ours.look(AT_LIMIT, second) if change.is_bad]


def test_one_bad_reading_in_between_starts_the_good_minutes_anew() -> None:
    ours = readings()
    assert [len(ours.look(STALE, at)) for at in (0.0, 1.0)] == [0, 1]
    stale = [
        change.is_bad
        for second in range(2, 601)
        for change in ours.look(STALE if second == 300 else GOOD, second)
        if change.switch == "market_data_stale"
    ]
    assert not stale, "from second 301 on it takes until second 601"


def test_a_clock_that_cannot_be_read_is_neither_good_nor_bad() -> None:
    ours = readings()
    assert [len(ours.look(CLOCK, at)) for at in (0.0, 1.0)] == [0, 1]
    changes = [change for second in range(2, 1_000) for change in ours.look(AWAY, second)]
    assert all(change.switch != "clock_off" for change in changes)


def test_what_an_earlier_orchestrator_had_tripped_is_ended_by_its_successor() -> None:
    """The risk manager's demand is durable, the count of readings is not."""
    ours = readings()
    said = [change for second in range(301) for change in ours.look(GOOD, second)]
    assert {change.switch for change in said} == {"exchange_unreachable", "market_data_stale", "clock_off"}
    assert not any(change.is_bad for change in said)


# --- the machine ---


def test_r2_a_bad_reading_holds_reduce_only_and_its_end_needs_no_calm() -> None:
    m = RiskMachine("GLOBAL", DAY_MS)
    (entered,) = m.hold("market_data_stale", "old", 5)
    assert m.state is RiskStateName.REDUCE_ONLY and entered.trigger == "reduce_only"
    assert m.deadline() is None and m.tick(10 * DAY_MS) == []
    assert m.hold("market_data_stale", "old", 6) == []
    assert [note.trigger for note in m.hold("clock_off", "off", 7)] == ["joined"]
    assert m.let_go("market_data_stale", "good", 8) == [], "the clock is still off"
    (left,) = m.let_go("clock_off", "good", 9)
    assert m.state is RiskStateName.NORMAL and left.trigger == "reading_good"
    assert m.let_go("clock_off", "good", 10) == []


def test_r2_it_returns_to_what_others_demand_and_to_what_is_still_in_its_24_hours() -> None:
    m = RiskMachine("GLOBAL", DAY_MS)
    m.demand("drawdown", Level.CAUTION, "fell", 1)
    m.hold("clock_off", "off", 2)
    m.release("drawdown", 3)
    (left,) = m.let_go("clock_off", "good", 4)
    assert (left.trigger, m.state) == ("reading_good_to_caution", RiskStateName.CAUTION)
    m.tick(3 + DAY_MS)
    assert m.state is RiskStateName.NORMAL


def test_24_calm_hours_do_not_end_what_a_reading_holds() -> None:
    m = RiskMachine("GLOBAL", DAY_MS)
    m.demand_once("orders_rejected", Level.REDUCE_ONLY, "many", 1)
    m.hold("clock_off", "off", 2)
    m.tick(1 + DAY_MS)
    assert m.state is RiskStateName.REDUCE_ONLY and m.level is Level.NORMAL
    m.let_go("clock_off", "good", 2 + DAY_MS)
    assert m.state is RiskStateName.NORMAL


def test_halted_stays_halted_through_readings_and_normal_does_not_override_a_bad_one() -> None:
    m = RiskMachine("GLOBAL", DAY_MS)
    m.operator("halt", "ana", "stop", 1)
    assert m.hold("clock_off", "off", 2) == []
    (note,) = m.operator("normal", "ana", "go", 3)
    assert note.trigger == "operator_reduce_only" and m.state is RiskStateName.REDUCE_ONLY
    m.let_go("clock_off", "good", 4)
    assert m.state is RiskStateName.NORMAL


def test_a_paused_scope_stays_paused_and_resumes_to_what_the_reading_holds() -> None:
    m = RiskMachine("GLOBAL", DAY_MS)
    m.operator("pause", "ana", "lunch", 1)
    m.hold("clock_off", "off", 2)
    assert m.state is RiskStateName.PAUSED
    m.operator("resume", "ana", "back", 3)
    assert m.state is RiskStateName.REDUCE_ONLY


def test_bad_readings_survive_a_restart() -> None:
    m = RiskMachine("GLOBAL", DAY_MS)
    m.hold("clock_off", "off", 2)
    again = RiskMachine.from_row("GLOBAL", DAY_MS, m.state.value, m.to_data())
    again.let_go("clock_off", "good", 3)
    assert again.state is RiskStateName.NORMAL
    old = {name: value for name, value in m.to_data().items() if name not in ("readings", "reasons", "is_closing")}
    former = StateRow("scope:GLOBAL", "NORMAL", 1, old | {"level": "NORMAL"})
    (row,) = StateDialect(SCOPE_ROWS).read("risk-manager", {former.key: former}).values()
    assert RiskMachine.from_row("GLOBAL", DAY_MS, "NORMAL", row.data).readings == set()
