"""The version in force at one actor and the one that waits: what its row holds, and every decision about it (RM-6).

A version arrives as a message and is kept in that message's commit. It comes into force in a later commit of its own,
once no request to the exchange is under way: its answer belongs to the logic that asked. A crash between the two leaves
the version before in force and the new one waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from statemachines.actor_logic import StateRow
from statemachines.commands import Alert, AlertEnded, Commands
from statemachines.messages.control import ParametersChanged
from statemachines.messages.envelope import Envelope
from statemachines.policy.machine import PolicyMachine, PolicyState
from statemachines.state_store import UnreadableRowError
from statemachines.values import ActorName

KEY = "policy"
"""The key of the row, beside those of the actor's logic, and of its machine."""

SCHEMA = 1
CONDITION = "policy:refused"


class Version(NamedTuple):
    """A version as one actor holds it. `policy` None: that of the configuration that the system was started with.
    `cause` and `trace` are those of the message that brought it."""

    number: int
    policy: Mapping[str, Any] | None = None
    who: str = ""
    reason: str = ""
    cause: str = ""
    trace: str = ""


def policy_of(states: Mapping[str, StateRow]) -> Mapping[str, Any] | None:
    """The policy in force at the actor of these rows; None: that of the configuration."""
    row = states.get(KEY)
    found: Mapping[str, Any] | None = None if row is None else row.data["current"]["policy"]
    return found


class HeldPolicy:
    """Mutable; durable as the row `KEY`. `started` is the number of the version that the system was started with."""

    def __init__(self, actor: ActorName, started: int) -> None:
        self._actor = actor
        self._machine = PolicyMachine(KEY)
        self.current = Version(started)
        self.next: Version | None = None
        self.refused: int | None = None
        """The newest version that this actor could not take."""

        self.is_dirty = True

    def restore(self, row: StateRow) -> None:
        """Take up what the actor's last incarnation held: the newer of its version and of the system's start.

        Raises:
            UnreadableRowError: the row is not one of this version of the program.
        """
        try:
            if row.schema != SCHEMA:
                raise ValueError(f"schema {row.schema}; this version reads {SCHEMA}")
            current, following = _version(row.data["current"]), _version(row.data["next"])
            assert current is not None
            machine, refused = PolicyMachine.restored(KEY, row.state), row.data["refused"]
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise UnreadableRowError(f"row {KEY!r} of {self._actor} cannot be read: {error}") from error
        if current.number <= self.current.number:
            # The system's start has this version or a later one: so do all others.
            current = self.current
        if following is not None and following.number <= current.number:
            following, machine = None, PolicyMachine(KEY)
        self.current, self.next, self._machine, self.refused = current, following, machine, refused
        self.is_dirty = self.row() != row

    @property
    def is_waiting(self) -> bool:
        """Whether a version waits to come into force."""
        return self._machine.state is PolicyState.WAITING

    def take(self, message: Envelope) -> Commands:
        """Keep a version until it can come into force; one that is not newer changes nothing."""
        body = message.body
        assert isinstance(body, ParametersChanged)
        newest = self.current.number if self.next is None else self.next.number
        data = {"version": body.version, "who": body.who, "newest": newest}
        if body.version <= newest:
            return [self._machine.remark("repeat", f"version {body.version} is not newer than {newest}", data)]
        self.next = Version(body.version, body.policy, body.who, body.reason, message.id, message.trace or message.id)
        self.is_dirty = True
        reason = f"version {body.version} of {body.who} ({body.reason}) waits; {self.current.number} is in force"
        return [self._machine.fire("take", reason, data)]

    def apply(self) -> Commands:
        """The version that waits is in force from this commit on."""
        assert self.next is not None
        before, self.current, self.next = self.current.number, self.next, None
        self.refused, self.is_dirty = None, True
        now = self.current
        reason = f"version {now.number} of {now.who} ({now.reason}) is in force; before it {before}"
        data = {"version": now.number, "who": now.who, "before": before}
        return [self._machine.fire("apply", reason, data), AlertEnded(CONDITION, f"version {now.number} is in force.")]

    def refuse(self, why: str) -> Commands:
        """The version that waits does not fit the actor's state: the one before stays in force."""
        assert self.next is not None
        refused, self.next = self.next, None
        self.refused, self.is_dirty = refused.number, True
        now = self.current.number
        text = (
            f"{self._actor} cannot apply policy version {refused.number} of {refused.who}: {why.rstrip('.')}. It "
            f"continues with version {now}. Correct the setting with `eternal policy set`, or return with `eternal "
            f"policy rollback {now}`; until then the next start of the system fails on the same point."
        )
        data = {"version": refused.number, "who": refused.who, "in_force": now}
        return [
            self._machine.fire("refuse", text, data),
            Alert("critical", "A policy version cannot be applied", text, CONDITION),
        ]

    def row(self) -> StateRow:
        """The durable row; its state is the machine's."""
        data = {"current": _data(self.current), "next": _data(self.next), "refused": self.refused}
        return StateRow(KEY, self._machine.state.value, SCHEMA, data)


def _data(version: Version | None) -> dict[str, Any] | None:
    return None if version is None else version._asdict()


def _version(data: Any) -> Version | None:
    return None if data is None else Version(**data)
