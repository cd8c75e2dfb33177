"""Drawdown (RM-3, RULINGS F11): results per group of engines excluding transfers, at daily closes.

A group's result is kept as an index that is multiplied by each day's return. Transfers between accounts happen right
after a daily close, so a day's return is equity now over (equity at the last close + net inflow since).
FUNDING's transfers to TACTICAL are such flows: its results are measured before them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from statemachines.risk.machine import Level
from statemachines.risk.parameters import DrawdownGroup

ZERO = Decimal(0)
ONE = Decimal(1)


class Track(NamedTuple):
    """The track record of one group: its index of results, the index's peak, and the equity at the last close.

    `equity_usdt` is None until the first close is seen.
    """

    result: Decimal = ONE
    peak: Decimal = ONE
    equity_usdt: Decimal | None = None


def next_track(track: Track, equity_usdt: Decimal, flow_usdt: Decimal) -> Track:
    """The track after one more daily close; `flow_usdt` is the net flow into the group since the last one.

    With nothing invested (base not above zero) there is no return to measure: the index is unchanged.
    """
    if track.equity_usdt is None:
        return track._replace(equity_usdt=equity_usdt)
    base = track.equity_usdt + flow_usdt
    result = track.result * equity_usdt / base if base > ZERO else track.result
    return Track(result, max(track.peak, result), equity_usdt)


def rebased(track: Track) -> Track:
    """Measurement restarts from here: the operator has set NORMAL."""
    return track._replace(peak=track.result)


def fall_from_peak(track: Track) -> Decimal:
    """The drawdown as a positive fraction, 0 at the peak."""
    return ONE - track.result / track.peak if track.peak > ZERO else ONE


def demanded_level(fall: Decimal, group: DrawdownGroup) -> Level:
    """The level that RM-3 demands at this fall; equality demands nothing (RULINGS: strict)."""
    if group.reduce_only is not None and fall > group.reduce_only:
        return Level.REDUCE_ONLY
    if group.caution is not None and fall > group.caution:
        return Level.CAUTION
    return Level.NORMAL


def one_day_fall(before_usdt: Decimal, now_usdt: Decimal, external_flow_usdt: Decimal) -> Decimal:
    """The portfolio's fall from daily close to daily close, external flows excluded (RM-3, RULINGS F11).

    Positive = fallen, as a fraction of the earlier close; 0 when there was no equity before.
    """
    if before_usdt <= ZERO:
        return ZERO
    return ONE - (now_usdt - external_flow_usdt) / before_usdt
