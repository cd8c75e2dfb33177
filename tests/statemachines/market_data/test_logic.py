"""DA-1..DA-3: bars grouped by instant, gaps repaired and counted, order of announcements, downtime, restarts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from statemachines.actor_logic import ENDLESS_LOOKAHEAD, NO_LOOKAHEAD
from statemachines.commands import (
    Send,
)
from statemachines.facts import BarFact, FundingRateFact
from statemachines.feeds.terms import FeedRead
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import (
    BarFrame,
    BarsClosed,
    DayClosed,
    FundingSettled,
    InstrumentsKnown,
    QuoteFrame,
    QuotesSeen,
)
from statemachines.messages.orders import ResponseReceived
from statemachines.requests import (
    BarsRead,
    FundingRead,
    MarketSnapshot,
    ReadBars,
    ReadFunding,
    Refused,
    Unknown,
)
from statemachines.values import DAY_MS, HOUR_MS, SECOND_MS
from tests.statemachines.market_data.world import D0, PARAMETERS, SYMBOLS, World, bar, instrument, quote, rate, started


def test_the_first_start_fills_the_history_and_announces_none_of_it() -> None:
    """DA-1: bars by REST; DA-5: recorded."""
    world = started()
    recorded = [fact for fact in world.facts.values() if isinstance(fact, BarFact)]
    assert len([f for f in recorded if f.interval == "D"]) == 2 * 3
    assert len([f for f in recorded if f.interval == "60"]) == 2 * 4
    assert max(f.start_ms for f in recorded if f.interval == "60") == D0
    assert world.bodies(BarsClosed) == [] and world.bodies(DayClosed) == [] and world.bodies(FundingSettled) == []
    assert len(world.bodies(InstrumentsKnown)) == 1
    assert world.rows["market"].state == "READY"
    assert world.logic.deadline() == D0 + 2 * HOUR_MS + 5 * SECOND_MS


def test_it_is_not_ready_before_the_last_answer_of_the_backfill() -> None:
    world = World()
    world.start(D0 + HOUR_MS, settle=False)
    assert world.rows["market"].state == "BACKFILLING"
    assert world.logic.deadline() is None and not world.logic.is_ready
    world.bars(D0 + 2 * HOUR_MS)
    assert world.bodies(BarsClosed)[0].close_ms == D0 + 2 * HOUR_MS, "what came meanwhile follows the backfill"


def test_the_whole_instant_travels_as_one_message() -> None:
    world = started()
    at = D0 + 2 * HOUR_MS
    world.bars(at, SYMBOLS[0])
    assert world.bodies(BarsClosed) == []
    world.bars(at, SYMBOLS[1])
    (closed,) = world.bodies(BarsClosed)
    assert (closed.close_ms, closed.missing) == (at, ())
    assert [(b.category, b.start_ms) for b in closed.bars] == [("spot", at - HOUR_MS), ("linear", at - HOUR_MS)]
    assert not any(isinstance(request, ReadFunding) for request in world.exchange.asked[6:])


def test_midnight_settlement_then_bars_then_day() -> None:
    """D1, A5: at 00:00 funding is first, the day last, with the external values known by then."""
    world = started(D0 + 23 * HOUR_MS)
    midnight = D0 + DAY_MS
    world.tell(QuoteFrame(quotes=(quote(D0 + 23 * HOUR_MS),)), D0 + 23 * HOUR_MS)
    world.tell(QuoteFrame(quotes=(quote(midnight, predicted="0.0007"),)), midnight)
    world.bars(midnight)
    market = [body for _, body in world.sent if isinstance(body, FundingSettled | BarsClosed | DayClosed)]
    assert [body.KIND for body in market] == ["funding_settled", "bars_closed", "day_closed"]
    (settled,), (day,) = world.bodies(FundingSettled), world.bodies(DayClosed)
    assert (settled.settle_ms, settled.rates) == (midnight, {"BTCUSDT": Decimal("0.0001")})
    assert settled.predicted == {"BTCUSDT": Decimal("0.0007")}, "F2: the exchange's rate for the next interval"
    assert (day.day_ms, day.close_ms, len(day.bars)) == (D0, midnight, 2)
    assert day.feed.fear_greed == 20 and day.feed.dvol is None
    assert any(isinstance(fact, FundingRateFact) and fact.settle_ms == midnight for fact in world.facts.values())


def test_without_a_quote_of_the_new_interval_the_settled_rate_stands_for_the_prediction() -> None:
    """F2: in history the last settled rate, never the next."""
    world = started(D0 + 7 * HOUR_MS)
    world.tell(QuoteFrame(quotes=(quote(D0 + 7 * HOUR_MS, predicted="0.0009"),)), D0 + 7 * HOUR_MS)
    world.bars(D0 + 8 * HOUR_MS)
    (settled,) = world.bodies(FundingSettled)
    assert settled.predicted == {"BTCUSDT": Decimal("0.0001")}


def test_an_interval_that_shortens_is_followed() -> None:
    """LESSONS: the 8-hour interval changes; the ticker's next settlement tells."""
    world = started(D0 + HOUR_MS)
    world.tell(QuoteFrame(quotes=(quote(D0 + HOUR_MS, next_ms=D0 + 2 * HOUR_MS),)), D0 + HOUR_MS)
    world.exchange.replace["read_funding"] = lambda request: FundingRead(rates=(rate(D0 + 2 * HOUR_MS),))
    world.bars(D0 + 2 * HOUR_MS)
    assert [settled.settle_ms for settled in world.bodies(FundingSettled)] == [D0 + 2 * HOUR_MS]


def test_a_rate_published_late_is_asked_for_again() -> None:
    world = started(D0 + 7 * HOUR_MS)
    world.exchange.unpublished = 2
    world.bars(D0 + 8 * HOUR_MS)
    assert [settled.settle_ms for settled in world.bodies(FundingSettled)] == [D0 + 8 * HOUR_MS]


def test_a_rate_that_never_comes_is_left_out_visibly_and_bars_go_on() -> None:
    world = started(D0 + 7 * HOUR_MS)
    world.exchange.unpublished = 99
    world.bars(D0 + 8 * HOUR_MS)
    assert world.bodies(FundingSettled) == [] and len(world.bodies(BarsClosed)) == 1
    assert any("settled rate is not published" in alert.text for alert in world.alerts)


def test_a_bar_the_stream_lost_is_repaired_from_rest_after_five_seconds() -> None:
    world = started()
    at = D0 + 2 * HOUR_MS
    world.bars(at, SYMBOLS[0])
    assert world.logic.deadline() == at + 5 * SECOND_MS
    world.next_tick()
    (closed,) = world.bodies(BarsClosed)
    assert closed.missing == () and len(closed.bars) == 2
    assert world.logic.counts["repaired"] == 1


def test_hours_whose_bars_come_together_are_announced_in_order_and_nothing_is_read_again() -> None:
    """DESIGN 3: the lockstep exchange passes over quiet hours; each stream delivers its own bars of all of them."""
    world = started()
    assert world.logic.lookahead() == ENDLESS_LOOKAHEAD
    asked = len(world.exchange.asked)
    last = D0 + 5 * HOUR_MS
    for series in SYMBOLS:
        for hour in range(2, 6):
            close = D0 + hour * HOUR_MS
            world.tell(BarFrame(bars=(bar(series, close - HOUR_MS),)), last)
    assert [closed.close_ms for closed in world.bodies(BarsClosed)] == [D0 + hour * HOUR_MS for hour in range(2, 6)]
    assert len(world.exchange.asked) == asked
    assert world.logic.deadline() == last + HOUR_MS + 5 * SECOND_MS


def test_while_history_is_read_every_hour_is_wanted_at_once() -> None:
    world = World()
    world.start(D0, settle=False)
    assert world.logic.lookahead() == NO_LOOKAHEAD


def test_in_lockstep_the_age_of_quotes_is_not_judged() -> None:
    for age_ms, stale in ((600_000, 1), (None, 0)):
        world = World(parameters=PARAMETERS.model_copy(update={"stale_quote_ms": age_ms}))
        world.start(D0 + 90 * 60_000)
        world.tell(QuoteFrame(quotes=(quote(D0 + 90 * 60_000),)), D0 + 90 * 60_000)
        world.bars(D0 + 2 * HOUR_MS)
        assert world.logic.counts.get("stale_quote", 0) == stale


def test_a_bar_that_does_not_exist_is_listed_as_missing_and_counted() -> None:
    world = started()
    at = D0 + 2 * HOUR_MS
    world.exchange.holes.add(("spot60", at - HOUR_MS))
    world.bars(at, SYMBOLS[1])
    world.next_tick()
    (closed,) = world.bodies(BarsClosed)
    assert closed.missing == ("spot:BTCUSDT",) and [b.category for b in closed.bars] == ["linear"]
    assert world.logic.counts["gap"] == 1


def test_a_repair_that_is_refused_is_tried_three_times_more_and_then_missing() -> None:
    """EX-4's delays; DA-3: visibly."""
    world = started()
    world.exchange.replace["read_bars"] = lambda request: Refused(code=10001, message="no", fault="permanent")
    world.bars(D0 + 2 * HOUR_MS, SYMBOLS[1])
    world.next_tick()
    assert world.bodies(BarsClosed)[0].missing == ("spot:BTCUSDT",)
    assert sum(isinstance(request, ReadBars) for request in world.exchange.asked[6:]) == 4
    assert world.logic.counts["failed_read"] == 4 and world.alerts


def test_repeats_are_dropped_and_contradictions_do_not_replace_the_first() -> None:
    world = started()
    at = D0 + 2 * HOUR_MS
    world.bars(at, SYMBOLS[0])
    world.bars(at, SYMBOLS[0])
    world.tell(BarFrame(bars=(bar(SYMBOLS[0], at - HOUR_MS, close="90"),)), at)
    world.bars(at, SYMBOLS[1])
    assert world.bodies(BarsClosed)[0].bars[0].close == Decimal(100)
    assert (world.logic.counts["duplicate"], world.logic.counts["conflict"]) == (1, 1)
    world.bars(at, SYMBOLS[0])
    assert len(world.bodies(BarsClosed)) == 1 and world.logic.counts["duplicate"] == 2


def test_a_bar_that_comes_after_its_instant_is_recorded_counted_and_not_announced_again() -> None:
    world = started()
    for hour in (2, 3):
        at = D0 + hour * HOUR_MS
        world.exchange.holes.add(("spot60", at - HOUR_MS))
        world.bars(at, SYMBOLS[1])
        world.next_tick()
    world.tell(BarFrame(bars=(bar(SYMBOLS[0], D0 + HOUR_MS),)), world.now_ms)
    assert len(world.bodies(BarsClosed)) == 2 and world.logic.counts["out_of_order"] == 1
    assert ("bars", "spot", "BTCUSDT", "60", D0 + HOUR_MS) in world.facts


@pytest.mark.parametrize(
    "changes",
    [
        {"high": "99"},
        {"low": "101"},
        {"low": "0"},
        {"volume": "-1"},
        {"start_ms": D0 + 1},
        {"start_ms": D0 + 9 * HOUR_MS},
    ],
)
def test_bars_that_cannot_be_true_are_refused_and_read_again(changes: dict[str, Any]) -> None:
    world = started()
    at = D0 + 2 * HOUR_MS
    wrong = bar(SYMBOLS[0], at - HOUR_MS).model_dump() | changes
    world.tell(BarFrame(bars=(BarFact.model_validate(wrong),)), at)
    assert world.logic.counts["inconsistent"] == 1 and world.alerts
    world.bars(at, SYMBOLS[1])
    world.next_tick()
    assert world.bodies(BarsClosed)[0].missing == ()


def test_an_outlier_is_flagged_and_used() -> None:
    """A 24 % dislocation is history, not an error: it is flagged, never dropped."""
    world = started()
    at = D0 + 2 * HOUR_MS
    world.tell(BarFrame(bars=(bar(SYMBOLS[0], at - HOUR_MS, close="140"),)), at)
    world.bars(at, SYMBOLS[1])
    assert world.bodies(BarsClosed)[0].bars[0].close == Decimal(140)
    assert world.logic.counts["outlier"] == 1
    assert any(note.trigger == "outlier" and "40.0%" in note.reason for note in world.notes)


def test_bars_of_one_instant_in_any_order_give_the_same_message() -> None:
    forward, backward = started(), started()
    at = D0 + 2 * HOUR_MS
    forward.bars(at, *SYMBOLS)
    backward.bars(at, *reversed(SYMBOLS))
    assert forward.bodies(BarsClosed) == backward.bodies(BarsClosed)


def test_a_series_that_starts_later_is_not_waited_for_and_joins_at_its_second_bar_in_any_order() -> None:
    results = []
    for order in (SYMBOLS, SYMBOLS[::-1]):
        world = World()
        world.exchange.replace["read_bars"] = lambda r: BarsRead(bars=()) if r.category == "linear" else None
        world.start(D0 + HOUR_MS)
        world.bars(D0 + 2 * HOUR_MS, SYMBOLS[0])
        for hour in (3, 4):
            world.bars(D0 + hour * HOUR_MS, *order)
        results.append([(c.close_ms, len(c.bars), c.missing) for c in world.bodies(BarsClosed)])
    assert results[0] == results[1]
    assert [(count, missing) for _at, count, missing in results[0]] == [
        (1, ("linear:BTCUSDT",)),
        (1, ("linear:BTCUSDT",)),
        (2, ()),
    ]


def test_a_series_that_has_gone_silent_is_no_longer_waited_for_and_comes_back() -> None:
    world = started(D0 + HOUR_MS)
    for hour in range(2, 28):
        at = D0 + hour * HOUR_MS
        world.exchange.holes |= {("linear60", at - HOUR_MS), ("linearD", at - DAY_MS)}
        world.bars(at, SYMBOLS[0])
        if len(world.bodies(BarsClosed)) < hour - 1:
            world.next_tick()
    closed = world.bodies(BarsClosed)
    assert [c.close_ms for c in closed] == [D0 + hour * HOUR_MS for hour in range(2, 28)]
    assert any("gone silent" in alert.title for alert in world.alerts)
    assert "silent:linear:BTCUSDT" in world.conditions.open
    world.bars(D0 + 28 * HOUR_MS)
    world.bars(D0 + 29 * HOUR_MS)
    assert world.bodies(BarsClosed)[-1].missing == ()
    assert "silent:linear:BTCUSDT" not in world.conditions.open, "the alert has ended"


def test_an_hour_without_any_bar_is_announced_too() -> None:
    world = started()
    at = D0 + 2 * HOUR_MS
    world.exchange.holes |= {("spot60", at - HOUR_MS), ("linear60", at - HOUR_MS)}
    world.next_tick()
    (closed,) = world.bodies(BarsClosed)
    assert (closed.bars, closed.missing) == ((), ("spot:BTCUSDT", "linear:BTCUSDT"))


def test_after_a_downtime_every_missed_hour_and_day_is_announced_in_order() -> None:
    world = started(D0 + 22 * HOUR_MS)
    world.sent.clear()
    world.start(D0 + 2 * DAY_MS + HOUR_MS)
    closes = [body.close_ms for body in world.bodies(BarsClosed)]
    assert closes == [D0 + hour * HOUR_MS for hour in range(23, 50)]
    assert all(len(body.bars) == 2 for body in world.bodies(BarsClosed))
    assert [day.day_ms for day in world.bodies(DayClosed)] == [D0, D0 + DAY_MS]
    assert [day.feed.fear_greed_ms for day in world.bodies(DayClosed)] == [D0, D0 + DAY_MS]
    eights = [D0 + hour * HOUR_MS for hour in (24, 32, 40, 48)]
    assert [settled.settle_ms for settled in world.bodies(FundingSettled)] == eights
    market = [b for _, b in world.sent if isinstance(b, FundingSettled | BarsClosed | DayClosed)]
    order = [(b.settle_ms if isinstance(b, FundingSettled) else b.close_ms, b.KIND) for b in market]
    rank = {"funding_settled": 0, "bars_closed": 1, "day_closed": 2}
    assert order == sorted(order, key=lambda item: (item[0], rank[item[1]]))


def test_a_crash_in_the_middle_of_an_instant_loses_and_doubles_nothing() -> None:
    """Frames taken before the crash are never sent again by the stream; REST has them."""
    world = started()
    at = D0 + 2 * HOUR_MS
    world.bars(at, SYMBOLS[0])
    world.start(at)
    assert [body.close_ms for body in world.bodies(BarsClosed)] == [at]
    world.start(at)
    assert len(world.bodies(BarsClosed)) == 1


def test_a_crash_in_the_middle_of_a_backfill_begins_it_anew() -> None:
    world = World()
    world.start(D0 + HOUR_MS, settle=False)
    world.asks.clear()
    world.start(D0 + 3 * HOUR_MS)
    assert world.logic.is_ready and world.bodies(BarsClosed) == []
    world.bars(D0 + 4 * HOUR_MS)
    assert [body.close_ms for body in world.bodies(BarsClosed)] == [D0 + 4 * HOUR_MS]


def test_a_crash_in_the_middle_of_a_later_backfill_still_announces_what_was_missed() -> None:
    world = started(D0 + HOUR_MS)
    world.start(D0 + 3 * HOUR_MS, settle=False)
    world.asks.clear()
    world.start(D0 + 4 * HOUR_MS)
    assert [body.close_ms for body in world.bodies(BarsClosed)] == [D0 + hour * HOUR_MS for hour in (2, 3, 4)]


def test_request_keys_are_never_used_twice_over_restarts() -> None:
    world = started(D0)
    for hour in range(1, 30):
        world.bars(D0 + hour * HOUR_MS)
        if hour % 7 == 0:
            world.start(D0 + hour * HOUR_MS)
    keys = [ask.key for ask in world.asked]
    assert len(keys) == len(set(keys))


def test_a_restart_at_any_hour_changes_nothing_in_what_is_announced() -> None:
    """DESIGN 6: start and recovery are the same path."""
    steady, restarted = started(D0), started(D0)
    for hour in range(1, 50):
        at = D0 + hour * HOUR_MS
        steady.bars(at)
        restarted.bars(at)
        restarted.start(at)
    kinds = (BarsClosed, DayClosed, FundingSettled)
    assert [b for _, b in steady.sent if isinstance(b, kinds)] == [b for _, b in restarted.sent if isinstance(b, kinds)]


def test_an_answer_to_an_earlier_incarnation_is_ignored() -> None:
    world = started()
    before = len(world.sent)
    world.tell(
        ResponseReceived(key="market-data:1:read_market", account="MASTER", outcome=Unknown(why="crash")), world.now_ms
    )
    assert len(world.sent) == before and world.logic.is_ready


def test_quotes_are_forwarded_and_leave_nothing_durable() -> None:
    world = started()
    world.logic.dirty()
    commands = world.logic.handle(
        Envelope("q", "exchange", world.now_ms, "", "q", QuoteFrame(quotes=(quote(world.now_ms),)))
    )
    assert [type(command.body) for command in commands if isinstance(command, Send)] == [QuotesSeen]
    late = Envelope("q", "exchange", world.now_ms, "", "q", QuoteFrame(quotes=(quote(world.now_ms - 1),)))
    assert world.logic.handle(late) == []
    assert world.logic.counts["late_quote"] == 1 and list(world.logic.dirty()) == []


def test_a_source_that_is_down_makes_its_value_absent_and_says_so_once() -> None:
    """DA-2: inactive, visibly, never wrong."""
    world = started(D0 + 23 * HOUR_MS)
    world.exchange.replace["read_feed"] = lambda request: FeedRead(reason="Fear & Greed is not available: no answer")
    for hour in range(24, 73):
        world.bars(D0 + hour * HOUR_MS)
    assert [day.feed.fear_greed for day in world.bodies(DayClosed)] == [None, None, None]
    assert sum("external source" in alert.title for alert in world.alerts) == 1
    assert list(world.conditions.open) == ["feed"]
    world.exchange.replace["read_feed"] = lambda request: FeedRead(
        fear_greed=30, fear_greed_ms=world.now_ms, dvol=Decimal(50), dvol_ms=world.now_ms
    )
    for hour in range(73, 97):
        world.bars(D0 + hour * HOUR_MS)
    assert not world.conditions.open, "the alert has ended"


def test_a_backfill_that_cannot_be_read_holds_everything_back_and_alerts() -> None:
    world = World(parameters=PARAMETERS.model_copy(update={"backfill_attempts": 6}))
    world.exchange.replace["read_bars"] = lambda request: Unknown(why="down")
    world.start(D0)
    assert not world.logic.is_ready and world.rows["market"].state == "BACKFILLING"
    assert any(alert.severity == "critical" for alert in world.alerts)


def test_changed_instruments_are_told_again() -> None:
    world = started(D0 + 23 * HOUR_MS)
    changed = tuple(instrument(s).model_copy(update={"qty_step": Decimal("0.1")}) for s in SYMBOLS)
    world.exchange.replace["read_market"] = lambda request: MarketSnapshot(
        market_ms=0, instruments=changed, fee_rates=(), quotes=()
    )
    world.bars(D0 + DAY_MS)
    assert [body.instruments[0].qty_step for body in world.bodies(InstrumentsKnown)] == [Decimal(1), Decimal("0.1")]
