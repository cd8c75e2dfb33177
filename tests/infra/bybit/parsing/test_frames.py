"""DA-1, DA-3: quotes from tickers, books and trades; natural ids; books that notice gaps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from infra.bybit.streams.book import BookGapError, OrderBook
from infra.bybit.streams.frames import PublicFrames, moment_ms, parse_private_frame, parse_public_frame
from statemachines.messages.market import BarFrame, QuoteFrame
from statemachines.requests import Quote
from statemachines.values import HOUR_MS, Account
from tests.infra.bybit.parsing.test_rows import order_row

T = 1_700_000_000_000 // HOUR_MS * HOUR_MS


def ticker(kind: str, ts: int = T, **data: Any) -> dict[str, Any]:
    return {"topic": "tickers.BTCUSDT", "type": kind, "ts": ts, "data": {"symbol": "BTCUSDT"} | data}


LINEAR: dict[str, Any] = {
    "lastPrice": "100",
    "bid1Price": "99",
    "ask1Price": "101",
    "markPrice": "100.5",
    "indexPrice": "100.2",
    "fundingRate": "0.0001",
    "nextFundingTime": str(T + 8 * HOUR_MS),
}


def book(
    kind: str, update: int, bids: list[list[str]], asks: list[list[str]], seq: int | None = None
) -> dict[str, Any]:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update, "seq": update if seq is None else seq}
    return {"topic": "orderbook.50.BTCUSDT", "type": kind, "ts": T + 5, "data": data}


def quotes(parsed: list[tuple[Any, str]]) -> list[Quote]:
    return [quote for body, _natural in parsed for quote in body.quotes if isinstance(body, QuoteFrame)]


def test_ticker_deltas_are_merged_into_the_snapshot() -> None:
    frames = PublicFrames()
    frames.take("linear", ticker("snapshot", **LINEAR))
    (quote,) = quotes(frames.take("linear", ticker("delta", ts=T + 9, lastPrice="100.7")))
    assert (quote.last, quote.bid, quote.mark, quote.market_ms) == (
        Decimal("100.7"),
        Decimal(99),
        Decimal("100.5"),
        T + 9,
    )


def test_a_delta_before_its_snapshot_asks_for_one() -> None:
    with pytest.raises(BookGapError, match="without a snapshot"):
        PublicFrames().take("linear", ticker("delta", lastPrice="1"))


def test_spot_quotes_take_bid_and_ask_from_the_book_and_last_from_trades() -> None:
    frames = PublicFrames()
    assert frames.take("spot", ticker("snapshot", lastPrice="100")) == []
    (first,) = quotes(frames.take("spot", book("snapshot", 7, [["99", "1"], ["98", "2"]], [["101", "1"]])))
    assert (first.bid, first.ask, first.last, first.mark) == (Decimal(99), Decimal(101), Decimal(100), None)
    assert frames.take("spot", book("delta", 8, [["98", "3"]], [])) == [], "an unchanged touch is no news"
    trade = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": T + 6, "data": [{"s": "BTCUSDT", "p": "100.5"}]}
    (second,) = quotes(frames.take("spot", trade))
    assert second.last == Decimal("100.5")


def test_a_ticker_repeats_the_quote_as_a_sign_of_life() -> None:
    frames = PublicFrames()
    frames.take("linear", ticker("snapshot", **LINEAR))
    (quote,) = quotes(frames.take("linear", ticker("delta", ts=T + 60_000)))
    assert quote.market_ms == T + 60_000


def test_a_reset_forgets_one_category_only() -> None:
    frames = PublicFrames()
    frames.take("linear", ticker("snapshot", **LINEAR))
    frames.take("spot", book("snapshot", 2, [["99", "1"]], [["101", "1"]]))
    frames.reset("spot")
    assert frames.book("spot", "BTCUSDT") is None
    assert quotes(frames.take("linear", ticker("delta")))


def test_a_lost_book_message_is_noticed_and_a_snapshot_heals() -> None:
    """pybit's own book takes no notice of a gap, and a delta before its snapshot ends its stream silently."""
    one = OrderBook("t")
    one.take(book("snapshot", 10, [["99", "1"]], [["101", "1"]]))
    assert one.take(book("delta", 10, [["98", "1"]], [])) is False, "a repeat is dropped"
    with pytest.raises(BookGapError, match="11 was expected"):
        one.take(book("delta", 12, [["98", "1"]], []))
    assert one.touch() is None
    with pytest.raises(BookGapError, match="without a snapshot"):
        one.take(book("delta", 13, [], []))
    one.take(book("snapshot", 20, [["97", "1"]], [["102", "1"]]))
    assert one.touch() == (Decimal(97), Decimal(102))


def test_a_book_deletes_inserts_and_ignores_absent_levels() -> None:
    one = OrderBook("t")
    one.take(book("snapshot", 2, [["99", "1"], ["97", "1"]], [["101", "1"]]))
    one.take(book("delta", 3, [["99", "0"], ["98", "4"], ["50", "0"]], [["100", "2"]]))
    assert one.bids() == [(Decimal(98), Decimal(4)), (Decimal(97), Decimal(1))]
    assert one.asks() == [(Decimal(100), Decimal(2)), (Decimal(101), Decimal(1))]


def test_a_crossed_book_gives_no_touch() -> None:
    one = OrderBook("t")
    one.take(book("snapshot", 2, [["101", "1"]], [["101", "1"]]))
    assert one.touch() is None


def test_a_confirmed_bar_is_known_at_its_close() -> None:
    row = {
        "start": T + HOUR_MS,
        "end": T + 2 * HOUR_MS - 1,
        "interval": "60",
        "open": "1",
        "high": "3",
        "low": "1",
        "close": "2",
        "volume": "5",
        "turnover": "9",
        "confirm": True,
        "timestamp": T + 2 * HOUR_MS,
    }
    frame = {"topic": "kline.60.ETHUSDT", "type": "snapshot", "ts": T + 2 * HOUR_MS, "data": [row]}
    ((body, natural_id),) = parse_public_frame("spot", frame)
    assert isinstance(body, BarFrame)
    assert natural_id == f"bar:spot:ETHUSDT:60:{T + HOUR_MS}"
    assert moment_ms(body) == T + 2 * HOUR_MS


def test_an_amendment_at_the_same_instant_is_not_a_repeat() -> None:
    """Market time stands still in a micro-step: only the trigger price tells the two reports apart (EX-2)."""

    def natural_id(trigger: str) -> str:
        frame = {
            "topic": "order",
            "creationTime": T + HOUR_MS,
            "data": [order_row(orderStatus="Untriggered", triggerPrice=trigger)],
        }
        return parse_private_frame(Account.TREND_1, frame)[0][1]

    assert natural_id("90") == natural_id("90.0")
    assert natural_id("90") != natural_id("91")


def test_wallet_and_position_frames_carry_nothing_we_book() -> None:
    assert parse_private_frame(Account.TREND_1, {"topic": "wallet", "data": []}) == []
