"""The Ray runtime: plain classes wrapped at the edge, detached and named, in one namespace.

`num_cpus=0`, `max_restarts=0` and `max_task_retries=0` everywhere: the orchestrator alone recreates actors (only it is
restarted by Ray), and nothing that may write to the exchange is ever repeated by Ray (RAY.md).
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import ray

from actors.runtime.actor_runner import Parts
from actors.runtime.outbox_dispatcher import Peers
from actors.runtime.policies.ports import PolicyWatchPort
from actors.runtime.ports import (
    ActorGoneError,
    BeatPort,
    EnvelopeDict,
    HeldCommandsPort,
    LeaseRegister,
    LockstepPort,
    MarketClock,
    ReadingsWatch,
    Report,
    Store,
)
from statemachines.supervision.policy import SupervisionPolicy
from statemachines.values import ActorName

if TYPE_CHECKING:
    from actors.notifications.ports import NotifierParts

_log = logging.getLogger(__name__)

NAMESPACE = "eternal"
DELIVERY_TIMEOUT_S = 65.0
NOTIFY_TIMEOUT_S = 5.0
REPORTS_LOOK_S = 0.5

COLLECT_AFTER = (10_000, 20, 20)
"""Thresholds of the garbage collector's three generations; Python's own are 700, 10 and 10."""

CONCURRENCY_GROUPS = {"inbox": 24, "health": 2, "control": 4, "operator": 2}
"""Deliveries wait for commits in `inbox`, the operator's commands in `operator`; `health` is separate and answers a
progress stamp."""


class Assembly(Protocol):
    """Picklable factories: everything an actor needs is made inside its own process, also after a restart."""

    def parts(self, name: ActorName, peers: Peers) -> Parts: ...

    def store(self, name: ActorName) -> Store: ...

    @property
    def installation_id(self) -> str:
        """The database's identity: whose actors these are."""
        ...

    @property
    def run(self) -> str:
        """The start of `eternal run` that this is: an orchestrator succeeds to the lease of its own run only."""
        ...

    def lease(self) -> LeaseRegister:
        """The lease on the database, for the orchestrator."""
        ...

    def beats(self) -> BeatPort:
        """Where the orchestrator's beats go."""
        ...

    def held_commands(self) -> HeldCommandsPort:
        """The commands that were given to the database directly, while the interface was away (RM-5)."""
        ...

    def policy_watch(self) -> PolicyWatchPort | None:
        """The versions of the policy that are recorded while the system runs (RM-6); None without policies."""
        ...

    def lockstep(self, name: ActorName) -> LockstepPort | None:
        """The simulated exchange's control interface; None where market time is the exchange's own."""
        ...

    def clock(self, name: ActorName) -> MarketClock:
        """Market time where it is not in lockstep."""
        ...

    def exchange_watch(self) -> ReadingsWatch | None:
        """RM-4's readings of the exchange; None in lockstep."""
        ...

    def pace_s(self) -> float:
        """Least wall time per market hour in lockstep; 0 = as fast as it settles."""
        ...

    def actor_class(self, name: ActorName) -> type:
        """The plain class to run under this name."""
        ...

    def notifier(self) -> NotifierParts:
        """What the notifier is made of."""
        ...

    def supervision(self) -> SupervisionPolicy:
        """How often and how fast a failed actor is restarted (OR-8)."""
        ...

    def is_frozen(self, pid: int) -> bool:
        """Whether this process of ours is stopped (SIGSTOP, a debugger); False where that cannot be seen."""
        ...


class RayPeers:
    """Peers by name; a handle is looked up again after any failure, since recreation makes it stale."""

    def __init__(self) -> None:
        self._handles: dict[str, Any] = {}
        self._reported: Any | None = None
        self._looked_s = 0.0

    def deliver(self, recipient: str, batch: Sequence[EnvelopeDict]) -> Mapping[str, int]:
        answer: Mapping[str, int] = self._call(recipient, "deliver", DELIVERY_TIMEOUT_S, list(batch))
        return answer

    def notify(self, recipient: str, envelope: EnvelopeDict) -> Mapping[str, int]:
        answer: Mapping[str, int] = self._call(recipient, "notify", NOTIFY_TIMEOUT_S, envelope)
        return answer

    def report(self, name: str, report: Report) -> None:
        """Not waited for: the lockstep driver asks again for a lost report every second. What became of the last one is
        looked at about as often, or an orchestrator that was recreated with its node would never get any."""
        orchestrator, now_s = str(ActorName.ORCHESTRATOR), time.monotonic()
        if now_s - self._looked_s >= REPORTS_LOOK_S:
            self._looked_s = now_s
            self._drop_dead_handle(orchestrator)
        with contextlib.suppress(Exception):
            self._reported = self._handle(orchestrator).report.remote(name, report)

    def _drop_dead_handle(self, orchestrator: str) -> None:
        try:
            if self._reported is not None and ray.wait([self._reported], timeout=0)[0]:
                ray.get(self._reported)
        except Exception as error:  # noqa: BLE001 - whatever became of it, the next one is sent anew
            _log.info("a report to the orchestrator was lost: %s", " ".join(str(error).split())[:200])
            self._handles.pop(orchestrator, None)
            self._reported = None

    def _call(self, recipient: str, method: str, timeout_s: float, argument: object) -> Any:
        known = recipient in self._handles
        try:
            return ray.get(getattr(self._handle(recipient), method).remote(argument), timeout=timeout_s)
        except ray.exceptions.ActorDiedError:
            self._handles.pop(recipient, None)
            if not known:
                raise
        except Exception:
            self._handles.pop(recipient, None)
            raise
        # The handle was of a dead incarnation; its successor may be there, and quotes are not sent a second time.
        return self._call(recipient, method, timeout_s, argument)

    def _handle(self, name: str) -> Any:
        handle = self._handles.get(name)
        if handle is None:
            handle = self._handles[name] = ray.get_actor(name, namespace=NAMESPACE)
        return handle


def spawn(assembly: Assembly, name: ActorName, max_restarts: int = 0) -> Any:
    """Create the named, detached actor (or find it alive) and return its handle."""
    remote = ray.remote(concurrency_groups=CONCURRENCY_GROUPS)(assembly.actor_class(name))
    options: dict[str, Any] = {
        "name": str(name),
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "num_cpus": 0,
        "max_restarts": max_restarts,
        "max_task_retries": 0,
        # Every delivery would be an event of its own at the control store and the dashboard; the actors' states are
        # there without them, and what was called is in the journal.
        "enable_task_events": False,
        "get_if_exists": True,
    }
    return remote.options(**options).remote(assembly, str(name))


def find(name: ActorName) -> Any | None:
    """The living actor of this name; None when there is none. Life must still be proven by a call."""
    try:
        return ray.get_actor(str(name), namespace=NAMESPACE)
    except ValueError:
        return None


class RayCall:
    """A call in flight."""

    def __init__(self, reference: Any) -> None:
        self._reference = reference

    def ready(self) -> bool:
        done, _ = ray.wait([self._reference], timeout=0)
        return bool(done)

    def value(self) -> Any:
        """The answer. Raises ActorGoneError when the actor has died; otherwise what the call raised.

        An actor that cannot be reached for a moment (ActorUnavailableError: it is just coming up, or its last call was
        under way when something broke) has not died: that is a missing answer. And what the actor itself raises because
        one of its peers has died is an error of that call, though Ray gives it the class of the peer's end.
        """
        try:
            return ray.get(self._reference, timeout=1)
        except ray.exceptions.RayTaskError as error:
            # Ray's own text is a traceback with colours; the operator gets the sentence of what was raised.
            if isinstance(error.cause, Exception):
                raise error.cause from None
            raise
        except ray.exceptions.ActorDiedError as error:
            raise ActorGoneError(" ".join(str(error).split())[:300]) from error


class _NoActor:
    """Stands for a call to an actor that does not exist."""

    def __init__(self, name: ActorName) -> None:
        self._name = name

    def ready(self) -> bool:
        return True

    def value(self) -> Any:
        raise ActorGoneError(f"the process of {self._name} has ended")


class RayLauncher:
    """Makes, ends and calls actors by name; used by the orchestrator alone (one restart authority)."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def find(self, name: ActorName) -> bool:
        return find(name) is not None

    def spawn(self, name: ActorName) -> None:
        spawn(self._assembly, name)

    def kill(self, name: ActorName) -> None:
        """End the process for good; Ray must not restart it."""
        handle = find(name)
        if handle is not None:
            ray.kill(handle, no_restart=True)

    def is_frozen(self, pid: int) -> bool:
        return self._assembly.is_frozen(pid)

    def call(self, name: ActorName, method: str, *arguments: object) -> RayCall | _NoActor:
        handle = find(name)
        return _NoActor(name) if handle is None else RayCall(getattr(handle, method).remote(*arguments))

    def notify(self, name: ActorName, method: str, *arguments: object) -> None:
        """A call without waiting for the answer; an actor that is down misses it."""
        handle = find(name)
        if handle is not None:
            getattr(handle, method).remote(*arguments)


def end_process(why: str) -> None:
    """A fenced incarnation must not continue: its process ends."""
    _log.warning("process ends: %s", why)
    threading.Timer(0.5, os._exit, args=(0,)).start()


def collect_less() -> None:
    """What is loaded by now stays: without this the collector walks through all of it again and again, while an order
    waits. Cycles of what comes later are still found, less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
