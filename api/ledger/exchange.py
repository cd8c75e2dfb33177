"""The exchange's records for the check, and how long before now they are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.ledger.check import LIVE_LAG_MS
from infra.bybit.credentials import Credentials
from infra.bybit.readers.ledger_reading import ExchangeRecords
from infra.config import EternalConfig
from infra.faults import OperatorError

if TYPE_CHECKING:
    from actors.runtime.ports import MarketClock
    from infra.bybit.lockstep import SimulatorLockstep
    from infra.bybit.session import HttpSessions


class UnreachableError(OperatorError):
    """The exchange did not answer; that says nothing about the ledger."""


SIMULATED_LAG_MS = 1
"""The simulated exchange moves on only when everything that happened before is booked."""


def lag_ms(config: EternalConfig) -> int:
    """How long before now entries are compared."""
    return SIMULATED_LAG_MS if config.is_simulated else LIVE_LAG_MS


def exchange_records(config: EternalConfig, credentials: Credentials, exchange_url: str) -> ExchangeRecords:
    """The exchange's records through the read-only gateway; in live within the limits (EX-6).

    Raises:
        UnreachableError: the exchange does not answer.
    """
    from infra.bybit.endpoints import endpoints
    from infra.bybit.limits import RateLimiter, RateLimits
    from infra.bybit.session import HttpSessions

    address = endpoints(config.profile.value, config.addresses.exchange, exchange_url).rest
    sessions = HttpSessions(credentials, address, proxy=config.live.proxy())
    if config.is_simulated:
        from infra.bybit.lockstep import SimulatorLockstep

        assert credentials.simulator_token is not None
        clock: MarketClock = _SimulatedClock(SimulatorLockstep(exchange_url, credentials.simulator_token))
        return ExchangeRecords(sessions, clock)
    return ExchangeRecords(sessions, _live_clock(sessions, address), RateLimiter(RateLimits()))


def _live_clock(sessions: HttpSessions, address: str) -> MarketClock:
    from infra.bybit.clock import LiveClock

    live = LiveClock(sessions)
    try:
        live.synchronise()
    except Exception as error:
        raise UnreachableError(
            f"The exchange at {address} did not answer ({type(error).__name__}); nothing was compared. Check "
            "the connection and, if the file has one, the section [addresses]; then check the ledger again."
        ) from error
    return live


class _SimulatedClock:
    """Implements `MarketClock`: the simulated exchange's own market time."""

    def __init__(self, lockstep: SimulatorLockstep) -> None:
        self._lockstep = lockstep

    def now_ms(self) -> int:
        return self._lockstep.status().market_ms
