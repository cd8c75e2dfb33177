"""Drawdown (RM-3, RULINGS F11): results per group of engines excluding transfers, at daily closes.

A group's result is kept as an index that is multiplied by each day's factor, which leaves flows out
(`statemachines.portfolio.flows`). FUNDING's transfers to TACTICAL are such flows: its results are measured before them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from statemachines.portfolio.flows import Flows, period_factor, period_return
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


def next_track(track: Track, equity_usdt: Decimal, flows: Flows) -> Track:
    """The track after one more daily close; `flows` are those over the group's border since the last one.

    Without capital there is no return to measure: the index is unchanged.
    """
    if track.equity_usdt is None:
        return track._replace(equity_usdt=equity_usdt)
    factor = period_factor(track.equity_usdt, flows, equity_usdt)
    result = track.result if factor is None else track.result * factor
    return Track(result, max(track.peak, result), equity_usdt)


def rebased(track: Track) -> Track:
    """Measurement restarts from here: the operator has set NORMAL. Also after everything was lost: an index of 0 would
    never move again."""
    return track._replace(result=ONE, peak=ONE)


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


def one_day_fall(before_usdt: Decimal, now_usdt: Decimal, flows: Flows) -> Decimal:
    """The portfolio's fall from daily close to daily close, external flows excluded (RM-3, RULINGS F11).

    Positive = fallen, as a fraction; 0 when there was no capital.
    """
    return -(period_return(before_usdt, flows, now_usdt) or ZERO)
