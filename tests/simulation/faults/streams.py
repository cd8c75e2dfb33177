"""The exchange's streams that fail: reports doubled, overtaken, late, and lost with their connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from infra.bybit.streams.frames import moment_ms, parse_private_frame
from infra.simulator.api import Frame
from statemachines.messages.envelope import Body
from statemachines.messages.orders import ExecutionFrame, StreamRestored
from statemachines.values import Account, ActorName
from tests.simulation.faults.choices import Chooser
from tests.simulation.faults.points import Fault, Point
from tests.simulation.faults.scheduler import Act

PUBLIC = "public"
RECONNECT_ACTS = 6
"""So many acts of others come before a stream that broke can be restored, unless there is nothing else to do."""


class Report(NamedTuple):
    """One frame in the core's terms."""

    body: Body
    natural_id: str
    market_ms: int


class FailingStreams:
    """One connection per account, and one for the public market. `tell` gives a frame to a living actor; it is lost
    when that actor is down, as with its process."""

    def __init__(self, chooser: Chooser, tell: Callable[[ActorName, Report], None], now_ms: Callable[[], int]) -> None:
        self._chooser = chooser
        self._tell = tell
        self._now_ms = now_ms
        self._queues: dict[str, deque[Report]] = {}
        self._late: list[tuple[str, Report]] = []
        self._cut: dict[str, int] = {}
        """Connections that are down, and how many acts of others they still wait for."""

    def private(self, frames: Sequence[Frame]) -> None:
        """Frames of the accounts, as the exchange sent them."""
        for frame in frames:
            account = Account(str(frame.account))
            for body, natural_id in parse_private_frame(account, frame.frame):
                point = Point.EXECUTION_FRAME if isinstance(body, ExecutionFrame) else Point.ORDER_FRAME
                self._arrive(point, account, Report(body, natural_id, moment_ms(body)))

    def public(self, bodies: Sequence[tuple[Body, str]]) -> None:
        """What the public streams show at this instant."""
        for body, natural_id in bodies:
            self._arrive(Point.MARKET_FRAME, PUBLIC, Report(body, natural_id, self._now_ms()))

    def acts(self) -> list[Act]:
        """What can arrive next: the oldest frame of each connection, or its restoration."""
        found = [Act(name, partial(self._hand_over, name)) for name, queue in self._queues.items() if queue]
        back = [name for name, acts in sorted(self._cut.items()) if acts <= 0 and self._may_return(name)]
        self._cut = {name: acts - 1 for name, acts in self._cut.items()}
        return found + [Act(name, partial(self._restore, name)) for name in back]

    def is_hurried(self) -> bool:
        """Nothing else is left to do: whether a connection that waited for it can be restored now."""
        waiting = [name for name, acts in self._cut.items() if acts > 0 and self._may_return(name)]
        self._cut |= dict.fromkeys(waiting, 0)
        return bool(waiting)

    def time_moved(self) -> None:
        """What was late arrives now."""
        late, self._late = self._late, []
        for name, report in late:
            self._queues.setdefault(name, deque()).append(report)

    @property
    def cut(self) -> frozenset[str]:
        """Names of the connections that are down."""
        return frozenset(self._cut)

    @property
    def is_late(self) -> bool:
        return bool(self._late)

    def _may_return(self, _name: str) -> bool:
        return True

    def end(self, actor: ActorName) -> None:
        """The actor's connections are lost with its process."""
        mine = [name for name in self._queues if _reader(name) is actor]
        for name in mine:
            self._queues[name].clear()
        self._cut = {name: acts for name, acts in self._cut.items() if name not in mine}
        self._late = [(name, report) for name, report in self._late if name not in mine]

    def _arrive(self, point: Point, name: str, report: Report) -> None:
        if name in self._cut:
            return
        queue = self._queues.setdefault(name, deque())
        choice = self._chooser.at(point, name)
        match choice.fault if choice is not None else None:
            case Fault.DOUBLED:
                queue.extend((report, report))
            case Fault.REORDERED:
                queue.insert(max(len(queue) - 1, 0), report)
            case Fault.LATE:
                self._late.append((name, report))
            case Fault.CUT:
                queue.clear()
                self._cut[name] = RECONNECT_ACTS
            case _:
                queue.append(report)

    def _hand_over(self, name: str) -> None:
        self._tell(_reader(name), self._queues[name].popleft())

    def _restore(self, name: str) -> None:
        self._cut.pop(name, None)
        self._tell(_reader(name), Report(StreamRestored(stream=name), "", self._now_ms()))


def _reader(name: str) -> ActorName:
    return ActorName.MARKET_DATA if name == PUBLIC else ActorName.ORDER_MANAGER
