"""One message to people over one channel, as a machine: committed before it is sent, and what came of it after."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from statemachines.commands import JournalEntry
from statemachines.facts import DeliveryFact
from statemachines.fsm import Row, StateMachine, Table


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "WAITING"
    SENDING = "SENDING"
    RETRY = "RETRY"
    DELIVERED = "DELIVERED"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"


_D = DeliveryState
_SEND = "RM-5: committed before it is sent, so that none is lost by a crash"
_EXPIRE = "too old, settled otherwise, or its channel is no longer configured"

DELIVERY_TABLE: Table[DeliveryState] = Table(
    "notification",
    _D.WAITING,
    (
        Row("send", _D.WAITING, _D.SENDING, _SEND),
        Row("send", _D.RETRY, _D.SENDING, _SEND),
        Row("deliver", _D.SENDING, _D.DELIVERED, "the channel has taken it"),
        Row("fail", _D.SENDING, _D.RETRY, "the channel failed or did not answer; it is sent again under this number"),
        # Whether it had left before the crash is not known: at least once, with the number of before.
        Row("lose", _D.SENDING, _D.RETRY, "the notifier ended before the outcome was committed"),
        Row("refuse", _D.SENDING, _D.REFUSED, "the channel would refuse this message again"),
        Row("expire", _D.WAITING, _D.EXPIRED, _EXPIRE),
        Row("expire", _D.RETRY, _D.EXPIRED, _EXPIRE),
    ),
    {
        _D.WAITING: "Ожидает отправки",
        _D.SENDING: "Отправляется",
        _D.RETRY: "Ожидает повтора",
        _D.DELIVERED: "Доставлено",
        _D.REFUSED: "Отклонено каналом",
        _D.EXPIRED: "Устарело",
    },
)

CLOCK_STEP = timedelta(hours=1)
"""A clock that is set back by less delays what was to wait by no more."""

UNSENT = frozenset({_D.WAITING, _D.RETRY})
"""States in which it may be sent."""


class DeliveryMachine(StateMachine[DeliveryState]):
    """Bookkeeping: what becomes of a message depends on networks."""

    __slots__ = ()
    TABLE = DELIVERY_TABLE
    IS_BOOKKEEPING = True


class Delivery:
    """A delivery with its row, which follows the machine."""

    __slots__ = ("_machine", "fact")

    def __init__(self, fact: DeliveryFact) -> None:
        self.fact = fact
        self._machine = DeliveryMachine.restored(fact.delivery_id, fact.state)

    @property
    def state(self) -> DeliveryState:
        """Where it stands."""
        return self._machine.state

    @property
    def is_unsent(self) -> bool:
        """Whether it may be sent."""
        return self.state in UNSENT

    def is_due(self, now: datetime) -> bool:
        """Whether it may be sent now. One that was made in the future is due to a clock that was ahead for a while: it
        does not wait for that time; what was to wait, as in quiet hours, leaves when the clock was ahead by far."""
        made, held = self.fact.created_at, self.fact.next_at > self.fact.created_at
        is_of_the_future = made > now + CLOCK_STEP if held else made > now
        return self.is_unsent and (self.fact.next_at <= now or is_of_the_future)

    def fire(self, trigger: str, why: str, **changes: Any) -> JournalEntry:
        """Move along the table; `changes` are of the row. Raises IllegalTransitionError."""
        data = {"channel": self.fact.channel, "alert_id": self.fact.alert_id, "attempts": self.fact.attempts}
        entry = self._machine.fire(trigger, why, data)
        self.fact = self.fact.model_copy(update={"state": self.state.value, **changes})
        return entry

    def rewrite(self, **changes: Any) -> None:
        """Change the row of a delivery that was not sent yet."""
        self.fact = self.fact.model_copy(update=changes)
