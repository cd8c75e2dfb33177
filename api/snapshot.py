"""The orchestrator's status, cached with its age: a page is answered at once, even when an actor hangs or is dead."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

_log = logging.getLogger(__name__)

FRESH_S = 0.5
"""A status younger than this is not asked for again."""

STARTING = "it is starting"
"""The error of a snapshot before the orchestrator's first answer, while the launch brings it up."""

PATIENCE_S = 1.0
"""How long a page waits for a new status before it takes the old one."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest status. `age_s` is wall time since it was answered; None when there never was one."""

    status: Mapping[str, Any] = field(default_factory=dict)
    age_s: float | None = None
    error: str = ""

    @property
    def components(self) -> list[Mapping[str, Any]]:
        """The components as the supervision sees them."""
        return list(self.status.get("components") or [])


class SnapshotSource(Protocol):
    """Where the operator service gets the living system's status from."""

    async def snapshot(self) -> Snapshot: ...


class SnapshotCache:
    """Asks `fetch` (blocking, may hang) in a thread of its own; never more than one question is under way.

    `fetch` may raise anything: the error's text goes with the old status (a LookupError is a sentence by itself).
    """

    def __init__(
        self,
        fetch: Callable[[], Mapping[str, Any]],
        patience_s: float = PATIENCE_S,
        fresh_s: float = FRESH_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._patience_s = patience_s
        self._fresh_s = fresh_s
        self._monotonic = monotonic
        self._executor: Executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="snapshot")
        self._question: asyncio.Future[Mapping[str, Any]] | None = None
        self._status: Mapping[str, Any] = {}
        self._answered_at: float | None = None
        self._error = "it has not been asked yet"

    async def snapshot(self) -> Snapshot:
        """The newest status; waits at most `patience_s` for a newer one."""
        if self._answered_at is None or self._monotonic() - self._answered_at >= self._fresh_s:
            await self._ask()
        age_s = None if self._answered_at is None else max(0.0, self._monotonic() - self._answered_at)
        return Snapshot(self._status, age_s, self._error)

    async def _ask(self) -> None:
        if self._question is None:
            self._question = asyncio.get_running_loop().run_in_executor(self._executor, self._fetch)
            self._question.add_done_callback(self._take)
        # The request itself continues when a page gives up; `_take` stores its answer.
        done, _ = await asyncio.wait({self._question}, timeout=self._patience_s)
        if not done:
            self._error = f"no answer within {self._patience_s:.1f} s"

    def _take(self, question: asyncio.Future[Mapping[str, Any]]) -> None:
        self._question = None
        if question.cancelled():
            return
        error = question.exception()
        if error is not None:
            # What Ray raises holds whole stack traces: they are for the log.
            _log.info("the status could not be read", exc_info=error)
            cause = str(error) if isinstance(error, LookupError) else "its process did not answer"
            self._error = " ".join(cause.split())[:300]
            return
        self._status, self._answered_at, self._error = question.result(), self._monotonic(), ""
