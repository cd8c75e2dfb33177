"""Request queues to the exchange: one per account, cancels first; every outcome comes back as an answer.

A request runs at most once here. Before each one the epoch is checked (fencing); a delayed request (EX-4) waits
in wall time and is dropped when it is no longer wanted.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

from actors.runtime.ports import ExchangePort, StoreUnavailableError
from statemachines.commands import ExchangeCall
from statemachines.messages.orders import ResponseReceived
from statemachines.requests import Blocked, CancelOrder, Dropped, ExchangeResponse, Unknown
from statemachines.values import Account

_log = logging.getLogger(__name__)

CONFIRM_S = 30.0
"""Longest wait of a request for new risk for a database that is away; requests that reduce risk or read wait on."""

CONFIRM_PAUSE_S = 0.1


class ExchangeDispatcher:
    """Performs asks. `answered` is called from the queues' threads; `confirm_pause_s` is the wait of wall time between
    two attempts to confirm the epoch."""

    def __init__(
        self,
        exchange: ExchangePort,
        holds: Callable[[], bool],
        still_needed: Callable[[ExchangeCall], bool],
        answered: Callable[[str, ResponseReceived], None],
        fenced: Callable[[str], None],
        confirm_pause_s: float = CONFIRM_PAUSE_S,
    ) -> None:
        self._exchange = exchange
        self._holds = holds
        self._still_needed = still_needed
        self._answered = answered
        self._fenced = fenced
        self._confirm_pause_s = confirm_pause_s
        self._lanes: dict[str, _Lane] = {}
        self._stopped = threading.Event()

    def submit(self, call: ExchangeCall) -> None:
        """Append one request to its account's queue."""
        lane = self._lanes.get(call.account)
        if lane is None:
            lane = self._lanes[call.account] = _Lane(call.account, self.perform)
        lane.put(call)

    def stop(self) -> None:
        self._stopped.set()
        for lane in self._lanes.values():
            lane.stop()

    def perform(self, call: ExchangeCall) -> None:
        """Perform one request in this thread and give its outcome to `answered`; the queues' threads call it."""
        outcome = self._outcome(call)
        if outcome is not None:
            self._answered(call.key, ResponseReceived(key=call.key, account=call.account, outcome=outcome))

    def _outcome(self, call: ExchangeCall) -> ExchangeResponse | None:
        if call.delay_s and not self._still_needed(call):
            return Dropped()
        refusal = self._confirm(call)
        if refusal is not None:
            return refusal
        if self._stopped.is_set():
            return None
        try:
            return self._exchange.perform(Account(call.account), call.request)
        except Exception as error:  # noqa: BLE001 - an outcome that is not known must be looked up, not lost
            # The gateway answers refusals itself; what still escapes may have landed or not.
            _log.exception("request %s failed in a way the gateway does not know", call.key)
            return Unknown(why=f"{type(error).__name__} while performing {call.request.kind}")

    def _confirm(self, call: ExchangeCall) -> Blocked | None:
        """Wait until the database confirms our epoch: a restart of it must not change what was decided. Nothing was
        sent yet, so waiting is safe; only new risk has a time limit, since its price goes stale."""
        until = time.monotonic() + CONFIRM_S
        while not self._stopped.is_set():
            try:
                if not self._holds():
                    self._stopped.set()
                    self._fenced(f"epoch lost before request {call.key}; nothing was sent")
                return None
            except StoreUnavailableError as error:
                if call.gate is not None and time.monotonic() > until:
                    return Blocked(why=f"the database could not confirm our epoch ({error}); nothing was sent")
                _log.info("request %s waits for the database: %s", call.key, error)
                self._stopped.wait(self._confirm_pause_s)
            except Exception as error:  # noqa: BLE001 - a queue whose thread ended silently would block its account
                _log.exception("the epoch could not be checked before request %s", call.key)
                return Blocked(why=f"{type(error).__name__} while our epoch was checked; nothing was sent")
        return None


class _Lane:
    """One thread with a queue ordered by readiness: due time, then cancels before others, then arrival."""

    def __init__(self, account: str, perform: Callable[[ExchangeCall], None]) -> None:
        self._perform = perform
        self._heap: list[tuple[int, int, ExchangeCall]] = []
        self._delayed: list[tuple[float, int, ExchangeCall]] = []
        self._count = itertools.count()
        self._ready = threading.Condition()
        self._stopped = False
        threading.Thread(target=self._run, name=f"requests-{account}", daemon=True).start()

    def put(self, call: ExchangeCall) -> None:
        with self._ready:
            if call.delay_s:
                heapq.heappush(self._delayed, (time.monotonic() + call.delay_s, next(self._count), call))
            else:
                self._push(call)
            self._ready.notify()

    def stop(self) -> None:
        with self._ready:
            self._stopped = True
            self._ready.notify()

    def _push(self, call: ExchangeCall) -> None:
        rank = 0 if isinstance(call.request, CancelOrder) else 1
        heapq.heappush(self._heap, (rank, next(self._count), call))

    def _next(self) -> ExchangeCall | None:
        with self._ready:
            while not self._stopped:
                now = time.monotonic()
                while self._delayed and self._delayed[0][0] <= now:
                    self._push(heapq.heappop(self._delayed)[2])
                if self._heap:
                    return heapq.heappop(self._heap)[2]
                self._ready.wait(self._delayed[0][0] - now if self._delayed else None)
            return None

    def _run(self) -> None:
        while (call := self._next()) is not None:
            self._perform(call)
