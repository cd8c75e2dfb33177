"""The exchange's records for the check, and how long before now they are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.ledger.check import LIVE_LAG_MS
from infra.bybit.credentials import Credentials
from infra.bybit.ledger_reading import ExchangeRecords
from infra.config import EternalConfig

if TYPE_CHECKING:
    from actors.runtime.ports import MarketClock
    from infra.bybit.lockstep import SimulatorLockstep
    from infra.bybit.session import HttpSessions

SIMULATED_LAG_MS = 1
"""The simulated exchange moves on only when everything that happened before is booked."""


def lag_ms(config: EternalConfig) -> int:
    """How long before now entries are compared."""
    return SIMULATED_LAG_MS if config.is_simulated else LIVE_LAG_MS


def exchange_records(config: EternalConfig, credentials: Credentials, exchange_url: str) -> ExchangeRecords:
    """The exchange's records through the read-only gateway; in live within the limits (EX-6)."""
    from infra.bybit.endpoints import endpoints
    from infra.bybit.limits import RateLimiter, RateLimits
    from infra.bybit.session import HttpSessions

    sessions = HttpSessions(credentials, endpoints(config.profile.value, exchange_url).rest, proxy=config.live.proxy())
    limiter = None if config.is_simulated else RateLimiter(RateLimits())
    return ExchangeRecords(sessions, _clock(config, credentials, exchange_url, sessions), limiter)


def _clock(config: EternalConfig, credentials: Credentials, exchange_url: str, sessions: HttpSessions) -> MarketClock:
    if config.is_simulated:
        from infra.bybit.lockstep import SimulatorLockstep

        assert credentials.simulator_token is not None
        return _SimulatedClock(SimulatorLockstep(exchange_url, credentials.simulator_token))
    from infra.bybit.clock import LiveClock

    live = LiveClock(sessions)
    live.synchronise()
    return live


class _SimulatedClock:
    """Implements `MarketClock`: the simulated exchange's own market time."""

    def __init__(self, lockstep: SimulatorLockstep) -> None:
        self._lockstep = lockstep

    def now_ms(self) -> int:
        return self._lockstep.status().market_ms
