"""The orchestrator's beats, for the dead-man switch (RM-4): written as long as it works, whatever else is away.

It beats while its worker runs and moves or has nothing to do. An outage of the database stops the worker and not the
beats: what waits for a database resumes by itself, and the file says that it lives.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from actors.runtime.ports import BeatPort
from statemachines.deadman.beats import BEAT_S, Beat, BeatState

_log = logging.getLogger(__name__)


class Heart:
    """`health` is the runner's; it never waits."""

    def __init__(self, port: BeatPort, health: Callable[[], Mapping[str, Any]], period_s: float = BEAT_S) -> None:
        self._port = port
        self._health = health
        self._period_s = period_s
        self._beats = 0
        self._progress: object = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Beat on a thread of its own until `stop`."""
        threading.Thread(target=self._keep, name="heart", daemon=True).start()

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()

    def beat_if_working(self) -> bool:
        """Whether it has beaten."""
        health = self._health()
        before, self._progress = self._progress, health["progress"]
        is_moving = health["progress"] != before or not health["is_busy"] or health["outage"] is not None
        is_alive = health["state"] == "RUNNING" or health["outage"] is not None
        if not (is_alive and is_moving):
            return False
        self._beats += 1
        self._port.beat(Beat(f"{health['epoch']}:{self._beats}", BeatState.RUNNING), int(health["market_ms"]))
        return True

    def _keep(self) -> None:
        while True:
            try:
                self.beat_if_working()
            except Exception:  # noqa: BLE001 - the next beat may succeed, and without one the switch acts
                _log.exception("a beat failed; it is tried again")
            if self._stopped.wait(self._period_s):
                return
