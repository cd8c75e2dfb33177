"""Messages of the streams under faults: doubled, late, overtaken, withheld. One dealer for all connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from infra.simulator.faults.catalogue import (
    DoubledMessages,
    FrameFault,
    FrozenBook,
    LateMessages,
    MissingMessages,
    ReorderedMessages,
    StaleMarketData,
)
from infra.simulator.faults.desk import Connection, FaultDesk

M = TypeVar("M")
_WITHHELD = (MissingMessages, StaleMarketData, FrozenBook)


@dataclass(slots=True)
class _Held(Generic[M]):
    """What a connection still gets: messages with their time, and one that waits to be overtaken."""

    late: list[tuple[int, M]] = field(default_factory=list)
    overtaken: list[M] = field(default_factory=list)


class FrameDealer(Generic[M]):
    """Decides what of each message goes to a connection now; what is held back is given out by ``release``."""

    def __init__(self, desk: FaultDesk) -> None:
        self._desk = desk
        self._held: dict[str, _Held[M]] = {}

    def deal(self, identity: str, at: Connection, topic: str, message: M, now_ms: int) -> list[M]:
        """What is sent now on this connection in place of the message."""
        held = self._held.get(identity)
        faults = self._desk.of(FrameFault)
        if not faults and held is None:
            return [message]
        given, waiting = [message], held.overtaken if held is not None else []
        for one, fault in faults:
            if not fault.matches(*at, topic) or not one.strikes():
                continue
            if isinstance(fault, _WITHHELD):
                return []
            if isinstance(fault, LateMessages):
                self._of(identity).late.append((now_ms + fault.delay_ms, message))
                return []
            if isinstance(fault, DoubledMessages):
                given = [message, message]
            if isinstance(fault, ReorderedMessages) and not waiting:
                self._of(identity).overtaken.append(message)
                return []
        if held is not None and held.overtaken:
            given += held.overtaken
            held.overtaken = []
        return given

    def release(self, now_ms: int) -> list[tuple[str, M]]:
        """What was held back and is due, by connection. A message that nothing has overtaken goes out too."""
        due: list[tuple[str, M]] = []
        for identity, held in list(self._held.items()):
            due += [(identity, message) for message in held.overtaken]
            due += [(identity, message) for at_ms, message in held.late if at_ms <= now_ms]
            held.overtaken = []
            held.late = [one for one in held.late if one[0] > now_ms]
            if not held.late:
                del self._held[identity]
        return due

    def next_ms(self) -> int | None:
        """When the next late message is due."""
        return min((at_ms for held in self._held.values() for at_ms, _ in held.late), default=None)

    def forget(self, identity: str) -> None:
        """The connection is gone, and with it what was held back for it."""
        self._held.pop(identity, None)

    def _of(self, identity: str) -> _Held[M]:
        return self._held.setdefault(identity, _Held())
