"""Makes the reports that are due and hands them to the notifier: once each, also after downtime.

What was sent is asked of the notifier's own deliveries, so there is no second record of it: a report that was handed
over and not committed is made again, and one of a key that is recorded is not sent again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from api.control import ControlUnavailableError
from api.reports.facts import closed_days, gather, ms_of
from api.reports.page import page, text
from api.reports.words import subject_of
from api.service import OperatorService
from api.views.reading import DatabaseAwayError
from statemachines.notifications.report import Report
from statemachines.reports.schedule import Due, ReportKind, due, sent_of
from statemachines.values import DAY_MS

_log = logging.getLogger(__name__)

LOOK_S = 60.0
"""How often it is looked whether a report is due."""


class Rules(NamedTuple):
    """When reports go out: which kinds, at which time of day in which zone. `is_wall_time`: market time is wall
    time."""

    kinds: tuple[ReportKind, ...]
    at: time
    zone: ZoneInfo
    is_wall_time: bool
    profile: str


Made = Callable[[], Iterable[tuple[str, datetime]]]
"""The keys of the reports that were handed over, with when. Blocks; raises what the database raises."""

HandOver = Callable[[Report], None]
"""Returns once the notifier has committed it, or had it already. Blocks; raises when that is not known."""


class ReportDesk:
    """Looks every minute. A failure is logged once and tried again; it harms nothing else."""

    def __init__(
        self,
        service: OperatorService,
        rules: Rules,
        made: Made,
        hand_over: HandOver,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        look_s: float = LOOK_S,
    ) -> None:
        self._service, self._rules = service, rules
        self._made, self._hand_over = made, hand_over
        self._now, self._look_s = now, look_s
        self._over = threading.Event()
        self._loop = asyncio.Runner()
        self._failure = ""

    def start(self) -> None:
        """Look on a thread of its own."""
        threading.Thread(target=self._run, name="reports", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()

    def look(self) -> list[str]:
        """One look: the keys of what was handed over. Raises nothing."""
        try:
            found = self._loop.run(self._look())
        except Exception as error:  # noqa: BLE001 - whatever keeps it away, it is tried again
            if self._failure != (failure := f"{type(error).__name__}: {error}"):
                self._failure = failure
                expected = isinstance(error, (DatabaseAwayError, ControlUnavailableError))
                _log.warning("reports cannot be made or handed over yet: %s", failure, exc_info=not expected)
            return []
        self._failure = ""
        return found

    async def _look(self) -> list[str]:
        rules, now, handed = self._rules, self._now(), list[str]()
        closed = await closed_days(self._service)
        if closed is None:
            return []
        for kind in rules.kinds:
            sent = sent_of(kind, await asyncio.to_thread(lambda: list(self._made())), now)
            for one in due(kind, now, rules.at, rules.zone, closed, sent, is_wall_time=rules.is_wall_time):
                await asyncio.to_thread(self._hand_over, await self._report(one, now))
                handed.append(one.period.key)
                _log.info("report %s was handed over", one.period.key)
        return handed

    async def _report(self, one: Due, now: datetime) -> Report:
        overview = await self._service.overview()
        facts = await gather(self._service, one, now, self._rules.zone.key, self._rules.profile, overview)
        end_ms = ms_of(one.period.last) + DAY_MS
        return Report(one.period.key, subject_of(facts), text(facts), page(facts), end_ms)

    def _run(self) -> None:
        with self._loop:
            while not self._over.wait(self._look_s):
                self.look()
