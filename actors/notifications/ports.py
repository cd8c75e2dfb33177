"""What the notifier needs from outside: the database's alerts, and the channels to people. `infra` implements them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Protocol

from statemachines.facts import DeliveryFact
from statemachines.notifications.message import ChannelName, Message, Outcome
from statemachines.notifications.parameters import NotificationRules
from statemachines.notifications.seen import SeenAlert


class ChannelPort(Protocol):
    """A way to people. It is used by one thread at a time, and never twice at once."""

    def send(self, message: Message) -> Outcome:
        """Send one message; blocks, for a bounded time. What goes wrong is an outcome; reasons hold no secret."""
        ...


class NotificationBook(Protocol):
    """The alerts in the database, and how far each was taken. Every method raises StoreUnavailableError."""

    def alert(self, alert_id: str) -> SeenAlert | None:
        """One alert; None when there is none of this number."""
        ...

    def unseen(self, limit: int) -> Sequence[SeenAlert]:
        """Alerts of which a version, or the acknowledgement, was not taken yet, oldest first: whenever they were
        committed."""
        ...

    def unseen_recent(self, limit: int) -> Sequence[SeenAlert]:
        """The same among the newest alerts alone, at a cost that does not grow with their number."""
        ...

    def standing(self) -> Sequence[SeenAlert]:
        """Alerts that were taken and have not ended, or are to be repeated."""
        ...

    def undelivered(self) -> Sequence[DeliveryFact]:
        """Deliveries that have not ended, oldest first."""
        ...

    def newest_number(self) -> int:
        """The number of the newest delivery; 0 before the first."""
        ...

    def market_ms(self) -> int:
        """The newest market time of any actor."""
        ...

    def is_recorded(self, delivery_id: str) -> bool:
        """Whether there is a delivery of this id, ended or not."""
        ...


@dataclass(frozen=True, slots=True)
class NotifierParts:
    """What the notifier is made of."""

    book: NotificationBook
    rules: NotificationRules
    installation: str
    zone: tzinfo = UTC
    channels: Mapping[ChannelName, ChannelPort] = field(default_factory=dict)
