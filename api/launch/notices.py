"""What the guard says on the screen: what lasts stays until it is over, what is over leaves after a minute. What is to
be kept becomes an alert, which the orchestrator commits."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

from api.launch.ray_protocol import RaiseAlert
from statemachines.values import ActorName, Foundation

_log = logging.getLogger(__name__)

SHOWN_S = 60.0
MOST = 5
ALERT_AGAIN_S = 3.0
MAX_ALERTS = 100


class Notices:
    """Sentences with the time at which they were said. The log and the alerts keep them all."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._said: list[tuple[float, str]] = []
        self._lasting: dict[str, str] = {}

    def say(self, sentence: str) -> None:
        """Something has happened and is over."""
        self._said = [*self._said, (self._monotonic(), sentence)][-MOST:]

    def begin(self, what: str, sentence: str) -> bool:
        """Something is wrong until `end`; whether that is news."""
        is_news = self._lasting.get(what) != sentence
        self._lasting[what] = sentence
        return is_news

    def end(self, what: str) -> None:
        """It is over; what was not begun has not to end."""
        self._lasting.pop(what, None)

    def shown(self) -> list[str]:
        """The newest last."""
        now = self._monotonic()
        return [*(text for at, text in self._said if now - at < SHOWN_S), *self._lasting.values()]


class LaunchAlerts:
    """Alerts of the launch of this run, in their order, until the orchestrator has committed them."""

    def __init__(self, run: str, notices: Notices) -> None:
        self._run = run
        self._notices = notices
        self._waiting: deque[RaiseAlert] = deque(maxlen=MAX_ALERTS)
        self._number = 0
        self._sent_at = 0.0

    def say(self, sentence: str) -> None:
        """Log it and show it."""
        _log.warning("%s", sentence)
        self._notices.say(sentence)

    def alert(
        self, component: Foundation | ActorName, text: str, severity: Literal["warning", "critical"] = "warning"
    ) -> None:
        """Say it, and have the orchestrator commit it as an alert as soon as there is one that can."""
        self.say(text)
        self._number += 1
        natural_id = f"launch:{self._run}:{self._number}"
        sentence = f"{text} No action is required."
        self._waiting.append(RaiseAlert(self._number, natural_id, str(component), severity, sentence))

    def send_next(self, send: Callable[[RaiseAlert], object]) -> None:
        """Send the oldest one, again after a while if nothing has come back."""
        if self._waiting and time.monotonic() - self._sent_at > ALERT_AGAIN_S:
            self._sent_at = time.monotonic()
            send(self._waiting[0])

    def taken(self, number: int) -> None:
        """The orchestrator has committed the alert of this number."""
        if self._waiting and self._waiting[0].number == number:
            self._waiting.popleft()
            self._sent_at = 0.0
