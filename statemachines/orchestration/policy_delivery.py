"""When a version of the policy that was recorded while the system runs goes to the actors (RM-6): between two cycles.

A cycle is decided under one version from its first step to its summary. Mutable; durable as the row `KEY`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.commands import Commands, Send
from statemachines.fsm import Row, StateMachine, Table
from statemachines.messages.control import ParametersChanged, PolicyRecorded
from statemachines.orchestration.daily_cycle import Stage

KEY = "policy-delivery"
SCHEMA = 1


class DeliveryState(StrEnum):
    """Whether a recorded version waits for the end of a cycle."""

    DELIVERED = "DELIVERED"
    RECORDED = "RECORDED"


_D = DeliveryState

DELIVERY_TABLE: Table[DeliveryState] = Table(
    KEY,
    _D.DELIVERED,
    (
        Row("record", _D.DELIVERED, _D.RECORDED, "RM-6: a version was recorded; it waits until no cycle is under way"),
        Row("record", _D.RECORDED, _D.RECORDED, "RM-6: a later version replaces the one that waits"),
        Row("deliver", _D.RECORDED, _D.DELIVERED, "RM-6: between two cycles it goes to every actor"),
    ),
    {_D.DELIVERED: "Версия политики передана", _D.RECORDED: "Версия политики ожидает конца цикла"},
)


class DeliveryMachine(StateMachine[DeliveryState]):
    """The newest version that was recorded while the system runs."""

    __slots__ = ()
    TABLE = DELIVERY_TABLE


class PolicyDelivery:
    """The newest recorded version, waiting or handed on."""

    def __init__(self) -> None:
        self._machine = DeliveryMachine(KEY)
        self._newest = 0
        self._waiting: PolicyRecorded | None = None

    @property
    def is_known(self) -> bool:
        """Whether a version was ever recorded while the system ran; without one there is no row."""
        return self._newest > 0

    def take(self, body: PolicyRecorded) -> Commands:
        """Keep it until it is due; one that is not newer changes nothing."""
        data = {"version": body.version, "who": body.who, "newest": self._newest}
        if body.version <= self._newest:
            return [self._machine.remark("repeat", f"version {body.version} was recorded before", data)]
        self._newest, self._waiting = body.version, body
        reason = (
            f"version {body.version} of {body.who} ({body.reason}) is recorded and waits for the time between cycles"
        )
        return [self._machine.fire("record", reason, data)]

    def is_due(self, stage: Stage) -> bool:
        """Whether a version waits and no cycle is under way."""
        return self._waiting is not None and stage is Stage.IDLE

    def deliver(self) -> Commands:
        """Hand the version that waits to every actor."""
        body = self._waiting
        assert body is not None
        self._waiting = None
        data = {"version": body.version, "who": body.who}
        note = self._machine.fire("deliver", f"no cycle is under way: version {body.version} goes to every actor", data)
        return [note, Send(ParametersChanged(**body.model_dump()))]

    def row(self) -> StateRow:
        """The durable row; its state is the machine's."""
        waiting = None if self._waiting is None else self._waiting.model_dump(mode="json")
        return StateRow(KEY, self._machine.state.value, SCHEMA, {"newest": self._newest, "waiting": waiting})

    def restore(self, state: str, data: Mapping[str, Any]) -> None:
        """Restore from the result of `row`."""
        waiting = data["waiting"]
        self._machine = DeliveryMachine.restored(KEY, state)
        self._newest = int(data["newest"])
        self._waiting = None if waiting is None else PolicyRecorded.model_validate(waiting)
