"""What a market can produce. Every bound beyond which a figure of the exchange is refused is defined here, once.

The bounds are wide: the widest figures of real markets stay inside (`tests/statemachines/limits/test_plausibility.py`
holds them against the recorded history), and what lies
beyond them was mangled on its way or is a fault of the exchange.
Money is not put on it in either case.
"""

from __future__ import annotations

from decimal import Decimal

from statemachines.requests import FeeRate, Quote
from statemachines.values import DAY_MS, MINUTE_MS, SPOT, Instrument

MOST_FEE_PART = Decimal("0.01")
"""A trading fee is at most 1 % of the traded value; the highest public rate of the exchange is below 0.5 %."""

MOST_FUNDING_RATE = Decimal("0.05")
"""A funding rate is at most 5 % of the position's value in one interval; the exchange caps it at 4 % or less."""

MOST_SPREAD = Decimal("0.1")
"""The ask is at most 10 % above the bid; no market order may pay more than 0.5 % of slippage anyway (EX-3)."""

MOST_PRICE_RATIO = Decimal(3)
"""Last price, mark price and index price are at most three times the bid, and at least a third of it. That wide, since
a single trade of 2020-03-13 stood 2.7 times above the mark price."""

MOST_FUNDING_AHEAD_MS = 2 * DAY_MS
"""The next settlement is at most so far away; the longest funding interval is a day."""

MOST_TICK_PART = Decimal("0.2")
"""A tick is at most a fifth of the price; on a coarser one no order could be priced."""

MOST_MAINTENANCE_RATE = Decimal("0.5")
"""The maintenance margin of the lowest tier is at most half of the position; real ones are below a tenth."""

FUNDING_INTERVALS_MIN = (60, 120, 240, 480, 1440)
"""The exchange's funding intervals (bybit-v5 7)."""

MOST_FILL_RATIO = Decimal("1.5")
"""An order fills at most half above (a third below) the price that the market, its trigger or its decision had: a
market order is bound to 0.5 % of slippage, and no minute of a real market moved so far (`MOST_PRICE_RATIO` bounds what
one wild trade may show)."""

MOST_APART_MS = 10 * MINUTE_MS
"""Two clocks, or a row and the clock when it came, stand at most so far apart."""

MOST_STREAMED_AGE_MS = DAY_MS
"""A row that a stream brings tells of something at most so old: streams repeat nothing."""

MARKET_DATA_AGE_S = 60
"""RM-4: market data older than this is stale, be it old on arrival or because nothing newer comes. Live only: in
lockstep the frame's own time is the market's."""


def quote_problem(quote: Quote) -> str:
    """Why a quote cannot be one of a market, as a clause that names field, value and bound; "" when it can."""
    if not quote.bid < quote.ask:
        return f"bid is {quote.bid}; a price below the ask {quote.ask} is required"
    if quote.ask > quote.bid * (1 + MOST_SPREAD):
        return f"ask is {quote.ask}; at most {MOST_SPREAD:%} above the bid {quote.bid} is possible"
    for name, price in (("last", quote.last), ("mark", quote.mark), ("index", quote.index)):
        if price is not None and not quote.bid / MOST_PRICE_RATIO <= price <= quote.bid * MOST_PRICE_RATIO:
            return f"{name} is {price}; between a third and three times the bid {quote.bid} is possible"
    rate, next_ms = quote.predicted_funding_rate, quote.next_funding_ms
    if rate is not None and rate_problem(rate):
        return rate_problem(rate)
    if next_ms is not None and next_ms > quote.market_ms + MOST_FUNDING_AHEAD_MS:
        return f"next funding is at {next_ms}; at most two days after {quote.market_ms} is possible"
    return ""


def rate_problem(rate: Decimal) -> str:
    """Why a funding rate, settled or predicted, cannot be one, as a clause; "" when it can."""
    if abs(rate) <= MOST_FUNDING_RATE:
        return ""
    return f"funding rate is {rate}; from {-MOST_FUNDING_RATE} to {MOST_FUNDING_RATE} is possible"


def filters_problem(instrument: Instrument, about_price: Decimal) -> str:
    """Why no order can be made at about this price under an instrument's filters, whatever its size, as a clause; ""
    when one can."""
    most = min((most for most in (instrument.max_limit_qty, instrument.max_market_qty) if most), default=None)
    if instrument.tick_size <= 0 or instrument.qty_step <= 0:
        return f"tick is {instrument.tick_size} and lot step {instrument.qty_step}; both above 0 are required"
    if instrument.tick_size > about_price * MOST_TICK_PART:
        return f"tick is {instrument.tick_size}; at most {MOST_TICK_PART:%} of the price {about_price} is possible"
    for name, least in (("lot step", instrument.qty_step), ("minimum quantity", instrument.min_qty)):
        if most is not None and least > most:
            return f"{name} is {least}; at most the maximum quantity {most} is possible"
    return ""


def instrument_problem(instrument: Instrument) -> str:
    """Why an instrument cannot be one of the exchange, as a clause; "" when it can. Its tick against the market's price
    is `filters_problem`'s."""
    if instrument.symbol != instrument.base_coin + instrument.quote_coin:
        return f"its coins are {instrument.base_coin} and {instrument.quote_coin}; those of its symbol are required"
    problem = filters_problem(instrument, instrument.tick_size / MOST_TICK_PART)
    if problem or instrument.category == SPOT:
        return problem
    if instrument.funding_interval_min not in FUNDING_INTERVALS_MIN:
        return f"funding interval is {instrument.funding_interval_min} min; one of {FUNDING_INTERVALS_MIN} is required"
    if instrument.maintenance_margin_rate > MOST_MAINTENANCE_RATE:
        return f"maintenance rate is {instrument.maintenance_margin_rate}; at most {MOST_MAINTENANCE_RATE} is possible"
    return ""


def fee_rate_problem(fee: FeeRate) -> str:
    """Why fee rates cannot be those of an account, as a clause; "" when they can: a maker may be paid, never a taker,
    and never more than a taker pays."""
    if not 0 <= fee.taker <= MOST_FEE_PART:
        return f"taker rate is {fee.taker}; from 0 to {MOST_FEE_PART} is possible"
    if not -fee.taker <= fee.maker <= MOST_FEE_PART:
        return f"maker rate is {fee.maker}; from {-fee.taker} to {MOST_FEE_PART} is possible"
    return ""
