"""Reports failed attempts to the orchestrator, whose commit makes them an alert, as soon as it can take them."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable

from api.access.failures import Condition, FailureDesk
from statemachines.messages.control import AccessFailures

_log = logging.getLogger(__name__)

LOOK_S = 2.0
RESTARTED = "the interface was restarted and counts anew."

Report = Callable[[AccessFailures, str], None]
"""Hands a body over under a natural id and returns once it is committed; raises when it was not."""


class AccessAlarm:
    """Looks every few seconds until `stop`. What the orchestrator does not take is offered again; a repeat under the
    same id changes nothing. What an incarnation before has left open is ended first."""

    def __init__(self, failures: FailureDesk, report: Report) -> None:
        self._failures, self._report = failures, report
        self._run, self._number = uuid.uuid4().hex, 0
        self._waiting: deque[tuple[str, AccessFailures]] = deque()
        self._over = threading.Event()
        self._note(Condition(False, False, RESTARTED))

    def start(self) -> None:
        """Look on a thread of its own."""
        threading.Thread(target=self._run_until_over, name="access-alarm", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()

    def look(self) -> None:
        """One look. Raises nothing: an orchestrator that is away is asked again."""
        if (news := self._failures.look()) is not None:
            self._note(news)
        while self._waiting:
            natural_id, body = self._waiting[0]
            try:
                self._report(body, natural_id)
            except Exception as error:  # noqa: BLE001 - whatever keeps it away, it is offered again
                _log.info("failed attempts cannot be reported yet: %s", error)
                return
            self._waiting.popleft()

    def _note(self, news: Condition) -> None:
        body = AccessFailures(is_open=news.is_open, is_critical=news.is_critical, text=news.text)
        if self._waiting and news.is_open and self._waiting[-1][1].is_open:
            self._waiting.pop()  # the newer text holds all that the older one had
        self._number += 1
        self._waiting.append((f"access:{self._run}:{self._number}", body))

    def _run_until_over(self) -> None:
        while not self._over.wait(LOOK_S):
            self.look()
