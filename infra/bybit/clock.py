"""Market time of a live exchange: its own clock, followed through the offset to ours."""

from __future__ import annotations

import time
from collections.abc import Callable

from infra.bybit.fields import Row
from infra.bybit.session import Sessions
from statemachines.values import Account


class LiveClock:
    """The exchange's time = monotonic wall time + offset, measured by `synchronise` (half the round trip is taken off).

    Implements `actors.ports.MarketClock` for demo, testnet and live.
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
        before = self._monotonic()
        answer = self._sessions.session(self._account).get_server_time()
        after = self._monotonic()
        server_ms = Row(answer, "server time answer").integer("time")
        self._offset_ms = server_ms - (before + after) / 2 * 1000
        return round((after - before) * 1000)

    def now_ms(self) -> int:
        """The exchange's time, ms. Raises RuntimeError before the first `synchronise`."""
        if self._offset_ms is None:
            raise RuntimeError("the exchange's clock is not known yet: synchronise() has not been called")
        return round(self._monotonic() * 1000 + self._offset_ms)
