"""Request queues to the exchange: one per account, cancels first; every outcome comes back as an answer.

A request runs at most once here. Before each call one query reads the epoch (fencing) and the switches (RM-5), once for
all orders of a batch; a delayed request (EX-4) waits in wall time and is dropped when it is no longer wanted.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence

from actors.runtime.ports import ExchangePort, Fence, StoreUnavailableError
from statemachines.commands import ExchangeCall
from statemachines.execution.orders.request_queue import RequestQueue
from statemachines.messages.orders import ResponseReceived
from statemachines.requests import Blocked, Dropped, ExchangeResponse, LookUpOrder, OrderWrite, Unknown
from statemachines.values import Account

_log = logging.getLogger(__name__)

CONFIRM_S = 30.0
"""Longest wait of a request for new risk for a database that is away; requests that reduce risk or read wait on."""

CONFIRM_PAUSE_S = 0.1

LINGER_S = 0.02
"""Under load (the queue's last call ended less than this ago) new risk waits so long for others to travel with."""


class ExchangeDispatcher:
    """Performs asks. `answered` is called from the queues' threads; `confirm_pause_s` is the wait of wall time between
    two attempts to confirm the epoch, `is_lockstep` see `RequestQueue`."""

    def __init__(
        self,
        exchange: ExchangePort,
        fence: Callable[[Collection[str]], Fence],
        still_needed: Callable[[ExchangeCall], bool],
        answered: Callable[[str, ResponseReceived], None],
        fenced: Callable[[str], None],
        confirm_pause_s: float = CONFIRM_PAUSE_S,
        *,
        is_lockstep: bool = False,
    ) -> None:
        self._exchange = exchange
        self._fence = fence
        self._still_needed = still_needed
        self._answered = answered
        self._fenced = fenced
        self._confirm_pause_s = confirm_pause_s
        self._is_lockstep = is_lockstep
        self._lanes: dict[str, _Lane] = {}
        self._stopped = threading.Event()

    def submit(self, call: ExchangeCall) -> None:
        """Append one request to its account's queue."""
        lane = self._lanes.get(call.account)
        if lane is None:
            lane = self._lanes[call.account] = _Lane(call.account, self.queue(call.account), self.perform)
        lane.put(call)

    def queue(self, account: str) -> RequestQueue:
        """An empty queue of requests of this account."""
        return RequestQueue(
            lambda kind: self._exchange.most_together(Account(account), kind), is_lockstep=self._is_lockstep
        )

    def stop(self) -> None:
        self._stopped.set()
        for lane in self._lanes.values():
            lane.stop()

    def perform(self, calls: Sequence[ExchangeCall]) -> Sequence[ExchangeResponse]:
        """Perform in this thread what leaves together and give each outcome to `answered`; the queues' threads call
        it. Returns the outcomes; none when nothing was sent because this incarnation has ended."""
        outcomes = self._outcomes(calls)
        for call, outcome in zip(calls, outcomes, strict=False):
            self._answered(call.key, ResponseReceived(key=call.key, account=call.account, outcome=outcome))
        return outcomes

    def _outcomes(self, calls: Sequence[ExchangeCall]) -> Sequence[ExchangeResponse]:
        if len(calls) == 1 and calls[0].delay_s and not self._still_needed(calls[0]):
            return [Dropped()]
        account = Account(calls[0].account)
        try:
            refusal = self._exchange.await_turn(account, [call.request for call in calls])
            if refusal is not None:
                return [refusal] * len(calls)
            refusals = self._confirm(calls)
            if self._stopped.is_set():
                return []
            allowed = [call for call, refused in zip(calls, refusals, strict=True) if refused is None]
            outcomes = iter(self._performed(account, allowed))
            return [next(outcomes) if refused is None else refused for refused in refusals]
        except Exception as error:  # noqa: BLE001 - an outcome that is not known must be looked up, not lost
            # The gateway answers refusals itself; what still escapes may have landed or not.
            _log.exception("%s failed in a way the gateway does not know", _named(calls))
            return [Unknown(why=f"{type(error).__name__} while performing {calls[0].request.kind}")] * len(calls)

    def _performed(self, account: Account, calls: Sequence[ExchangeCall]) -> Sequence[ExchangeResponse]:
        if len(calls) < 2:
            return [self._exchange.perform(account, call.request) for call in calls]
        outcomes = self._together(account, calls)
        if len(outcomes) != len(calls):
            raise ValueError(f"{len(outcomes)} outcomes for {len(calls)} requests")
        return outcomes

    def _together(self, account: Account, calls: Sequence[ExchangeCall]) -> Sequence[ExchangeResponse]:
        look_ups = [call.request for call in calls if isinstance(call.request, LookUpOrder)]
        if look_ups:
            return self._exchange.look_up_orders(account, look_ups)
        return self._exchange.perform_batch(
            account, [call.request for call in calls if isinstance(call.request, OrderWrite)]
        )

    def _confirm(self, calls: Sequence[ExchangeCall]) -> Sequence[Blocked | None]:
        """Wait until the database confirms our epoch: a restart of it must not change what was decided. Nothing was
        sent yet, so waiting is safe; only new risk has a time limit, since its price goes stale. Answers per call why
        it must not leave: a switch may have been turned since it was committed (RM-5)."""
        gates = frozenset(call.gate for call in calls if call.gate is not None)
        until = time.monotonic() + CONFIRM_S
        while not self._stopped.is_set():
            try:
                fence = self._fence(gates)
                if not fence.is_held:
                    self._stopped.set()
                    self._fenced(f"epoch lost before {_named(calls)}; nothing was sent")
                return [_blocked(fence.refusal(call.gate)) for call in calls]
            except StoreUnavailableError as error:
                if calls[0].gate is not None and time.monotonic() > until:
                    why = f"the database could not confirm our epoch ({error}); nothing was sent"
                    return [Blocked(why=why)] * len(calls)
                _log.info("%s waits for the database: %s", _named(calls), error)
                self._stopped.wait(self._confirm_pause_s)
            except Exception as error:  # noqa: BLE001 - a queue whose thread ended silently would block its account
                _log.exception("the epoch could not be checked before %s", _named(calls))
                why = f"{type(error).__name__} while our epoch was checked; nothing was sent"
                return [Blocked(why=why)] * len(calls)
        return [None] * len(calls)


def _blocked(why: str | None) -> Blocked | None:
    return None if why is None else Blocked(why=why)


def _named(calls: Sequence[ExchangeCall]) -> str:
    others = f" and {len(calls) - 1} others in one batch" if len(calls) > 1 else ""
    return f"request {calls[0].key}{others}"


class _Lane:
    """One thread that performs what is ready, in the order of `RequestQueue`; delayed requests become ready in time."""

    def __init__(
        self,
        account: str,
        waiting: RequestQueue,
        perform: Callable[[Sequence[ExchangeCall]], Sequence[ExchangeResponse]],
    ) -> None:
        self._perform = perform
        self._waiting = waiting
        self._delayed: list[tuple[float, int, ExchangeCall]] = []
        self._count = itertools.count()
        self._ready = threading.Condition()
        self._stopped = False
        self._last_ended = -LINGER_S
        threading.Thread(target=self._run, name=f"requests-{account}", daemon=True).start()

    def put(self, call: ExchangeCall) -> None:
        with self._ready:
            if call.delay_s:
                heapq.heappush(self._delayed, (time.monotonic() + call.delay_s, next(self._count), call))
            else:
                self._waiting.put(call)
            self._ready.notify()

    def stop(self) -> None:
        with self._ready:
            self._stopped = True
            self._ready.notify()

    def _next(self) -> list[ExchangeCall]:
        with self._ready:
            while not self._stopped:
                now = time.monotonic()
                while self._delayed and self._delayed[0][0] <= now:
                    self._waiting.put(heapq.heappop(self._delayed)[2])
                linger_s = self._last_ended + LINGER_S - now if self._waiting.may_grow else 0.0
                if self._waiting and linger_s <= 0:
                    return self._waiting.take()
                pauses = [self._delayed[0][0] - now] if self._delayed else []
                self._ready.wait(min(pauses + ([linger_s] if self._waiting else []), default=None))
            return []

    def _run(self) -> None:
        while calls := self._next():
            outcomes = self._perform(calls)
            with self._ready:
                self._waiting.ended(outcomes)
                self._last_ended = time.monotonic()
