"""CORE-HODL gives capital (OR-2, OR-4; C10): what lies ready, what is sold post-only, and when it answers."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.messages.accounts import CapitalFreed
from statemachines.messages.orders import Withdraw
from statemachines.values import ActorName, Side
from tests.kit.capital import RELEASE, free, moved
from tests.statemachines.core_hodl.world import CLOSES, START, CoreWorld, built_world, day, hanging, risk, world

CORE = ActorName.CORE_HODL


def answers(one: CoreWorld) -> list[D]:
    return [body.freed_usdt for body in one.bodies(CapitalFreed)]


def asked(amount: str, least: str = "0", **more: Any) -> CoreWorld:
    """60,000 at its targets with 3,000 of cash; what it is asked for lowers the buffer that must stay."""
    one = built_world(**more)
    one.tell(free(CORE, amount, least))
    one.settle()
    return one


@pytest.mark.parametrize("restarts", [False, True])
def test_c10_cash_above_the_buffer_and_post_only_sales_of_what_is_over_target(restarts: bool) -> None:
    """6,000 of 60,000: the buffer of what remains is 2,700, so that 300 are free; the rest is sold 2 : 1. Of the 5,700
    the fee of 0.1 % is not free."""
    one = asked("6000", restarts=restarts)
    sales = one.intents("rebalance")
    assert [(i.side, i.symbol, i.style) for i in sales] == [
        (Side.SELL, "BTCUSDT", "maker"),
        (Side.SELL, "ETHUSDT", "maker"),
    ]
    assert sum(i.quantity * i.reference_price for i in sales) == pytest.approx(D(5_700))
    assert sales[0].quantity * 10_000 == pytest.approx(D(3_800))
    assert answers(one) == [D("5994.3")]


def test_c10_the_answer_waits_until_the_sales_have_ended() -> None:
    one = asked("6000", decide=hanging("rebalance"))
    assert len(one.hanging) == 2 and answers(one) == []
    one.finish("1")
    assert answers(one) == [D("5994.3")]


def test_c10_what_is_not_sold_when_the_next_day_is_decided_is_not_given() -> None:
    """Half of it was sold: the orders are withdrawn, and what lies ready is given."""
    one = asked("6000", decide=hanging("rebalance"))
    for intent in list(one.hanging.values()):
        one.fill(intent, D("0.5"))
    one.hanging.clear()
    one.tell()
    assert answers(one) == [D("3147.15")], "300 and half of 5,700 less 0.1 %"


def test_c10_a_new_day_withdraws_the_sales_and_the_days_decisions_follow() -> None:
    one = asked("6000", decide=hanging("rebalance"))
    one.run_day(day(1), CLOSES)
    assert len([w for w in one.bodies(Withdraw) if "new day" in w.reason]) == 2
    assert answers(one) == [D(300)], "only what lay ready"
    assert one.done()[-1].day_ms == day(1)


def test_c10_what_is_kept_aside_is_not_spent_and_not_counted_before_it_has_left() -> None:
    """A quarter's end the day after: the rebalance is made on the capital that remains, not on what is to be given."""
    one = asked("6000")
    cash = one.cash
    one.run_day(day(1), CLOSES)
    assert one.cash == cash, "nothing is bought with it"
    one.cash -= 6_000
    one.tell(moved(CORE, 6_000), one.portfolio())
    one.run_day(day(2), CLOSES)
    assert not [i for i in one.intents() if i.side is Side.BUY]


def test_c10_what_its_sales_brought_is_free_after_their_fees_and_can_leave_with_hardly_a_buffer() -> None:
    """The proceeds were reported as free before the fee: without a buffer to speak of the account held less than was to
    leave, and the exchange refused the last transfer (131228)."""
    parameters = CoreHodlParameters(cash_buffer=D("0.0001"), cash_alert=D("0.00005"))
    one = world("6", parameters, coins={"BTC": D(4), "ETH": D(20)})
    one.run_day(START, CLOSES)
    one.tell(free(CORE, "6000"))
    one.settle()
    (given,) = answers(one)
    ready = D(6) - D("0.0001") * D(54_006)
    assert given == pytest.approx(ready + (6_000 - ready) * D("0.999"), abs=D("0.02"))
    assert given <= one.cash


def test_or6_a_transfer_that_fails_gives_the_engine_its_capital_back() -> None:
    one = asked("6000")
    one.tell(moved(CORE, 6_000, succeeded=False))
    assert one.rows["RELEASES"].data["kept"] == {}


def test_or6_the_parts_of_a_release_leave_one_after_the_other() -> None:
    one = asked("6000")
    one.tell(moved(CORE, "3999.9999"))
    assert one.rows["RELEASES"].data["kept"] == {RELEASE: "1994.3001"}
    one.tell(moved(CORE, "1994.3"))
    assert one.rows["RELEASES"].data["kept"] == {}, "what rounding has left is the engine's"


@pytest.mark.parametrize(("least", "given"), [("5000", "0"), ("2000", "2473.5")])
def test_c8_o7_no_fallen_asset_is_sold_and_less_than_the_least_is_not_freed(least: str, given: str) -> None:
    """Both have fallen by 71 %: 3,000 of cash less the buffer of the 10,530 that would remain."""
    one = built_world()
    one.run_day(day(1), {"BTC": D(2_900), "ETH": D(290)})
    one.tell(free(CORE, 9_000, least))
    one.settle()
    assert answers(one) == [D(given)] and not one.intents()


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("wanted", "least", "given"), [("600", "600", "599.43"), ("600", "599.9", "599.43"), ("600", "600.01", "0")]
)
def test_o7_the_fees_of_what_was_sold_for_it_do_not_make_it_too_little(
    wanted: str, least: str, given: str, restarts: bool
) -> None:
    """570 of the 600 were sold, and for the fee of 0.57 nothing was given: they were sold for nothing."""
    one = asked(wanted, least, restarts=restarts)
    assert answers(one) == [D(given)] and bool(one.intents()) is (given != "0")


def test_o7_sales_that_bring_too_little_give_nothing() -> None:
    """Half of 570 was sold: with the 30 that lay ready it is far less than the least."""
    one = asked("600", "600", decide=hanging("rebalance"))
    for intent in list(one.hanging.values()):
        one.fill(intent, D("0.5"))
    one.hanging.clear()
    one.tell()
    assert answers(one) == [D(0)]


def test_ch9_while_all_activity_is_stopped_nothing_is_given() -> None:
    one = built_world()
    one.tell(risk("HALTED"), free(CORE, 6_000))
    one.settle()
    assert answers(one) == [D(0)] and not one.intents()


def test_or6_the_same_question_twice_is_answered_once() -> None:
    one = asked("6000")
    sales = len(one.intents())
    one.tell(free(CORE, 6_000))
    one.settle()
    assert answers(one) == [D("5994.3")] and len(one.intents()) == sales
