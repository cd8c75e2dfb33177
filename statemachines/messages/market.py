"""Messages about the market: frames of the streams, closed bars, settlements, quotes, instruments, unusable data."""

from __future__ import annotations

from decimal import Decimal

from statemachines.facts import BarFact
from statemachines.messages.envelope import Body
from statemachines.requests import Quote, SetAside
from statemachines.solvency.terms import CoinWithdrawals
from statemachines.values import Account, Category, Instrument


class BarFrame(Body):
    """Closed bars as received from the stream (public kline topic, `confirm`)."""

    KIND = "bar_frame"
    bars: tuple[BarFact, ...]


Market = tuple[Category, str]
"""Category and symbol."""


class QuoteFrame(Body):
    """Newest quotes (ephemeral: never committed, the newest wins). `withdrawn`: markets whose last quote is no longer
    valid, without a usable replacement."""

    KIND = "quote_frame"
    quotes: tuple[Quote, ...]
    withdrawn: tuple[Market, ...] = ()


class RowsSetAside(Body):
    """Rows of a stream that are not used; each was validated on its own. `account` None: a public stream."""

    KIND = "rows_set_aside"
    source: str
    account: Account | None = None
    rows: tuple[SetAside, ...]


class FeedFrame(Body):
    """External values (DA-2): Fear & Greed and DVOL, each with its publication time."""

    KIND = "feed_frame"
    fear_greed: int | None = None
    fear_greed_ms: int | None = None
    dvol: Decimal | None = None
    dvol_ms: int | None = None


class InsuranceSeen(Body):
    """A reading of the exchange's insurance fund (FU-9): its balance in USDT at `market_ms`."""

    KIND = "insurance_seen"
    balance_usdt: Decimal
    market_ms: int


class WithdrawalsSeen(Body):
    """A reading of the exchange's withdrawal status at `market_ms` (CH-9); a coin that could not be read is absent."""

    KIND = "withdrawals_seen"
    coins: tuple[CoinWithdrawals, ...]
    market_ms: int


class BarsClosed(Body):
    """All symbols' hourly bars of one instant. `missing` lists "category:symbol" without a bar."""

    KIND = "bars_closed"
    close_ms: int
    bars: tuple[BarFact, ...]
    missing: tuple[str, ...] = ()


class DayClosed(Body):
    """All symbols' daily bars of one UTC day (`day_ms` = its start) and the external values available at its end."""

    KIND = "day_closed"
    day_ms: int
    close_ms: int
    bars: tuple[BarFact, ...]
    missing: tuple[str, ...] = ()
    feed: FeedFrame = FeedFrame()


class FundingSettled(Body):
    """Rates settled at `settle_ms` (as published, per `interval_min`) and the rates predicted for the next
    settlement."""

    KIND = "funding_settled"
    settle_ms: int
    rates: dict[str, Decimal]
    predicted: dict[str, Decimal]
    interval_min: dict[str, int]


class QuotesSeen(Body):
    """Quotes forwarded to the actors that decide on them (ephemeral)."""

    KIND = "quotes_seen"
    quotes: tuple[Quote, ...]
    withdrawn: tuple[Market, ...] = ()

    def after(self, older: QuotesSeen) -> QuotesSeen:
        """Both messages merged into one; the newest entry of a symbol wins, whether a quote or its withdrawal."""
        newest: dict[Market, Quote | None] = {}
        for message in (older, self):
            newest |= dict.fromkeys(message.withdrawn)
            newest |= {(quote.category, quote.symbol): quote for quote in message.quotes}
        return QuotesSeen(
            quotes=tuple(quote for quote in newest.values() if quote is not None),
            withdrawn=tuple(market for market, quote in newest.items() if quote is None),
        )


class DataUnusable(Body):
    """Data of a market (or, with category `WHOLE_ACCOUNT`, of an account) cannot be used; `reason` "": it can be used
    again. No new risk is taken on it while at least one `source` reports it as unusable."""

    KIND = "data_unusable"
    source: str
    category: str
    symbol: str
    reason: str


class FiltersRefused(Body):
    """The exchange refused an order by one of its filters (lot, tick, minimum): our copy of them may be outdated."""

    KIND = "filters_refused"
    category: Category
    symbol: str
    reason: str


class InstrumentsKnown(Body):
    """Instrument rules as read from the exchange; sent at start and when they change."""

    KIND = "instruments_known"
    instruments: tuple[Instrument, ...]
