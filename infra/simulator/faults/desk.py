"""Which faults are active, and what they do to a request, a connection or a message. Deterministic: chances are drawn
from each fault's own seed, in the order in which it could have struck."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from infra.simulator.faults.catalogue import (
    Chance,
    ClockSkew,
    Disconnect,
    Fault,
    Latency,
    Maintenance,
    NoPong,
    RequestFault,
    StreamFault,
    StreamOutage,
)
from infra.simulator.faults.gaps import check_gaps
from infra.simulator.faults.plans import Asked, Page, Plan, plan_of

OPEN_IN_MAINTENANCE = frozenset({"/v5/market/time", "/v5/system/status"})
MAINTENANCE_STATUS = 503
F = TypeVar("F", bound=Fault)


@dataclass(slots=True)
class Active:
    """One active fault. ``end_ms``: exchange time at which it ends by itself; ``hits``: how often it has struck."""

    id: str
    fault: Fault
    begin_ms: int
    end_ms: int | None
    dice: random.Random
    hits: int = 0
    struck: set[str] = field(default_factory=set)
    """Orders and positions it has struck already."""

    def strikes(self) -> bool:
        """Draw whether it strikes here, and count it."""
        fault = self.fault
        if isinstance(fault, Chance):
            if fault.count is not None and self.hits >= fault.count:
                return False
            if fault.probability < 1 and self.dice.random() >= fault.probability:
                return False
        self.hits += 1
        return True

    def shown(self) -> dict[str, Any]:
        """As the control interface lists it."""
        return {
            "id": self.id,
            "begin_ms": self.begin_ms,
            "end_ms": self.end_ms,
            "hits": self.hits,
            "fault": self.fault.model_dump(mode="json", exclude_none=True),
        }


class Connection(NamedTuple):
    """A stream's channel (``private``, ``spot``, ...) and, once it has authenticated, its account."""

    channel: str
    account: str | None


class FaultDesk:
    """The active faults by id, oldest first. Exchange time is the caller's."""

    def __init__(self) -> None:
        self._active: dict[str, Active] = {}
        self._number = 0

    def inject(
        self, fault: Fault, now_ms: int, end_ms: int | None = None, *, identity: str | None = None, seed: int = 0
    ) -> Active:
        """Make a fault active from now on; ``identity`` names it (default: a new number). Raises ``FaultError`` for a
        price gap that with those that hold would move prices too far."""
        check_gaps(fault, (one.fault for one in self._active.values() if one.id != identity))
        if identity is None:
            self._number += 1
            identity = str(self._number)
        made = Active(identity, fault, now_ms, end_ms, random.Random(f"{seed}/{identity}"))
        self._active[identity] = made
        return made

    def clear(self, identity: str) -> bool:
        """End a fault; False when none of this id is active."""
        return self._active.pop(identity, None) is not None

    def clear_all(self) -> list[str]:
        """End every fault; their ids."""
        gone = list(self._active)
        self._active.clear()
        return gone

    def expire(self, now_ms: int) -> None:
        """End what has lasted its time."""
        for one in [one for one in self._active.values() if one.end_ms is not None and one.end_ms <= now_ms]:
            del self._active[one.id]

    def next_end_ms(self) -> int | None:
        """When the next fault ends by itself."""
        return min((one.end_ms for one in self._active.values() if one.end_ms is not None), default=None)

    def active(self) -> list[Active]:
        """All active faults, oldest first."""
        return list(self._active.values())

    def of(self, kind: type[F]) -> list[tuple[Active, F]]:
        """The active faults of a kind or family."""
        return [(one, one.fault) for one in self._active.values() if isinstance(one.fault, kind)]

    # --- requests ---

    @property
    def skew_ms(self) -> int:
        """How far the exchange's clock is off."""
        return sum(fault.offset_ms for _, fault in self.of(ClockSkew))

    def plan(self, asked: Asked) -> Plan:
        """What becomes of a request: the first fault that strikes it decides; delays add up."""
        if not self._active:
            return Plan(asked.params)
        if self.of(Maintenance) and asked.path not in OPEN_IN_MAINTENANCE:
            return Plan(None, instead=Page(MAINTENANCE_STATUS, "503 Service Unavailable"))
        delay_ms, plan = 0, None
        for one, fault in self.of(RequestFault):
            if not fault.matches(asked.method, asked.path, asked.account, asked.symbols):
                continue
            if isinstance(fault, Latency):
                if one.strikes():
                    delay_ms += fault.delay_ms + one.dice.randint(0, fault.jitter_ms)
            elif plan is None:
                plan = plan_of(fault, asked, one.strikes)
        plan = plan or Plan(asked.params)
        return plan if not delay_ms else plan._replace(delay_ms=delay_ms)

    # --- connections ---

    def refuses(self, channel: str) -> bool:
        """Whether a new connection is refused."""
        outages = any(fault.concerns(channel, fault.account) for _, fault in self.of(StreamOutage))
        return outages or bool(self.of(Maintenance))

    def broken(self, connections: Mapping[str, Connection]) -> list[str]:
        """Which of these connections break now. A fault breaks a connection once; ``Disconnect`` is over with it."""
        if not self._active:
            return []
        found = [identity for identity, at in connections.items() if self._breaks(at, identity)]
        for one, _ in self.of(Disconnect):
            del self._active[one.id]
        return found

    def _breaks(self, at: Connection, identity: str) -> bool:
        broken = bool(self.of(Maintenance))
        for one, fault in self.of(StreamFault):
            if not isinstance(fault, (Disconnect, StreamOutage)) or not fault.concerns(*at) or identity in one.struck:
                continue
            one.struck.add(identity)
            broken = one.strikes() or broken
        return broken

    def is_deaf(self, at: Connection) -> bool:
        """Whether a ping on this connection is left without a pong."""
        return any(fault.concerns(*at) and one.strikes() for one, fault in self.of(NoPong))


def asked_of(method: str, path: str, params: Mapping[str, Any], account: str | None) -> Asked:
    """A request as faults see it: with the symbols that it names."""
    legs = params.get("request")
    rows = [params, *(leg for leg in legs if isinstance(leg, Mapping))] if isinstance(legs, list) else [params]
    symbols = frozenset(str(row["symbol"]) for row in rows if row.get("symbol"))
    return Asked(method, path, params, account, symbols)
