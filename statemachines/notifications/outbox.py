"""The deliveries that have not ended: what is to be sent over each channel, in which messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from statemachines.commands import JournalEntry
from statemachines.facts import DeliveryFact
from statemachines.notifications.delivery import Delivery, DeliveryState
from statemachines.notifications.message import (
    GROUPS,
    SEVERITIES,
    Action,
    ChannelName,
    Message,
    Part,
    Severity,
)
from statemachines.notifications.report import Report
from statemachines.notifications.seen import SeenAlert

WHOLE = frozenset({ChannelName.PAGERDUTY, ChannelName.WEBHOOK})
"""Channels for programs: every alert has a part of its own there, however many there are."""


class Outbox:
    """`installation` makes numbers unique among systems that write to the same people; `number` is that of the newest
    delivery."""

    def __init__(self, installation: str, number: int) -> None:
        self._installation = installation
        self._number = number
        self._open: dict[str, Delivery] = {}
        self._about: defaultdict[tuple[str, str], list[Delivery]] = defaultdict(list)
        """The same by alert and channel: a storm has thousands of alerts, and each is looked for."""
        self._changed: dict[str, Delivery] = {}
        self._failed: dict[str, str] = {}
        """The kind of message that has failed last over each channel, since one was delivered."""
        self._alone: dict[str, int] = {}
        """Deliveries that were refused together with others, with their tries until then: which of them is meant is
        seen when each goes alone."""
        self.journal: list[JournalEntry] = []

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Delivery]:
        return iter(list(self._open.values()))

    # --- what is added ---

    def add(
        self,
        alert: SeenAlert,
        channel: ChannelName,
        action: Action,
        now: datetime,
        next_at: datetime,
        *,
        text: str | None = None,
        count: int = 0,
    ) -> None:
        """Something about an alert is to be said over a channel. `count` distinguishes what is said repeatedly."""
        key = f"{self._installation}:{alert.alert_id}"
        self._add(
            DeliveryFact(
                delivery_id=f"{alert.alert_id}/{action}.{count or alert.changes}/{channel}",
                number=self._next(),
                kind="alert",
                channel=channel,
                action=action,
                alert_id=alert.alert_id,
                dedup_key=key,
                severity=alert.severity,
                title=alert.title,
                text=alert.text if text is None else text,
                state=DeliveryState.WAITING,
                market_ms=alert.changed_ms,
                created_at=now,
                next_at=next_at,
            )
        )

    def add_report(self, report: Report, channel: ChannelName, now: datetime) -> None:
        """A report is to be sent over a channel."""
        self._add(
            DeliveryFact(
                delivery_id=report.delivery_id(channel),
                number=self._next(),
                kind="report",
                channel=channel,
                action="report",
                alert_id="",
                dedup_key=f"{self._installation}:report:{report.key}",
                severity="info",
                title=report.title,
                text=report.text,
                html=report.html,
                state=DeliveryState.WAITING,
                market_ms=report.market_ms,
                created_at=now,
                next_at=now,
            )
        )

    def restore(self, facts: Iterable[DeliveryFact], configured: Collection[ChannelName], now: datetime) -> None:
        """Take the deliveries that have not ended. Those that were under way may have arrived: they are sent again.
        Those of a channel that is not configured any more have their end."""
        for fact in facts:
            one = self._opened(fact)
            if one.state is DeliveryState.SENDING:
                reason = "the notifier ended before the outcome was committed; sent again under the same number"
                self._fire(one, "lose", reason, reason=reason)
            if fact.channel not in configured:
                self._expire(one, now, f"{fact.channel} is no longer configured")

    # --- what is waiting ---

    def unsent(self, alert_id: str, channel: str, actions: Collection[str]) -> Delivery | None:
        """The newest delivery about the alert that was never tried yet, of these actions."""
        found = [
            one
            for one in self._about.get((alert_id, channel), ())
            if one.fact.action in actions and one.state is DeliveryState.WAITING
        ]
        return max(found, key=lambda one: one.fact.number, default=None)

    def is_pending(self, alert_id: str, channel: str) -> bool:
        """Whether anything about the alert is still to be delivered over the channel."""
        return bool(self._about.get((alert_id, channel)))

    def critical(self, channel: str) -> list[Delivery]:
        """Critical alerts that are not delivered over the channel yet."""
        return [one for one in self._open.values() if one.fact.channel == channel and one.fact.severity == "critical"]

    def rewrite(self, one: Delivery, alert: SeenAlert, next_at: datetime | None = None) -> None:
        """A delivery that was never tried gets the alert's newest text."""
        changes = {} if next_at is None else {"next_at": min(next_at, one.fact.next_at)}
        one.rewrite(severity=alert.severity, title=alert.title, text=alert.text, **changes)
        self._changed[one.fact.delivery_id] = one

    def expire(self, alert_id: str, actions: Collection[str], now: datetime, reason: str) -> None:
        """What is not under way of these actions about the alert need not be sent any more."""
        for channel in ChannelName:
            for one in self._about.get((alert_id, channel), ()):
                if one.fact.action in actions and one.is_unsent:
                    self._expire(one, now, reason)

    def expire_old(self, now: datetime, keep_days: int, standing: Collection[str]) -> None:
        """What could not be delivered for so long is not tried any more; what is critical, or about an alert that
        still stands, is: age alone may be due to a clock that is ahead for a while."""
        oldest = now - timedelta(days=keep_days)
        for one in self:
            is_kept = one.fact.severity == "critical" or one.fact.alert_id in standing
            if one.fact.created_at < oldest and one.is_unsent and not is_kept:
                self._expire(one, now, f"it could not be delivered within {keep_days} days")

    # --- sending ---

    def send(self, channel: ChannelName, now: datetime) -> Message | None:
        """The next message over a channel, of all that is due; None when nothing is. Its deliveries are under way."""
        due = [one for one in self._open.values() if one.fact.channel == channel and one.is_due(now)]
        if not due:
            return None
        due.sort(key=lambda one: one.fact.number)
        group = _group(due, channel, self._failed.get(channel, ""), self._alone)
        first = group[0].fact
        message_id = first.message_id or f"{self._installation}-{first.number}-{first.attempts + 1}"
        for one in group:
            told = f"message {message_id} over {channel} with {len(group)} deliveries, try {one.fact.attempts + 1}"
            self._fire(one, "send", told, message_id=message_id, attempts=one.fact.attempts + 1)
        most = len(group) if channel in WHOLE else GROUPS[channel]
        parts = tuple(_part(one.fact) for one in group[:most])
        return Message(message_id, first.kind, parts, first.html, omitted=len(group) - len(parts))

    def under_way(self, message_id: str) -> list[Delivery]:
        """The deliveries of a message that was sent."""
        return [
            one
            for one in self._open.values()
            if one.fact.message_id == message_id and one.state is DeliveryState.SENDING
        ]

    def delivered(self, message_id: str, remote_id: str, now: datetime) -> None:
        """The channel has taken the message. A report's body is kept no longer."""
        for one in self.under_way(message_id):
            self._failed.pop(one.fact.channel, None)
            reason = f"delivered at try {one.fact.attempts}"
            self._fire(one, "deliver", reason, remote_id=remote_id, ended_at=now, html=None, reason="")

    def failed(self, message_id: str, reason: str) -> None:
        """The message is to be sent again, with what has come meanwhile."""
        for one in self.under_way(message_id):
            self._failed[one.fact.channel] = one.fact.kind
            self._fire(one, "fail", reason, reason=reason, message_id="")

    def refused(self, message_id: str, reason: str, now: datetime) -> bool:
        """The message would be refused again; whether that is its end. The alerts of a group are sent again alone."""
        group = self.under_way(message_id)
        if len(group) > 1:
            self._alone |= {one.fact.delivery_id: one.fact.attempts for one in group}
            self.failed(message_id, f"refused in a message of {len(group)}, sent again alone: {reason}")
            return False
        for one in group:
            self._fire(one, "refuse", reason, reason=reason, ended_at=now)
        return True

    def taken(self) -> tuple[list[DeliveryFact], list[JournalEntry]]:
        """The rows and the lines of the journal since the last call."""
        facts, journal = [one.fact for one in self._changed.values()], self.journal
        for one in self._changed.values():
            if one.fact.ended_at is not None:
                self._close(one)
        self._alone = {key: tries for key, tries in self._alone.items() if key in self._open}
        self._changed, self.journal = {}, []
        return facts, journal

    # --- inside ---

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _add(self, fact: DeliveryFact) -> None:
        self._changed[fact.delivery_id] = self._opened(fact)

    def _opened(self, fact: DeliveryFact) -> Delivery:
        if (before := self._open.get(fact.delivery_id)) is not None:
            self._close(before)
        one = self._open[fact.delivery_id] = Delivery(fact)
        self._about[fact.alert_id, fact.channel].append(one)
        return one

    def _close(self, one: Delivery) -> None:
        key = one.fact.alert_id, one.fact.channel
        self._open.pop(one.fact.delivery_id, None)
        self._about[key] = [other for other in self._about[key] if other is not one]
        if not self._about[key]:
            del self._about[key]

    def _expire(self, one: Delivery, now: datetime, reason: str) -> None:
        self._fire(one, "expire", reason, reason=reason, ended_at=now)

    def _fire(self, one: Delivery, trigger: str, why: str, **changes: object) -> None:
        self.journal.append(one.fire(trigger, why, **changes))
        self._changed[one.fact.delivery_id] = one


def _group(due: list[Delivery], channel: ChannelName, failed: str, alone: Mapping[str, int]) -> list[Delivery]:
    """What travels together: after a crash the same as before it; else the alerts of this moment, the gravest first; a
    report alone, after them. What has `failed` last gives way to the other kind: neither can hold the other up. An
    alert that was refused with others goes `alone`; where that has failed, after those that were not.
    Of more alerts than fit, those that are not critical are only counted, on channels for people."""
    lost = next((one.fact.message_id for one in due if one.fact.message_id), "")
    if lost:
        due = [one for one in due if one.fact.message_id == lost]
        return due if channel in WHOLE else sorted(due, key=_rank)
    reports, alerts = ([one for one in due if one.fact.kind == kind] for kind in ("report", "alert"))
    if reports and (not alerts or failed == "alert"):
        return [min(reports, key=lambda one: (one.fact.attempts, one.fact.number))]
    most = GROUPS[channel]
    first = min(alerts, key=lambda one: (_tries(one, alone), *_rank(one)))
    if first.fact.delivery_id in alone:
        return [first]
    alerts = [one for one in alerts if one.fact.delivery_id not in alone]
    if channel in WHOLE:
        return alerts[:most]
    alerts.sort(key=_rank)
    critical = [one for one in alerts if one.fact.severity == "critical"]
    return critical[:most] if len(critical) >= most else alerts


def _tries(one: Delivery, alone: Mapping[str, int]) -> int:
    """How often it failed alone; 0 for one that travels with others."""
    return one.fact.attempts - alone.get(one.fact.delivery_id, one.fact.attempts)


def _rank(one: Delivery) -> tuple[int, int]:
    fact = one.fact
    gravity = SEVERITIES.index(fact.severity) if fact.severity in SEVERITIES else len(SEVERITIES)
    return -gravity, fact.number


def _part(fact: DeliveryFact) -> Part:
    severity: Severity = next((one for one in SEVERITIES if one == fact.severity), "critical")
    actor = fact.alert_id.partition(":")[0]
    return Part(fact.alert_id, fact.dedup_key, fact.action, severity, fact.title, fact.text, actor, fact.market_ms)
