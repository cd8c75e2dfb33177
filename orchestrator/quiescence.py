"""When everything has settled (DESIGN 3); what moves next is decided by `statemachines.lockstep`.

Pure bookkeeping over the reports that actors send whenever they fall idle. A report names, per peer, the newest
message sent and the newest committed; when what every sender counts equals what every receiver counts and all
are idle, nothing can be in flight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.runtime.ports import Report
from statemachines.actor_logic import Lookahead, shared_lookahead
from statemachines.values import ActorName


class QuiescenceTracker:
    """Collects the reports of the actors in `members` and judges them together."""

    def __init__(self, members: Sequence[ActorName]) -> None:
        self._all = tuple(members)
        self._members = tuple(members)
        self._reports: dict[str, Report] = {}
        self._ticks: dict[str, int] = {}
        self._sent: Mapping[str, int] = {}

    def report(self, actor: str, report: Report) -> None:
        """Take an actor's newest report; a new incarnation starts new counts."""
        known = self._reports.get(actor)
        if known is not None and report.incarnation < known.incarnation:
            return
        if known is None or known.incarnation != report.incarnation:
            self._ticks[actor] = report.ticks
        self._reports[actor] = report

    def ticked(self, actor: str) -> None:
        """A tick is on its way: the actor's last report no longer counts."""
        self._ticks[actor] = self._ticks.get(actor, 0) + 1

    def expect(self, sent: Mapping[str, int]) -> None:
        """Frames the exchange has sent per connection: none may be outstanding. {} leaves the test to the exchange."""
        self._sent = dict(sent)

    def forget(self, actor: str) -> None:
        """The actor is down: nothing settles until its next incarnation has reported."""
        self._reports.pop(actor, None)

    def excuse(self, actor: ActorName) -> None:
        """The actor is FAULTED: the others continue without it (P1)."""
        self._members = tuple(name for name in self._members if name is not actor)
        self.forget(actor)

    def readmit(self, actor: ActorName) -> None:
        """The operator has brought a FAULTED actor back; components that take no part in lockstep are ignored."""
        if actor in self._all and actor not in self._members:
            self._members = (*self._members, actor)

    def unsettled(self) -> str | None:
        """Why the system has not settled, as a sentence; None when it has."""
        for name in self._members:
            report = self._reports.get(name)
            if report is None:
                return f"{name} has not reported"
            if not report.idle:
                return f"{name} is busy"
            if report.ticks < self._ticks[name]:
                return f"{name} has not answered its tick"
        for sender in self._members:
            sent = self._reports[sender]
            for recipient in self._members:
                taken = self._reports[recipient]
                count = sent.sent.get(recipient, 0)
                if taken.cursors.get(sender, 0) < count:
                    return f"{recipient} has not reported message {count} of {sender}"
                incarnation, number = sent.quotes_out.get(recipient, (0, 0))
                # What an earlier incarnation took died with it; a later one has read the market anew.
                if (taken.incarnation, taken.quotes_in.get(sender, 0)) < (incarnation, number):
                    return f"{recipient} has not reported the quotes of {sender}"
        handled = self.handled()
        for connection, count in self._sent.items():
            if handled.get(connection, 0) < count:
                return f"connection {connection} has not reported frame {count}"
        return None

    def asked(self) -> Mapping[str, tuple[int, int]]:
        """Per actor its incarnation and the requests it has made: while this stays the same, the exchange has not been
        called."""
        return {name: (report.incarnation, report.calls) for name, report in self._reports.items()}

    def deadlines(self) -> Mapping[ActorName, int]:
        """When each member is to be ticked, as far as it asks for that."""
        return {
            name: report.deadline_ms
            for name in self._members
            if (report := self._reports.get(name)) is not None and report.deadline_ms is not None
        }

    def lookahead(self) -> Lookahead:
        """The tightest lookahead of all members."""
        return shared_lookahead(self._reports[name].lookahead for name in self._members if name in self._reports)

    def handled(self) -> dict[str, int]:
        """Frames taken per connection."""
        handled: dict[str, int] = {}
        for report in self._reports.values():
            handled.update(report.frames)
        return handled
