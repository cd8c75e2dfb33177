"""Prices of a synthetic market: a five-minute walk through the phases, cut into hourly bars on the tick.

Each phase draws from its own generator, so a longer market of the same seed begins exactly like a shorter one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from infra.simulator.market.path import HOUR_MS
from infra.simulator.market.series import Floats, Series, Times
from infra.simulator.market.synthetic_plan import Phase, phases

STEPS_PER_HOUR = 12
STEPS_PER_DAY = 24 * STEPS_PER_HOUR


@dataclass(frozen=True)
class Coin:
    """What makes a coin: price at the start and tick in USDT, beta to BTC, own daily noise, mean volume per hour."""

    symbol: str
    start_price: float
    ticks_per_usdt: int
    beta: float
    own_daily_vol: float
    hourly_volume: float


COINS = (
    Coin("BTCUSDT", 60_000.0, 10, 1.0, 0.0, 2_000.0),
    Coin("ETHUSDT", 3_000.0, 100, 1.08, 0.0145, 30_000.0),
    Coin("SOLUSDT", 140.0, 100, 1.25, 0.024, 250_000.0),
)
"""Ticks are the coarser one of spot and perpetual, so that every price is on the tick of both."""

_VOLATILITY_MEMORY = 0.85
_VOLATILITY_NOISE = 0.22
_TAIL_FREEDOM = 5.0
_BASIS_MEMORY_PER_HOUR = 0.95
_BASIS_JITTER = 0.00008


@dataclass
class _State:
    """What one phase hands on to the next: the log of volatility's excess, and each coin's slow basis deviation."""

    volatility: float
    common_basis: float
    basis_level: float


def hourly_series(seed: int, start_ms: int, warmup_days: int, days: int) -> dict[tuple[str, str], Series]:
    """Spot and perpetual bars of every coin from ``warmup_days`` before ``start_ms`` to ``days`` after it."""
    wanted_days = warmup_days + days
    state = _State(0.0, 0.0, 0.0)
    returns: list[Floats] = []
    bases: list[Floats] = []
    covered = 0
    for number, phase in enumerate(phases(seed, warmup_days)):
        rng = np.random.default_rng([seed, 1, number])
        returns.append(_phase_returns(rng, phase, state))
        bases.append(_phase_basis(rng, phase, state))
        covered += phase.days
        if covered >= wanted_days:
            break
    steps = wanted_days * STEPS_PER_DAY
    log_returns = np.concatenate(returns, axis=1)[:, :steps]
    basis = np.concatenate(bases, axis=1)[:, :steps]
    first_ms = start_ms - warmup_days * 24 * HOUR_MS
    starts = first_ms + np.arange(wanted_days * 24, dtype=np.int64) * HOUR_MS

    series: dict[tuple[str, str], Series] = {}
    for row, coin in enumerate(COINS):
        walked = np.concatenate(([0.0], np.cumsum(log_returns[row])))
        # The walk is anchored at the start of trading, not at that of the warm-up.
        spot = coin.start_price * np.exp(walked - walked[warmup_days * STEPS_PER_DAY])
        perp = spot * (1 + np.concatenate((basis[row, :1], basis[row])))
        for category, prices, share in (("spot", spot, 1.0), ("linear", perp, 4.0)):
            rng = np.random.default_rng([seed, 2, row, int(share)])
            series[category, coin.symbol] = _hours(rng, starts, prices, coin, share)
    return series


def _phase_returns(rng: np.random.Generator, phase: Phase, state: _State) -> Floats:
    """Log returns per step of every coin; BTC's sum to the phase's return exactly."""
    steps = phase.days * STEPS_PER_DAY
    scale = np.empty(phase.days)
    for day, shock in enumerate(rng.standard_normal(phase.days)):
        state.volatility = _VOLATILITY_MEMORY * state.volatility + _VOLATILITY_NOISE * float(shock)
        scale[day] = math.exp(state.volatility)
    per_step = np.repeat(scale, STEPS_PER_DAY) / math.sqrt(STEPS_PER_DAY)
    unit = math.sqrt((_TAIL_FREEDOM - 2) / _TAIL_FREEDOM)
    shocks = rng.standard_t(_TAIL_FREEDOM, size=(len(COINS), steps)) * unit * per_step
    shocks -= shocks.mean(axis=1, keepdims=True)
    market = shocks[0] * phase.daily_vol + phase.log_return / steps
    rows = [market]
    for row, coin in enumerate(COINS[1:], start=1):
        drift = rng.normal(0.03, 0.08) * phase.own_noise / steps
        rows.append(market * coin.beta + shocks[row] * coin.own_daily_vol * phase.own_noise + drift)
    return np.vstack(rows)


def _phase_basis(rng: np.random.Generator, phase: Phase, state: _State) -> Floats:
    """Perp over spot minus one, per step and coin: a slow common deviation, a small own level, and jitter."""
    hours = phase.days * 24
    slow = np.empty(hours)
    kick = phase.basis_sd * math.sqrt(1 - _BASIS_MEMORY_PER_HOUR**2)
    for hour, shock in enumerate(rng.standard_normal(hours)):
        state.common_basis = _BASIS_MEMORY_PER_HOUR * state.common_basis + kick * float(shock)
        state.basis_level += (phase.basis - state.basis_level) * (1 - _BASIS_MEMORY_PER_HOUR)
        slow[hour] = state.basis_level + state.common_basis
    common = np.repeat(slow, STEPS_PER_HOUR)
    own = rng.normal(0.0, 0.00005, size=(len(COINS), 1))
    return common + own + rng.standard_normal((len(COINS), len(common))) * _BASIS_JITTER


def _hours(rng: np.random.Generator, starts: Times, prices: Floats, coin: Coin, share: float) -> Series:
    """Bars on the tick: each hour opens where the one before it closed."""
    ticks = np.maximum(np.rint(prices * coin.ticks_per_usdt), 1.0)
    opens = ticks[:-1:STEPS_PER_HOUR]
    inside = ticks[1:].reshape(-1, STEPS_PER_HOUR)
    closes = inside[:, -1]
    highs = np.maximum(opens, inside.max(axis=1))
    lows = np.minimum(opens, inside.min(axis=1))
    # Volume grows with the hour's range, as it does in real markets.
    activity = 0.4 + 60.0 * (highs - lows) / opens
    volume = coin.hourly_volume * share * activity * np.exp(0.3 * rng.standard_normal(len(starts)))
    per_usdt = coin.ticks_per_usdt
    return Series(
        HOUR_MS,
        starts,
        opens / per_usdt,
        highs / per_usdt,
        lows / per_usdt,
        closes / per_usdt,
        np.round(volume, 3),
    )
