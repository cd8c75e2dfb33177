"""Stopwatches around the ports of every actor, for benchmarks only: the system itself has no counters.

`MeteredAssembly` builds the same parts as the system's own assembly and wraps their methods; each process writes its
sums to a file twice a second.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from actors.runtime.actor_runner import Parts
from actors.runtime.outbox_dispatcher import Peers
from actors.runtime.ports import LockstepPort, Step
from api.assembly import SystemAssembly
from statemachines.actor_logic import Lookahead
from statemachines.values import ActorName

WRITE_EVERY_S = 0.5

Sums = dict[str, tuple[int, float]]
"""Per label: number of calls and total seconds."""


class Meter:
    """Sums of one process. Threads add without a lock: a lost addition is acceptable, the cost of a lock is not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counts: dict[str, int] = defaultdict(int)
        self._seconds: dict[str, float] = defaultdict(float)
        threading.Thread(target=self._write, name="meter", daemon=True).start()

    def add(self, label: str, seconds: float) -> None:
        self._counts[label] += 1
        self._seconds[label] += seconds

    def watch(self, target: object, method: str, label: str | Callable[..., str]) -> None:
        """Wrap a method of one object in a stopwatch."""
        inner = getattr(target, method)

        def timed(*arguments: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return inner(*arguments, **named)
            finally:
                name = label if isinstance(label, str) else label(*arguments)
                self.add(name, time.perf_counter() - begun)

        setattr(target, method, timed)

    def _write(self) -> None:
        pause = threading.Event()
        while not pause.wait(WRITE_EVERY_S):
            counts, seconds = dict(self._counts), dict(self._seconds)
            text = json.dumps({label: (count, seconds.get(label, 0.0)) for label, count in counts.items()})
            draft = self._path.with_name(f"{self._path.name}.new")
            draft.write_text(text)
            draft.rename(self._path)


@dataclass(frozen=True)
class MeteredAssembly(SystemAssembly):
    """The system's assembly with a stopwatch at every port."""

    meters: Path = Path()

    @classmethod
    def of(cls, assembly: SystemAssembly, meters: Path) -> MeteredAssembly:
        """The same system, with measurements written to the folder `meters`."""
        return cls(**{field.name: getattr(assembly, field.name) for field in fields(assembly)}, meters=meters)

    def parts(self, name: ActorName, peers: Peers) -> Parts:
        meter = Meter(self.meters / f"{name}.json")
        parts = super().parts(name, peers)
        meter.watch(parts.logic, "handle", lambda message: f"decide {message.body.KIND}")
        meter.watch(parts.logic, "tick", "decide tick")
        meter.watch(parts.store, "commit", "commit")
        meter.watch(parts.store, "holds", "fencing check")
        if parts.exchange is not None:
            meter.watch(parts.exchange, "perform", lambda _account, request: f"request {request.kind}")
        meter.watch(peers, "deliver", "delivery with its acknowledgement")
        meter.watch(peers, "notify", "delivery of quotes")
        meter.watch(peers, "report", "report to the lockstep driver")
        return parts

    def lockstep(self, name: ActorName) -> LockstepPort | None:
        inner = super().lockstep(name)
        return None if inner is None else _MeteredLockstep(inner, self.meters)


class _MeteredLockstep:
    """Measures the exchange's steps and, between them, the time that the system takes to settle."""

    def __init__(self, inner: LockstepPort, folder: Path) -> None:
        self._inner = inner
        self._folder = folder
        self._meter: Meter | None = None
        self._ended = 0.0
        self._market_ms = 0
        self._after = ""

    def status(self) -> Step:
        return self._inner.status()

    def advance(self, step: int, until_ms: int | None, lookahead: Lookahead, handled: Mapping[str, int]) -> Step:
        if self._meter is None:
            self._meter = Meter(self._folder / "lockstep-driver.json")
        begun = time.perf_counter()
        if self._after:
            self._meter.add(f"settling after {self._after}", begun - self._ended)
        answer = self._inner.advance(step, until_ms, lookahead, handled)
        self._ended = time.perf_counter()
        moved = answer.market_ms > self._market_ms
        self._meter.add("advance with time" if moved else "advance without time", self._ended - begun)
        if not answer.settled:
            self._meter.add("advance refused: frames in flight", 0.0)
        self._after = "an advance of the exchange" if moved else "a tick or frames of the same instant"
        self._market_ms = answer.market_ms
        return answer


def read_meters(folder: Path, ending: str = ".json") -> dict[str, Sums]:
    """The newest sums of every process: `lockstep-driver` and the actors."""
    return {
        path.stem: {
            label: (int(count), float(seconds)) for label, (count, seconds) in json.loads(path.read_text()).items()
        }
        for path in sorted(folder.glob(f"*{ending}"))
    }


def between(before: Mapping[str, Sums], after: Mapping[str, Sums]) -> dict[str, Sums]:
    """The difference between two readings."""
    return {
        name: {
            label: (
                count - before.get(name, {}).get(label, (0, 0.0))[0],
                s - before.get(name, {}).get(label, (0, 0.0))[1],
            )
            for label, (count, s) in sums.items()
        }
        for name, sums in after.items()
    }


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used so far; 0 when it no longer exists."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(line[11]) + int(line[12])) / os.sysconf("SC_CLK_TCK")
