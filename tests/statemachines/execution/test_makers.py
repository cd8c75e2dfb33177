"""CH-3, EX-3: maker orders rest at the touch, follow it at most every 30 s of market time, and give up in time."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from statemachines.execution.orders.child_order import LATER_FIELDS
from statemachines.messages.market import QuotesSeen
from statemachines.messages.orders import IntentEnded, IntentWorking
from statemachines.requests import (
    AmendOrder,
    ExchangeRequest,
    ExchangeResponse,
    PlaceOrder,
    Refused,
    Unknown,
    VenueOrderStatus,
)
from statemachines.values import DAY_MS, HOUR_MS, MINUTE_MS, Account, Side
from tests.statemachines.execution.rig import START_MS, Rig, maker

D = Decimal
LINK = "abc123ch1-1"


def resting(rig: Rig, **changes: object) -> Rig:
    rig.approve(**maker(**changes))  # type: ignore[arg-type]
    return rig.settle()


def done(rig: Rig) -> IntentEnded:
    (body,) = rig.bodies(IntentEnded)
    return body


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "99.9"), (Side.SELL, "100.1")])
def test_ch3_a_buy_rests_at_the_best_bid_and_a_sell_at_the_best_ask(side: Side, price: str) -> None:
    rig = resting(Rig().start(), side=side)
    request = rig.exchange.writes[-1]
    assert isinstance(request, PlaceOrder) and (request.style, request.price) == ("post_only", D(price))
    (working,) = rig.bodies(IntentWorking)
    assert working.client_order_id == LINK


@pytest.mark.parametrize(("side", "limit"), [(Side.BUY, "99.5"), (Side.SELL, "100.5")])
def test_ch3_never_beyond_the_approved_price_limit(side: Side, limit: str) -> None:
    rig = resting(Rig().start(), side=side, price_limit=D(limit))
    assert rig.exchange.orders[LINK].price == D(limit)
    rig.price("101" if side is Side.BUY else "99")
    rig.advance(120_000)
    assert rig.exchange.orders[LINK].price == D(limit)
    assert not [write for write in rig.exchange.writes if isinstance(write, AmendOrder)]


def test_ch3_the_touch_is_followed_when_it_moves_away_but_not_more_often_than_every_30_s() -> None:
    rig = resting(Rig().start())
    rig.price("101")
    placed_ms = rig.exchange.orders[LINK].created_ms
    assert rig.logic.deadline() == placed_ms + 30_000
    rig.advance(29_000)
    assert rig.exchange.orders[LINK].price == D("99.9")
    rig.advance(2_000)
    assert rig.exchange.orders[LINK].price == D("100.9")
    rig.price("102")
    rig.advance(20_000)
    assert rig.exchange.orders[LINK].price == D("100.9")
    rig.advance(20_000)
    assert rig.exchange.orders[LINK].price == D("101.9")
    assert len(rig.exchange.orders) == 1


def test_ch3_an_order_that_is_itself_the_touch_stays() -> None:
    rig = resting(Rig().start())
    rig.price("99.95")
    due = rig.logic.deadline()
    assert due is not None and due > rig.exchange.now_ms + 23 * HOUR_MS  # only its expiry
    rig.advance(120_000)
    assert rig.exchange.orders[LINK].price == D("99.9")


def test_x3_a_post_only_that_would_cross_is_quoted_again_at_once_and_then_every_30_s() -> None:
    """The exchange accepts such an order with code 0 and cancels it afterwards: taken for a success it rests nowhere,
    taken for a failure the purchase is lost."""
    rig = Rig().start()
    rig.exchange.last = D(98)  # the market fell, the quotes have not come yet
    resting(rig)
    rig.advance(0)
    assert [rig.exchange.orders[f"abc123ch1-{n}"].status for n in (1, 2)] == [VenueOrderStatus.CANCELLED] * 2
    assert len(rig.exchange.orders) == 2 and not rig.bodies(IntentEnded)
    rig.price("98")
    rig.advance(29_000)
    assert len(rig.exchange.orders) == 2
    rig.advance(2_000)
    assert rig.exchange.orders["abc123ch1-3"].price == D("97.9")
    assert rig.exchange.orders["abc123ch1-3"].status is VenueOrderStatus.NEW


@pytest.mark.parametrize("code", [170218, 170193, 170194, 170134])
def test_x3_a_quote_refused_for_its_price_is_quoted_anew_from_the_newest_book(code: int) -> None:
    """2021-01-01 and 2025-03-30: a purchase quoted outside the venue's price band (170193) ended there, and its
    rebalance was a day late."""
    rig = Rig().start()
    rig.answers[f"{LINK}:place:1"] = Refused(code=code, message="price", fault="permanent")
    rig.approve(**maker())
    rig.perform(rig.waiting(":place:")[0])
    rig.price("101")
    rig.advance(0)
    assert rig.exchange.orders["abc123ch1-2"].price == D("100.9")
    assert rig.exchange.orders["abc123ch1-2"].status is VenueOrderStatus.NEW and not rig.bodies(IntentEnded)


def test_x3_after_ten_equal_refusals_a_quote_is_repeated_every_ten_minutes_until_its_time_is_over() -> None:
    rig = Rig().start()
    refused_ms: list[int] = []
    perform = rig.exchange.perform

    def refuse(account: Account, request: ExchangeRequest) -> ExchangeResponse:
        if not isinstance(request, PlaceOrder):
            return perform(account, request)
        refused_ms.append(rig.exchange.now_ms - START_MS)
        code = 170193 if len(refused_ms) < 25 else 170134
        return Refused(code=code, message="price", fault="permanent")

    rig.exchange.perform = refuse  # type: ignore[method-assign]
    resting(rig)
    for _ in range(40):
        rig.advance(5 * MINUTE_MS)
        rig.crash()  # the count survives a restart
        rig.settle()
    pauses = [later - earlier for earlier, later in pairwise(refused_ms)]
    assert pauses[:9] == [0] + [30_000] * 8
    assert pauses[9:24] == [10 * MINUTE_MS] * 15
    assert not rig.bodies(IntentEnded)
    rig.advance(DAY_MS)
    assert done(rig).ended_as == "EXPIRED"


def test_x3_a_quote_that_rests_ends_the_row_of_refusals() -> None:
    rig = Rig().start()
    rig.answers[f"{LINK}:place:1"] = Refused(code=170193, message="price", fault="permanent")
    resting(rig)
    rig.advance(0)
    assert rig.exchange.orders["abc123ch1-2"].status is VenueOrderStatus.NEW
    rig.exchange.end("abc123ch1-2", reject_reason="EC_PostOnlyWillTakeLiquidity")
    rig.settle()
    rig.advance(0)
    assert rig.exchange.orders["abc123ch1-3"].status is VenueOrderStatus.NEW


def test_x3_a_re_quote_refused_for_its_price_slows_down_too() -> None:
    rig = resting(Rig().start())
    perform = rig.exchange.perform

    def refuse(account: Account, request: ExchangeRequest) -> ExchangeResponse:
        if isinstance(request, AmendOrder):
            return Refused(code=170193, message="price", fault="permanent")
        return perform(account, request)

    rig.exchange.perform = refuse  # type: ignore[method-assign]
    rig.price("101")
    rig.advance(2 * HOUR_MS)
    amended = [ask for ask in rig.asked if isinstance(ask.request, AmendOrder)]
    assert 15 < len(amended) < 30 and rig.exchange.orders[LINK].status is VenueOrderStatus.NEW


def test_ch3_only_the_remainder_is_quoted_again() -> None:
    rig = resting(Rig().start())
    rig.exchange.fill(LINK, D("0.2"), maker=True)
    rig.settle()
    rig.exchange.end(LINK, reject_reason="EC_PostOnlyWillTakeLiquidity")
    rig.settle()
    rig.advance(31_000)
    assert rig.exchange.orders["abc123ch1-2"].quantity == D("0.3")
    rig.exchange.fill("abc123ch1-2", D(1), maker=True)
    rig.settle()
    assert (done(rig).ended_as, done(rig).filled_quantity) == ("FILLED", D("0.5"))


def test_a_remainder_below_the_minimum_ends_the_intent() -> None:
    rig = resting(Rig().start())
    rig.exchange.fill(LINK, D("0.49"), maker=True)
    rig.exchange.end(LINK, reject_reason="EC_PostOnlyWillTakeLiquidity")
    rig.settle()
    assert (done(rig).ended_as, done(rig).filled_quantity) == ("CANCELLED", D("0.49"))
    assert "below the exchange's minimum" in done(rig).why


def test_ch3_gives_up_after_24_h_with_an_alert() -> None:
    rig = resting(Rig().start())
    rig.advance(DAY_MS - 1_000)
    assert not rig.bodies(IntentEnded)
    rig.advance(2_000)
    assert done(rig).ended_as == "EXPIRED" and rig.exchange.orders[LINK].status is VenueOrderStatus.CANCELLED
    assert rig.titles() == ["maker order of core-hodl expired"]


def test_ch3_an_earlier_expiry_of_the_intent_rules() -> None:
    rig = Rig().start()
    resting(rig, expires_ms=rig.exchange.now_ms + 60_000)
    rig.advance(61_000)
    assert done(rig).ended_as == "EXPIRED"


def test_a_cancel_by_someone_else_ends_the_intent() -> None:
    rig = resting(Rig().start())
    rig.exchange.end(LINK, cancel_type="CancelByAdmin")
    rig.settle()
    assert (done(rig).ended_as, done(rig).why) == ("CANCELLED", "CancelByAdmin")


def test_a_lost_re_quote_is_looked_up() -> None:
    rig = resting(Rig().start())
    rig.answers[f"{LINK}:amend:1"] = Unknown(why="time-out")
    rig.price("101")
    rig.advance(31_000)
    assert [ask for ask in rig.asked if ":look:" in ask.key]
    rig.advance(31_000)
    assert rig.exchange.orders[LINK].price == D("100.9")


def test_an_amended_price_that_would_cross_is_quoted_again() -> None:
    rig = resting(Rig().start())
    rig.price("101")
    rig.exchange.now_ms += 31_000
    rig.tick()
    rig.exchange.end(LINK, reject_reason="EC_PostOnlyWillTakeLiquidity")
    rig.settle()
    rig.advance(31_000)
    assert rig.exchange.orders["abc123ch1-2"].price == D("100.9")


def test_without_a_quote_it_waits_for_one() -> None:
    rig = Rig().start()
    rig.tell(QuotesSeen(quotes=(), withdrawn=(("spot", "BTCUSDT"), ("linear", "BTCUSDT"))))
    rig.approve(**maker())
    assert not rig.calls
    rig.price("100")
    due = rig.logic.deadline()
    assert due is not None and due <= rig.exchange.now_ms
    rig.tick()
    assert rig.waiting(":place:")


def test_a_late_fill_of_an_earlier_child_shrinks_the_live_one() -> None:
    rig = resting(Rig().start())
    rig.exchange.end(LINK, reject_reason="EC_PostOnlyWillTakeLiquidity")
    rig.settle()
    rig.advance(31_000)
    first = rig.exchange.orders[LINK]
    rig.exchange.trade(first.account, "spot", "BTCUSDT", Side.BUY, D("0.2"), D("99.9"), LINK, first.venue_order_id)
    rig.settle()
    assert rig.exchange.orders["abc123ch1-2"].status is VenueOrderStatus.CANCELLED
    rig.advance(61_000)
    assert rig.exchange.orders["abc123ch1-3"].quantity == D("0.3")


def test_x2_a_purchase_re_quoted_upward_buys_less_and_never_costs_more_than_it_was_sized_with() -> None:
    """2018-03-21 and 2020-11-21: a purchase of all cash above the buffer was re-quoted upward for the same quantity and
    broke the buffer of CH-7. Its amount is what it was sized with: 0.5 at 100."""
    rig = resting(Rig().start())
    rig.price("101")
    rig.advance(31_000)
    order = rig.exchange.orders[LINK]
    assert (order.price, order.quantity) == (D("100.9"), D("0.495"))
    rig.exchange.fill(LINK, D("0.2"), maker=True)
    rig.settle()
    rig.price("104")
    rig.advance(31_000)
    assert (order.price, order.quantity) == (D("103.9"), D("0.487"))
    rig.exchange.fill(LINK, D(1), maker=True)
    rig.settle()
    assert (done(rig).ended_as, done(rig).filled_quantity) == ("CANCELLED", D("0.487"))
    assert D("0.2") * D("100.9") + D("0.287") * D("103.9") <= 50
    assert "below the exchange's minimum order" in done(rig).why and not rig.titles()


def test_x2_a_first_quote_above_the_reference_price_buys_less_too() -> None:
    rig = Rig().start()
    rig.price("110")
    resting(rig)
    assert rig.exchange.orders[LINK].quantity == D("0.454")


def test_x2_at_a_lower_price_nothing_more_is_bought() -> None:
    rig = Rig().start()
    rig.price("90")
    resting(rig)
    assert rig.exchange.orders[LINK].quantity == D("0.5")


def test_x2_a_sale_keeps_its_quantity() -> None:
    rig = Rig().start()
    rig.price("110")
    resting(rig, side=Side.SELL)
    rig.price("105")
    rig.advance(31_000)
    assert rig.exchange.orders[LINK].quantity == D("0.5")


def test_x2_a_rest_that_buys_less_than_the_minimum_at_the_new_price_goes() -> None:
    rig = resting(Rig().start())
    rig.exchange.fill(LINK, D("0.45"), maker=True)
    rig.settle()
    rig.price("106")
    rig.advance(31_000)
    assert rig.exchange.orders[LINK].status is VenueOrderStatus.PARTIALLY_FILLED_CANCELED
    assert (done(rig).ended_as, done(rig).filled_quantity) == ("CANCELLED", D("0.45"))


def test_parent_orders_of_the_first_version_are_read() -> None:
    """Rows of schema 1, written before refused quotes and unproven orders were counted."""
    rig = resting(Rig().start())
    (key,) = (key for key in rig.rows if key.startswith("parent:"))
    data = {**rig.rows[key].data, "outcome": ""}
    del data["price_refusals"], data["unproven"]
    data["order"] = {name: value for name, value in data["order"].items() if name not in LATER_FIELDS}
    rig.rows[key] = rig.rows[key]._replace(schema=1, data=data)
    rig.crash()
    rig.settle()
    assert rig.exchange.orders[LINK].status is VenueOrderStatus.NEW


def test_a_quote_that_was_refused_and_lands_all_the_same_is_cancelled() -> None:
    """Its first attempt was lost and looked up as absent, the second one refused for its price; then the first lands,
    while the intent waits to quote anew."""
    rig = Rig().start()
    rig.answers[f"{LINK}:place:1"] = Unknown(why="time-out")
    rig.answers[f"{LINK}:place:2"] = Refused(code=170193, message="price", fault="permanent")
    rig.approve(**maker())
    while f"{LINK}:place:2" in rig.answers:
        rig.perform(next(iter(rig.calls)))
    placed = next(ask for ask in rig.asked if ask.key == f"{LINK}:place:1")
    rig.exchange.perform(Account(placed.account), placed.request)
    rig.settle()
    rig.advance(31_000)
    assert rig.exchange.orders[LINK].status is VenueOrderStatus.CANCELLED
    assert rig.exchange.orders["abc123ch1-2"].status is VenueOrderStatus.NEW
    assert rig.titles() == ["order of CORE-HODL appeared after its end"]
