"""What the market tells and nobody can use: symbols one by one, told once, halted, read again, and used again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from statemachines.messages.market import (
    BarFrame,
    DataUnusable,
    FiltersRefused,
    InstrumentsKnown,
    QuoteFrame,
    QuotesSeen,
    RowsSetAside,
)
from statemachines.requests import ExchangeResponse, MarketSnapshot, ReadMarket, SetAside, Unknown
from statemachines.values import DAY_MS, HOUR_MS, Instrument
from tests.statemachines.market_data.world import (
    D0,
    PARAMETERS,
    SYMBOLS,
    Exchange,
    World,
    bar,
    instrument,
    quote,
    started,
)

SPOT, PERP = SYMBOLS


def ticked(tick: str) -> tuple[Instrument, ...]:
    return tuple(instrument(series).model_copy(update={"tick_size": Decimal(tick)}) for series in SYMBOLS)


def aside(kind: str, series: tuple[str, str]) -> SetAside:
    return SetAside.model_validate(
        {"kind": kind, "category": series[0], "symbol": series[1], "problem": "field 'bid1Price' is ''."}
    )


def snapshot(instruments: tuple[Instrument, ...], *unread: SetAside) -> MarketSnapshot:
    return MarketSnapshot(market_ms=0, instruments=instruments, fee_rates=(), quotes=(), set_aside=unread)


def answers(world: World, *outcomes: ExchangeResponse) -> list[Any]:
    """The next readings of the market; further ones are sound."""
    left = list(outcomes)
    world.exchange.replace["read_market"] = lambda _request: left.pop(0) if left else None
    return left


def at_midnight(world: World) -> None:
    for hour in range(2, 25):
        world.bars(D0 + hour * HOUR_MS)


def test_an_empty_bid_of_one_ticker_does_not_keep_the_others_tick_sizes_from_being_learnt() -> None:
    """Case 5: at the midnight at which tick sizes changed one spot ticker had an empty bid: the whole snapshot was
    refused and not read again for a day; no stop could be moved."""
    world = started()
    answers(world, snapshot(ticked("0.5"), aside("quote", SPOT)))
    at_midnight(world)
    known = [body.instruments for body in world.bodies(InstrumentsKnown)]
    assert known[1] == ticked("0.5")
    told = world.bodies(DataUnusable)
    assert (told[0].category, told[0].symbol) == SPOT and told[0].reason
    world.tell(QuoteFrame(quotes=(quote(D0 + DAY_MS).model_copy(update={"category": "spot"}),)), D0 + DAY_MS)
    assert world.bodies(DataUnusable)[-1].reason == "", "a good quote has come"


def test_the_old_rules_of_an_unreadable_instrument_stand_until_it_can_be_read() -> None:
    world = started()
    answers(world, snapshot(ticked("0.5")[1:], aside("instrument", SPOT)))
    at_midnight(world)
    known = [body.instruments for body in world.bodies(InstrumentsKnown)]
    assert known[1] == (instrument(SPOT), ticked("0.5")[1])
    assert world.bodies(DataUnusable)[0].reason
    assert world.bodies(DataUnusable)[-1].reason == "", "the repeated reading was complete"


def test_a_failed_refresh_is_repeated_with_growing_delay_not_once_a_day() -> None:
    world = started()
    asked = len(world.asked)
    failures = [Unknown(why="time-out")] * 12
    answers(world, *failures)
    at_midnight(world)
    delays = [ask.delay_s for ask in world.asked[asked:] if isinstance(ask.request, ReadMarket)]
    assert len(delays) == 13, "asked until it was answered"
    assert delays[0] == 0.0 and delays[1:] == sorted(delays[1:])
    assert delays[-1] == PARAMETERS.longest_refresh_retry_s
    assert len([alert for alert in world.alerts if alert.title == "Market data cannot be read"]) == 1, "told once"
    assert "rules" not in world.conditions.open, "it ended with the answer"


def test_filters_are_read_again_when_an_order_was_refused_by_one() -> None:
    world = started()
    asked = len([one for one in world.exchange.asked if isinstance(one, ReadMarket)])
    answers(world, snapshot(ticked("0.5")))
    refused = FiltersRefused(category="linear", symbol="BTCUSDT", reason="170134: price decimal too long")
    world.tell(refused, world.now_ms, settle=False)
    world.tell(refused, world.now_ms, settle=False)
    world.settle()
    assert len([one for one in world.exchange.asked if isinstance(one, ReadMarket)]) == asked + 1, "one at a time"
    assert world.bodies(InstrumentsKnown)[-1].instruments == ticked("0.5")


@pytest.mark.parametrize("kind", ["bar", "quote"])
def test_rows_set_aside_by_a_stream_halt_their_symbol_and_are_told_once(kind: str) -> None:
    """Case 7: a bar of 1E+300 was stored with health green."""
    world = started()
    for _repeat in range(3):
        world.tell(RowsSetAside(source="public spot", rows=(aside(kind, SPOT),)), 0)
    assert [(body.category, body.symbol) for body in world.bodies(DataUnusable)] == [SPOT]
    assert len(world.alerts) == 1
    assert world.logic.counts["unreadable"] == 3


def test_the_missing_bar_is_read_from_rest_and_ends_the_condition() -> None:
    world = started()
    close = D0 + 2 * HOUR_MS
    world.tell(BarFrame(bars=(bar(PERP, close - HOUR_MS),)), close)
    world.tell(RowsSetAside(source="public spot", rows=(aside("bar", SPOT),)), 0)
    assert world.bodies(DataUnusable)[-1].reason
    world.next_tick()
    assert world.bodies(DataUnusable)[-1].reason == ""
    assert world.logic.counts["repaired"] == 1


def test_a_bar_that_contradicts_itself_halts_its_symbol_too() -> None:
    world = started()
    close = D0 + 2 * HOUR_MS
    world.tell(BarFrame(bars=(bar(SPOT, close - HOUR_MS, high="50"),)), close)
    assert world.bodies(DataUnusable)[-1].reason


def test_an_open_condition_survives_a_restart() -> None:
    world = started()
    world.tell(RowsSetAside(source="public spot", rows=(aside("quote", SPOT),)), 0)
    world.start(world.now_ms)
    world.tell(RowsSetAside(source="public spot", rows=(aside("quote", SPOT),)), 0)
    assert len(world.bodies(DataUnusable)) == 1
    world.tell(QuoteFrame(quotes=(quote(world.now_ms).model_copy(update={"category": "spot"}),)), world.now_ms)
    assert world.bodies(DataUnusable)[-1].reason == ""


def test_a_withdrawn_quote_is_passed_on_and_a_merged_message_keeps_the_newest_word() -> None:
    """Case 9."""
    world = started()
    world.tell(QuoteFrame(quotes=(quote(world.now_ms),)), world.now_ms)
    world.tell(QuoteFrame(quotes=(), withdrawn=(PERP,)), 0)
    withdrawal = world.bodies(QuotesSeen)[-1]
    assert (withdrawal.quotes, withdrawal.withdrawn) == ((), (PERP,))
    shown = QuotesSeen(quotes=(quote(5),))
    assert withdrawal.after(shown) == withdrawal
    assert shown.after(withdrawal) == shown


def test_a_market_that_may_not_be_traded_is_told_once_halts_entries_and_keeps_its_rules() -> None:
    """An odd status made the instrument vanish: nobody was told, and what was held of it had no rules any more."""
    world = started()
    restricted = snapshot(ticked("0.5"), aside("status", PERP))
    answers(world, restricted, restricted, restricted)
    at_midnight(world)
    assert world.bodies(InstrumentsKnown)[1].instruments == ticked("0.5"), "its new rules are known too"
    told = [body for body in world.bodies(DataUnusable) if (body.category, body.symbol) == PERP]
    assert [bool(body.reason) for body in told] == [True, False], "told once; ended when it may be traded again"
    assert not [alert for alert in world.alerts if alert.title == "Market data cannot be read"], "it could be read"


def test_an_instrument_that_is_not_listed_any_more_is_told_once_and_keeps_its_rules() -> None:
    """It vanished: no rules for what was held of it, and entries failed one by one without the reason."""
    world = started()
    answers(world, snapshot(ticked("0.5")[:1]))
    at_midnight(world)
    assert world.bodies(InstrumentsKnown)[-1].instruments == (ticked("0.5")[0], instrument(PERP))
    (first,) = [body for body in world.bodies(DataUnusable) if (body.category, body.symbol) == PERP]
    assert "no longer lists" in first.reason
    answers(world)
    for hour in range(25, 49):
        world.bars(D0 + hour * HOUR_MS)
    told = [body for body in world.bodies(DataUnusable) if (body.category, body.symbol) == PERP]
    assert [bool(body.reason) for body in told] == [True, False], "it is listed again"


def test_an_instrument_that_was_never_listed_is_not_told() -> None:
    """A symbol that starts later, and the perpetuals of an early year, are answers, not faults."""
    exchange = Exchange()
    exchange.replace["read_market"] = lambda _request: snapshot(ticked("0.5")[:1])
    world = World(exchange)
    world.start(D0 + 90 * 60_000)
    at_midnight(world)
    assert not world.bodies(DataUnusable)
