"""The rules of `[notifications.rules]`: what goes over which channel, when, and how often."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from statemachines.limits.parameter_checks import Distinct
from statemachines.notifications.message import ChannelName, Severity
from statemachines.parameters import Allowed, ParameterModel, Unit
from statemachines.values import ActorName, Foundation

SENDERS = frozenset({*map(str, ActorName), str(Foundation.DEAD_MAN)})
"""Who raises alerts."""


ZONE_FORM = "a time zone of the IANA list is required, for example UTC, Europe/Berlin or Asia/Almaty"


def _sender(text: str) -> str:
    if text not in SENDERS:
        raise ValueError(f"an actor that raises alerts is required: {', '.join(sorted(SENDERS))}")
    return text


def _clock(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text, re.ASCII):
        raise ValueError("a time of day as HH:MM is required, from 00:00 to 23:59")
    return text


def _zone(text: str) -> str:
    """Its form; whether there is such a zone is looked up by the configuration, which may read files."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+/-]{0,59}", text, re.ASCII):
        raise ValueError(ZONE_FORM)
    return text


Sender = Annotated[str, Allowed("an actor, or dead-man-switch"), AfterValidator(_sender)]
ClockTime = Annotated[str, Allowed("a time of day as HH:MM"), AfterValidator(_clock)]
Zone = Annotated[str, Allowed("a time zone of the IANA list, for example Europe/Berlin"), AfterValidator(_zone)]
Fragment = Annotated[str, Field(min_length=1, max_length=100), Allowed("a text of 1 to 100 characters")]


class Route(ParameterModel):
    """An exception: where the alerts go that it describes. What it leaves out is not looked at."""

    actors: Annotated[tuple[Sender, ...], Field(max_length=40), Distinct()] = ()
    """The actors that raise them."""

    severities: Annotated[tuple[Severity, ...], Field(max_length=3), Distinct()] = ()
    """Their severities."""

    condition: Fragment | None = Field(default=None, examples=["reconciliation"])
    """A part of their condition or title, without regard to capitals."""

    channels: Annotated[tuple[ChannelName, ...], Field(max_length=4), Distinct()] = ()
    """The channels that they take; none: they are sent nowhere."""

    @model_validator(mode="after")
    def _describes_something(self) -> Route:
        if not (self.actors or self.severities or self.condition):
            raise ValueError("a route needs actors, severities or condition; without them it would take every alert")
        return self


class NotificationRules(ParameterModel):
    """What goes over which channel, when, and how often. A channel takes alerts from its least severity on."""

    telegram_from: Severity = "info"
    """The least severity that goes to Telegram (RM-5)."""

    email_from: Severity = "warning"
    """The least severity that goes out as e-mail (RM-5)."""

    pagerduty_from: Severity = "critical"
    """The least severity that becomes an incident of PagerDuty (RM-5)."""

    webhook_from: Severity = "info"
    """The least severity that goes to the webhook (RM-5)."""

    routes: Annotated[tuple[Route, ...], Field(max_length=100)] = ()
    """Exceptions; the first one that describes an alert decides where it goes."""

    quiet_from: ClockTime | None = Field(default=None, examples=["22:30"])
    """From this time of day on what is not critical waits until `quiet_until`; not set, there are no quiet hours."""

    quiet_until: ClockTime | None = Field(default=None, examples=["07:00"])
    """The end of the quiet hours; earlier than `quiet_from`, it is that of the next day."""

    time_zone: Zone = "UTC"
    """The zone of the quiet hours, and of the days of reports."""

    repeat_s: Annotated[int, Field(ge=60, le=86_400)] = 600
    """A critical alert is sent again after so long, until it is acknowledged or has ended; PagerDuty repeats by its
    own rules (RM-5)."""

    change_s: Annotated[int, Field(ge=0, le=86_400)] = 900
    """Changes of an alert that is on the way or was sent are sent at most this often, the newest text only; one that
    makes it graver is sent at once."""

    gap_s: Annotated[int, Field(ge=1, le=3_600)] = 5
    """Least time between two messages of one channel; what comes meanwhile travels together."""

    failed_tries: Annotated[int, Field(ge=1, le=100), Unit("tries")] = 3
    """After so many failed tries in a row an alert about the channel goes over the others."""

    keep_days: Annotated[int, Field(ge=1, le=365)] = 7
    """What could not be delivered for so long is not tried any more, unless it is critical or its alert stands."""

    @model_validator(mode="after")
    def _has_both_ends(self) -> NotificationRules:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValueError("quiet_from and quiet_until belong together: give both, or neither")
        if self.quiet_from is not None and self.quiet_from == self.quiet_until:
            raise ValueError(f"quiet_from and quiet_until are both {self.quiet_from}; quiet hours end at another time")
        return self

    @property
    def quiet(self) -> tuple[time, time] | None:
        """Begin and end of the quiet hours."""
        if self.quiet_from is None or self.quiet_until is None:
            return None
        return time.fromisoformat(self.quiet_from), time.fromisoformat(self.quiet_until)

    def least(self, channel: ChannelName) -> Severity:
        """The least severity that the channel takes."""
        found: Severity = getattr(self, f"{channel.value}_from")
        return found
