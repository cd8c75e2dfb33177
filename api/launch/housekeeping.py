"""What the launch does beside guarding: signs of life into the database (OR-8), retention once a day.

Neither may hold up the guard: a database that is away costs a sign of life, a failed archive is reported.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg

from infra.database.registers import Heartbeats
from infra.database.retention import RetentionPolicy, retain
from statemachines.values import DAY_MS

_log = logging.getLogger(__name__)

BEAT_S = 5.0
RETAIN_S = 600.0
"""Least wall time between two retentions: a simulated day takes seconds, and its rows age no faster for it."""

ANSWERING = frozenset({"RECOVERING", "RUNNING"})
"""Supervision states of a component that has answered its last ping."""


class Housekeeping:
    """`look` is called with the orchestrator's newest status, as often as the guard looks; it returns at once."""

    def __init__(
        self,
        database_url: str,
        retention_url: str,
        archive: Path,
        policy: RetentionPolicy,
        say: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._retention_url, self._archive, self._policy, self._say = retention_url, archive, policy, say
        self._monotonic = monotonic
        self._heartbeats = Heartbeats(database_url)
        self._beaten_at: float | None = None
        self._retained_at: float | None = None
        self._retained_day: int | None = None
        self._retention: threading.Thread | None = None

    def look(self, status: Mapping[str, Any]) -> None:
        """Write signs of life when it is time; begin the day's retention when a market day has ended."""
        market_ms = _market_ms(status)
        now = self._monotonic()
        if self._beaten_at is None or now - self._beaten_at >= BEAT_S:
            self._beaten_at = now
            self._beat(status, market_ms)
        day = market_ms // DAY_MS
        is_due = day > 0 and day != self._retained_day
        is_early = self._retained_at is not None and now - self._retained_at < RETAIN_S
        if is_due and not is_early and (self._retention is None or not self._retention.is_alive()):
            self._retained_day, self._retained_at = day, now
            self._retention = threading.Thread(target=self._retain, args=(market_ms,), name="retention", daemon=True)
            self._retention.start()

    def stop(self, timeout_s: float) -> None:
        """Wait for a retention under way: each of its months is moved in one transaction; then for a sign of life."""
        if self._retention is not None:
            self._retention.join(timeout_s)
        self._heartbeats.close(timeout_s)

    def _beat(self, status: Mapping[str, Any], market_ms: int) -> None:
        for row in status.get("components", ()):
            if row["state"] not in ANSWERING:
                continue
            health = row.get("health") or {}
            detail = {name: health[name] for name in ("pid", "progress", "commits") if name in health}
            if not self._heartbeats.beat(row["name"], row["state"], market_ms, detail):
                return  # the database is away; the guard is about to find out

    def _retain(self, market_ms: int) -> None:
        try:
            report = retain(self._retention_url, self._archive, market_ms, self._policy)
        except (psycopg.Error, OSError) as error:
            self._say(f"Old rows could not be archived to {self._archive}: {error}. They stay; it is tried tomorrow.")
        else:
            _log.info("retention: removed %s", report.removed)


def _market_ms(status: Mapping[str, Any]) -> int:
    lockstep = status.get("lockstep")
    if lockstep is not None:
        return int(lockstep["market_ms"])
    return int((status.get("orchestrator") or {}).get("market_ms", 0))
