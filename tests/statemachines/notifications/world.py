"""A system around the notifier without clock, network and database: alerts, what is durable, people who receive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from statemachines.actor_logic import StateRow
from statemachines.commands import JournalLine
from statemachines.facts import AcknowledgementFact, AlertFact, DeliveryFact, NoticeFact
from statemachines.notifications.acknowledging import Acknowledgement
from statemachines.notifications.message import ChannelName, Delivered, Message, Outcome, Severity, TryAgain
from statemachines.notifications.notifier import Decision, Notifier, Restored
from statemachines.notifications.parameters import NotificationRules
from statemachines.notifications.seen import SeenAlert
from statemachines.values import ActorName

START = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
ALL = tuple(ChannelName)
INSTALLATION = "abc123"


class CrashError(Exception):
    """The process of the notifier is killed here."""


POINTS = ("before the commit", "after the commit", "after the send", "after the outcome's commit")


@dataclass
class World:
    """`broken` channels answer nothing; `crash_at` kills the notifier once at a point of its next turn."""

    rules: NotificationRules = field(default_factory=NotificationRules)
    channels: tuple[ChannelName, ...] = ALL
    now: datetime = START
    alerts: dict[str, SeenAlert] = field(default_factory=dict)
    notices: dict[str, NoticeFact] = field(default_factory=dict)
    acknowledged: dict[str, str] = field(default_factory=dict)
    deliveries: dict[str, DeliveryFact] = field(default_factory=dict)
    states: dict[str, StateRow] = field(default_factory=dict)
    journal: list[JournalLine] = field(default_factory=list)
    received: dict[ChannelName, list[Message]] = field(default_factory=lambda: {name: [] for name in ALL})
    broken: set[ChannelName] = field(default_factory=set)
    answers: dict[ChannelName, Callable[[Message], Outcome]] = field(default_factory=dict)
    crash_at: str = ""
    incarnation: int = 0
    market_ms: int = 1_000

    def __post_init__(self) -> None:
        self.begin()

    # --- the process ---

    def begin(self) -> None:
        """A new incarnation, from what is durable."""
        self.incarnation += 1
        standing = [one for one in self._rows() if one.notice and (one.notice.state != "ended" or one.notice.repeat_at)]
        undelivered = sorted(
            (one for one in self.deliveries.values() if one.ended_at is None), key=lambda one: one.number
        )
        newest = max((one.number for one in self.deliveries.values()), default=0)
        self.notifier = Notifier(
            self.rules,
            self.channels,
            INSTALLATION,
            self.incarnation,
            Restored(dict(self.states), standing, undelivered, newest),
            self.now,
        )

    def turn(self) -> None:
        """One look, with everything that is sent in it; a crash in it is followed by the next incarnation."""
        try:
            self._turn()
        except CrashError:
            self.begin()

    def run(self, seconds: float, step_s: float = 5.0) -> None:
        """Turns over some time."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.turn()
            self.now += timedelta(seconds=step_s)
        self.turn()

    def _turn(self) -> None:
        decision = self.notifier.step(self.now, self.unseen(), self.market_ms)
        if decision.outgoing:
            self._crash(POINTS[0])
        self.commit(decision)
        for one in decision.outgoing:
            self._crash(POINTS[1])
            outcome = self._send(one.channel, one.message)
            self._crash(POINTS[2])
            message_id = one.message.message_id
            self.commit(self.notifier.outcome(self.now, one.channel, message_id, outcome, self.market_ms))
            self._crash(POINTS[3])

    def _crash(self, point: str) -> None:
        if self.crash_at == point:
            self.crash_at = ""
            raise CrashError(point)

    def _send(self, name: ChannelName, message: Message) -> Outcome:
        if name in self.answers:
            return self.answers[name](message)
        if name in self.broken:
            return TryAgain("it cannot be reached")
        self.received[name].append(message)
        return Delivered(f"remote-{len(self.received[name])}")

    def commit(self, decision: Decision) -> None:
        for fact in decision.facts:
            match fact:
                case NoticeFact():
                    self.notices[fact.alert_id] = fact
                case DeliveryFact():
                    self.deliveries[fact.delivery_id] = DeliveryFact.model_validate_json(fact.model_dump_json())
                case AcknowledgementFact():
                    self.acknowledged.setdefault(fact.alert_id, fact.who)
                case AlertFact():
                    self.alerts[fact.alert_id] = seen_of(fact)
        self.states |= {row.key: row for row in decision.states}
        self.journal += decision.journal

    def _rows(self) -> list[SeenAlert]:
        return [
            replace(one, acknowledged_by=self.acknowledged.get(one.alert_id), notice=self.notices.get(one.alert_id))
            for one in self.alerts.values()
        ]

    def unseen(self) -> list[SeenAlert]:
        return [
            one
            for one in self._rows()
            if one.notice is None
            or (one.notice.state, one.notice.changes) != (one.state, one.changes)
            or (one.acknowledged_by and not one.notice.is_acknowledged)
        ]

    # --- what happens ---

    def alert(self, severity: Severity = "warning", condition: str = "exit:BTC", **changes: object) -> str:
        """A condition begins; with condition "" it is an event."""
        self.market_ms += 1_000
        alert_id = f"risk-manager:{len(self.alerts) + 1}:0"
        made = SeenAlert(
            alert_id,
            str(ActorName.RISK_MANAGER),
            condition,
            severity,
            f"Title {alert_id}",
            f"What happened at {alert_id}.",
            "open" if condition else "ended",
            0,
            self.market_ms,
            self.market_ms,
        )
        self.alerts[alert_id] = replace(made, **changes)  # type: ignore[arg-type]
        return alert_id

    def change(self, alert_id: str, severity: Severity | None = None, text: str = "") -> None:
        """The condition changes, unless it has ended."""
        one = self.alerts[alert_id]
        if one.is_standing:
            self.alerts[alert_id] = replace(
                one,
                severity=severity or one.severity,
                text=text or f"{one.text} More.",
                state="changed",
                changes=one.changes + 1,
            )

    def end(self, alert_id: str) -> None:
        """The condition ends."""
        one = self.alerts[alert_id]
        if one.is_standing:
            self.alerts[alert_id] = replace(one, state="ended", text=f"{one.text} Ended: over.")

    def acknowledge(self, alert_id: str, who: str = "ada") -> None:
        """A person acknowledges it."""
        row = next(one for one in self._rows() if one.alert_id == alert_id)
        given = Acknowledgement(alert_id=alert_id, who=who)
        self.commit(self.notifier.acknowledge(self.now, given, row, self.market_ms))

    # --- what people have ---

    def parts(self, name: ChannelName, alert_id: str) -> list[str]:
        """What was received about an alert over a channel, by its actions."""
        return [part.action for message in self.received[name] for part in message.parts if part.alert_id == alert_id]

    def count(self, name: ChannelName, alert_id: str, action: str) -> int:
        return self.parts(name, alert_id).count(action)

    def open(self) -> list[DeliveryFact]:
        """Deliveries that have not ended."""
        return [one for one in self.deliveries.values() if one.ended_at is None]


def seen_of(fact: AlertFact) -> SeenAlert:
    severity: Severity = fact.severity  # type: ignore[assignment]
    return SeenAlert(
        fact.alert_id, str(fact.actor), fact.condition, severity, fact.title, fact.text, fact.state, fact.changes,
        fact.market_ms, fact.changed_ms,
    )  # fmt: skip


def started(**changes: object) -> World:
    """A world whose notifier has run before."""
    world = World(**changes)  # type: ignore[arg-type]
    world.turn()
    return world
