"""EX-8, X4: an order in slices: one live at a time, paced where it takes risk, without pause where it reduces it."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from statemachines.messages.orders import Approved, Fill, IntentEnded, IntentWorking, Withdraw
from statemachines.requests import PlaceOrder, VenueOrderStatus
from statemachines.values import MINUTE_MS, ActorName, Side
from tests.statemachines.execution.rig import START_MS, Rig, approved, maker, stop

D = Decimal


def sliced(piece: str, **changes: Any) -> Approved:
    return approved(**changes).model_copy(update={"slice_quantity": D(piece)})


def placed(rig: Rig) -> list[tuple[int, Decimal]]:
    """Each placement: milliseconds since the start, quantity."""
    return [
        (order.created_ms - START_MS, order.request.quantity)
        for order in rig.exchange.orders.values()
        if isinstance(order.request, PlaceOrder)
    ]


@pytest.mark.parametrize("restarts", [False, True])
def test_an_entry_places_one_slice_a_minute_until_it_is_whole(restarts: bool) -> None:
    rig = Rig().start()
    rig.tell(sliced("0.4", quantity=D(1)))
    rig.settle()
    assert placed(rig) == [(0, D("0.4"))] and not rig.bodies(IntentEnded)
    for _ in range(3):
        if restarts:
            rig.crash()
            rig.settle()
        rig.advance(MINUTE_MS)
    assert placed(rig) == [(0, D("0.4")), (MINUTE_MS, D("0.4")), (2 * MINUTE_MS, D("0.2"))]
    (done,) = rig.bodies(IntentEnded)
    assert (done.ended_as, done.filled_quantity) == ("FILLED", D(1))
    assert sum(fill.quantity for fill in rig.bodies(Fill)) == 1


def test_no_slice_falls_due_before_the_first_reconciliation_has_ended() -> None:
    """The next slice is due, and nothing is sent yet: market time must reach what the reconciliation waits for. It
    stood still, since the order manager asked for a tick at an instant in the past as long as nothing was sent."""
    rig = Rig().start()
    rig.tell(sliced("0.4", quantity=D(1)))
    rig.settle()
    rig.crash()
    rig.now_ms += 2 * MINUTE_MS
    rig.tick()
    due = rig.logic.deadline()
    assert due is None or due > rig.now_ms
    rig.settle()
    rig.advance(MINUTE_MS)
    assert len(placed(rig)) == 3


@pytest.mark.parametrize(
    "changes",
    [{"side": Side.SELL, "reduce_only": True}, {"category": "spot", "side": Side.SELL, "engine": ActorName.TACTICAL}],
    ids=["reduce-only", "spot sale"],
)
def test_an_exit_places_its_slices_without_pause(changes: dict[str, Any]) -> None:
    rig = Rig().start()
    rig.exchange.trade(approved(**changes).intent.account, "linear", "BTCUSDT", Side.BUY, D(1), D(100), "", "")
    rig.tell(sliced("0.4", quantity=D(1), **changes))
    rig.settle()
    assert [quantity for _, quantity in placed(rig)] == [D("0.4"), D("0.4"), D("0.2")]
    assert max(at for at, _ in placed(rig)) < 1_000
    assert [done.ended_as for done in rig.bodies(IntentEnded)] == ["FILLED"]


def test_a_maker_order_quotes_slice_after_slice() -> None:
    rig = Rig().start()
    rig.tell(sliced("0.4", **maker(quantity=D(1))))
    rig.settle()
    for number in (1, 2, 3):
        assert len([one for one in rig.exchange.orders.values() if one.status is VenueOrderStatus.NEW]) == 1
        rig.exchange.fill(f"abc123ch1-{number}", D(1))
        rig.settle()
        rig.advance(MINUTE_MS)
    assert [quantity for _, quantity in placed(rig)] == [D("0.4"), D("0.4"), D("0.2")]
    assert all(later - earlier >= MINUTE_MS for earlier, later in pairwise(at for at, _ in placed(rig)))
    assert [done.ended_as for done in rig.bodies(IntentEnded)] == ["FILLED"]


def test_a_slice_that_fills_in_part_is_followed_by_the_next_one_that_finds_no_market_ends_it() -> None:
    rig = Rig().start()
    rig.exchange.market_fill = D("0.1")
    rig.tell(sliced("0.4", quantity=D(1)))
    rig.settle()
    rig.advance(MINUTE_MS)
    assert placed(rig) == [(0, D("0.4")), (MINUTE_MS, D("0.4"))] and not rig.bodies(IntentEnded)
    rig.exchange.market_fill = D(0)
    rig.advance(MINUTE_MS)
    (done,) = rig.bodies(IntentEnded)
    assert (done.ended_as, done.filled_quantity) == ("CANCELLED", D("0.2"))


def test_a_withdrawal_between_two_slices_ends_the_order() -> None:
    rig = Rig().start()
    rig.tell(sliced("0.4", quantity=D(1)))
    rig.settle()
    rig.tell(Withdraw(intent_id="trend-1-1", engine=ActorName.TREND_1, reason="r"))
    rig.settle()
    rig.advance(5 * MINUTE_MS)
    (done,) = rig.bodies(IntentEnded)
    assert (done.ended_as, done.filled_quantity) == ("CANCELLED", D("0.4")) and len(placed(rig)) == 1


def test_a_market_beyond_the_approved_price_ends_what_is_left() -> None:
    """The collar is that of the decision: an order that takes hours must not follow the market away from it."""
    rig = Rig().start()
    rig.tell(sliced("0.4", quantity=D(1)).model_copy(update={"price_limit": D(103)}))
    rig.settle()
    rig.price("110")
    rig.advance(MINUTE_MS)
    (done,) = rig.bodies(IntentEnded)
    assert (done.ended_as, done.filled_quantity) == ("CANCELLED", D("0.4")) and "no room" in done.why


def test_a_stop_above_the_venues_maximum_rests_in_part_and_its_rest_follows_at_market() -> None:
    rig = Rig().start()
    rig.tell(sliced("0.3", **stop()))
    rig.settle()
    (working,) = rig.bodies(IntentWorking)
    assert working.quantity == D("0.5"), "it stands for the whole position"
    rig.exchange.fill("abc123t11-1", D("0.3"), D(90))
    rig.settle()
    first, second = rig.exchange.orders.values()
    assert (first.request.style, second.request.style) == ("stop_market", "market")
    assert second.request.quantity == D("0.2") and second.request.trigger_price is None
    assert [done.ended_as for done in rig.bodies(IntentEnded)] == ["FILLED"]


def test_a_slice_of_the_venues_minimum_stays_above_it_when_the_price_falls() -> None:
    """In a thin market a slice is worth the minimum at the price of the decision: a lower quote was refused, and the
    order ended with nothing bought."""
    rig = Rig().start()
    rig.price("98")
    rig.tell(sliced("0.05", **maker(quantity=D(1))))
    rig.settle()
    ((_, quantity),) = placed(rig)
    assert quantity == D("0.052") and quantity * D("97.9") >= 5
