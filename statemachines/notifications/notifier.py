"""The notifier: alerts in, messages out, and what became of them (RM-5). It is given what was read and when.

Every method returns a `Decision`: its rows are committed in one transaction, and only then its messages are sent. At
least once: what was under way at a crash is sent again, with the same number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from statemachines.actor_logic import StateRow
from statemachines.commands import Alert, AlertEnded, JournalLine
from statemachines.conditions import KEY as ALERTS_KEY
from statemachines.conditions import Conditions
from statemachines.facts import DeliveryFact, Fact
from statemachines.notifications.acknowledging import Acknowledgement, acknowledged
from statemachines.notifications.channel import PREFIX, Channel, ChannelState
from statemachines.notifications.intake import Intake
from statemachines.notifications.machine import KEY, NotifierMachine
from statemachines.notifications.message import (
    SEVERITIES,
    ChannelName,
    Delivered,
    Message,
    Outcome,
    RefusedForGood,
    judged,
)
from statemachines.notifications.outbox import Outbox
from statemachines.notifications.parameters import NotificationRules
from statemachines.notifications.report import Report
from statemachines.notifications.routing import CHANNEL_CONDITION
from statemachines.notifications.seen import SeenAlert
from statemachines.values import ActorName

NAMED = 3
"""So many critical alerts that wait are named in the alert about a channel."""


class Outgoing(NamedTuple):
    """A message to be sent over a channel after the commit."""

    channel: ChannelName
    message: Message


@dataclass(slots=True)
class Decision:
    """What one step makes durable, and what is sent after that."""

    facts: list[Fact] = field(default_factory=list)
    journal: list[JournalLine] = field(default_factory=list)
    states: list[StateRow] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)

    @property
    def is_durable(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self.facts or self.journal or self.states)


class Restored(NamedTuple):
    """What is durable of the notifier when it starts."""

    states: Mapping[str, StateRow]
    standing: Sequence[SeenAlert]
    undelivered: Sequence[DeliveryFact]
    newest_number: int


class Notifier:
    """`configured` are the channels that are on; `incarnation` distinguishes the alerts that it raises itself;
    `zone` is that of the quiet hours."""

    def __init__(
        self,
        rules: NotificationRules,
        configured: Collection[ChannelName],
        installation: str,
        incarnation: int,
        restored: Restored,
        now: datetime,
        zone: tzinfo = UTC,
    ) -> None:
        self._rules = rules
        self._incarnation = incarnation
        self._raised = 0
        states = restored.states
        self._machine = NotifierMachine(KEY)
        self._is_settling = True
        """Whether the alerts that ended before the notifier first ran are being passed over."""
        self._earlier: Counter[str] = Counter()
        if KEY in states:
            self._machine = NotifierMachine.restored(KEY, states[KEY].state)
            self._is_settling = bool(states[KEY].data["is_settling"])
        names = [name for name in ChannelName if name in configured]
        self.channels = {
            name: Channel.restored(name, row) if (row := states.get(f"{PREFIX}{name}")) else Channel(name)
            for name in names
        }
        self._outbox = Outbox(installation, restored.newest_number)
        self._outbox.restore(restored.undelivered, names, now)
        self._intake = Intake(rules, names, self._outbox, zone)
        new = [name for name in names if f"{PREFIX}{name}" not in states]
        self._intake.restore(restored.standing, [] if self._is_settling else new, now)
        self._conditions = Conditions(ActorName.NOTIFIER)
        self._conditions.restore({name: row for name, row in states.items() if name == ALERTS_KEY})
        self._written: dict[str, StateRow] = dict(states)
        self._journal: list[JournalLine] = []

    @property
    def waiting(self) -> int:
        """How many deliveries have not ended."""
        return len(self._outbox)

    # --- what is passed to it ---

    def step(
        self, now: datetime, seen: Iterable[SeenAlert] = (), market_ms: int = 0, *, is_all: bool = True
    ) -> Decision:
        """Take alerts, and send what is due. `is_all`: there are no further ones now."""
        for alert in seen:
            if self._is_settling and not alert.is_standing and alert.notice is None:
                self._intake.settle(alert)
                self._earlier[alert.severity] += 1
            else:
                self._intake.take(alert, now)
        if self._is_settling and is_all and self.channels:
            self._end_settling(now, market_ms)
        self._intake.repeat(now)
        self._outbox.expire_old(now, self._rules.keep_days, self._intake.standing)
        outgoing = [] if self._is_settling else self._send(now)
        return self._decision(market_ms, outgoing)

    def outcome(self, now: datetime, name: ChannelName, message_id: str, outcome: Outcome, market_ms: int) -> Decision:
        """What came of a message. What the receiver says of it may be anything."""
        outcome = judged(outcome)
        channel = self.channels[name]
        channel.sending = ""
        most = self._rules.failed_tries
        if isinstance(outcome, Delivered):
            self._outbox.delivered(message_id, outcome.remote_id, now)
            self._journal += channel.took(now, self._rules.gap_s)
        elif isinstance(outcome, RefusedForGood):
            told = f"it refuses a message: {outcome.reason}"
            titles = "; ".join(one.fact.title for one in self._outbox.under_way(message_id))
            if self._outbox.refused(message_id, outcome.reason, now):
                channel.refused = titles
                self._journal += channel.failed(now, told, None, most)
            else:
                channel.slowed(now, self._rules.gap_s, told)
        else:
            self._outbox.failed(message_id, outcome.reason)
            if outcome.is_pace:
                channel.slowed(now, outcome.after_s or 1.0, outcome.reason)
            else:
                self._journal += channel.failed(now, outcome.reason, outcome.after_s, most)
        return self._decision(market_ms, [])

    def acknowledge(self, now: datetime, given: Acknowledgement, alert: SeenAlert, market_ms: int) -> Decision:
        """A person acknowledges an alert; what follows from it is decided when it is committed."""
        if alert.acknowledged_by is not None:
            return Decision()
        facts, remark = acknowledged(given, alert.title, now, market_ms)
        return Decision(facts=facts, journal=[remark])

    def report(self, now: datetime, report: Report, name: ChannelName, market_ms: int) -> Decision:
        """A report is to be sent."""
        self._outbox.add_report(report, name, now)
        return self._decision(market_ms, [])

    # --- inside ---

    def _end_settling(self, now: datetime, market_ms: int) -> None:
        self._is_settling = False
        if not (count := self._earlier.total()):
            return
        numbers = ", ".join(f"{self._earlier[one]} {one}" for one in reversed(SEVERITIES) if self._earlier[one])
        summary = SeenAlert(
            alert_id="earlier",
            actor=str(ActorName.NOTIFIER),
            condition="",
            severity="info",
            title="Notifications are switched on",
            text=f"{count} alerts began and ended before that ({numbers}). They are not sent one by one: the console "
            "and `eternal alerts` have them. Alerts that stand are sent now. No action is required.",
            state="ended",
            changes=0,
            market_ms=market_ms,
            changed_ms=market_ms,
        )
        for name in self.channels:
            if name is not ChannelName.PAGERDUTY:
                self._outbox.add(summary, name, "raise", now, now)

    def _send(self, now: datetime) -> list[Outgoing]:
        outgoing = []
        for name, channel in self.channels.items():
            if channel.is_free(now) and (message := self._outbox.send(name, now)) is not None:
                channel.sending = message.message_id
                outgoing.append(Outgoing(name, message))
        return outgoing

    def _decision(self, market_ms: int, outgoing: list[Outgoing]) -> Decision:
        facts: list[Fact] = [*self._intake.taken(), *self._watch_channels(market_ms)]
        deliveries, journal = self._outbox.taken()
        lines: list[JournalLine] = [*self._journal, *journal, *self._move()]
        self._journal = []
        return Decision([*facts, *deliveries], lines, self._states(), outgoing)

    def _move(self) -> list[JournalLine]:
        """The notifier's own machine, as far as it has to go."""
        lines: list[JournalLine] = []
        down = [one for one in self.channels.values() if one.state is ChannelState.DOWN]
        is_cut_off = bool(self.channels) and len(down) == len(self.channels)
        has_work = bool(len(self._outbox))
        situation = {"is_on": bool(self.channels), "has_work": has_work, "is_cut_off": is_cut_off}
        while (trigger := self._machine.moved(**situation)) is not None:
            reason = f"{len(self.channels)} channels, {len(down)} of them down, {len(self._outbox)} deliveries open"
            lines.append(self._machine.fire(trigger, reason, {"open": len(self._outbox), "down": len(down)}))
        return lines

    def _watch_channels(self, market_ms: int) -> list[Fact]:
        """The alert about a channel that is down: it goes over the others (`routing`)."""
        facts: list[Fact] = []
        for name, channel in self.channels.items():
            command = self._complaint(name, channel)
            self._raised += 1
            alert_id = f"{ActorName.NOTIFIER}:{self._incarnation}:{self._raised}"
            fact = None if command is None else self._conditions.take(command, alert_id, market_ms)
            if fact is not None:
                facts.append(fact)
        return facts

    def _complaint(self, name: ChannelName, channel: Channel) -> Alert | AlertEnded | None:
        condition = f"{CHANNEL_CONDITION}{name}"
        if channel.state is ChannelState.WORKING:
            is_open = condition in self._conditions.open
            return AlertEnded(condition, f"{name} delivers again.") if is_open else None
        if channel.state is not ChannelState.DOWN and not channel.refused:
            return None
        critical = list(dict.fromkeys(one.fact.title for one in self._outbox.critical(name)))
        named = "; ".join(critical[:NAMED]) + ("; and others" if len(critical) > NAMED else "")
        waiting = f" Critical alerts wait there: {named}." if critical else ""
        if channel.refused:
            waiting += f" It refuses for good, so that they are not tried again: {channel.refused}."
        before = self._conditions.open.get(condition)
        if before is not None and (before.severity == "critical") == bool(critical) and waiting in before.text:
            return None  # the newest error alone is no news
        return Alert(
            "critical" if critical else "warning",
            f"Notifications over {name} fail",
            f"{name} has failed {channel.failures} times in a row ({channel.last_error}). What waits is tried on with "
            f"growing pauses and is not lost; this alert goes over the other channels.{waiting} Check the settings and "
            f"the receiver of {name} (`eternal notify test --channel {name}`); the console has all alerts.",
            condition,
        )

    def _states(self) -> list[StateRow]:
        rows = [
            StateRow(
                KEY,
                self._machine.state.value,
                1,
                {"is_settling": self._is_settling, "channels": list(map(str, self.channels))},
            ),
            *(channel.row() for channel in self.channels.values()),
        ]
        if self._conditions.is_dirty:
            rows += self._conditions.rows()
            self._conditions.is_dirty = False
        changed = [row for row in rows if self._written.get(row.key) != row]
        self._written |= {row.key: row for row in changed}
        return changed
