"""One delivery thread per recipient: sending never blocks the thread that decides."""

from __future__ import annotations

import contextlib
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from actors.runtime.ports import EnvelopeDict, Report
from actors.runtime.step import GROUP_LIMIT
from statemachines.messages.kinds import BODIES
from statemachines.values import ActorName

_log = logging.getLogger(__name__)

RETRY_DELAYS_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Wall time between attempts to reach a peer or the database; the last repeats."""


REPORTS_LINGER_S = 0.1
"""Under load, reports of what has happened reach the same recipient at most so often."""

SUMMARY_LINGER_S = 0.5
"""The same for the orchestrator, which trades on no report: it counts them for its summary."""


class Peers(Protocol):
    """Other actors, found by name at every call, since a recreated actor has a new handle."""

    def deliver(self, recipient: str, batch: Sequence[EnvelopeDict]) -> Mapping[str, int]:
        """Deliver and wait for the commit: `{"cursor": n, "epoch": e, "quotes": q}`. Raises any error when the peer
        cannot be reached."""
        ...

    def notify(self, recipient: str, envelope: EnvelopeDict) -> Mapping[str, int]:
        """Hand over an ephemeral message: `{"epoch": e, "quotes": q}`, it was number q for incarnation e."""
        ...

    def report(self, name: str, report: Report) -> None:
        """Report to the lockstep driver now that this actor is idle (no answer awaited)."""
        ...


class OutboxDispatcher:
    """Delivers to one recipient, one batch in flight, without end, with growing delay while it is down."""

    def __init__(
        self,
        sender: ActorName,
        recipient: str,
        peers: Peers,
        delivered: Callable[[str, int], None],
        quotes_ended: Callable[[str, int, Mapping[str, int] | None], None],
    ) -> None:
        self._recipient = recipient
        self._peers = peers
        self._delivered = delivered
        self._quotes_ended = quotes_ended
        self._work: queue.SimpleQueue[Sequence[EnvelopeDict] | EnvelopeDict | None] = queue.SimpleQueue()
        self._open = 0
        self._ended_at = -math.inf
        self._stop = threading.Event()
        threading.Thread(target=self._run, name=f"{sender}-to-{recipient}", daemon=True).start()

    @property
    def is_busy(self) -> bool:
        return self._open > 0

    def deliver(self, batch: Sequence[EnvelopeDict]) -> None:
        self._open += 1
        self._work.put(batch)

    def notify(self, envelope: EnvelopeDict) -> None:
        self._open += 1
        self._work.put(envelope)

    def is_back(self) -> None:
        """What it carried has ended. Only the worker counts, so that no count is lost between threads."""
        self._open -= 1
        self._ended_at = time.monotonic()

    def may_wait(self, batch: Sequence[EnvelopeDict]) -> bool:
        """Under load: whether a batch that only reports waits for more. Each delivery costs its recipient a decision
        and a commit."""
        linger_s = SUMMARY_LINGER_S if self._recipient == ActorName.ORCHESTRATOR else REPORTS_LINGER_S
        if len(batch) == GROUP_LIMIT or time.monotonic() - self._ended_at >= linger_s:
            return False
        return all(can_wait(envelope) for envelope in batch)

    def stop(self) -> None:
        self._stop.set()
        self._work.put(None)

    def _run(self) -> None:
        while not self._stop.is_set():
            work = self._work.get()
            if work is None:
                return
            if isinstance(work, dict):
                self._notify(work)
            else:
                self._deliver(work)

    def _notify(self, envelope: EnvelopeDict) -> None:
        taken: Mapping[str, int] | None = None
        try:
            taken = self._peers.notify(self._recipient, envelope)
        except Exception as error:  # noqa: BLE001 - a peer that is down misses quotes; the next ones replace them
            _log.debug("%s misses quotes: %s", self._recipient, error)
        finally:
            self._quotes_ended(self._recipient, 1, taken)
            self._delivered(self._recipient, 0)

    def _deliver(self, batch: Sequence[EnvelopeDict]) -> None:
        attempt = 0
        quotes = sum(is_quote(envelope) for envelope in batch)
        while not self._stop.is_set():
            try:
                taken = self._peers.deliver(self._recipient, batch)
            except Exception as error:  # noqa: BLE001 - whatever keeps a peer away, the message waits for it
                if quotes:
                    # Quotes are never repeated.
                    self._quotes_ended(self._recipient, quotes, None)
                    batch, quotes = [envelope for envelope in batch if not is_quote(envelope)], 0
                delay = RETRY_DELAYS_S[min(attempt, len(RETRY_DELAYS_S) - 1)]
                _log.debug("%s is not reached (%s); again in %s s", self._recipient, error, delay)
                attempt += 1
                self._drop_quotes_for(delay)
            else:
                if quotes:
                    self._quotes_ended(self._recipient, quotes, taken)
                self._delivered(self._recipient, int(taken["cursor"]))
                return

    def _drop_quotes_for(self, delay_s: float) -> None:
        """Wait before the next attempt. Only quotes can queue behind a batch; a sender with quotes on their way does
        not report, so those that a peer which is away will never get must not wait for it."""
        until = time.monotonic() + delay_s
        while (left_s := until - time.monotonic()) > 0 and not self._stop.is_set():
            with contextlib.suppress(queue.Empty):
                if self._work.get(timeout=left_s) is not None:
                    self._quotes_ended(self._recipient, 1, None)
                    self._delivered(self._recipient, 0)


def is_quote(envelope: EnvelopeDict) -> bool:
    """Ephemeral messages have no sequence number."""
    return not envelope["seq"]


def can_wait(envelope: EnvelopeDict) -> bool:
    """Whether the message only reports what has happened."""
    kind = BODIES.get(envelope["kind"])
    return kind is not None and kind.CAN_WAIT
