"""The notifier's loop: look, decide, commit, send, commit what came of it. Wall time; no part of lockstep.

While the database is away the same commit is tried again, and nothing is sent that is not committed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from traceback import format_tb
from typing import NamedTuple

from actors.notifications.ports import NotifierParts
from actors.runtime.ports import Commit, FencedError, JournalRow, Store, StoreUnavailableError
from statemachines.notifications.acknowledging import Acknowledgement, command_id
from statemachines.notifications.message import ChannelName, Outcome, TryAgain
from statemachines.notifications.notifier import Decision, Notifier, Outgoing, Restored
from statemachines.notifications.report import Report
from statemachines.values import ActorName

_log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks at the alerts."""

WHOLE_EVERY = 30
"""Every so many looks all alerts are compared, in between the newest alone: a row that commits very late waits for that
and is not lost."""

AT_ONCE = 500
"""Alerts that one look takes."""

NAME = str(ActorName.NOTIFIER)


class UnknownAlertError(LookupError):
    """There is no alert of this number."""


class _Came(NamedTuple):
    channel: ChannelName
    message_id: str
    outcome: Outcome


class NotifierWorker:
    """One incarnation. `on_fenced`: another one has begun; this one must stop. Safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        parts: NotifierParts,
        epoch: int,
        on_fenced: Callable[[str], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Load what is durable. Raises FencedError and StoreUnavailableError."""
        self._store, self._parts, self._epoch = store, parts, epoch
        self._on_fenced, self._clock = on_fenced, clock
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._wake = threading.Event()
        self._came: SimpleQueue[_Came] = SimpleQueue()
        self._pending: tuple[Commit, list[Outgoing]] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self.turns, self.last_error = 0, ""
        self._whole_in = 0
        loaded = store.load(NAME, epoch)
        self._number, self._market_ms = loaded.number, loaded.market_ms
        book = parts.book
        restored = Restored(loaded.states, book.standing(), book.undelivered(), book.newest_number())
        self._notifier = Notifier(
            parts.rules, tuple(parts.channels), parts.installation, epoch, restored, self._clock(), parts.zone
        )

    @property
    def waiting(self) -> int:
        """How many deliveries have not ended."""
        return self._notifier.waiting

    def start(self) -> None:
        """Work on threads of its own: one that looks and decides, and one for each channel."""
        threading.Thread(target=self._run, name="notifier", daemon=True).start()

    def stop(self) -> None:
        """End; what is under way is sent again by the next incarnation."""
        self._over.set()
        self._wake.set()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while not self._over.is_set():
            self._wake.clear()
            try:
                self.turn()
            except StoreUnavailableError as error:
                self.last_error = str(error)
                _log.info("the notifier waits for the database: %s", error)
            except FencedError as error:
                self._over.set()
                self._on_fenced(str(error))
                return
            except Exception as error:  # noqa: BLE001 - the boundary of the thread: the supervision sees it
                self.last_error = f"{type(error).__name__}: {error}"
                _log.exception("the notifier has failed")
                self._over.set()
                return
            else:
                self.last_error = ""
            self._wake.wait(LOOK_S)

    @property
    def has_failed(self) -> bool:
        """Whether the loop has ended by a fault."""
        return self._over.is_set() and bool(self.last_error)

    # --- one turn ---

    def turn(self) -> None:
        """Take what came back and what is new, and send what is due.

        Raises StoreUnavailableError: nothing of the step is sent; the next turn commits it first. FencedError.
        """
        with self._lock:
            self.turns += 1
            self._commit_pending()
            self._take_outcomes()
            self._look()

    def _take_outcomes(self) -> None:
        while True:
            try:
                came = self._came.get_nowait()
            except Empty:
                return
            self._make_durable(
                self._notifier.outcome(self._clock(), came.channel, came.message_id, came.outcome, self._market_ms)
            )

    def _look(self) -> None:
        is_all, is_whole = False, self._whole_in <= 0
        while not is_all and not self._over.is_set():
            if not self._parts.channels:
                seen, is_all = [], True
            else:
                book = self._parts.book
                seen = list(book.unseen(AT_ONCE) if is_whole else book.unseen_recent(AT_ONCE))
                is_all = len(seen) < AT_ONCE
            if seen:
                self._market_ms = max(self._market_ms, *(alert.changed_ms for alert in seen))
            self._make_durable(self._notifier.step(self._clock(), seen, self._market_ms, is_all=is_all))
        self._whole_in = WHOLE_EVERY - 1 if is_whole else self._whole_in - 1

    # --- from outside ---

    def acknowledge(self, given: Acknowledgement) -> None:
        """Acknowledge an alert; returns once it is committed. A repeat changes nothing.

        Raises UnknownAlertError, StoreUnavailableError, FencedError.
        """
        with self._lock:
            self._commit_pending()
            alert = self._parts.book.alert(given.alert_id)
            if alert is None:
                raise UnknownAlertError(f"there is no alert {given.alert_id}")
            self._market_ms = max(self._market_ms, self._parts.book.market_ms())
            decision = self._notifier.acknowledge(self._clock(), given, alert, self._market_ms)
            self._make_durable(decision, cause=f"operator:{command_id(given.alert_id)}")
        self._wake.set()

    def report(self, report: Report, channel: ChannelName) -> bool:
        """Have a report sent, unless one of this key was handed over before; whether it was new.

        Raises StoreUnavailableError, FencedError.
        """
        with self._lock:
            self._commit_pending()
            if self._parts.book.is_recorded(report.delivery_id(channel)):
                return False
            self._make_durable(self._notifier.report(self._clock(), report, channel, self._market_ms))
        self._wake.set()
        return True

    # --- commit, then act ---

    def _make_durable(self, decision: Decision, cause: str = "") -> None:
        if not decision.is_durable:
            return
        journal = [JournalRow(self._market_ms, cause or NAME, cause or NAME, line) for line in decision.journal]
        commit = Commit(
            actor=NAME,
            epoch=self._epoch,
            number=self._number + 1,
            market_ms=self._market_ms,
            next_seq=1,
            states=decision.states,
            journal=journal,
            facts=decision.facts,
        )
        self._pending = commit, decision.outgoing
        self._commit_pending()

    def _commit_pending(self) -> None:
        if self._pending is None:
            return
        commit, outgoing = self._pending
        self._store.commit(commit)
        self._number, self._pending = commit.number, None
        for one in outgoing:
            self._hand_over(one)

    def _hand_over(self, one: Outgoing) -> None:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(len(self._parts.channels), thread_name_prefix="channel")
        if not self._over.is_set():
            self._threads.submit(self._send, one)

    def _send(self, one: Outgoing) -> None:
        try:
            outcome = self._parts.channels[one.channel].send(one.message)
        except Exception as error:  # noqa: BLE001 - whatever a library raises, the message is sent again
            # Where it was raised, without its text: that may hold an address with a token.
            name, frames = type(error).__name__, "".join(format_tb(error.__traceback__))
            _log.error("a message over %s has failed with %s:\n%s", one.channel, name, frames)
            outcome = TryAgain(f"{name} in the program; see its log")
        self._came.put(_Came(one.channel, one.message.message_id, outcome))
        self._wake.set()
