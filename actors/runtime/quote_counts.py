"""Quotes on their way between actors, counted: they are never committed, yet in lockstep none may be overlooked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping


class QuoteCounts:
    """One actor's counts. `enter` is called from any thread, the rest from the worker."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._entered: dict[str, int] = {}
        self._open: dict[str, int] = {}
        self._handed_over: dict[str, tuple[int, int]] = {}

    def enter(self, sender: str, count: int, enqueue: Callable[[], None]) -> int:
        """Quotes are numbered as they enter the queue: once the worker has counted so many of a sender's, it has seen
        these. The sender reports the number to the lockstep driver, so that none in the queue is overlooked."""
        with self._guard:
            number = self._entered[sender] = self._entered.get(sender, 0) + count
            enqueue()
        return number

    def leave(self, recipient: str, count: int) -> None:
        """So many go to the recipient."""
        self._open[recipient] = self._open.get(recipient, 0) + count

    def end(self, recipient: str, count: int, taken: Mapping[str, int] | None) -> None:
        """They are no longer on their way: `taken` is the number they got, None if they are lost."""
        self._open[recipient] -= count
        if taken is not None:
            self._handed_over[recipient] = (taken["epoch"], taken["quotes"])

    @property
    def are_under_way(self) -> bool:
        """Whether it is still open which number some of them get."""
        return any(self._open.values())

    def handed_over(self) -> dict[str, tuple[int, int]]:
        """Per recipient the incarnation that took the newest, and which number they were there."""
        return dict(self._handed_over)
