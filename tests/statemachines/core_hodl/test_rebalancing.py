"""CORE-HODL's rebalances on synthetic days: order of the legs, remainders, spacing, calendar (CH-2, CH-4; C2 .. C4)."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from statemachines.values import DAY_MS, Side
from tests.statemachines.core_hodl.world import (
    CLOSES,
    ETH_UP,
    built_world,
    day,
    hangs_if,
    ms_of,
    sides,
    world,
)
from tests.statemachines.harness import Outcome

# --- CH-2, CH-4: rebalances ---


def test_ch4_sales_come_first_and_purchases_wait_for_the_proceeds() -> None:
    """Elsewhere a rebalance sold everything and bought it back. Here only the difference is traded."""
    made = built_world(decide=hangs_if(Side.SELL))
    held = made.coins["ETH"]
    made.run_day(day(1), ETH_UP)
    assert sides(made.intents()) == [("Sell", "ETH")]
    assert made.intents()[0].quantity < held / 2
    assert made.state == "REBALANCING"
    assert len(made.done()) == 2, "maker orders may still work when the cycle is done"
    made.finish()
    assert sides(made.intents()) == [("Sell", "ETH"), ("Buy", "BTC")]
    assert made.state == "ACCUMULATION"
    invested = made.equity() - made.cash
    assert made.coins["BTC"] * 10_000 / invested == pytest.approx(D(2) / 3, abs=D("0.001"))
    assert made.cash / made.equity() == pytest.approx(D("0.05"), abs=D("0.0005"))


def test_ch2_a_rebalance_in_progress_is_carried_on_and_no_other_one_begins() -> None:
    made = built_world(decide=hangs_if(Side.SELL))
    made.run_day(day(1), ETH_UP)
    sale = made.intents()[0].quantity
    made.now_ms = day(3)
    made.finish("0.5")
    assert made.state == "REBALANCING" and sides(made.intents()) == [("Sell", "ETH")]
    made.run_day(day(3), ETH_UP)
    rest = made.intents()[1]
    assert (rest.side, rest.symbol) == (Side.SELL, "ETHUSDT")
    assert rest.quantity == pytest.approx(sale / 2, abs=D("0.01"))
    made.finish()
    assert sides(made.intents())[2:] == [("Buy", "BTC")]
    assert made.triggers("rebalance") == [(day(1), "rebalance")]


def test_ch3_a_rebalance_that_never_fills_is_given_up_with_an_alert() -> None:
    made = built_world(decide=lambda intent: Outcome(share=D(0)))
    for number in range(1, 10):
        made.run_day(day(number), ETH_UP)
    assert [alert.title for alert in made.alerts] == ["CORE-HODL abandons a rebalance"]
    assert made.triggers("rebalanced") == [(day(9), "rebalanced")]
    assert made.state == "ACCUMULATION"
    made.run_day(day(10), ETH_UP)
    assert made.triggers("rebalance")[-1] == (day(10), "rebalance"), "the drift is still there: it decides anew"


def test_ch4_what_is_carried_on_sells_only_what_it_was_to_sell() -> None:
    """Overnight BTC has passed ETH: the rebalance of yesterday ends, today's drift is another one's business."""
    made = built_world(decide=lambda intent: Outcome(share=D(0)))
    made.run_day(day(1), ETH_UP)
    made.run_day(day(2), {"BTC": D(20_000), "ETH": D(1_000)})
    assert sides(made.intents()) == [("Sell", "ETH")]
    assert made.triggers("rebalanced") == [(day(2), "rebalanced")]


def test_c2_drift_rebalances_are_three_days_apart() -> None:
    made = built_world()
    made.run_day(day(1), ETH_UP)
    for number in (2, 3, 4):
        made.run_day(day(number), {"BTC": D(10_000), "ETH": D(5_000)})
    assert made.triggers("rebalance") == [(day(1), "rebalance"), (day(4), "rebalance")]


def test_c3_c4_the_calendar_serves_even_without_a_leg() -> None:
    """A difference below the minimum order is not traded. Elsewhere whole holdings were turned over, at full cost."""
    made = built_world("2021-03-30")
    made.run_day(ms_of("2021-03-31"), CLOSES)
    assert made.triggers("rebalance", "rebalanced") == [
        (ms_of("2021-03-31"), "rebalance"),
        (ms_of("2021-03-31"), "rebalanced"),
    ]
    assert not made.intents()
    assert "no leg above the minimum" in next(n.reason for n in made.notes if n.trigger == "rebalanced")
    made.run_day(ms_of("2021-04-01"), CLOSES)
    assert len(made.triggers("rebalance")) == 1


def test_c3_a_quarters_end_in_the_first_build_is_pending_until_it_has_ended() -> None:
    made = world("60000", start="2021-03-25")
    for number in range(32):
        made.run_day(ms_of("2021-03-25") + number * DAY_MS, CLOSES)
    assert made.triggers("rebalance") == [(ms_of("2021-04-24"), "rebalance")]


def test_c3_a_drift_rebalance_on_the_due_date_serves_the_calendar() -> None:
    made = built_world("2021-03-30")
    made.run_day(ms_of("2021-03-31"), ETH_UP)
    made.run_day(ms_of("2021-04-01"), ETH_UP)
    assert [note.data["cause"] for note in made.notes if note.trigger == "rebalance"] == ["drift"]


def test_c4_surplus_cash_is_invested_and_a_thin_buffer_refilled_at_a_rebalance() -> None:
    made = built_world("2021-03-30")
    made.cash += D(12_000)
    made.run_day(ms_of("2021-03-31"), CLOSES)
    assert sides(made.intents()) == [("Buy", "BTC"), ("Buy", "ETH")]
    assert made.cash / made.equity() == pytest.approx(D("0.05"), abs=D("0.001"))
    made.cash -= D(2_500)
    made.run_day(ms_of("2021-06-30"), CLOSES)
    assert sides(made.intents())[2:] == [("Sell", "BTC"), ("Sell", "ETH")]
    assert made.cash / made.equity() == pytest.approx(D("0.05"), abs=D("0.001"))


def test_c5_a_rebalance_leaves_the_cash_of_an_open_plan_alone() -> None:
    """Drift while a plan of 20,000 USDT is open, and the sale brings 7 % less than it was sized at: the purchase spends
    what is above buffer and plan, nothing of the plan."""
    made = built_world()
    made.flow("USDT", D(20_000))
    made.run_day(day(1), CLOSES)
    made.run_day(day(2), ETH_UP, opens={"BTC": D(10_000), "ETH": D(1_860)})
    bought = [one for one in made.intents("rebalance") if one.side is Side.BUY]
    sold = [one for one in made.intents("rebalance") if one.side is Side.SELL]
    assert bought and sold
    planned = sum(D(str(plan["cash_usdt"])) for plan in made.row()["plans"])
    equity = made.cash + sum(made.coins[asset] * ETH_UP[asset] for asset in ETH_UP)
    assert planned > 17_000 and made.cash - planned >= D("0.0499") * equity
