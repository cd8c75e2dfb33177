"""The rules of TREND as pure functions; direction is +1 for long and -1 for short, comparisons are strict."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from statemachines.indicators.window import DailyValues
from statemachines.limits.leverage import Exposure, liquidation_buffer
from statemachines.limits.slices import MAX_CONDITIONAL_ORDERS, venue_maximum
from statemachines.outlook.terms import PRICE_RANGE_ATR, Side, Term, all_hold
from statemachines.trend.parameters import TrendParameters
from statemachines.values import Instrument

ZERO = Decimal(0)


class Pause(NamedTuple):
    """TR-12: `closes` consecutive daily closes with a quiet ADX; `active` while entries are paused."""

    closes: int = 0
    active: bool = False


class Episode(NamedTuple):
    """TR-13: whether an episode of high correlation is active, and its number (the first is 1)."""

    active: bool = False
    number: int = 0


def signal(values: DailyValues, parameters: TrendParameters) -> int:
    """TR-3, T1, T9: +1, -1 or 0 from the levels of one daily close; also 0 with too few bars (D2)."""
    if values.atr is None:
        return 0
    return next((d for d in (1, -1) if (terms := entry_terms(d, values, parameters)) and all_hold(terms)), 0)


def entry_terms(direction: int, values: DailyValues, parameters: TrendParameters) -> tuple[Term, ...]:
    """TR-3: what one daily close must show for an entry in this direction; empty with too few bars (D2)."""
    fast, slow, adx = values.fast_sma, values.slow_sma, values.adx
    if fast is None or slow is None or adx is None:
        return ()
    side: Side = "above" if direction > 0 else "below"
    span = None if values.atr is None else PRICE_RANGE_ATR * values.atr
    slow_name, threshold = f"SMA{parameters.slow_sma_bars}", Decimal(parameters.adx_threshold)
    return (
        Term(f"ADX({parameters.adx_bars})", adx, "above", threshold, "points", threshold),
        Term(f"close against {slow_name}", values.close, side, slow, "USDT", span),
        Term(f"SMA{parameters.fast_sma_bars} against {slow_name}", fast, side, slow, "USDT", span),
    )


def broken_term(direction: int, close: Decimal, slow_sma: Decimal, span: Decimal | None = None) -> Term:
    """TR-4, T9: the close is on the wrong side of the slow average."""
    return Term("close against the slow average", close, "below" if direction > 0 else "above", slow_sma, "USDT", span)


def hard_stop(
    direction: int, average: Decimal, signal_atr: Decimal, parameters: TrendParameters, tick: Decimal
) -> Decimal:
    """TR-5, T5: 2×ATR of the signal bar from the average fill price, on the tighter tick."""
    return tighter_tick(direction, average - direction * parameters.hard_stop_atr * signal_atr, tick)


def trailing_stop(direction: int, best: Decimal, atr: Decimal, parameters: TrendParameters, tick: Decimal) -> Decimal:
    """TR-6, T6: 3×ATR of the last closed bar from the best close, on the tighter tick."""
    return tighter_tick(direction, best - direction * parameters.trailing_stop_atr * atr, tick)


def tighter_tick(direction: int, price: Decimal, tick: Decimal) -> Decimal:
    """T5: the tick at or above `price` for a long's stop, at or below it for a short's; at least one tick."""
    ticks = price / tick
    whole = ticks.to_integral_value(rounding="ROUND_CEILING" if direction > 0 else "ROUND_FLOOR")
    return max(whole, Decimal(1)) * tick


def is_tighter(direction: int, candidate: Decimal, stop: Decimal) -> bool:
    """TR-6: a stop only ever moves toward the price."""
    return (candidate - stop) * direction > 0


def crossed_term(direction: int, stop: Decimal, price: Decimal, span: Decimal | None = None) -> Term:
    """TR-5, TR-6: a price that touches a stop triggers it."""
    return Term("price against the stop", price, "at_most" if direction > 0 else "at_least", stop, "USDT", span)


def better(direction: int, one: Decimal, other: Decimal) -> Decimal:
    """TR-6: the better of two closes for this direction."""
    return max(one, other) if direction > 0 else min(one, other)


def is_profit(direction: int, close: Decimal, average: Decimal) -> bool:
    """TR-6, T6: this daily close is better than the fill."""
    return (close - average) * direction > 0


def overdue_term(closes: int, parameters: TrendParameters) -> Term:
    """TR-7, T4: the 30th daily close after the entry fill has come."""
    limit = Decimal(parameters.max_hold_closes)
    return Term("daily closes since the entry", Decimal(closes), "at_least", limit, "closes", limit)


def position_size(
    equity_usdt: Decimal, atr: Decimal, factor: Decimal, parameters: TrendParameters, instrument: Instrument
) -> Decimal:
    """TR-8, T7: 1 % of equity over 2×ATR; `factor` (TR-13, RM-3) multiplies before rounding down to the lot."""
    if equity_usdt <= 0 or atr <= 0:
        return ZERO
    risk_usdt = equity_usdt * parameters.risk_per_trade * factor
    return instrument.floor_qty(risk_usdt / (parameters.hard_stop_atr * atr))


def exposure_refusal(
    equity_usdt: Decimal, entry: Exposure, others: Mapping[str, Exposure], parameters: TrendParameters
) -> str | None:
    """TR-9, T8: why the entry may not be made, or None. It is refused, never shrunk."""
    limits = parameters.exposure_limits
    if not limits.allows_asset(entry.notional_usdt, equity_usdt):
        return f"TR-9: notional {entry.notional_usdt:.2f} USDT above {limits.max_asset} × equity {equity_usdt:.2f} USDT"
    total = entry.notional_usdt + sum((other.notional_usdt for other in others.values()), ZERO)
    if not limits.allows_total(total, equity_usdt):
        return f"TR-9: total exposure {total:.2f} USDT above {limits.max_total} × equity {equity_usdt:.2f} USDT"
    buffer = liquidation_buffer(equity_usdt, (*others.values(), entry))
    if not limits.allows_buffer(buffer):
        return f"TR-9: liquidation buffer {buffer:.4f} not above {limits.min_liquidation_buffer}"
    return None


def next_pause(pause: Pause, adx: Decimal | None, parameters: TrendParameters) -> Pause:
    """TR-12: 14 consecutive closes below 20 begin the pause, a close above 20 ends it."""
    if adx is None:
        return pause
    closes = pause.closes + 1 if adx < parameters.quiet_adx else 0
    lasting = pause.active and not adx > parameters.quiet_adx
    return Pause(closes, closes >= parameters.quiet_closes or lasting)


def next_episode(episode: Episode, correlation: Decimal | None, parameters: TrendParameters) -> Episode:
    """TR-13, T10: above 0.9 begins an episode, below 0.85 ends it; unknown correlation changes nothing."""
    if correlation is None:
        return episode
    if not episode.active and correlation > parameters.correlation_begin:
        return Episode(True, episode.number + 1)
    if episode.active and correlation < parameters.correlation_end:
        return Episode(False, episode.number)
    return episode


def cut_quantity(held: Decimal, instrument: Instrument) -> Decimal:
    """TR-13, T10: half of the position, rounded down to the lot."""
    return instrument.floor_qty(held / 2)


def expensive_term(direction: int, funding_rate_8h: Decimal, parameters: TrendParameters) -> Term:
    """TR-14: the position pays more than 0.1 % per 8 hours (longs pay a positive rate, shorts a negative one)."""
    limit = parameters.funding_limit_8h
    return Term("funding paid per 8 h", funding_rate_8h * direction, "above", limit, "share", limit)


def stop_parts(quantity: Decimal, instrument: Instrument | None) -> list[Decimal]:
    """TR-5: the quantities of the stops that together cover a position, in whole lots: as many of the venue's largest
    order as fit, then the rest; never more than the venue takes at once, so that their sum may be less."""
    most = None if instrument is None else venue_maximum(instrument, is_maker=False)
    if instrument is None or most is None or quantity <= most:
        return [quantity]
    whole, rest = divmod(quantity, most)
    parts = [most] * int(whole)
    if 0 < rest < instrument.min_qty:
        parts[-1] -= instrument.min_qty - rest
        rest = instrument.min_qty
    return [*parts, *([rest] if rest else [])][:MAX_CONDITIONAL_ORDERS]
