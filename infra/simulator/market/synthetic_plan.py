"""The story of a synthetic market: a sequence of phases drawn from the seed, each with its drift, noise and basis.

The opening is scripted so that every seed shows a newcomer each kind of market early: a bull run with rising and then
excessive funding, a crash, a bear market that falls more than half below the high with a capitulation, a long calm.
After it phases follow one another at random.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_LOW_LEVEL = -1.6
_HIGH_LEVEL = 1.3
"""Log price of BTC relative to the start beyond which the next phase is one that leads back."""


@dataclass(frozen=True)
class Phase:
    """A stretch of market. ``log_return`` is BTC's over the whole phase, hit exactly; the rest are fractions.

    ``daily_vol`` is BTC's standard deviation per day, ``own_noise`` scales what ETH and SOL do apart from BTC,
    ``basis`` is the mean of perp over spot minus one and ``basis_sd`` its slow deviation.
    """

    name: str
    days: int
    log_return: float
    daily_vol: float
    own_noise: float
    basis: float
    basis_sd: float


def _calm(days: int, log_return: float) -> Phase:
    return Phase("calm", days, log_return, 0.013, 1.0, 0.0001, 0.0003)


def _bull(days: int, log_return: float) -> Phase:
    return Phase("bull", days, log_return, 0.021, 1.0, 0.0006, 0.0003)


def _euphoria(days: int, log_return: float) -> Phase:
    return Phase("euphoria", days, log_return, 0.028, 0.9, 0.0019, 0.0004)


def _crash(days: int, log_return: float) -> Phase:
    return Phase("crash", days, log_return, 0.055, 0.35, -0.0012, 0.0005)


def _bear(days: int, log_return: float) -> Phase:
    return Phase("bear", days, log_return, 0.026, 0.9, -0.0001, 0.0004)


def phases(seed: int, warmup_days: int) -> Iterator[Phase]:
    """The phases from ``warmup_days`` before the start on, without end; the first day of the script is the start."""
    rng = np.random.default_rng([seed, 0])

    def drawn(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def days(low: int, high: int) -> int:
        return int(rng.integers(low, high, endpoint=True))

    # Warm-up: a long calm and a bull market, so that on day one the averages stand in order and the trend is strong.
    first_bull, last_bull = 150, 45
    yield _calm(warmup_days - first_bull - last_bull, drawn(-0.20, -0.05))
    yield _bull(first_bull, drawn(0.35, 0.50))
    yield _bull(last_bull, drawn(0.38, 0.48))

    opening = (
        _bull(days(5, 7), drawn(0.06, 0.10)),
        _euphoria(days(4, 6), drawn(0.09, 0.13)),
        _crash(days(7, 9), math.log(drawn(0.56, 0.62))),
        _calm(days(10, 14), drawn(0.06, 0.12)),
        _bear(days(35, 45), math.log(drawn(0.68, 0.74))),
        _crash(days(5, 7), math.log(drawn(0.66, 0.74))),
        _calm(days(40, 60), drawn(-0.02, 0.08)),
        _bull(days(70, 110), drawn(0.45, 0.75)),
    )
    level = 0.0
    for phase in opening:
        level += phase.log_return
        yield phase

    name = "bull"
    while True:
        if level > _HIGH_LEVEL:
            name = "crash" if name == "bear" else "bear"
        elif level < _LOW_LEVEL:
            name = "calm" if name == "bull" else "bull"
        else:
            following = {
                "bull": ("euphoria", "calm", "bear"),
                "euphoria": ("crash", "crash", "bear"),
                "crash": ("calm", "calm", "bull"),
                "bear": ("crash", "calm", "bull"),
                "calm": ("bull", "bull", "bull", "bear"),
            }[name]
            name = following[int(rng.integers(len(following)))]
        if name == "bull":
            phase = _bull(days(60, 150), drawn(0.40, 0.95))
        elif name == "euphoria":
            phase = _euphoria(days(6, 14), drawn(0.12, 0.28))
        elif name == "crash":
            phase = _crash(days(4, 10), math.log(drawn(0.66, 0.80)))
        elif name == "bear":
            phase = _bear(days(35, 90), math.log(drawn(0.65, 0.85)))
        else:
            phase = _calm(days(25, 80), drawn(-0.10, 0.10))
        level += phase.log_return
        yield phase
