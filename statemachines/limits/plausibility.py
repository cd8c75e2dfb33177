"""Plausibility bounds of market data. Every bound beyond which a figure of the exchange is refused is defined here.

The bounds are wide: the most extreme figures of real markets are inside
(`tests/statemachines/limits/test_plausibility.py` checks them against the recorded history). A figure outside was
corrupted in transit or is a fault of the exchange; either way no money is risked on it.
"""

from __future__ import annotations

from decimal import Decimal

from statemachines.requests import FeeRate, Quote
from statemachines.values import DAY_MS, MINUTE_MS, SPOT, Instrument

MAX_FEE_PART = Decimal("0.01")
"""A trading fee is at most 1 % of the traded value; the highest public rate of the exchange is below 0.5 %."""

MAX_FUNDING_RATE = Decimal("0.05")
"""A funding rate is at most 5 % of the position's value in one interval; the exchange caps it at 4 % or less."""

MAX_SPREAD = Decimal("0.1")
"""The ask is at most 10 % above the bid; no market order may exceed 0.5 % slippage in any case (EX-3)."""

MAX_PRICE_RATIO = Decimal(3)
"""Last price, mark price and index price are at most three times the bid, and at least a third of it. The bound is that
wide because a single trade on 2020-03-13 was 2.7 times the mark price."""

MAX_FUNDING_AHEAD_MS = 2 * DAY_MS
"""The next settlement is at most this far away; the longest funding interval is a day."""

MAX_TICK_PART = Decimal("0.2")
"""A tick is at most a fifth of the price; with a coarser one no order could be priced."""

MAX_MAINTENANCE_RATE = Decimal("0.5")
"""The maintenance margin of the lowest tier is at most half of the position; real ones are below a tenth."""

FUNDING_INTERVALS_MIN = (60, 120, 240, 480, 1440)
"""The exchange's funding intervals (bybit-v5 7)."""

MAX_FILL_RATIO = Decimal("1.5")
"""An order fills at most half above (a third below) the price of the market, its trigger or its decision: a market
order is limited to 0.5 % slippage, and no minute of a real market moved this far (`MAX_PRICE_RATIO` bounds a single
extreme trade)."""

MAX_APART_MS = 10 * MINUTE_MS
"""Two clocks, or a row's time and its time of arrival, differ by at most this much."""

MAX_STREAMED_AGE_MS = DAY_MS
"""A row of a stream is at most this old: streams repeat nothing."""

MARKET_DATA_AGE_S = 60
"""RM-4: market data older than this is stale, whether it was old on arrival or nothing newer arrived. Live only: in
lockstep the frame's own time is the market time."""


def quote_problem(quote: Quote) -> str:
    """Why a quote is implausible, as a clause that names field, value and bound; "" when it is plausible."""
    if not quote.bid < quote.ask:
        return f"bid is {quote.bid}; a price below the ask {quote.ask} is required"
    if quote.ask > quote.bid * (1 + MAX_SPREAD):
        return f"ask is {quote.ask}; at most {MAX_SPREAD:%} above the bid {quote.bid} is possible"
    for name, price in (("last", quote.last), ("mark", quote.mark), ("index", quote.index)):
        if price is not None and not quote.bid / MAX_PRICE_RATIO <= price <= quote.bid * MAX_PRICE_RATIO:
            return f"{name} is {price}; between a third and three times the bid {quote.bid} is possible"
    rate, next_ms = quote.predicted_funding_rate, quote.next_funding_ms
    if rate is not None and rate_problem(rate):
        return rate_problem(rate)
    if next_ms is not None and next_ms > quote.market_ms + MAX_FUNDING_AHEAD_MS:
        return f"next funding is at {next_ms}; at most two days after {quote.market_ms} is possible"
    return ""


def rate_problem(rate: Decimal) -> str:
    """Why a funding rate, settled or predicted, is implausible, as a clause; "" when it is plausible."""
    if abs(rate) <= MAX_FUNDING_RATE:
        return ""
    return f"funding rate is {rate}; from {-MAX_FUNDING_RATE} to {MAX_FUNDING_RATE} is possible"


def filters_problem(instrument: Instrument, about_price: Decimal) -> str:
    """Why an instrument's filters permit no order of any size at about this price, as a clause; "" when they permit
    one."""
    most = min((most for most in (instrument.max_limit_qty, instrument.max_market_qty) if most), default=None)
    if instrument.tick_size <= 0 or instrument.qty_step <= 0:
        return f"tick is {instrument.tick_size} and lot step {instrument.qty_step}; both above 0 are required"
    if instrument.tick_size > about_price * MAX_TICK_PART:
        return f"tick is {instrument.tick_size}; at most {MAX_TICK_PART:%} of the price {about_price} is possible"
    for name, least in (("lot step", instrument.qty_step), ("minimum quantity", instrument.min_qty)):
        if most is not None and least > most:
            return f"{name} is {least}; at most the maximum quantity {most} is possible"
    return ""


def instrument_problem(instrument: Instrument) -> str:
    """Why an instrument is implausible, as a clause; "" when it is plausible. `filters_problem` checks its tick against
    the market price."""
    if instrument.symbol != instrument.base_coin + instrument.quote_coin:
        return f"its coins are {instrument.base_coin} and {instrument.quote_coin}; those of its symbol are required"
    problem = filters_problem(instrument, instrument.tick_size / MAX_TICK_PART)
    if problem or instrument.category == SPOT:
        return problem
    if instrument.funding_interval_min not in FUNDING_INTERVALS_MIN:
        return f"funding interval is {instrument.funding_interval_min} min; one of {FUNDING_INTERVALS_MIN} is required"
    if instrument.maintenance_margin_rate > MAX_MAINTENANCE_RATE:
        return f"maintenance rate is {instrument.maintenance_margin_rate}; at most {MAX_MAINTENANCE_RATE} is possible"
    return ""


def fee_rate_problem(fee: FeeRate) -> str:
    """Why an account's fee rates are implausible, as a clause; "" when they are plausible. A maker fee may be negative
    (a rebate), but the rebate may not exceed the taker fee; a taker fee may not be negative."""
    if not 0 <= fee.taker <= MAX_FEE_PART:
        return f"taker rate is {fee.taker}; from 0 to {MAX_FEE_PART} is possible"
    if not -fee.taker <= fee.maker <= MAX_FEE_PART:
        return f"maker rate is {fee.maker}; from {-fee.taker} to {MAX_FEE_PART} is possible"
    return ""
