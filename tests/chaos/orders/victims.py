"""What can be hit: one process of the system, killed or frozen."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from infra.database.server.cluster import PROCESS_ROLE
from infra.processes.table import marked
from statemachines.values import ActorName
from tests.chaos.orders.engine import LOTS
from tests.chaos.rig import Drill

KILL, FREEZE = signal.SIGKILL, signal.SIGSTOP

MAX_DELAY_S = 0.03
"""About as long as a batch takes at the exchange."""

LATEST = 0.8
"""The last orders of a burst end together: later blows would fall when all is over."""

Find = Callable[[Drill], int | None]
"""The process id of a victim now."""


def _actor(name: ActorName) -> Find:
    return lambda drill: drill.pid(name) or None


def _exchange(drill: Drill) -> int | None:
    return drill.system.exchange.pid if drill.system.exchange is not None else None


def _database(drill: Drill) -> int | None:
    return drill.system.database.server.pid if drill.system.database.server is not None else None


VICTIMS: Mapping[str, Mapping[str, Find]] = {
    "order manager": {"order manager": _actor(ActorName.ORDER_MANAGER)},
    "risk manager": {"risk manager": _actor(ActorName.RISK_MANAGER)},
    "engine": {f"engine {name}": _actor(name) for name in LOTS},
    "orchestrator": {"orchestrator": _actor(ActorName.ORCHESTRATOR)},
    "exchange": {"exchange": _exchange},
    "database": {"database": _database},
}
"""By kind, each kind as likely as any other."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One process is hit by a signal `delay_s` after the part `at` (0 to `LATEST`) of the burst has ended: the delay
    takes the instant away from the commit by which the part was seen."""

    kind: str
    name: str
    number: signal.Signals
    at: float
    delay_s: float

    def find(self, drill: Drill) -> int | None:
        """The victim's process id now."""
        return VICTIMS[self.kind][self.name](drill)

    @property
    def label(self) -> str:
        """In words."""
        return f"{self.name} {'killed' if self.number == KILL else 'frozen'}"

    def strike(self, drill: Drill) -> int:
        """Send the signal; the process id that was hit. A frozen database server stands still with all its processes,
        as on a machine that has been suspended."""
        pid = self.find(drill)
        assert pid is not None, f"{self.name} has no process"
        os.kill(pid, self.number)
        if self.kind == "database" and self.number == FREEZE:
            for process in marked(drill.system.run.prefix):
                if process.role == PROCESS_ROLE:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, FREEZE)
        return pid


def draw(count: int, seed: int, kinds: Sequence[str] = tuple(VICTIMS)) -> list[Blow]:
    """Blows at random: victim, signal and instant."""
    dice, found = random.Random(seed), list[Blow]()
    for _ in range(count):
        kind = dice.choice(list(kinds))
        name = dice.choice(list(VICTIMS[kind]))
        found.append(
            Blow(kind, name, dice.choice((KILL, FREEZE)), dice.uniform(0, LATEST), dice.uniform(0, MAX_DELAY_S))
        )
    return found
