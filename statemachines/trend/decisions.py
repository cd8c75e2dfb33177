"""The rules of TREND applied to one account at one instant: positions to exit, cut and enter, with the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from statemachines.commands import Commands
from statemachines.indicators.window import DailyValues
from statemachines.limits.leverage import Exposure
from statemachines.trend import rules
from statemachines.trend.order_messages import plain
from statemachines.trend.parameters import TrendParameters
from statemachines.trend.position_orders import PositionOrders
from statemachines.trend.view import Cycle, View

_WORDS = {1: "long", -1: "short"}


def review(position: PositionOrders, view: View, parameters: TrendParameters, close_ms: int, now_ms: int) -> Commands:
    """One held position at a daily close: TR-4, TR-7, a stop already crossed, else the trailing stop (D5, T6)."""
    values, instrument = view.values_at(position.asset.symbol, close_ms), view.instrument(position.asset.symbol)
    t = position.trade
    if not position.is_held or values is None or values.slow_sma is None or instrument is None or t.stop_price is None:
        return []
    close, d = values.close, t.direction
    if rules.broken_term(d, close, values.slow_sma).holds:
        side = "below" if d > 0 else "above"
        average = f"SMA{parameters.slow_sma_bars} {values.slow_sma:.2f}"
        return position.leave(
            "TR-4", f"TR-4: close {plain(close)} {side} {average}: {_WORDS[d]} closed", close_ms, now_ms
        )
    if rules.overdue_term(t.closes, parameters).holds:
        reason = f"TR-7: {t.closes} daily closes since the entry, {parameters.max_hold_closes} allowed"
        return position.leave("TR-7", reason, close_ms, now_ms)
    stop, rule, moved = t.stop_price, t.stop_rule, ""
    if t.has_been_in_profit and values.atr is not None:
        trail = rules.trailing_stop(d, t.best_close, values.atr, parameters, instrument.tick_size)
        if rules.is_tighter(d, trail, stop):
            moved = (
                f"TR-6: best close {plain(t.best_close)}, ATR {values.atr:.2f}: stop {plain(stop)} to {plain(trail)}"
            )
            stop, rule = trail, "TR-6"
    if rules.crossed_term(d, stop, close).holds:
        reason = f"{rule}: close {plain(close)} has already crossed the stop {plain(stop)}"
        return position.leave(rule, reason, close_ms, now_ms)
    return position.ratchet(stop, moved, now_ms) if moved else position.protect(now_ms)


def cuts(positions: Sequence[PositionOrders], view: View, parameters: TrendParameters) -> Commands:
    """TR-13, T10: in an episode two positions in one direction are each cut to half once."""
    episode, held = view.memory.episode, [position for position in positions if position.is_held]
    if not episode.active or len(held) < 2 or len({position.trade.direction for position in held}) > 1:
        return []
    out: Commands = []
    for position in held:
        instrument = view.instrument(position.asset.symbol)
        if position.trade.halved_in == episode.number or position.trade.cut is not None or instrument is None:
            continue
        quantity = rules.cut_quantity(position.trade.held, instrument)
        correlation = view.correlation()
        known = "unknown" if correlation is None else f"{correlation:.4f}"
        reason = (
            f"TR-13: correlation {known}, episode {episode.number}: {plain(quantity)} of {plain(position.trade.held)} "
            f"{position.asset.symbol} closed"
        )
        out += position.cut(quantity, episode.number, reason)
    return out


def funding_exit(
    position: PositionOrders, view: View, parameters: TrendParameters, settled_ms: int, now_ms: int
) -> Commands:
    """TR-14, T11: the paying position is closed right after the settlement."""
    rate, d = view.memory.rates_8h.get(position.asset.symbol), position.trade.direction
    if not position.is_held or rate is None or not rules.expensive_term(d, rate, parameters).holds:
        return []
    reason = f"TR-14: funding {rate * 100:.4f} % per 8 h against the {_WORDS[d]}, limit {parameters.funding_limit_8h}"
    return position.leave("TR-14", reason, settled_ms, now_ms)


def entries(positions: Sequence[PositionOrders], view: View, parameters: TrendParameters, cycle: Cycle) -> Commands:
    """TR-3, T1: entries of one daily close; both assets are sized on the same equity (T7)."""
    out: Commands = []
    exposures = {
        position.asset.symbol: exposure
        for position in positions
        if (exposure := _exposure(position, view, position.signed_quantity + position.trade.outside))
    }  # what is not ours bears on the account's leverage too (TR-9), but is no position of ours (TR-10)
    foreign = {position.asset.symbol for position in positions if position.trade.outside and position.trade.held == 0}
    for position in positions:
        values = view.values_at(position.asset.symbol, cycle.close_ms)
        if not position.is_free or values is None or cycle.close_ms <= position.trade.blocked_through_ms:
            continue
        longest = max(parameters.slow_sma_bars, 2 * parameters.adx_bars)
        direction = rules.signal(values, parameters)
        if direction == 0 or not view.windows[position.asset.symbol].is_contiguous(longest):
            continue
        numbers = _numbers(values, parameters)
        out.append(position.machine.detect(f"TR-3: {_WORDS[direction]}: {numbers}", _data(values, direction)))
        refused = _refusal(position, view, parameters, cycle, direction, len(exposures.keys() - foreign))
        quantity, sized = Decimal(0), ""
        if not refused:
            refused, quantity, sized = _size(position, view, parameters, direction, values, exposures)
        if refused:
            out += [position.machine.decline(refused, _data(values, direction)), position.machine.rescan()]
            continue
        episode = view.memory.episode
        atr = values.atr if values.atr is not None else Decimal(0)
        halved_in = episode.number if episode.active else 0
        out += position.enter(direction, quantity, atr, cycle.close_ms, halved_in, f"TR-3 {_WORDS[direction]}, {sized}")
        exposure = _exposure(position, view, direction * quantity)
        if exposure is not None:
            exposures[position.asset.symbol] = exposure
    return out


def _size(
    position: PositionOrders,
    view: View,
    parameters: TrendParameters,
    direction: int,
    values: DailyValues,
    exposures: dict[str, Exposure],
) -> tuple[str, Decimal, str]:
    """Why there is no trade, or the quantity and the sentence that explains it (TR-8, TR-9, X1)."""
    symbol, nothing = position.asset.symbol, Decimal(0)
    instrument = view.instrument(symbol)
    if instrument is None or values.atr is None:
        return "no ATR", nothing, ""
    equity_usdt, episode = view.equity_usdt, view.memory.episode
    factor = view.size_factor() * (parameters.correlation_size_factor if episode.active else Decimal(1))
    quantity = rules.position_size(equity_usdt, values.atr, factor, parameters, instrument)
    if quantity > 0 and direction * position.trade.dust < 0:
        # X1: the order is the target less the dust, which is on the opposite side.
        quantity = instrument.floor_qty(quantity - direction * position.trade.dust)
    sized = (
        f"TR-8: {plain(quantity)} from equity {equity_usdt:.2f} USDT, ATR {values.atr:.2f}, factor {plain(factor)}, "
        f"portfolio {view.portfolio.version_no}"
    )
    if not instrument.tradable(quantity, values.close) or quantity <= 0:
        return f"{sized}: below the exchange's minimum of {plain(instrument.min_qty)} {symbol}", nothing, ""
    entry = Exposure(direction * quantity, values.close, instrument.maintenance_margin_rate)
    return rules.exposure_refusal(equity_usdt, entry, exposures, parameters) or "", quantity, sized


def _refusal(
    position: PositionOrders,
    view: View,
    parameters: TrendParameters,
    cycle: Cycle,
    direction: int,
    positions: int,
) -> str:
    """Why this signal may not be traded at any size; empty when it may."""
    if not cycle.entries_allowed:
        return "OR-3: no entries in this cycle"
    return entry_barred(position, view, parameters, cycle.close_ms, direction, positions)


def entry_barred(
    position: PositionOrders, view: View, parameters: TrendParameters, close_ms: int, direction: int, positions: int
) -> str:
    """Why an entry at this close may not be made at any size, beside `positions` others; empty when it may."""
    symbol = position.asset.symbol
    blocked = view.entries_refused(close_ms)
    if blocked:
        return blocked
    if position.trade.outside:
        return f"OR-9: {plain(position.trade.outside)} {symbol} in the account are not ours: no entry beside it"
    if view.instrument(symbol) is None:
        return f"RM-1: the instrument rules of {symbol} are not known"
    if positions >= parameters.max_positions:
        return f"TR-10: {positions} positions are open, {parameters.max_positions} allowed"
    pause = view.pause(symbol)
    if pause.active:
        return f"TR-12: ADX was below {parameters.quiet_adx} for {parameters.quiet_closes} days and not above since"
    rate = view.memory.rates_8h.get(symbol)
    if rate is not None and rules.expensive_term(direction, rate, parameters).holds:
        return f"TR-14: funding {rate * 100:.4f} % per 8 h against a {_WORDS[direction]}"
    return ""


def _exposure(position: PositionOrders, view: View, signed_quantity: Decimal) -> Exposure | None:
    instrument = view.instrument(position.asset.symbol)
    if signed_quantity == 0 or instrument is None:
        return None
    return Exposure(signed_quantity, view.price(position.asset.symbol), instrument.maintenance_margin_rate)


def _numbers(values: DailyValues, parameters: TrendParameters) -> str:
    return (
        f"close {plain(values.close)}, SMA{parameters.slow_sma_bars} {values.slow_sma:.2f}, "
        f"SMA{parameters.fast_sma_bars} {values.fast_sma:.2f}, ADX {values.adx:.2f}"
    )


def _data(values: DailyValues, direction: int) -> dict[str, object]:
    numbers = {"close": values.close, "slow": values.slow_sma, "fast": values.fast_sma, "adx": values.adx}
    numbers["atr"] = values.atr
    known = {name: plain(value) for name, value in numbers.items() if value is not None}
    return {"direction": direction, "day_ms": values.day_ms, **known}
