"""TREND's orders when the exchange does not do what was hoped for (TR-5, TR-15, EX-1, OR-9, DESIGN 6)."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from statemachines.messages.accounts import BalancesKnown
from statemachines.messages.control import CycleDone
from statemachines.messages.market import InstrumentsKnown
from statemachines.messages.orders import Fill, Intent, MoveStop, OrderDenied, Withdraw
from statemachines.refusals import RefusalCause
from statemachines.trend.parameters import TrendParameters
from statemachines.values import DAY_MS, HOUR_MS, ActorName, Side
from tests.kit import builders
from tests.statemachines.trend.bars import BTC, FLAT, RISE, bar, next_day, scene
from tests.statemachines.trend.venue import Venue

UP = RISE[-1] * 1.01
OPENED = 21 * DAY_MS
LATER = OPENED + HOUR_MS


def intents(venue: Venue, purpose: str) -> list[Intent]:
    return [body for body in venue.bodies(Intent) if body.purpose == purpose]


def in_position(venue: Venue | None = None) -> Venue:
    venue = venue or scene(RISE, FLAT)
    next_day(venue, UP, 1000)
    return venue


def fill(venue: Venue, intent_id: str, side: Side, quantity: str, position: str, at_ms: int = LATER) -> Fill:
    return builders.fill(
        ActorName.TREND_1,
        BTC,
        side,
        quantity,
        str(round(UP, 2)),
        at_ms,
        execution_id=f"x-{intent_id}-{position}",
        intent_id=intent_id,
        position_quantity=D(position),
        position_price=D(100),
        cash_usdt=venue.cash,
    )


# --- the way out ---


def test_an_exits_remainder_is_sent_again_and_the_stop_stays_until_flat() -> None:
    """EX-3, LESSONS: the slippage limit leaves a remainder; the next exit is for what is left."""
    venue = in_position()
    held = D(venue.trade("BTC")["held"])
    half = venue.instruments[0].floor_qty(held / 2)
    venue.fills = lambda intent, price: [(half if intent.quantity == held else intent.quantity, price)]
    before = len(venue.sent)
    next_day(venue, UP * 0.98, 1000)
    assert [i.quantity for i in intents(venue, "exit")] == [held, held - half]
    kinds = [body.KIND for _, body in venue.sent[before:]]
    assert kinds == ["intent", "intent", "withdraw", "cycle_done"]
    assert venue.state("BTC") == "SCANNING"


def test_exits_that_find_no_market_pause_alert_and_go_on() -> None:
    """LESSONS: loops that cannot converge stop; here after three tries, with the stop resting and growing pauses."""
    venue = in_position()
    venue.fills = lambda intent, price: []
    now = next_day(venue, UP * 0.98, 1000)
    assert len(intents(venue, "exit")) == 3 and len(venue.alerts) == 1
    assert venue.stops and venue.bodies(Withdraw) == []
    assert venue.state("BTC") == "EXIT" and venue.logic.deadline() == now + 30_000
    assert len(venue.bodies(CycleDone)) == 2, "the cycle does not hang on it"
    venue.settle(now + 30_000)
    assert len(intents(venue, "exit")) == 4 and venue.logic.deadline() == now + 90_000
    venue.fills = lambda intent, price: [(intent.quantity, price)]
    venue.settle(now + 90_000)
    assert len({alert.text for alert in venue.alerts}) == 1 and venue.ended == ["exit:BTC"]
    assert venue.state("BTC") == "SCANNING" and venue.positions == {} and venue.stops == {}


def test_an_exit_from_a_closed_market_waits_longer_each_time_and_is_told_once() -> None:
    """A perpetual was closed for trading (110074) for days while it was held: 8,640 exits and 480 alerts a day.
    Its tries carry the first one's id, so that they are one order for RM-4."""
    venue = in_position()
    venue.refuse = lambda intent: RefusalCause.CLOSED
    now = next_day(venue, UP * 0.98, 1000)
    until = now + 3 * DAY_MS
    while (due := venue.logic.deadline()) is not None and due < until:
        venue.settle(due)
    tries = intents(venue, "exit")
    assert 60 < len(tries) < 100
    assert tries[0].retry_of == "" and {one.retry_of for one in tries[1:]} == {tries[0].intent_id}
    assert {(alert.condition, alert.text) for alert in venue.alerts} == {("exit:BTC", venue.alerts[0].text)}
    venue.refuse = lambda intent: None
    venue.settle(until + HOUR_MS)
    assert venue.state("BTC") == "SCANNING" and venue.positions == {} and venue.ended == ["exit:BTC"]


def grown_lot(venue: Venue) -> InstrumentsKnown:
    """The lot of BTC has grown a hundredfold, from 0.001 to 0.1."""
    btc, eth = venue.instruments
    return InstrumentsKnown(instruments=(btc.model_copy(update={"qty_step": D("0.1"), "min_qty": D("0.1")}), eth))


@pytest.mark.parametrize("restarts", [False, True])
def test_x1_a_rest_below_a_lot_is_closed_whole(restarts: bool) -> None:
    """The lot grew while a position was held: our own check denied its rest 17,460 times, the asset was never traded
    again. The rest is closed by quantity 0."""
    venue = in_position()
    venue.restarts = restarts
    held = D(venue.trade("BTC")["held"])
    venue.tell(grown_lot(venue), OPENED)
    next_day(venue, UP * 0.98, 1000)
    lots = held - held % D("0.1")
    assert held % D("0.1") and [(i.quantity, i.closes_rest) for i in intents(venue, "exit")] == [
        (lots, False),
        (held - lots, True),
    ]
    assert venue.state("BTC") == "SCANNING" and venue.positions == {} and venue.alerts == []


@pytest.mark.parametrize("restarts", [False, True])
def test_x1_a_rest_that_the_exchange_refuses_to_close_is_dust_and_the_engine_is_free(restarts: bool) -> None:
    """Dust is told once, is no position, stays in the account, and the next entry goes on with it. Elsewhere the lot
    grew while a position was held, and its rest was offered for sale once a minute without end."""
    venue = in_position()
    venue.restarts = restarts
    rest = D(venue.trade("BTC")["held"]) % D("0.1")
    venue.tell(grown_lot(venue), OPENED)
    venue.refuse = lambda intent: RefusalCause.OTHER if intent.closes_rest else None
    now = next_day(venue, UP * 0.98, 1000)
    assert venue.state("BTC") == "SCANNING" and venue.stops == {} and venue.logic.deadline() is None
    assert venue.positions[BTC][0] == rest == D(venue.trade("BTC")["dust"])
    (told,) = venue.alerts
    assert told.severity == "info" and "dust is left" in told.title
    venue.tell(BalancesKnown(account=venue.account, coins={}, positions={BTC: venue.positions[BTC]}), now)
    assert len(venue.alerts) == 1
    for factor in (1.02, 1.04, 1.06):
        next_day(venue, UP * factor, 1000)
    (entry,) = intents(venue, "entry")[1:]
    assert venue.state("BTC") == "IN_POSITION" and D(venue.trade("BTC")["held"]) == entry.quantity + rest
    assert D(venue.trade("BTC")["dust"]) == 0 and next(iter(venue.stops.values()))[2] == entry.quantity
    next_day(venue, UP * 0.9, 1000)
    assert venue.state("BTC") == "SCANNING" and venue.positions[BTC][0] == rest and len(venue.alerts) == 2


def test_x1_a_rest_of_a_closed_market_is_no_dust_yet() -> None:
    venue = in_position()
    venue.tell(grown_lot(venue), OPENED)
    venue.refuse = lambda intent: RefusalCause.CLOSED if intent.closes_rest else None
    next_day(venue, UP * 0.98, 1000)
    assert venue.state("BTC") == "EXIT" and D(venue.trade("BTC")["dust"]) == 0
    assert [alert.condition for alert in venue.alerts] == ["exit:BTC"]


def test_x1_an_opposite_entry_trades_its_target_less_the_dust() -> None:
    """Long dust and a short target: both are sold, rounded down to the lot; the dust is used up and the position is
    what the exchange shows."""
    venue = in_position()
    rest = D(venue.trade("BTC")["held"]) % D("0.1")
    venue.tell(grown_lot(venue), OPENED)
    venue.refuse = lambda intent: RefusalCause.OTHER if intent.closes_rest else None
    next_day(venue, UP * 0.98, 1000)
    price = UP
    while not intents(venue, "entry")[1:]:
        price *= 0.97
        next_day(venue, price, 1000)
    entry, (_, _, protected) = intents(venue, "entry")[1], next(iter(venue.stops.values()))
    assert entry.side is Side.SELL and entry.quantity % D("0.1") == 0
    assert venue.positions[BTC][0] == rest - entry.quantity == -D(venue.trade("BTC")["held"])
    assert D(venue.trade("BTC")["dust"]) == 0
    assert protected == entry.quantity - D("0.1"), "rest - entry, rounded down to the lot"


def test_a_stop_that_fires_while_the_exit_is_on_its_way_is_legal() -> None:
    """TR-15: no unprotected instant; the exit then finds nothing left and that is fine."""
    venue = in_position()
    venue.hold = True
    now = next_day(venue, UP * 0.98, 1000)
    venue.touch(BTC, D(venue.trade("BTC")["stop_price"]), now)
    assert venue.positions == {} and venue.state("BTC") == "EXIT"
    venue.release(now)
    assert venue.transitions("BTC")[-2:] == [("IN_POSITION", "EXIT"), ("EXIT", "SCANNING")]
    assert len(venue.bodies(CycleDone)) == 2 and venue.alerts == []


def test_a_stop_that_fills_in_part_leaves_a_rest_that_is_closed() -> None:
    venue = in_position()
    held, stop = D(venue.trade("BTC")["held"]), intents(venue, "stop")[0]
    part = held - 1
    venue.positions[BTC] = (D(1), venue.positions[BTC][1])
    venue.stops.clear()
    venue.tell(fill(venue, stop.intent_id, Side.SELL, str(part), "1"), LATER)
    assert venue.state("BTC") == "EXIT" and intents(venue, "exit") == []
    venue.end(stop, "CANCELLED", part, stop.trigger_price, LATER)
    assert [i.quantity for i in intents(venue, "exit")] == [D(1)]
    assert venue.state("BTC") == "SCANNING"


def test_a_stop_during_the_entry_withdraws_what_still_works() -> None:
    """TR-15: ENTRY → STOP_TRIGGERED → EXIT; the rest of the entry is withdrawn, nothing is left."""
    venue = scene(RISE, FLAT)
    venue.hold = True
    next_day(venue, UP, 1000)
    entry = venue.held[0]
    venue.tell(fill(venue, entry.intent_id, Side.BUY, "2", "2"), OPENED)
    venue.positions[BTC] = (D(2), D(str(round(UP, 2))))
    venue.touch(BTC, D(venue.trade("BTC")["stop_price"]), OPENED + 1)
    assert venue.transitions("BTC")[-2:] == [("ENTRY", "STOP_TRIGGERED"), ("STOP_TRIGGERED", "EXIT")]
    assert [w.intent_id for w in venue.bodies(Withdraw)] == [entry.intent_id]
    venue.end(entry, "CANCELLED", D(2), D(100), OPENED + 2)
    assert venue.state("BTC") == "SCANNING"


# --- what we did not do ---


def test_ex1_a_late_fill_of_ours_while_flat_is_closed() -> None:
    """EX-1: a fill after the end of the intent is legal; the remnant does not stay without a stop."""
    venue = scene(RISE, FLAT)
    venue.fills = lambda intent, price: []
    next_day(venue, UP, 1000)
    entry = intents(venue, "entry")[0]
    venue.fills = lambda intent, price: [(intent.quantity, price)]
    venue.positions[BTC] = (D(2), D(122))
    venue.tell(fill(venue, entry.intent_id, Side.BUY, "2", "2"), LATER)
    assert venue.transitions("BTC")[-2:] == [("SCANNING", "EXIT"), ("EXIT", "SCANNING")]
    assert venue.positions == {} and len(venue.alerts) == 1


def test_or9_a_fill_that_is_not_ours_is_reported_never_traded_against() -> None:
    venue = scene(RISE, FLAT)
    venue.tell(fill(venue, "manual-1", Side.BUY, "2", "2"), LATER)
    assert venue.sent == [] and venue.alerts[0].severity == "critical"
    assert venue.state("BTC") == "SCANNING"


def balances(venue: Venue, quantity: str) -> BalancesKnown:
    return BalancesKnown(account=venue.account, coins={}, positions={BTC: (D(quantity), D(100))})


def test_or9_a_position_gone_after_reconciliation_is_left_and_its_stop_withdrawn() -> None:
    venue = in_position()
    venue.positions.clear()
    venue.tell(balances(venue, "0"), LATER)
    assert venue.state("BTC") == "SCANNING" and venue.stops == {} and intents(venue, "exit") == []


def test_or9_a_smaller_position_gets_a_smaller_stop_and_a_larger_one_is_reported() -> None:
    venue = in_position()
    held = venue.trade("BTC")["held"]
    venue.tell(balances(venue, held), LATER)
    assert venue.bodies(MoveStop) == []
    venue.tell(balances(venue, "1"), LATER)
    assert venue.bodies(MoveStop)[-1].quantity == 1 and venue.bodies(MoveStop)[-1].trigger_price is None
    venue.tell(balances(venue, "5"), LATER)
    assert D(venue.trade("BTC")["held"]) == 1 and "not ours" in venue.alerts[-1].title


def test_lessons_a_position_of_the_other_sign_is_an_alarm() -> None:
    """LESSONS: an external fill can shrink, never flip. Elsewhere a take-profit that fired at the exchange was booked
    as a new short."""
    venue = in_position()
    venue.tell(fill(venue, "", Side.SELL, "100", "-5"), LATER)
    assert "flipped" in venue.alerts[0].title and venue.bodies(Withdraw) == []


@pytest.mark.parametrize("engine", [ActorName.TREND_2, ActorName.FUNDING])
def test_p1_refusals_of_other_engines_are_ignored(engine: ActorName) -> None:
    venue = in_position()
    stop = intents(venue, "stop")[0]
    venue.tell(OrderDenied(intent_id=stop.intent_id, engine=engine, reasons=("no",), checks=("x",)), LATER)
    assert venue.alerts == [] and venue.state("BTC") == "IN_POSITION"


# --- memory across days and restarts ---


@pytest.mark.parametrize("restarts", [False, True])
def test_tr_6_a_trail_beyond_the_close_exits_at_once(restarts: bool) -> None:
    """T6: a new trail above the close, which the old stop has not seen: market exit at the close."""
    venue = in_position()
    venue.restarts = restarts
    parameters = venue.parameters
    for _ in range(6):
        next_day(venue, float(venue.closes[BTC]) * 1.03, 1000)
    stop = D(venue.trade("BTC")["stop_price"])
    assert venue.trade("BTC")["has_been_in_profit"] and venue.trade("BTC")["stop_rule"] == "TR-6"
    best = D(venue.trade("BTC")["best_close"])
    day = max(bar.start_ms for bar in venue.bars[BTC]) // DAY_MS + 1
    end_alert = float(best) * 0.985
    for symbol, price in ((BTC, end_alert), ("ETHUSDT", 1000.0)):
        venue.prices[symbol] = D(str(round(price, 2)))
    close = bar(BTC, day, end_alert, end_alert, end_alert)
    # A narrower trail stands above this close, the old stop is below it.
    narrow = TrendParameters.model_validate({**parameters.model_dump(), "trailing_stop_atr": D("0.05")})
    venue.parameters = venue.logic.parameters = narrow
    venue.day([close, bar("ETHUSDT", day, 1000.0)])
    left = [note for _, note in venue.noted if note.data.get("rule") == "TR-6" and note.dest == "TRAILING_STOP"]
    assert best > close.close > stop and len(left) == 1 and "already crossed" in left[0].reason
    assert venue.positions == {}


@pytest.mark.parametrize("restarts", [False, True])
def test_tr_6_in_profit_once_is_in_profit_for_ever_and_the_best_close_is_remembered(restarts: bool) -> None:
    """T6: a close above the fill, then closes below it: the trail goes on from the best of fill and closes."""
    venue = in_position()
    venue.restarts = restarts
    entry = D(venue.trade("BTC")["cost"]) / D(venue.trade("BTC")["bought"])
    assert D(venue.trade("BTC")["best_close"]) == entry and not venue.trade("BTC")["has_been_in_profit"]
    next_day(venue, UP * 1.01, 1000)
    assert venue.trade("BTC")["has_been_in_profit"]
    best = D(venue.trade("BTC")["best_close"])
    next_day(venue, UP * 0.999, 1000)
    assert venue.trade("BTC")["has_been_in_profit"] and D(venue.trade("BTC")["best_close"]) == best > entry


def test_tr_6_closes_below_a_longs_fill_do_not_lower_the_best_close() -> None:
    venue = in_position()
    next_day(venue, UP * 0.999, 1000)
    entry = D(venue.trade("BTC")["cost"]) / D(venue.trade("BTC")["bought"])
    assert D(venue.trade("BTC")["best_close"]) == entry and not venue.trade("BTC")["has_been_in_profit"]


@pytest.mark.parametrize("restarts", [False, True])
def test_tr_5_stops_lost_on_two_different_days_are_both_replaced(restarts: bool) -> None:
    """A stop is placed again once a day: the count of repairs begins anew with each daily close."""
    venue = in_position()
    venue.restarts = restarts
    for number in range(2):
        (stop_id,) = venue.stops
        intent, _, _ = venue.stops.pop(stop_id)
        venue.end(intent, "CANCELLED", D(0), None, LATER + number * DAY_MS)
        assert venue.state("BTC") == "IN_POSITION" and len(venue.stops) == 1
        next_day(venue, UP * (1.01 + number / 100), 1000)
    assert venue.state("BTC") == "IN_POSITION"
