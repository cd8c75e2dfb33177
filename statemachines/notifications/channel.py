"""A channel as a machine: it works, fails, or is down, which is reported over the others; with its pace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.backoff import Backoff
from statemachines.commands import JournalEntry
from statemachines.fsm import Row, StateMachine, Table
from statemachines.notifications.message import MOST_OF_REASON, ChannelName

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
PAUSES = Backoff((5.0, 15.0, 30.0), 600.0)
"""Between failed tries of one channel."""

LONGEST_PACE_S = 3_600.0
"""A receiver that asks for a longer pause than this is asked again after it."""

PREFIX = "channel:"


class ChannelState(StrEnum):
    """How a channel is."""

    WORKING = "WORKING"
    FAILING = "FAILING"
    DOWN = "DOWN"


_C = ChannelState
_AGAIN = "a message was delivered over it"

CHANNEL_TABLE: Table[ChannelState] = Table(
    "channel",
    _C.WORKING,
    (
        Row("fail", _C.WORKING, _C.FAILING, "a message could not be delivered; it is tried again with growing pauses"),
        Row("fail", _C.FAILING, _C.FAILING, "a further one in a row"),
        Row("fail", _C.DOWN, _C.DOWN, "it stays down, and is tried on"),
        Row("give_up", _C.WORKING, _C.DOWN, "RM-5: so many tries failed in a row that the other channels report it"),
        Row("give_up", _C.FAILING, _C.DOWN, "RM-5: so many tries failed in a row that the other channels report it"),
        Row("deliver", _C.FAILING, _C.WORKING, _AGAIN),
        Row("deliver", _C.DOWN, _C.WORKING, _AGAIN),
    ),
    {_C.WORKING: "Работает", _C.FAILING: "Сбой", _C.DOWN: "Не работает"},
)


class ChannelMachine(StateMachine[ChannelState]):
    """Bookkeeping: whether a channel works depends on networks."""

    __slots__ = ()
    TABLE = CHANNEL_TABLE
    IS_BOOKKEEPING = True


class Channel:
    """One configured channel: its machine, and when it may be used next."""

    def __init__(self, name: ChannelName) -> None:
        self.name = name
        self._machine = ChannelMachine(name.value)
        self.failures = 0
        self.next_at = LONG_AGO
        self.last_error = ""
        self.delivered_at: datetime | None = None
        self.delivered = 0
        self.refused = ""
        """What it has refused for good since it last took a message; "" for nothing. It is reported over the others."""
        self.sending = ""
        """The message that is under way; "" when there is none. After a crash none is."""

    @property
    def state(self) -> ChannelState:
        """How it is."""
        return self._machine.state

    def is_free(self, now: datetime) -> bool:
        """Whether a message may be sent now. An instant further away than the longest pause is due to a clock that was
        ahead for a while."""
        is_paused = now < self.next_at <= now + timedelta(seconds=LONGEST_PACE_S)
        return not self.sending and not is_paused

    def took(self, now: datetime, gap_s: float) -> list[JournalEntry]:
        """A message was delivered."""
        self.delivered_at, self.delivered = now, self.delivered + 1
        self.next_at = now + timedelta(seconds=gap_s)
        self.failures, self.last_error, self.refused = 0, "", ""
        if self.state is _C.WORKING:
            return []
        return [self._machine.fire("deliver", f"{self.name} has taken a message again", {})]

    def slowed(self, now: datetime, after_s: float, reason: str) -> None:
        """It works, and its receiver asks for a pause."""
        self.next_at = now + timedelta(seconds=min(max(after_s, 1.0), LONGEST_PACE_S))
        self.last_error = reason[:MOST_OF_REASON]

    def failed(self, now: datetime, reason: str, after_s: float | None, most: int) -> list[JournalEntry]:
        """A try has failed; after `most` in a row the channel is down."""
        self.failures += 1
        self.last_error = reason[:MOST_OF_REASON]
        pause_s = max(PAUSES.pause_s(self.failures), min(after_s or 0.0, LONGEST_PACE_S))
        self.next_at = now + timedelta(seconds=pause_s)
        is_enough = self.failures >= most and self.state is not _C.DOWN
        told = f"{self.name} has failed {self.failures} times in a row: {self.last_error}"
        return [self._machine.fire("give_up" if is_enough else "fail", told, {"failures": self.failures})]

    # --- durable form ---

    def row(self) -> StateRow:
        """The row in its current form."""
        data = {
            "failures": self.failures,
            "next_at": self.next_at.isoformat(),
            "last_error": self.last_error,
            "delivered_at": None if self.delivered_at is None else self.delivered_at.isoformat(),
            "delivered": self.delivered,
        }
        return StateRow(f"{PREFIX}{self.name}", self.state.value, 1, data)

    @classmethod
    def restored(cls, name: ChannelName, row: StateRow) -> Channel:
        """The channel as its row has it."""
        made, data = cls(name), dict(row.data)
        made._machine = ChannelMachine.restored(name.value, row.state)
        made.failures, made.delivered = int(data["failures"]), int(data["delivered"])
        made.last_error = str(data["last_error"])
        made.next_at = datetime.fromisoformat(data["next_at"])
        made.delivered_at = _instant(data, "delivered_at")
        return made


def _instant(data: Mapping[str, Any], name: str) -> datetime | None:
    return None if data[name] is None else datetime.fromisoformat(data[name])
