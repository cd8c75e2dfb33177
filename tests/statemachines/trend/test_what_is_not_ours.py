"""OR-9, LESSONS: what somebody else trades in TREND's account is set aside; it can shrink a position, never grow it."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from statemachines.messages.accounts import BalancesKnown
from statemachines.messages.market import InstrumentsKnown
from statemachines.messages.orders import Intent
from statemachines.refusals import RefusalCause
from statemachines.trend.engine import DIALECT
from statemachines.values import DAY_MS
from tests.statemachines.trend.bars import BTC, ETH, FAST, RISE, next_day, scene
from tests.statemachines.trend.test_orders import LATER, OPENED, UP, in_position, intents
from tests.statemachines.trend.venue import Venue, as_schema_3


def somebody_trades(venue: Venue, signed: D, at_ms: int = LATER) -> None:
    """The account's position changes without an order of ours; the order manager reports the new balances."""
    held = venue.short_or_long(BTC) + signed
    others = {symbol: position for symbol, position in venue.positions.items() if symbol != BTC}
    venue.positions = {**others, BTC: (held, D(100))} if held else others
    venue.tell(BalancesKnown(account=venue.account, coins={}, positions=dict(venue.positions)), at_ms)


def sold(venue: Venue) -> D:
    """What the engine has closed by its own orders."""
    return sum((one.quantity for one in intents(venue, "exit")), D(0))


@pytest.mark.parametrize("restarts", [False, True])
def test_what_is_added_to_a_position_by_hand_is_not_closed_with_it(restarts: bool) -> None:
    """After the exit the account still held the added part: it counted as a remainder of ours and was sold too."""
    venue = in_position()
    venue.restarts = restarts
    held = D(venue.trade("BTC")["held"])
    somebody_trades(venue, D(1))
    assert D(venue.trade("BTC")["held"]) == held and "not ours" in venue.alerts[-1].title
    next_day(venue, UP * 0.98, 1000)
    assert sold(venue) == held and venue.positions[BTC][0] == 1
    assert venue.state("BTC") == "SCANNING" and venue.stops == {} and venue.ended == []
    next_day(venue, UP * 1.1, 1000)
    assert len(intents(venue, "entry")) == 1, "no entry beside what is not ours"
    somebody_trades(venue, D(-1), LATER + 3 * DAY_MS)
    assert venue.ended == ["position:BTC"]


ETH_RISE = [closes * 10 for closes in RISE]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("signed", ["0.001", "-0.001"])
def test_what_is_not_ours_refuses_the_entry_of_its_asset_alone_and_with_that_reason(
    signed: str, restarts: bool
) -> None:
    """No entry of either asset was made, since "no portfolio shows" what the engine holds."""
    venue = scene(RISE, ETH_RISE)
    venue.restarts = restarts
    venue.prices[BTC] = D(100)
    somebody_trades(venue, D(signed), 20 * DAY_MS)
    now = next_day(venue, UP, UP * 10)
    assert [one.symbol for one in intents(venue, "entry")] == [ETH] and venue.state("ETH") == "IN_POSITION"
    (declined,) = (note for note in venue.notes if note.machine == "BTC" and note.trigger == "decline")
    assert declined.reason == f"OR-9: {signed} BTCUSDT in the account are not ours: no entry beside it"
    assert "no_portfolio" not in [note.trigger for _, note in venue.noted]
    somebody_trades(venue, -D(signed), now)
    next_day(venue, UP * 1.01, UP * 10.1)
    assert [one.symbol for one in intents(venue, "entry")] == [ETH, BTC]


def test_what_is_not_ours_counts_for_the_leverage_and_not_as_a_position() -> None:
    """TR-9, TR-10: it bears on the same margin."""
    entered = []
    for signed in ("50", "300"):
        venue = scene(RISE, ETH_RISE, parameters=FAST.model_copy(update={"max_positions": 1}))
        somebody_trades(venue, D(signed), 20 * DAY_MS)
        next_day(venue, UP, UP * 10)
        entered.append([one.symbol for one in intents(venue, "entry")])
    assert entered == [[ETH], []]
    (declined,) = (note for note in venue.notes if note.machine == "ETH" and note.trigger == "decline")
    assert declined.reason.startswith("TR-9: total exposure")


def test_a_stop_that_fires_beside_what_is_not_ours_closes_our_part() -> None:
    venue = in_position()
    held = D(venue.trade("BTC")["held"])
    somebody_trades(venue, D(2))
    (stop,) = venue.stops.values()
    assert stop[2] == held, "the stop is for our part"
    venue.touch(BTC, stop[1], LATER)
    assert venue.positions[BTC][0] == 2 and venue.state("BTC") == "SCANNING" and sold(venue) == 0


def test_a_cut_beside_what_is_not_ours_leaves_the_stop_at_our_part() -> None:
    venue = in_position()
    held = D(venue.trade("BTC")["held"])
    somebody_trades(venue, D(3))
    trade = venue.logic._positions[BTC]  # noqa: SLF001 - a cut is the engine's own decision
    quantity = venue.instruments[0].floor_qty(held / 2)
    venue.step(lambda: trade.cut(quantity, 1, "test"))
    venue.portfolio(LATER)
    assert D(venue.trade("BTC")["held"]) == held - quantity
    assert {terms[2] for terms in venue.stops.values()} == {held - quantity}


def test_what_is_taken_away_is_first_what_was_added() -> None:
    venue = in_position()
    held = D(venue.trade("BTC")["held"])
    somebody_trades(venue, D(1))
    somebody_trades(venue, D("-0.4"))
    assert D(venue.trade("BTC")["held"]) == held and D(venue.trade("BTC")["outside"]) == D("0.6")
    somebody_trades(venue, D("-0.7"))
    assert D(venue.trade("BTC")["held"]) == held - D("0.1") and D(venue.trade("BTC")["outside"]) == 0
    assert venue.ended == ["position:BTC"]


def test_a_position_that_is_turned_by_hand_is_left_alone() -> None:
    """LESSONS: an external fill can shrink, never flip. Ours is gone; the other side is not ours to close."""
    venue = in_position()
    somebody_trades(venue, -D(venue.trade("BTC")["held"]) - 2)
    assert venue.state("BTC") == "SCANNING" and sold(venue) == 0 and venue.stops == {}
    assert D(venue.trade("BTC")["outside"]) == -2 and "not ours" in venue.alerts[-1].title


@pytest.mark.parametrize("restarts", [False, True])
def test_a_position_that_is_closed_while_our_exit_is_under_way_is_closed(restarts: bool) -> None:
    """Liquidated, auto-deleveraged or closed by hand between the decision and the order: the exit is refused (110017),
    and it was sent again for ever, since the news had come while it was under way."""
    venue = in_position()
    venue.restarts = restarts
    venue.hold = True
    now = next_day(venue, UP * 0.98, 1000)
    somebody_trades(venue, -venue.short_or_long(BTC), now)
    venue.refuse = lambda intent: RefusalCause.OTHER
    venue.release(now)
    venue.portfolio(now)
    venue.settle(now)
    assert venue.state("BTC") == "SCANNING" and venue.stops == {} and venue.logic.deadline() is None
    assert len(intents(venue, "exit")) == 1 and venue.alerts == []


def test_a_position_that_shrinks_while_our_cut_is_under_way_keeps_its_stop_in_step() -> None:
    venue = in_position()
    held = D(venue.trade("BTC")["held"])
    venue.hold = True
    trade = venue.logic._positions[BTC]  # noqa: SLF001 - a cut is the engine's own decision
    venue.step(lambda: trade.cut(D("0.001"), 1, "test"))
    somebody_trades(venue, D("-0.01"))
    venue.release(LATER)
    left = held - D("0.011")
    assert D(venue.trade("BTC")["held"]) == left == venue.positions[BTC][0]
    assert {terms[2] for terms in venue.stops.values()} == {left}


def test_a_rest_below_a_lot_beside_what_is_not_ours_becomes_dust() -> None:
    """X1: quantity 0 closes the whole position, also the part that is not ours."""
    venue = in_position()
    held = D(venue.trade("BTC")["held"])
    somebody_trades(venue, D(1))
    btc, eth = venue.instruments
    grown = btc.model_copy(update={"qty_step": D("0.1"), "min_qty": D("0.1")})
    venue.tell(InstrumentsKnown(instruments=(grown, eth)), OPENED)
    next_day(venue, UP * 0.98, 1000)
    assert [one.closes_rest for one in venue.bodies(Intent) if one.purpose == "exit"] == [False]
    assert D(venue.trade("BTC")["dust"]) == held % D("0.1") and venue.state("BTC") == "SCANNING"
    assert venue.positions[BTC][0] == 1 + held % D("0.1")


def test_rows_of_schema_2_are_read_back() -> None:
    """Version 2 set nothing aside."""
    venue = in_position()
    old = {
        key: row._replace(schema=2, data={name: value for name, value in row.data.items() if name != "outside"})
        for key, row in ((key, as_schema_3(row)) for key, row in venue.rows.items())
    }
    assert {key: dict(row.data) for key, row in DIALECT.read("trend-1", old).items()} == {
        key: dict(row.data) for key, row in venue.rows.items()
    }
