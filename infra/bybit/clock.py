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
LOOK_S = 1.0
READING_PERIOD_S = 5.0
"""How often RM-4's readings (reachable, clock) are taken, by one process for all."""

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
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._wall = wall
        self._created_at = monotonic()
        self._answered_at: float | None = None
        self._certainly_off_ms: int | None = None
        self._sessions = sessions
        self._account = account
        self._monotonic = monotonic
        self._offset_ms: float | None = None
        self._period_s = float("inf")
        self._lock = threading.Lock()

    def begin(self) -> None:
        """`synchronise`, or our own clock until the exchange answers: an actor that is restarted while the exchange is
        away has deadlines too. `silence_s` grows meanwhile."""
        try:
            self.synchronise()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from answering, the next measurement follows
            _log.warning("the exchange's clock cannot be read (%s); ours is used until it can", type(error).__name__)
            self._offset_ms = (self._wall() - self._monotonic()) * 1000

    def synchronise(self) -> int:
        """Measure the offset anew; answers the round trip in ms. Raises what pybit, requests and parsers raise."""
        self._offset_ms, round_trip_ms = self._measure()
        return round_trip_ms

    def _measure(self) -> tuple[float, int]:
        before = self._monotonic()
        answer = self._sessions.session(self._account).get_server_time()
        after = self._monotonic()
        server_ms = Row(answer, "server time answer").integer("time")
        # What requests are signed with is the wall clock. Half of the round trip is how wrong this measurement may be.
        off_ms = abs(server_ms - (self._wall() - (after - before) / 2) * 1000)
        self._certainly_off_ms = max(0, round(off_ms - (after - before) / 2 * 1000))
        self._answered_at = after
        return server_ms - (before + after) / 2 * 1000, round((after - before) * 1000)

    def keep(self, period_s: float = RESYNCHRONISE_S) -> None:
        """Measure again every `period_s` while the process lives (the shortest of all calls), on one thread; a failure
        keeps the old offset and is logged."""
        with self._lock:
            is_first, self._period_s = self._period_s == float("inf"), min(self._period_s, period_s)
        if is_first:
            threading.Thread(target=self._keep, name="exchange-clock", daemon=True).start()

    def _keep(self) -> None:
        pause, measured_at = threading.Event(), self._monotonic()
        while not pause.wait(LOOK_S):
            period_s = self._period_s if self._answered_at is not None else READING_PERIOD_S
            if self._monotonic() - measured_at >= period_s:
                measured_at = self._monotonic()
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

    @property
    def silence_s(self) -> float:
        """Seconds since the exchange last answered; before the first answer, since this clock was made."""
        last = self._created_at if self._answered_at is None else self._answered_at
        return self._monotonic() - last

    @property
    def certainly_off_ms(self) -> int | None:
        """By how much our wall clock differs from the exchange's at least, by the last answer; None without one that
        is as new as it should be."""
        return self._certainly_off_ms if self.silence_s <= READING_PERIOD_S * 3 else None

    def now_ms(self) -> int:
        """The exchange's time, ms. Raises RuntimeError before the first `synchronise`."""
        if self._offset_ms is None:
            raise RuntimeError("the exchange's clock is not known yet: synchronise() has not been called")
        return round(self._monotonic() * 1000 + self._offset_ms)


_ours: list[LiveClock] = []
_making = threading.Lock()


def of_this_process(sessions: Callable[[], Sessions]) -> LiveClock:
    """The one clock of the exchange that all parts of a process share, kept up to date; made with the first call."""
    with _making:
        if not _ours:
            clock = LiveClock(sessions())
            clock.begin()
            clock.keep()
            _ours.append(clock)
        return _ours[0]
