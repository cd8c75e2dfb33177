"""Alerts in, deliveries out: what is said about each alert, where, when, and when again (RM-5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta, tzinfo

from statemachines.facts import NoticeFact
from statemachines.notifications.message import ChannelName
from statemachines.notifications.outbox import Outbox
from statemachines.notifications.parameters import NotificationRules
from statemachines.notifications.routing import channels_of, is_critical, not_before
from statemachines.notifications.seen import SeenAlert, graver

MOST_EVENT_REPEATS = 6
"""A critical event has no end of its own: unacknowledged, it is repeated so often."""

SILENT_ON_ACKNOWLEDGE = frozenset({ChannelName.EMAIL})
"""Channels on which an acknowledgement would only be noise."""

SAYING = frozenset({"raise", "change"})


class Intake:
    """The alerts that stand or are repeated, with how far each was taken."""

    def __init__(
        self, rules: NotificationRules, configured: Collection[ChannelName], outbox: Outbox, zone: tzinfo
    ) -> None:
        self._rules = rules
        self._zone = zone
        self._configured = configured
        self._outbox = outbox
        self._notices: dict[str, NoticeFact] = {}
        self._alerts: dict[str, SeenAlert] = {}
        self._said_at: dict[str, datetime] = {}
        self._changed: dict[str, NoticeFact] = {}

    def restore(self, standing: Iterable[SeenAlert], new: Collection[ChannelName], now: datetime) -> None:
        """Take the alerts that stand. Over a channel that is `new` they are raised, too."""
        for alert in standing:
            if alert.notice is None:
                continue
            self._notices[alert.alert_id], self._alerts[alert.alert_id] = alert.notice, alert
            added = [name for name in channels_of(alert, self._rules, new) if name not in alert.notice.channels]
            if added and alert.is_standing:
                self._raise_over(added, alert, now)
                self._note(alert.notice.model_copy(update={"channels": (*alert.notice.channels, *added)}), alert)

    def take(self, alert: SeenAlert, now: datetime) -> None:
        """A version of an alert, or its acknowledgement, that was not taken yet."""
        notice = self._notices.get(alert.alert_id) or alert.notice
        if notice is None:
            notice = self._begin(alert, now)
        elif (notice.state, notice.changes) != (alert.state, alert.changes):
            notice = self._change(alert, notice, now)
        if alert.acknowledged_by is not None and not notice.is_acknowledged:
            notice = self._acknowledge(alert, notice, now)
        self._note(notice, alert)

    def settle(self, alert: SeenAlert) -> None:
        """An alert that had ended before the notifier first ran: it is not sent."""
        self._note(_notice(alert, ()).model_copy(update={"is_acknowledged": True}), alert)

    def repeat(self, now: datetime) -> None:
        """Send again what is critical, and due: at most one pause from now, also after the clock was set back."""
        latest = now + timedelta(seconds=self._rules.repeat_s)
        for notice in [one for one in self._notices.values() if one.repeat_at is not None and one.repeat_at > latest]:
            self._note(notice.model_copy(update={"repeat_at": latest}), self._alerts[notice.alert_id])
        for notice in [one for one in self._notices.values() if one.repeat_at is not None and one.repeat_at <= now]:
            alert = self._alerts[notice.alert_id]
            count = notice.repeats + 1
            for name in self._repeated(notice):
                if not self._outbox.is_pending(alert.alert_id, name):  # it waits for the channel already
                    self._outbox.add(alert, name, "repeat", now, now, count=count)
            is_last = alert.is_event and count >= MOST_EVENT_REPEATS
            again = None if is_last else now + timedelta(seconds=self._rules.repeat_s)
            self._note(notice.model_copy(update={"repeats": count, "repeat_at": again}), alert)

    @property
    def standing(self) -> frozenset[str]:
        """The alerts that have not ended."""
        return frozenset(key for key, one in self._alerts.items() if one.is_standing)

    def taken(self) -> list[NoticeFact]:
        """The rows since the last call."""
        facts, self._changed = list(self._changed.values()), {}
        return facts

    # --- what happens to an alert ---

    def _begin(self, alert: SeenAlert, now: datetime) -> NoticeFact:
        names = channels_of(alert, self._rules, self._configured)
        self._raise_over(names, alert, now)
        is_over = not alert.is_standing and not alert.is_event
        if is_over and ChannelName.PAGERDUTY in names:
            self._outbox.add(alert, ChannelName.PAGERDUTY, "resolve", now, now)
        notice = _notice(alert, names)
        if is_over or not is_critical(alert):
            return notice
        return notice.model_copy(update={"repeat_at": self._first_repeat(notice, now)})

    def _change(self, alert: SeenAlert, notice: NoticeFact, now: datetime) -> NoticeFact:
        if not alert.is_standing:
            return self._end(alert, notice, now)
        is_graver = graver(alert.severity, notice.severity)
        for name in self._channels(notice):
            self._say_change(alert, name, now, is_graver=is_graver)
        added = tuple(name for name in channels_of(alert, self._rules, self._configured) if name not in notice.channels)
        if is_graver:
            self._raise_over(added, alert, now)
        changed = notice.model_copy(
            update={
                "severity": alert.severity,
                "state": alert.state,
                "changes": alert.changes,
                "channels": (*notice.channels, *added) if is_graver else notice.channels,
            }
        )
        if not is_critical(alert) or notice.is_acknowledged:
            return changed.model_copy(update={"repeat_at": None})
        return changed.model_copy(update={"repeat_at": notice.repeat_at or self._first_repeat(changed, now)})

    def _say_change(self, alert: SeenAlert, name: ChannelName, now: datetime, *, is_graver: bool) -> None:
        if name is ChannelName.PAGERDUTY and not is_graver:
            return  # an open incident keeps the text that it began with
        at = self._not_before(alert, now)
        waiting = self._outbox.unsent(alert.alert_id, name, SAYING)
        if waiting is not None:
            self._outbox.rewrite(waiting, alert, at if is_graver else None)
            return
        said_at = self._said_at.get(alert.alert_id)
        if said_at is not None and not is_graver:
            at = max(at, min(said_at, now) + timedelta(seconds=self._rules.change_s))
        self._outbox.add(alert, name, "change", now, at)
        self._said_at[alert.alert_id] = at

    def _end(self, alert: SeenAlert, notice: NoticeFact, now: datetime) -> NoticeFact:
        self._outbox.expire(alert.alert_id, ("change", "repeat"), now, "the alert has ended")
        for name in self._channels(notice):
            waiting = self._outbox.unsent(alert.alert_id, name, ("raise",))
            if waiting is not None and name is not ChannelName.PAGERDUTY:
                self._outbox.rewrite(waiting, alert)  # one message says that it began and ended
            else:
                self._outbox.add(alert, name, "resolve", now, self._not_before(alert, now))
        return notice.model_copy(update={"state": alert.state, "changes": alert.changes, "repeat_at": None})

    def _acknowledge(self, alert: SeenAlert, notice: NoticeFact, now: datetime) -> NoticeFact:
        self._outbox.expire(alert.alert_id, ("repeat",), now, f"acknowledged by {alert.acknowledged_by}")
        if alert.is_standing or alert.is_event:
            for name in self._channels(notice):
                if name not in SILENT_ON_ACKNOWLEDGE:
                    text = f"Acknowledged by {alert.acknowledged_by}; it is not repeated any more."
                    at = self._not_before(alert, now)
                    self._outbox.add(alert, name, "acknowledge", now, at, text=text)
        return notice.model_copy(update={"is_acknowledged": True, "repeat_at": None})

    # --- inside ---

    def _not_before(self, alert: SeenAlert, now: datetime) -> datetime:
        return not_before(self._rules, alert.severity, now, self._zone)

    def _raise_over(self, names: Iterable[ChannelName], alert: SeenAlert, now: datetime) -> None:
        at = self._not_before(alert, now)
        for name in names:
            self._outbox.add(alert, name, "raise", now, at)
            self._said_at[alert.alert_id] = at

    def _repeated(self, notice: NoticeFact) -> list[ChannelName]:
        return [name for name in self._channels(notice) if name is not ChannelName.PAGERDUTY]

    def _channels(self, notice: NoticeFact) -> list[ChannelName]:
        return [name for name in ChannelName if name in notice.channels and name in self._configured]

    def _first_repeat(self, notice: NoticeFact, now: datetime) -> datetime | None:
        return now + timedelta(seconds=self._rules.repeat_s) if self._repeated(notice) else None

    def _note(self, notice: NoticeFact, alert: SeenAlert) -> None:
        self._changed[notice.alert_id] = notice
        if notice.state == "ended" and notice.repeat_at is None:
            for kept in (self._notices, self._alerts, self._said_at):
                kept.pop(notice.alert_id, None)
        else:
            self._notices[notice.alert_id], self._alerts[notice.alert_id] = notice, alert


def _notice(alert: SeenAlert, names: Iterable[ChannelName]) -> NoticeFact:
    return NoticeFact.model_validate(
        {
            "alert_id": alert.alert_id,
            "severity": alert.severity,
            "state": alert.state,
            "changes": alert.changes,
            "channels": tuple(map(str, names)),
            "is_acknowledged": False,
            "repeats": 0,
            "repeat_at": None,
        }
    )
