"""Market time of a live exchange: its own clock, followed through the offset to ours."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from infra.bybit.parsing.fields import Row
from infra.bybit.session import Sessions
from statemachines.values import Account

_log = logging.getLogger(__name__)

RESYNCHRONISE_S = 600.0
MAX_ROUND_TRIP_MS = 2_000
"""A measurement is wrong by up to half its round trip; a slower one is not used in place of a good one."""

MAX_JUMP_MS = 1_000.0
"""RM-4: a clock that is off by more than a second is a reason to stop entries; here it is logged."""


class LiveClock:
    """The exchange's time = monotonic wall time + offset, measured by `synchronise` (half the round trip is taken off).

    Implements `actors.runtime.ports.MarketClock` for demo, testnet and live.
    """

    def __init__(
        self,
        sessions: Sessions,
        account: Account = Account.MASTER,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._account = account
        self._monotonic = monotonic
        self._offset_ms: float | None = None

    def synchronise(self) -> int:
        """Measure the offset anew; answers the round trip in ms. Raises what pybit, requests and parsers raise."""
        self._offset_ms, round_trip_ms = self._measure()
        return round_trip_ms

    def _measure(self) -> tuple[float, int]:
        before = self._monotonic()
        answer = self._sessions.session(self._account).get_server_time()
        after = self._monotonic()
        server_ms = Row(answer, "server time answer").integer("time")
        return server_ms - (before + after) / 2 * 1000, round((after - before) * 1000)

    def keep(self, period_s: float = RESYNCHRONISE_S) -> None:
        """Measure again every `period_s` while the process lives; a failure keeps the old offset and is logged."""
        threading.Thread(target=self._keep, args=(period_s,), name="exchange-clock", daemon=True).start()

    def _keep(self, period_s: float) -> None:
        pause = threading.Event()
        while not pause.wait(period_s):
            self.resynchronise()

    def resynchronise(self) -> bool:
        """One more measurement; whether it succeeded. A jump of the offset is logged: one of both clocks was wrong."""
        before_ms = self._offset_ms
        try:
            offset_ms, round_trip_ms = self._measure()
        except Exception as error:  # noqa: BLE001 - the old offset stays in use while the exchange is unreachable
            _log.warning("the exchange's clock could not be read: %s", type(error).__name__)
            return False
        if before_ms is not None and round_trip_ms > MAX_ROUND_TRIP_MS:
            _log.warning("the exchange's time arrived after %d ms, too late to be of use", round_trip_ms)
            return False
        self._offset_ms = offset_ms
        if before_ms is not None and abs(offset_ms - before_ms) > MAX_JUMP_MS:
            _log.warning("the exchange's clock and ours have drifted by %.0f ms", offset_ms - before_ms)
        return True

    def now_ms(self) -> int:
        """The exchange's time, ms. Raises RuntimeError before the first `synchronise`."""
        if self._offset_ms is None:
            raise RuntimeError("the exchange's clock is not known yet: synchronise() has not been called")
        return round(self._monotonic() * 1000 + self._offset_ms)
