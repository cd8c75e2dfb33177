"""Faults at work: begins and ends them as exchange time passes, and carries out what they do to the venue.

The desk decides about requests and messages as they come; here is what happens by itself. The venue's conditions are
brought to what the desk holds, so that a restart ends what has ended meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from infra.simulator.fault_targets import check, check_together
from infra.simulator.faults.catalogue import Disconnect, ExchangeFault, Fault
from infra.simulator.faults.desk import Active, FaultDesk
from infra.simulator.faults.frames import FrameDealer
from infra.simulator.faults.reading import FaultError
from infra.simulator.faults.scenario import Occurrence
from infra.simulator.venue.orders.incidents import Incident, demanded
from infra.simulator.venue.state import Venue

log = logging.getLogger(__name__)


class Injection:
    """The active faults of one exchange with the scenario that is still to come. ``venue`` is asked for each time;
    ``intervene`` carries an incident out."""

    def __init__(
        self,
        venue: Callable[[], Venue],
        intervene: Callable[[Incident], None],
        occurrences: Iterable[Occurrence] = (),
        seed: int = 0,
    ) -> None:
        self.desk = FaultDesk()
        self.dealer: FrameDealer[Any] = FrameDealer(self.desk)
        self._venue = venue
        self._intervene = intervene
        self._coming = list(occurrences)
        self._seed = seed
        self._skip_past()

    def _skip_past(self) -> None:
        """What began and ended before this process is over; what has no end continues."""
        now_ms = self._venue().now_ms

        def is_past(one: Occurrence) -> bool:
            end_ms = one.begin_ms if isinstance(one.fault, Disconnect) else one.end_ms
            return end_ms is not None and end_ms < now_ms

        self._coming = [one for one in self._coming if not is_past(one)]

    def inject(self, fault: Fault, for_ms: int | None = None, seed: int = 0) -> Active:
        """Make a fault active now, for so much exchange time (None: until it is cleared). Raises ``FaultError`` for
        one that could strike nothing, whose filters are impossible, or that may not hold beside the active ones."""
        check(fault, self._venue())
        check_together(fault, (one for _, one in self._venue().conditions.active.values()))
        now_ms = self._venue().now_ms
        made = self.desk.inject(fault, now_ms, None if for_ms is None else now_ms + for_ms, seed=seed)
        self.pump()
        return made

    def clear(self, identity: str) -> bool:
        """End a fault; False when none of this id is active."""
        found = self.desk.clear(identity)
        self.pump()
        return found

    def clear_all(self) -> list[str]:
        """End every fault and drop what is left of the scenario; the ids of those that were active."""
        self._coming.clear()
        gone = self.desk.clear_all()
        self.pump()
        return gone

    def pump(self) -> None:
        """Bring everything to the present exchange time."""
        if not self._coming and not self.desk.active() and not self._venue().conditions.active:
            return
        now_ms = self._venue().now_ms
        self.desk.expire(now_ms)
        while self._coming and self._coming[0].begin_ms <= now_ms:
            one = self._coming.pop(0)
            holding = self._venue().conditions.active
            try:
                check_together(one.fault, (fault for key, (_, fault) in holding.items() if key != one.key))
                self.desk.inject(one.fault, now_ms, one.end_ms, identity=one.key, seed=self._seed)
            except FaultError as error:
                log.error("The step %s of the scenario is left out: %s", one.key, error)
                continue
            self._converge()
        self._converge()
        for incident in demanded(self._venue(), self.desk):
            self._intervene(incident)

    def next_ms(self) -> int | None:
        """The next exchange time at which something begins, ends or is due."""
        begin_ms = self._coming[0].begin_ms if self._coming else None
        times = (begin_ms, self.desk.next_end_ms(), self.dealer.next_ms())
        now_ms = self._venue().now_ms
        return min((one for one in times if one is not None and one > now_ms), default=None)

    def sooner(self, until_ms: int | None) -> int | None:
        """The earlier of the caller's deadline and the next fault's."""
        next_ms = self.next_ms()
        return until_ms if next_ms is None else next_ms if until_ms is None else min(until_ms, next_ms)

    def _converge(self) -> None:
        wanted = {one.id: fault for one, fault in self.desk.of(ExchangeFault)}
        holding = self._venue().conditions.active
        for identity in [one for one in holding if one not in wanted]:
            self._intervene({"what": "end", "id": identity})
        for identity, fault in wanted.items():
            if identity not in holding:
                self._intervene({"what": "begin", "id": identity, "fault": fault.model_dump(mode="json")})
