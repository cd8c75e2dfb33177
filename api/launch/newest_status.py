"""The orchestrator's newest answer: shown with its age, and counted as a sign of life once; and the overview of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

FRESH_S = 15.0


class NewestStatus:
    """Taken in on one keeper's thread, read on others."""

    def __init__(self) -> None:
        self._status: dict[str, Any] = {}
        self._heard_at = time.monotonic()
        self._is_news = threading.Event()

    @property
    def status(self) -> Mapping[str, Any]:
        """What it said last; empty before its first answer."""
        return self._status

    @property
    def age_s(self) -> float:
        """Seconds since its last answer, or since the start when there was none."""
        return time.monotonic() - self._heard_at

    def take(self, status: Mapping[str, Any]) -> None:
        """It has answered."""
        self._status, self._heard_at = dict(status), time.monotonic()
        self._is_news.set()

    def news(self) -> Mapping[str, Any] | None:
        """The answer that came since the last call; None when there was none: an old answer is no sign of life."""
        if not self._is_news.is_set():
            return None
        self._is_news.clear()
        return self._status


class ShownOverview:
    """What `eternal run` shows, for `eternal status` while the API is away."""

    def __init__(self) -> None:
        self._overview: Mapping[str, Any] = {}
        self._shown_at = 0.0

    def show(self, overview: Mapping[str, Any]) -> None:
        """It is shown now."""
        self._overview, self._shown_at = overview, time.monotonic()

    def fresh(self) -> Mapping[str, Any]:
        """The overview. Raises KeyError: none was shown in the last `FRESH_S` seconds."""
        if not self._overview or time.monotonic() - self._shown_at > FRESH_S:
            raise KeyError("no overview was shown lately")
        return self._overview
