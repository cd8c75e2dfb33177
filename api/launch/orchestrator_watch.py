"""When the launch replaces the orchestrator: it alone sees that one fail, since the orchestrator sees all others.

Pure: from the reports and their times (granted seconds) it decides whether and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LEASE_S = 12.0
"""Longest silence of an orchestrator that has answered before; then it is hung."""

FIRST_ANSWER_S = 90.0
"""Longest time from its creation to its first answer."""

GONE_S = 3.0
"""Ray restarts a killed orchestrator by itself; does it not, it is created anew."""

STUCK_S = 15.0
"""Longest time its worker may stand still with work before it."""

DELAYS_S = (0.0, 1.0, 2.0, 5.0, 15.0)
"""Waits before one replacement after another; a worker that has run for `LEASE_S` starts the count anew."""

UNANSWERED_LIMIT = 2
"""So many replacements without an answer: not the orchestrator has failed, but what it runs on."""

FAILED_STATES = frozenset({"FAILED", "FENCED", "STOPPED"})


class OrchestratorWatch:
    """Follows one orchestrator after another."""

    def __init__(self) -> None:
        self._created_s = 0.0
        self._heard_s: float | None = None
        self._gone_s: float | None = None
        self._failed = ""
        self._progress: object = None
        self._progress_s = 0.0
        self._well_s: float | None = None
        self._replacements = 0
        self._unanswered = 0

    @property
    def is_hopeless(self) -> bool:
        """Whether replacing it again cannot help."""
        return self._unanswered >= UNANSWERED_LIMIT

    def created(self, now_s: float, *, is_replacement: bool) -> None:
        """A new orchestrator is being created."""
        if is_replacement:
            self._replacements += 1
            self._unanswered += 1
        else:
            self._unanswered = 0
        self._created_s, self._heard_s, self._gone_s, self._failed = now_s, None, None, ""
        self._progress, self._progress_s, self._well_s = None, now_s, None

    def heard(self, status: Mapping[str, Any], now_s: float) -> None:
        """It answered."""
        self._heard_s, self._gone_s, self._unanswered = now_s, None, 0
        health, lockstep = status.get("orchestrator") or {}, status.get("lockstep") or {}
        self._failed = ""
        if health.get("state") in FAILED_STATES:
            self._failed = f"its state is {health['state']}: {health.get('last_error') or 'no reason given'}"
        elif lockstep.get("state") == "FAILED":
            self._failed = f"its lockstep driver has failed: {lockstep.get('why')}"
        progress = (health.get("epoch"), health.get("progress"))
        if progress != self._progress or not health.get("is_busy"):
            self._progress, self._progress_s = progress, now_s
        elif now_s - self._progress_s > STUCK_S:
            self._failed = f"its worker has stood still for {now_s - self._progress_s:.0f} s with work before it"
        if self._failed or health.get("state") != "RUNNING":
            self._well_s = None
        elif self._well_s is None:
            self._well_s = now_s
        elif now_s - self._well_s > LEASE_S:
            self._replacements = 0

    def silent(self, now_s: float, *, is_gone: bool) -> None:
        """It did not answer; `is_gone` when Ray says that it does not exist."""
        if not is_gone:
            self._gone_s = None
        elif self._gone_s is None:
            self._gone_s = now_s

    def trouble(self, now_s: float) -> str:
        """Why it must be replaced now, as a phrase; empty otherwise."""
        if now_s - self._created_s < DELAYS_S[min(self._replacements, len(DELAYS_S) - 1)]:
            return ""
        if self._failed:
            return self._failed
        if self._gone_s is not None and now_s - self._gone_s > GONE_S:
            return "Ray says that it is gone"
        if self._heard_s is None:
            waited_s = now_s - self._created_s
            return f"it has not answered since it was created {waited_s:.0f} s ago" if waited_s > FIRST_ANSWER_S else ""
        silent_s = now_s - self._heard_s
        return f"it was silent for {silent_s:.0f} s" if silent_s > LEASE_S else ""
