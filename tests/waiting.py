"""Waiting for what threads do: polled, never slept for luck."""

from __future__ import annotations

import threading
from collections.abc import Callable


def until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds; fail after about ten seconds."""
    pause = threading.Event()
    for _ in range(1000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not happen")
