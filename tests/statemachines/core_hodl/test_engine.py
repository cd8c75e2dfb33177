"""CORE-HODL's limits and its life on synthetic days: CH-7 .. CH-11, risk states, missing data, late reports."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Literal

import pytest

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.core_hodl.engine import CoreHodlEngine
from statemachines.core_hodl.parameters import CoreHodlParameters, StakingParameters
from statemachines.messages.orders import Fill
from statemachines.state_store import UnreadableRowError
from statemachines.values import SPOT, ActorName, Side
from tests.kit.restoring import restore_logic
from tests.statemachines.core_hodl.world import (
    CLOSES,
    ETH_UP,
    START,
    CoreWorld,
    bar,
    built_world,
    day,
    hanging,
    ms_of,
    risk,
    world,
)
from tests.statemachines.harness import Outcome, known_instruments

# --- CH-7 ---


def test_c7_above_half_of_the_portfolio_core_sells_to_45_percent_and_carries_the_rest_on() -> None:
    """At 80 % of the portfolio CORE's BTC alone is above 50 %: half of the sale fills, the rest is sold next day."""
    made = built_world(share=D("0.7"))
    made.share = D("0.85")
    made.decide = lambda intent: Outcome(share=D("0.5") if intent.purpose == "trim" else D(0))
    made.run_day(day(1), CLOSES)
    first = made.intents("trim")[0]
    assert first.quantity == pytest.approx((D(38_000) - D("0.45") * 60_000 / D("0.85")) / 10_000, abs=D("0.0001"))
    made.decide = lambda intent: Outcome()
    made.run_day(day(2), CLOSES)
    assert made.coins["BTC"] * 10_000 / (made.equity() / made.share) == pytest.approx(D("0.45"), abs=D("0.001"))
    made.run_day(day(3), CLOSES)
    assert len(made.intents("trim")) == 2, "at 45 % nothing more is sold"
    assert not [one for one in made.intents("tranche")], "the proceeds stay cash"


def test_ch7_a_purchase_at_risen_prices_stops_at_the_buffer() -> None:
    """A purchase that works while prices rise is withdrawn as soon as a fill has taken the cash below 5 %."""
    made = world("60000", CoreHodlParameters(tranches=1), decide=hanging("tranche"))
    made.run_day(START, CLOSES)
    btc, eth = made.hanging["core-hodl-1"], made.hanging["core-hodl-2"]
    made.execute(btc.intent_id, SPOT, "BTCUSDT", Side.BUY, D("3.7"), D(10_300))
    made.tell()
    assert made.triggers("buffer") == []
    made.execute(eth.intent_id, SPOT, "ETHUSDT", Side.BUY, D("18.9"), D(1_010))
    made.tell()
    assert len(made.triggers("buffer")) == 1
    assert not made.hanging, "what is left of both purchases is withdrawn"


def test_ch7_purchases_whose_cash_was_moved_away_are_withdrawn() -> None:
    """An outflow while tranches work: what they were to spend has gone, so they must not fill on credit."""
    made = world("60000", CoreHodlParameters(tranches=1), decide=hanging("tranche"))
    made.run_day(START, CLOSES)
    made.flow("USDT", D(-1_000))
    assert len(made.hanging) == 2, "2,000 of 59,000 stay: the buffer is thin, nothing is on credit"
    made.flow("USDT", D(-4_000))
    assert not made.hanging
    assert len(made.triggers("buffer")) == 1 and made.cash == D(55_000)


def test_ch7_a_thin_buffer_is_told_once_until_it_has_recovered() -> None:
    made = built_world()
    made.cash = D(1_000)
    made.run_day(day(1), CLOSES)
    made.run_day(day(2), CLOSES)
    assert [alert.title for alert in made.alerts] == ["CORE-HODL: thin cash buffer"]
    assert list(made.conditions.open) == ["buffer"]
    made.cash = D(3_000)
    made.run_day(day(3), CLOSES)
    assert not made.conditions.open
    made.cash = D(1_000)
    made.run_day(day(4), CLOSES)
    assert len(made.alerts) == 2


# --- CH-8 ---


def test_ch8_a_suspension_ends_the_rebalance_in_progress_and_its_quarter_is_pending_again() -> None:
    made = built_world("2021-03-30", decide=hanging("rebalance"))
    made.cash += D(12_000)
    made.run_day(ms_of("2021-03-31"), CLOSES)
    assert made.state == "REBALANCING" and len(made.hanging) == 2
    crash = {"BTC": D(10_000), "ETH": D(250)}
    made.run_day(ms_of("2021-04-01"), crash)
    assert not made.hanging and made.state == "ACCUMULATION"
    assert made.row()["calendar_due_ms"] == ms_of("2021-03-31")
    assert made.alerts[-1].title == "CORE-HODL suspends rebalancing"
    assert list(made.conditions.open) == ["suspended"]
    made.decide = lambda intent: Outcome()
    made.run_day(ms_of("2021-04-02"), crash)
    assert len(made.triggers("rebalance")) == 1


def test_c3_a_late_calendar_rebalance_cut_off_by_a_suspension_keeps_its_quarters_end() -> None:
    """The day on which the rebalance began was once kept as the due date, so a late one lost its lateness."""
    made = built_world("2021-03-30", decide=hanging("rebalance"))
    made.cash += D(12_000)
    made.run_day(ms_of("2021-03-31"), CLOSES, entries_allowed=False)
    made.run_day(ms_of("2021-04-01"), CLOSES)
    assert made.triggers("rebalance") == [(ms_of("2021-04-01"), "rebalance")]
    made.run_day(ms_of("2021-04-02"), {"BTC": D(10_000), "ETH": D(250)})
    assert made.row()["calendar_due_ms"] == ms_of("2021-03-31")
    made.run_day(ms_of("2021-04-03"), {"BTC": D(10_000), "ETH": D(900)})
    assert made.triggers("rebalance")[-1] == (ms_of("2021-04-03"), "rebalance")
    assert not made.conditions.open


def test_ch8_highs_come_from_history_seeds_and_new_closes_and_only_rise() -> None:
    need = CoreHodlEngine().history_needed()[1]
    assert need == HistoryNeed(SPOT, "ETHUSDT", "D", 3000)
    seeded = world(parameters=CoreHodlParameters(high_seeds_usdt={"BTC": D(69_000)}), history={})
    seeded.run_day(START, CLOSES)
    assert seeded.triggers("suspend"), "BTC 10,000 is 85 % below its seed"
    warmed = world(history={need: [bar("ETH", day(-2), D(4_000)), bar("ETH", day(-1), D(900))]})
    warmed.run_day(START, CLOSES)
    assert warmed.row()["is_built"] is False and not warmed.triggers("suspend", "unsuspend")
    warmed.run_day(day(1), {"BTC": D(10_000), "ETH": D(1_399)})
    assert not warmed.triggers("unsuspend"), "still more than 65 % below 4,000"
    warmed.run_day(day(2), {"BTC": D(10_000), "ETH": D(1_400)})
    assert warmed.triggers("unsuspend") == [(day(2), "unsuspend")]


# --- CH-9, RM-2, DA-3 ---


def test_ch9_a_halt_stops_all_activity_withdraws_orders_and_alerts() -> None:
    made = world("60000", decide=hanging("tranche"))
    made.run_day(START, CLOSES)
    made.tell(risk("HALTED", reason="withdrawals are suspended at the exchange"))
    assert not made.hanging
    assert made.alerts[-1].severity == "critical" and "withdrawals are suspended" in made.alerts[-1].text
    assert list(made.conditions.open) == ["stopped"]
    made.settle()
    made.run_day(day(1), CLOSES)
    assert len(made.intents()) == 2 and made.done()[-1].summary.endswith("stopped")
    made.tell(risk("NORMAL"))
    made.run_day(day(2), CLOSES)
    assert len(made.intents()) == 4 and len(made.alerts) == 1
    assert not made.conditions.open, "the alert ends with the halt"


def test_ch9_the_open_alert_follows_what_stops_the_engine() -> None:
    """It kept the words of the first state after that had ended, and its severity was that of the newest message."""
    made = built_world(restarts=True)
    made.tell(risk("REDUCE_ONLY", reason="no data"), risk("PAUSED", "core-hodl", "lunch"))
    open_now = made.conditions.open["stopped"]
    assert "no data" in open_now.text and "lunch" in open_now.text and open_now.severity == "critical"
    made.tell(risk("NORMAL", reason="data again"))
    open_now = made.conditions.open["stopped"]
    assert "no data" not in open_now.text and "lunch" in open_now.text and open_now.severity == "info"
    made.tell(risk("NORMAL", "core-hodl", "back"))
    assert not made.conditions.open


@pytest.mark.parametrize(
    ("state", "severity"), [("PAUSED", "info"), ("REDUCE_ONLY", "critical"), ("HALTED", "critical")]
)
def test_rm5_a_stop_by_your_command_does_not_point_at_withdrawals(state: Literal["PAUSED"], severity: str) -> None:
    made = world("60000")
    made.tell(risk(state, reason="operator: a holiday"))
    (alert,) = made.alerts
    assert alert.severity == severity and "operator: a holiday" in alert.text
    assert "withdrawals" not in alert.text and "CH-9" not in alert.text


@pytest.mark.parametrize("scope", ["GLOBAL", "core-hodl", "trend-1"])
def test_rm2_only_the_states_of_its_own_scopes_stop_the_engine(scope: str) -> None:
    made = world("60000")
    made.tell(risk("REDUCE_ONLY", scope))
    made.run_day(START, CLOSES)
    assert bool(made.intents()) is (scope == "trend-1")


def test_rm2_without_entries_there_is_neither_tranche_nor_rebalance_but_ch7_still_sells() -> None:
    made = built_world(share=D("0.7"))
    made.run_day(day(1), ETH_UP, entries_allowed=False)
    assert not made.intents()
    made.share = D("0.9")
    made.run_day(day(2), {"BTC": D(14_000), "ETH": D(1_000)}, entries_allowed=False)
    assert [one.purpose for one in made.intents()] == ["trim"]


def test_da3_a_day_without_a_bar_decides_nothing_and_its_quarter_s_end_is_not_lost() -> None:
    made = built_world("2021-03-30")
    made.run_day(ms_of("2021-03-31"), CLOSES, missing=["ETH"])
    assert made.triggers("no_bar") and not made.triggers("rebalance")
    made.run_day(ms_of("2021-04-01"), CLOSES)
    assert made.triggers("rebalance") == [(ms_of("2021-04-01"), "rebalance")]


def test_the_cycle_waits_for_instruments_and_portfolio() -> None:
    made = CoreWorld(CoreHodlEngine, cash=D(60_000), now_ms=START)
    made.run_day(START, CLOSES)
    assert not made.intents() and len(made.done()) == 1
    made.tell(known_instruments())
    made.settle()
    assert len(made.intents("tranche")) == 2


# --- reports, rows ---


def test_ex1_a_fill_after_the_end_of_its_order_changes_holdings_only() -> None:
    made = built_world()
    made.execute("core-hodl-zz", SPOT, "BTCUSDT", Side.BUY, D("0.01"), D(10_000))
    made.tell()
    assert made.triggers("late_fill") and not made.intents()


def test_a_fill_that_was_not_reported_is_counted_at_the_end_of_its_order() -> None:
    """The end tells the whole filled quantity: a plan pays for it even if an execution's message has been missed."""
    made = built_world(decide=hanging("tranche"))
    made.flow("USDT", D(3_000))
    made.run_day(day(1), CLOSES)
    told = made.logic.handle
    kept: list[object] = []

    def deaf(message):  # type: ignore[no-untyped-def]
        if isinstance(message.body, Fill):
            kept.append(message)
            return []
        return told(message)

    made.logic.handle = deaf  # type: ignore[method-assign]
    made.finish()
    assert len(kept) == 2
    plan = made.row()["plans"][0]
    assert D(plan["cash_usdt"]) == pytest.approx(D(2_900), abs=D("0.05"))


def test_ch10_calm_after_a_storm_is_looked_at_once_and_nothing_is_staked_without_earn() -> None:
    made = built_world("2021-01-10")
    for number in range(1, 40):
        made.run_day(day(number), CLOSES)
    notes = [note for note in made.notes if note.trigger == "optimised"]
    assert len(notes) == 1
    assert (
        "what Earn offers has not been read yet: nothing is staked" in notes[0].reason and "stable" in notes[0].reason
    )
    assert made.state == "ACCUMULATION"


def test_ch11_the_day_s_figures_are_in_the_journal() -> None:
    made = built_world()
    made.run_day(day(1), ETH_UP)
    made.run_day(day(2), ETH_UP)
    first, last = (
        note.data for note in made.notes if note.trigger == "cycle" and note.data["drift_points"] != "0.0000"
    )
    assert first["drift_points"] == "16.6667" and first["drift_within_goal"] is False
    assert last["days_since_rebalance"] == 1 and last["drift_within_goal"] is True
    assert D(last["staking_forgone_usdt_a_year"]) > 0


def test_every_reason_is_a_sentence_with_numbers() -> None:
    """P5: no decision without its figures."""
    made = built_world()
    made.flow("USDT", D(6_000))
    for number, closes in enumerate((CLOSES, ETH_UP, CLOSES), start=1):
        made.run_day(day(number), closes)
    for intent in made.intents():
        assert any(c.isdigit() for c in intent.reason) and len(intent.reason.split()) > 6, intent.reason
    assert all(len(note.reason.split()) >= 4 for note in made.notes)


def test_a_row_of_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="schema 4"):
        restore_logic(CoreHodlEngine(), {"ENGINE": StateRow("ENGINE", "", 4, {})})


def test_the_brain_is_of_its_engine() -> None:
    assert CoreHodlEngine().name is ActorName.CORE_HODL


def test_rm6_a_coin_that_is_held_cannot_be_left_out_of_the_weights() -> None:
    """A version of the policy without it was taken: the coins were neither valued nor ever sold any more."""
    made = built_world()
    only_btc = CoreHodlParameters(weights={"BTC": 1}, staking=StakingParameters(asset="BTC"))
    with pytest.raises(UnreadableRowError, match="ETH is held or ordered, and weights name only BTC"):
        restore_logic(CoreHodlEngine(only_btc), made.rows)
    holdings = made.rows["HOLDINGS"]
    dust = holdings._replace(data={**holdings.data, "coins": {**holdings.data["coins"], "ETH": "0.000001"}})
    restore_logic(CoreHodlEngine(only_btc), {**made.rows, "HOLDINGS": dust})
