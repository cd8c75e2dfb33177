"""What the guard says on the screen: what lasts stays until it is over, what is over leaves after a minute."""

from __future__ import annotations

import time
from collections.abc import Callable

SHOWN_S = 60.0
MOST = 5


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
