"""CORE-HODL's tranches on synthetic days: hanging, expired, refused orders, later capital (CH-3, CH-6; C5, C6, C10)."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from statemachines.core_hodl.engine import CoreHodlEngine
from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.values import DAY_MS, SPOT, Side
from tests.statemachines.core_hodl.world import (
    CLOSES,
    ETH_UP,
    START,
    bar,
    built_world,
    day,
    hanging,
    risk,
    sum_of,
    world,
)
from tests.statemachines.harness import Outcome

# --- CH-3, CH-6: tranches ---


def test_ch3_ch6_the_first_tranche_is_a_thirtieth_of_the_targets_as_maker_orders_for_24_hours() -> None:
    made = world("60000")
    made.run_day(START, CLOSES)
    first, second = made.intents("tranche")
    assert (first.symbol, first.quantity) == ("BTCUSDT", D("0.126666"))  # 38,000 / 30 / 10,000
    assert (second.symbol, second.quantity) == ("ETHUSDT", D("0.63333"))  # 19,000 / 30 / 1,000
    for intent in (first, second):
        assert (intent.style, intent.category, intent.side) == ("maker", SPOT, Side.BUY)
        assert intent.expires_ms == START + DAY_MS + DAY_MS
        assert "30 of 30 tranches left" in intent.reason and "USDT" in intent.reason
    assert made.state == "INITIALIZATION"
    assert [one.day_ms for one in made.done()] == [START]


def test_ch6_the_cycle_of_a_day_is_decided_once() -> None:
    """A restart after the commit may bring the same RunCycle again: no second tranche, but an answer."""
    made = world("60000", restarts=True)
    made.run_day(START, CLOSES)
    made.tell(made.cycle(START), made.cycle(START - DAY_MS))
    assert len(made.intents("tranche")) == 2
    assert [one.day_ms for one in made.done()] == [START, START, START - DAY_MS]


def test_ch6_days_without_a_cycle_lengthen_the_build_and_lose_no_tranche() -> None:
    made = world("60000")
    for number in (*range(10), *range(15, 35)):
        made.run_day(day(number), CLOSES)
    assert len(made.intents("tranche")) == 60
    assert made.state == "ACCUMULATION"
    assert made.triggers("built") == [(day(34), "built")]


def test_r2_in_caution_half_of_a_tranche_is_bought_and_the_rest_is_spread_over_the_others() -> None:
    calm, cautious = world("60000"), world("60000")
    cautious.tell(risk("CAUTION"))
    for made in (calm, cautious):
        made.run_day(START, CLOSES)
    for coin in ("BTC", "ETH"):
        whole, half = sum_of(calm.intents("tranche"), coin), sum_of(cautious.intents("tranche"), coin)
        assert half == pytest.approx(whole / 2, abs=D("0.001")), coin
    cautious.tell(risk("NORMAL"))
    for number in range(1, 30):
        cautious.run_day(day(number), CLOSES)
    assert sum_of(cautious.intents("tranche"), "BTC") == pytest.approx(D("3.8"), abs=D("0.02"))


def test_ch6_what_expired_is_carried_on_and_never_bought_twice() -> None:
    """Day 1 fills nothing: day 2 to 30 buy the same target in 29 tranches."""
    shares = iter([D(0), D(0)])
    made = world("60000", decide=lambda intent: Outcome(share=next(shares, D(1))))
    for number in range(30):
        made.run_day(day(number), CLOSES)
    bought = made.intents("tranche")[2:]
    assert sum_of(bought, "BTC") == pytest.approx(D("3.8"), abs=D("0.01"))
    assert made.state == "ACCUMULATION"
    assert all(check.cash_after >= check.buffer for check in made.checks)


def test_ch6_the_last_tranche_is_carried_on_until_it_is_filled() -> None:
    parameters = CoreHodlParameters(tranches=2)
    shares = iter([D(1), D(1), D(0), D(0), D("0.5"), D("0.5")])
    made = world("60000", parameters, decide=lambda intent: Outcome(share=next(shares, D(1))))
    for number in range(3):
        made.run_day(day(number), CLOSES)
        assert made.state == "INITIALIZATION"
    made.run_day(day(3), CLOSES)
    assert made.state == "ACCUMULATION"
    filled = {"BTC": D(0), "ETH": D(0)}
    for placed in made.placed:
        filled[placed.intent.symbol[:3]] += placed.filled
    assert filled["BTC"] == pytest.approx(D("3.8"), abs=D("0.02"))


def test_ch6_orders_that_still_work_at_the_next_cycle_hold_the_next_tranche_back() -> None:
    """Nothing is bought beside an order of the day before; the cycle is answered at once and decided upon its end."""
    made = world("60000", decide=hanging("tranche"))
    made.run_day(START, CLOSES)
    made.run_day(day(1), CLOSES)
    assert len(made.intents()) == 2 and len(made.done()) == 2
    made.finish("0.5")
    assert len(made.intents()) == 4
    assert made.logic.deadline() is None


def test_ch6_a_refused_tranche_is_carried_on() -> None:
    made = world("60000", decide=lambda intent: Outcome(denied="cash_buffer: 3000 of 3000"))
    made.run_day(START, CLOSES)
    assert "DENIED cash_buffer" in next(note.reason for note in made.notes if note.trigger == "unfilled")
    made.decide = lambda intent: Outcome()
    made.run_day(day(1), CLOSES)
    assert sum_of(made.intents()[2:], "BTC") == D("0.131034")  # 38,000 / 29 / 10,000


def test_c5_an_engine_that_has_its_targets_needs_no_build() -> None:
    made = built_world()
    assert made.triggers("build_begins", "build_ends") == [(START, "build_begins"), (START, "build_ends")]


def test_c5_an_engine_without_capital_waits_for_it() -> None:
    made = world("0")
    made.run_day(START, CLOSES)
    assert made.state == "INITIALIZATION" and not made.intents()
    made.flow("USDT", D(60_000))
    made.run_day(day(1), CLOSES)
    assert len(made.intents("tranche")) == 2 and made.row()["plans"] == []


# --- C5, C6, C10: later capital ---


def test_c5_an_inflow_of_one_percent_opens_its_plan_and_a_smaller_one_is_bought_at_once() -> None:
    made = built_world()
    made.flow("USDT", D(3_000))
    made.run_day(day(1), CLOSES)
    assert made.state == "INITIALIZATION"
    assert sum(one.quantity * one.reference_price for one in made.intents()) == pytest.approx(D(100), abs=D("0.02"))
    made.flow("USDT", D(600))
    made.run_day(day(2), CLOSES)
    later = made.intents()[2:]
    # 100 of the plan, and of the 600 what neither the plan (2,900) nor the buffer of 63,600 (3,180) needs: 420
    assert sum(one.quantity * one.reference_price for one in later) == pytest.approx(D(520), abs=D("0.05"))


def test_c5_inflows_below_the_minimum_are_carried_on_until_they_can_be_bought() -> None:
    made = built_world()
    made.cash += D(500)
    for number in (1, 2, 3):
        made.flow("USDT", D(4))
        made.run_day(day(number), CLOSES)
    assert [one.symbol for one in made.intents()] == ["BTCUSDT"]
    assert made.intents()[0].quantity == D("0.000533")  # two days' 4 USDT, two thirds of them
    assert D(str(made.row()["small_usdt"])) == D("6.67")


def test_c5_coins_in_kind_open_no_plan() -> None:
    made = built_world()
    made.flow("BTC", D("0.3"), "ta-6")
    made.run_day(day(1), CLOSES)
    assert made.triggers("in_kind") and not made.triggers("plan_opened") and not made.intents()
    assert made.state == "ACCUMULATION"


def test_c5_tactical_s_profits_in_usdt_are_an_inflow_like_any_other() -> None:
    made = built_world()
    made.flow("USDT", D(6_000), "ta-6")
    made.run_day(day(1), CLOSES)
    assert made.triggers("plan_opened")


@pytest.mark.parametrize(
    ("amount", "plans", "small"),
    [("606.06", [], D("575.757")), ("606.07", [D("606.07")], D(0)), ("3000", [D(3000)], D(0))],
)
@pytest.mark.parametrize("restarts", [False, True])
def test_c5_usdt_paid_in_to_core_s_own_account_is_an_inflow_like_any_other(
    amount: str, plans: list[D], small: D, restarts: bool
) -> None:
    """It lay in cash until the next rebalance bought all of it on one day. 1 % of the engine with it: 606.0606;
    of less, the 95 % that the buffer does not need are bought."""
    made = built_world(restarts=restarts, decide=lambda intent: Outcome(hangs=True))
    made.outside(D(amount))
    made.run_day(day(1), CLOSES)
    row = made.row()
    assert [D(one["cash_usdt"]) for one in row["plans"]] == plans and D(row["small_usdt"]) == small
    assert D(row["inflow_usdt"]) == 0
    made.run_day(day(2), CLOSES)
    assert len(made.row()["plans"]) == len(plans), "counted once"


def test_c10_usdt_withdrawn_from_core_s_own_account_is_an_outflow_like_any_other() -> None:
    made = built_world()
    made.outside(D(3_000))
    made.run_day(day(1), CLOSES)
    made.outside(D(-2_000))
    made.run_day(day(2), CLOSES)
    (plan,) = made.row()["plans"]
    assert D(plan["cash_usdt"]) < 1_000 and made.triggers("outflow") == [(day(2), "outflow")]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("flows", "plans"),
    [
        ((2_000, -2_000), []),
        ((-2_000, 2_000), []),
        ((2_000, -2_500), []),
        ((2_000, -1_900), []),
        ((2_000, -1_395), []),
        ((2_000, -1_380), [D(2_000)]),
    ],
)
def test_c5_c10_what_leaves_on_the_day_on_which_it_was_paid_in_opens_no_plan(
    flows: tuple[int, ...], plans: list[D], restarts: bool
) -> None:
    """A plan without money was opened, and the engine was in INITIALIZATION for its thirty days. The 3,000 of cash are
    the buffer of 60,000; a plan opens with 1 % of the engine or more left of the inflow."""
    made = built_world(restarts=restarts, decide=lambda intent: Outcome(hangs=True))
    for amount in flows:
        made.outside(D(amount))
    made.run_day(day(1), CLOSES)
    row = made.row()
    assert [D(one["cash_usdt"]) for one in row["plans"]] == plans
    assert made.state == ("INITIALIZATION" if plans else "ACCUMULATION")
    assert D(row["inflow_usdt"]) == D(row["outflow_usdt"]) == 0
    assert D(row["small_usdt"]) <= max(0, sum(flows)), "no more is bought than has come"


def test_c5_an_inflow_is_whole_beside_an_outflow_that_free_cash_pays() -> None:
    made = built_world(decide=lambda intent: Outcome(hangs=True))
    made.cash += D(5_000)
    made.outside(D(2_000))
    made.outside(D(-2_000))
    made.run_day(day(1), CLOSES)
    assert [D(one["cash_usdt"]) for one in made.row()["plans"]] == [D(2_000)]


def test_c5_what_is_paid_in_before_the_first_build_belongs_to_it() -> None:
    made = world("0")
    made.run_day(START, CLOSES)
    made.outside(D(60_000))
    made.run_day(day(1), CLOSES)
    assert len(made.intents("tranche")) == 2 and made.row()["plans"] == []


def test_c5_a_plan_ends_after_thirty_tranches_and_keeps_the_buffer() -> None:
    made = built_world()
    made.flow("USDT", D(30_000))
    for number in range(1, 31):
        assert not made.triggers("plan_closed")
        made.run_day(day(number), CLOSES)
    assert made.triggers("plan_closed") == [(day(30), "plan_closed")]
    assert made.state == "ACCUMULATION"
    assert made.cash >= made.equity() * D("0.0499")
    assert all(check.cash_after >= check.buffer for check in made.checks)


def test_c5_the_last_tranche_of_a_plan_is_carried_on_until_it_is_filled() -> None:
    made = built_world(parameters=CoreHodlParameters(tranches=1), decide=lambda intent: Outcome(share=D(0)))
    made.flow("USDT", D(3_000))
    made.run_day(day(1), CLOSES)
    assert made.state == "INITIALIZATION" and not made.triggers("plan_closed")
    made.decide = lambda intent: Outcome()
    made.run_day(day(2), CLOSES)
    assert made.triggers("plan_closed") == [(day(2), "plan_closed")] and made.state == "ACCUMULATION"


def test_c5_the_first_build_leaves_a_later_plan_its_cash() -> None:
    """Too much BTC, too little cash: what came on the second day is the plan's, the build of ETH must wait for it."""
    made = world("10000", CoreHodlParameters(tranches=2), coins={"BTC": D(5)})
    made.run_day(START, CLOSES)
    assert sum_of(made.intents(), "ETH") == D(7)  # 10,000 less the buffer of 3,000
    made.flow("USDT", D(9_000))
    made.run_day(day(1), CLOSES)
    purposes = [note.data["purpose"] for note in made.notes if note.trigger.startswith("buy_")]
    assert purposes == ["build", "plan"]
    assert sum_of(made.intents()[1:], "ETH") == D("4.5")


def test_c5_a_plan_never_holds_more_than_there_is() -> None:
    made = built_world()
    made.flow("USDT", D(6_000))
    made.run_day(day(1), CLOSES)
    made.cash -= D(8_500)  # without a transfer of ours
    made.run_day(day(2), CLOSES)
    assert D(str(made.row()["plans"][0]["cash_usdt"])) == made.cash


def test_c5_while_suspended_a_plan_is_split_two_to_one() -> None:
    """CH-8: DCA of new capital goes on at target proportions, whatever the gaps are."""
    needs = CoreHodlEngine().history_needed()
    made = built_world(history={needs[1]: [bar("ETH", day(-1), D(5_000))]})
    made.coins["ETH"] -= D(8)
    made.flow("USDT", D(9_000))
    made.run_day(day(1), CLOSES)
    btc, eth = made.intents("tranche")
    assert btc.quantity * 10_000 == pytest.approx(D(200), abs=D("0.02"))
    assert eth.quantity * 1_000 == pytest.approx(D(100), abs=D("0.02"))


def test_c6_a_trigger_steps_in_front_of_an_open_plan() -> None:
    made = built_world()
    made.flow("USDT", D(6_000))
    made.run_day(day(1), CLOSES)
    made.run_day(day(2), ETH_UP)
    path = [note.dest for note in made.notes if note.table == "core-hodl"]
    assert path == [
        "ACCUMULATION",
        "INITIALIZATION",
        "ACCUMULATION",
        "REBALANCING",
        "EARN_OPTIMIZATION",
        "ACCUMULATION",
        "INITIALIZATION",
    ]
    last = [one.purpose for one in made.intents()][2:]
    assert last[:2] == ["rebalance", "rebalance"] and set(last[2:]) == {"tranche"}


def test_c10_an_outflow_takes_planned_cash_last_and_from_the_plan() -> None:
    made = built_world()
    made.flow("USDT", D(6_000))
    made.run_day(day(1), CLOSES)
    made.flow("USDT", D(-6_000))
    made.run_day(day(2), CLOSES)
    assert made.triggers("outflow") == [(day(2), "outflow")]
    assert made.triggers("plan_closed") == [(day(2), "plan_closed")]
    assert made.row()["plans"] == [] and made.state == "ACCUMULATION"
    assert len(made.intents()) == 2, "after the outflow there is nothing to buy with"


def test_c10_an_outflow_from_the_cash_above_the_buffer_leaves_the_plans_alone() -> None:
    made = built_world()
    made.cash += D(2_000)
    made.flow("USDT", D(6_000))
    made.run_day(day(1), CLOSES)
    made.flow("USDT", D(-1_000))
    made.run_day(day(2), CLOSES)
    assert made.row()["plans"][0]["tranches_left"] == 28
    assert "0.00 USDT of it planned cash" in next(n.reason for n in made.notes if n.trigger == "outflow")


def test_x2_a_purchase_whose_amount_is_paid_is_not_carried_on() -> None:
    """A maker order that was re-quoted 5 % upward bought less for the same money: nothing of it is left to buy. One
    that was filled by less than its amount is carried on as before."""
    higher = {asset: price * D("1.05") for asset, price in CLOSES.items()}
    for share, carried in (("0.9523", 0), ("0.90", 2)):
        made = world("60000", decide=lambda intent, share=share: Outcome(share=D(share)))  # type: ignore[misc]
        made.run_day(START, CLOSES, opens=higher)
        assert len([note for note in made.notes if note.trigger == "unfilled"]) == carried
