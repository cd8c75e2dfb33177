"""Where an alert goes, and not before when."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta, tzinfo

from statemachines.notifications.message import ChannelName, Severity
from statemachines.notifications.parameters import NotificationRules, Route
from statemachines.notifications.seen import SeenAlert, graver
from statemachines.values import ActorName

CHANNEL_CONDITION = "channel:"
"""What the condition of an alert about a channel begins with; the channel's name follows."""


def channels_of(
    alert: SeenAlert, rules: NotificationRules, configured: Collection[ChannelName]
) -> tuple[ChannelName, ...]:
    """The channels that take the alert, of those that are configured, in their order."""
    if (failing := failing_channel(alert)) is not None:
        return tuple(
            name
            for name in ChannelName
            if name in configured and name != failing and (name is not ChannelName.PAGERDUTY or is_critical(alert))
        )
    route = next((one for one in rules.routes if describes(one, alert)), None)
    if route is not None:
        return tuple(name for name in ChannelName if name in configured and name in route.channels)
    return tuple(name for name in ChannelName if name in configured and not graver(rules.least(name), alert.severity))


def failing_channel(alert: SeenAlert) -> str | None:
    """The channel that an alert of ours is about; None for every other alert."""
    if alert.actor != ActorName.NOTIFIER or not alert.condition.startswith(CHANNEL_CONDITION):
        return None
    return alert.condition.removeprefix(CHANNEL_CONDITION)


def describes(route: Route, alert: SeenAlert) -> bool:
    """Whether a route is about this alert."""
    sought = (route.condition or "").casefold()
    return (
        (not route.actors or alert.actor in route.actors)
        and (not route.severities or alert.severity in route.severities)
        and (sought in alert.condition.casefold() or sought in alert.title.casefold())
    )


def is_critical(alert: SeenAlert) -> bool:
    """Whether it ignores quiet hours and is repeated."""
    return alert.severity == "critical"


def not_before(rules: NotificationRules, severity: Severity, now: datetime, zone: tzinfo) -> datetime:
    """When a message of this severity may leave: now, or at the end of the quiet hours, which are of `zone`."""
    if rules.quiet is None or severity == "critical":
        return now
    begin, end = rules.quiet
    local = now.astimezone(zone)
    clock = local.time().replace(tzinfo=None)
    is_quiet = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not is_quiet:
        return now
    day = local.date() if clock < end else local.date() + timedelta(days=1)
    return max(now, datetime.combine(day, end, zone).astimezone(UTC))
