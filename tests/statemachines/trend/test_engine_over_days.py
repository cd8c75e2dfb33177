"""The TREND engine over several days: funding, correlation, the daily cycle (TR-13, TR-14, T7)."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from statemachines.messages.control import CycleDone
from statemachines.messages.orders import IntentDone, Withdraw
from statemachines.trend.engine import TrendEngine
from statemachines.trend.parameters import TREND_1
from statemachines.values import DAY_MS, HOUR_MS, ActorName, Side
from tests.kit.restoring import restore_logic
from tests.statemachines.trend.bars import BTC, ETH, FAST, FLAT, RISE, next_day, scene
from tests.statemachines.trend.test_engine import UP, decline_reason, in_position, intents
from tests.statemachines.trend.venue import Venue

# --- funding ---


def test_tr14_the_paying_position_is_closed_right_after_the_settlement() -> None:
    """TR-14, T11: 0.1 % stays, above it goes, at the next tick and at market."""
    venue = in_position()
    venue.settlement({BTC: D("0.001")}, 21 * DAY_MS + 8 * HOUR_MS)
    venue.settlement({BTC: D("-0.01")}, 21 * DAY_MS + 8 * HOUR_MS)
    assert venue.state("BTC") == "IN_POSITION"
    venue.settlement({BTC: D("0.0011")}, 21 * DAY_MS + 16 * HOUR_MS)
    assert venue.state("BTC") == "SCANNING" and venue.positions == {}
    assert "0.1100 %" in intents(venue, "exit")[0].reason


def test_tr14_t11_no_entry_in_that_direction_while_the_last_rate_is_above() -> None:
    venue = scene(RISE, FLAT)
    venue.settlement({BTC: D("0.0011")}, 20 * DAY_MS + 16 * HOUR_MS)
    next_day(venue, UP, 1000)
    assert "TR-14" in decline_reason(venue)
    venue.settlement({BTC: D("0.0001")}, 21 * DAY_MS + 8 * HOUR_MS)
    next_day(venue, UP * 1.01, 1000)
    assert venue.state("BTC") == "IN_POSITION"


def test_tr14_rates_of_another_interval_are_normalised() -> None:
    venue = in_position()
    venue.settlement({BTC: D("0.0006")}, 21 * DAY_MS + 4 * HOUR_MS, interval_min=240)
    assert venue.state("BTC") == "SCANNING"


def test_t2_a_tr14_exit_at_midnight_counts_as_closed_in_the_daily_cycle() -> None:
    """T2: no signal is recorded at that close, even if the rate would allow one in the other direction."""
    venue = in_position()
    now = 22 * DAY_MS
    venue.prices[BTC] = D(str(round(UP * 1.01, 2)))
    venue.settlement({BTC: D("0.0011")}, now)
    count = len(venue.noted)
    venue.settlement({BTC: D("0.0001")}, now)
    next_day(venue, UP * 1.01, 1000)
    assert [note for _, note in venue.noted[count:] if note.machine == "BTC"] == []
    next_day(venue, UP * 1.02, 1000)
    assert venue.state("BTC") == "IN_POSITION"


def test_tr14_an_entry_on_its_way_over_a_settlement_is_looked_at_again() -> None:
    venue = scene(RISE, FLAT)
    venue.hold = True
    next_day(venue, UP, 1000)
    venue.settlement({BTC: D("0.0011")}, 21 * DAY_MS + 8 * HOUR_MS)
    assert venue.state("BTC") == "ENTRY"
    venue.release(21 * DAY_MS + 8 * HOUR_MS + 1)
    assert venue.state("BTC") == "SCANNING" and venue.positions == {}


# --- correlation ---


def test_tr13_new_entries_are_halved_and_remembered_as_halved() -> None:
    """TR-13, T10: with the same returns the correlation is 1; positions halved at entry are not cut again."""
    venue = scene(RISE, [v * 10 for v in RISE])
    wobble = [1.02, 0.999, 1.03, 1.01, 1.02]
    price = RISE[-1]
    for factor in wobble[:3]:
        price *= factor
        next_day(venue, price, price * 10, entries_allowed=False)
    next_day(venue, price * 1.01, price * 10.1)
    entries = intents(venue, "entry")
    assert len(entries) == 2 and all("factor 0.5" in entry.reason for entry in entries)
    next_day(venue, price * 1.03, price * 10.3)
    assert intents(venue, "trim") == []


def test_tr13_two_positions_are_each_cut_once_in_an_episode() -> None:
    """TR-13, T10: opened uncorrelated, cut to half when the episode begins, the stop follows the quantity."""
    venue = scene([100 * 1.01 ** (i + (i % 2) / 2) for i in range(20)], [v * 10 for v in RISE])
    price, other = RISE[-1] * 1.02, RISE[-1] * 10
    next_day(venue, price, other)
    assert {venue.state("BTC"), venue.state("ETH")} == {"IN_POSITION"}, venue.noted
    held = {asset: D(venue.trade(asset)["held"]) for asset in ("BTC", "ETH")}
    for factor in (1.02, 1.001, 1.03, 1.002, 1.02, 1.001):
        price, other = price * factor, other * factor
        next_day(venue, price, other)
    trims = intents(venue, "trim")
    assert sorted(trim.symbol for trim in trims) == [BTC, ETH]
    for trim in trims:
        asset = trim.symbol.removesuffix("USDT")
        step = D("0.001") if asset == "BTC" else D("0.01")
        assert trim.quantity == (held[asset] / 2).quantize(step, rounding="ROUND_DOWN")
        assert D(venue.trade(asset)["held"]) == held[asset] - trim.quantity
        stop = next(s for s in venue.stops.values() if s[0].symbol == trim.symbol)
        assert stop[2] == held[asset] - trim.quantity
        assert trim.reduce_only


# --- cycle ---


def test_t7_entries_wait_for_the_exits_fill_and_the_portfolio_after_it() -> None:
    """D1, T7: ETH is left, BTC is entered on the equity after ETH's exit fill; the cycle is done after both."""
    venue = scene(FLAT, [v * 10 for v in RISE])
    next_day(venue, 1000, UP * 10)
    assert venue.state("ETH") == "IN_POSITION"
    price = 1000.0
    for _ in range(5):
        price *= 1.01
        next_day(venue, price, UP * 10, entries_allowed=False)
    assert venue.state("ETH") == "IN_POSITION"
    venue.hold = True
    now = next_day(venue, price * 1.01, UP * 9.6)
    assert [intent.purpose for intent in venue.held] == ["exit"]
    assert intents(venue, "entry")[1:] == []
    done = len(venue.bodies(CycleDone))
    venue.release(now)
    entry = intents(venue, "entry")[1]
    assert entry.symbol == BTC and entry.portfolio_version == venue.version_no - 1
    assert f"equity {venue_equity(venue):.2f} USDT" in entry.reason
    assert len(venue.bodies(CycleDone)) == done + 1


def venue_equity(venue: Venue) -> D:
    """Equity before the newest entry's own fee."""
    quantity, price = venue.positions[BTC]
    return venue.cash + quantity * price * D("0.00055")


def test_t7_without_a_portfolio_that_shows_the_exit_the_day_has_no_entry() -> None:
    """The wait is bounded: the cycle ends without entries rather than on a stale figure."""
    venue = scene(RISE, FLAT)
    venue.portfolio = lambda now_ms: None  # type: ignore[method-assign]
    now = next_day(venue, UP, 1000)
    assert venue.bodies(CycleDone) == [] and venue.logic.deadline() == now + 60_000
    venue.settle(now + 60_000)
    assert len(venue.bodies(CycleDone)) == 1 and intents(venue, "entry") == []
    assert [note.trigger for _, note in venue.noted if not note.is_bookkeeping][-1] == "no_portfolio"


def test_a_tick_with_nothing_due_does_nothing() -> None:
    venue = in_position()
    assert venue.logic.deadline() is None
    assert venue.logic.tick(30 * DAY_MS) == []
    assert list(venue.logic.dirty()) == []


def test_messages_of_others_change_nothing() -> None:
    """P1: another engine's end of an intent is not ours."""
    venue = in_position()
    before = dict(venue.rows)
    done = intents(venue, "entry")[0]
    venue.tell(
        IntentDone(
            intent_id=done.intent_id,
            engine=ActorName.TREND_2,
            account=venue.account,
            category="linear",
            symbol=BTC,
            side=Side.BUY,
            outcome="FILLED",
            filled_quantity=D(1),
            average_price=D(1),
            reason="",
        ),
        0,
    )
    assert venue.rows == before and venue.bodies(Withdraw) == []


def test_history_needed_and_accounts() -> None:
    """TR-11, D2: each set has its own account and asks for 450 daily bars of the traded perpetuals."""
    engine = TrendEngine(ActorName.TREND_2, TREND_1)
    assert [(n.category, n.symbol, n.interval, n.bars) for n in engine.history_needed()] == [
        ("linear", BTC, "D", 450),
        ("linear", ETH, "D", 450),
    ]


def test_a_row_of_an_unknown_schema_stops_the_start() -> None:
    venue = in_position()
    rows = {key: row._replace(schema=6) for key, row in venue.rows.items()}
    with pytest.raises(ValueError, match="schema 6"):
        restore_logic(TrendEngine(ActorName.TREND_1, FAST), rows)
