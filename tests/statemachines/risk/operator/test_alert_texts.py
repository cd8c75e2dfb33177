"""RM-2, RM-5: what the alert of a risk state says of its end follows from who demands the state."""

from __future__ import annotations

from statemachines.actor_logic import StateRow
from statemachines.messages.control import ComponentChanged, ReadingChanged
from statemachines.messages.market import WithdrawalsSeen
from statemachines.risk.machine import SCOPE_ROWS, RiskMachine
from statemachines.solvency.terms import COINS, CoinWithdrawals
from statemachines.state_store import StateDialect
from statemachines.values import DAY_MS, MINUTE_MS, Account, ActorName
from tests.statemachines.risk.operator.test_commands import command
from tests.statemachines.risk.world import T0, World, close, facts, lose, notes, reconciled, sent

CALM, ONLY_YOU, DAYS, MINUTES = "24 h of calm", "Only your command 'normal'", "after 30 days", "for 5 minutes"
STALE = ReadingChanged(switch="market_data_stale", is_bad=True, reason="no data")


def told(world: World, scope: str) -> str:
    """The newest alert of the scope's state."""
    return [alert.text for alert in world.alerts if alert.condition == f"state:{scope}"][-1]


def says(text: str) -> set[str]:
    return {words for words in (CALM, ONLY_YOU, DAYS, MINUTES) if words in text}


def test_rm5_your_own_reduce_only_ends_by_your_normal_and_nothing_else() -> None:
    world = World().open()
    world.tell(command("reduce_only", "trend-2"), T0)
    assert says(told(world, "trend-2")) == {ONLY_YOU}


def test_rm5_also_as_an_intermediate_step_after_halted() -> None:
    world = World().open()
    world.tell(command("halt", "trend-2", "first"), T0)
    assert told(world, "trend-2").endswith("stops remain. Only your command can end HALTED.")
    world.tell(command("reduce_only", "trend-2"), T0 + 1)
    assert says(told(world, "trend-2")) == {ONLY_YOU}


def test_rm3_a_drawdown_ends_after_calm_or_a_standstill() -> None:
    world = World().open()
    close(world, 1)
    lose(world, 2, Account.TREND_1, "9900")
    close(world, 2)
    assert world.state("trend-2") == "REDUCE_ONLY" and says(told(world, "trend-2")) == {CALM, DAYS}


def test_or8_a_faulted_engine_requires_your_normal() -> None:
    world = World().open()
    world.tell(ComponentChanged(component=ActorName.FUNDING, state="FAULTED", reason="it was lost."), T0)
    assert "was lost. No new risk" in told(world, "funding")
    assert says(told(world, "funding")) == {ONLY_YOU}


def test_r2_a_bad_reading_ends_after_good_minutes_and_by_no_command() -> None:
    world = World().open()
    world.tell(STALE, T0, "orchestrator")
    text = told(world, "GLOBAL")
    assert says(text) == {MINUTES} and "market_data_stale" in text and "by no command" in text


def test_r2_after_your_normal_the_bad_reading_still_ends_by_good_minutes_alone() -> None:
    world = World().open()
    world.tell(command("halt", "GLOBAL", "first"), T0)
    world.tell(STALE, T0, "orchestrator")
    world.tell(command("reduce_only", "GLOBAL", "second"), T0 + 1)
    assert says(told(world, "GLOBAL")) == {ONLY_YOU, MINUTES}
    world.tell(command("halt", "GLOBAL", "third"), T0 + 2)
    world.tell(command("normal", "GLOBAL", "fourth"), T0 + 3)
    assert world.state("GLOBAL") == "REDUCE_ONLY" and says(told(world, "GLOBAL")) == {MINUTES}


def test_rm2_a_pause_over_what_a_rule_demands_ends_in_what_the_rule_says() -> None:
    world = World().open()
    close(world, 1)
    lose(world, 2, Account.TREND_1, "9900")
    close(world, 2)
    world.tell(command("pause", "trend-1", "first"), T0 + 1)
    assert "It then stands in REDUCE_ONLY (" in told(world, "trend-1") and "below its peak" in told(world, "trend-1")
    assert world.alerts[-1].severity == "critical", "what is beneath the pause is no smaller matter than before"
    world.tell(command("resume", "trend-1", "second"), T0 + 2)
    assert says(told(world, "trend-1")) == {CALM, DAYS}, "who resumes demands nothing"


def test_rm5_a_pause_over_nothing_says_only_what_it_is() -> None:
    world = World().open()
    world.tell(command("pause", "trend-1"), T0)
    assert told(world, "trend-1").endswith("No new entries until you resume it.")
    assert world.alerts[-1].severity == "info"


def test_r3_the_alert_of_a_flatten_says_that_positions_are_closed_and_stops_withdrawn() -> None:
    world = World().open()
    world.tell(command("flatten", "GLOBAL"), T0)
    for engine in ("trend-1", "trend-2", "funding"):
        text = told(world, engine)
        assert "closed at market" in text and "their stops are withdrawn" in text and "stops remain" not in text
        assert "Only your command can end HALTED." in text


def test_ch9_the_alert_of_suspended_withdrawals_points_at_the_exchange_and_no_other_does() -> None:
    advice = "Check the exchange's announcements"
    coins = tuple(CoinWithdrawals(coin=coin, chains=2, open_chains=0) for coin in COINS)
    world = World().open()
    for at_ms in (T0, T0 + MINUTE_MS):
        world.tell(WithdrawalsSeen(coins=coins, market_ms=at_ms), at_ms, "market-data")
    assert world.state("core-hodl") == "HALTED" and advice in told(world, "core-hodl")
    other = World().open()
    other.tell(command("halt", "core-hodl"), T0)
    assert advice not in told(other, "core-hodl")


def test_r2_differences_of_an_account_halt_its_engine() -> None:
    world = World().open()
    for n in (1, 2):
        world.tell(reconciled(T0 + n, 1, Account.TREND_1), T0 + n)
    assert world.state("trend-1") == "HALTED" and world.state("GLOBAL") == "NORMAL"
    assert "stops remain. Only your command can end HALTED." in told(world, "trend-1")


# --- what joins later: the open alert follows (ADR 0016) ---


def newest(world: World, scope: str) -> tuple[str, str]:
    """The newest alert of the scope's state and the reason in its switch row."""
    return told(world, scope), [fact.reason for fact in facts(world.log, "switches") if fact.scope == scope][-1]


def test_rm2_the_text_follows_when_your_command_joins_a_drawdown_and_when_the_drawdown_leaves() -> None:
    """It went on to promise that 24 h of calm end what only your command ends."""
    world = World(restarts=True).open()
    close(world, 1)
    lose(world, 2, Account.TREND_1, "9900")
    close(world, 2)
    world.tell(command("reduce_only", "trend-2"), T0 + 2 * DAY_MS)
    text, reason = newest(world, "trend-2")
    assert says(text) == {ONLY_YOU} and "RM-3: TREND is" in text and "; also: K: a test" in text and reason in text
    assert says(told(world, "trend-1")) == {CALM, DAYS}, "the other engine's is as it was"
    lose(world, 3, Account.TREND_1, "15000")
    close(world, 3)
    text, reason = newest(world, "trend-2")
    assert says(text) == {ONLY_YOU} and "RM-3" not in text and reason == "a test"
    assert [fact.who for fact in facts(world.log, "switches") if fact.scope == "trend-2"][-1] == "K"
    assert [note.trigger for note in notes(world.log)].count("joined") == 0, "your command has its own line"


def test_r2_a_second_bad_reading_joins_and_the_first_one_leaves() -> None:
    world = World().open()
    away = STALE.model_copy(update={"switch": "exchange_unreachable", "reason": "no answer"})
    world.tell(STALE, T0 + 1)
    world.tell(away, T0 + 2)
    world.tell(away, T0 + 3)
    assert [note.trigger for note in notes(world.log)].count("joined") == 1
    assert "no data; also: no answer. " in told(world, "GLOBAL") and world.state("GLOBAL") == "REDUCE_ONLY"
    assert sent(world.log, "risk_state")[-1].reason == "no data; also: no answer", "what an engine says of it follows"
    world.tell(STALE.model_copy(update={"is_bad": False, "reason": "data again"}), T0 + 4)
    text, _ = newest(world, "GLOBAL")
    assert text.startswith("no answer. ") and "market_data_stale" not in text


def test_r3_what_joins_a_flatten_leaves_its_text_that_it_closes() -> None:
    world = World(restarts=True).open()
    world.tell(command("flatten", "funding"), T0)
    world.tell(command("halt", "funding", "second"), T0 + 1)
    assert "closed at market" in told(world, "funding")
    world.tell(command("normal", "funding", "third"), T0 + 2)
    world.tell(command("halt", "funding", "fourth"), T0 + 3)
    assert "closed at market" not in told(world, "funding")


def test_rm2_the_same_demand_again_changes_no_alert() -> None:
    world = World().open()
    close(world, 1)
    lose(world, 2, Account.TREND_1, "9900")
    close(world, 2)
    told_before = len(world.alerts)
    lose(world, 3, Account.TREND_1, "9800")
    close(world, 3)
    assert len(world.alerts) == told_before


def test_the_former_row_of_a_scope_gets_its_one_reason_for_everything_that_demands_it() -> None:
    former = StateRow("scope:trend-1", "REDUCE_ONLY", 1, {
        "level": "REDUCE_ONLY", "demands": {"drawdown": "REDUCE_ONLY"}, "readings": ["clock_off"],
        "calm_since_ms": None, "entries_blocked_until_ms": None, "reason": "it fell", "who": "rule drawdown",
        "changed_ms": 5,
    })  # fmt: skip
    (row,) = StateDialect(SCOPE_ROWS).read("risk-manager", {former.key: former}).values()
    machine = RiskMachine.from_row("trend-1", DAY_MS, row.state, row.data)
    assert machine.to_data() == row.data and row.schema == 2 and machine.explanation == "it fell"
