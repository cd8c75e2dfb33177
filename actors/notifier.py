"""The notifier as a supervised actor: it sends alerts to people and records acknowledgements (RM-5, IF-4).

It works by wall time, takes no messages of other actors and no part in lockstep: no decision waits for it or depends
on it. Without a channel it only records acknowledgements.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from actors.runtime.actor import in_group, shown
from actors.runtime.spec import ActorSpec, MachineSpec, Stage
from statemachines.values import ActorName

if TYPE_CHECKING:
    from actors.notifications.worker import NotifierWorker
    from actors.runtime.ray_runtime import Assembly
    from statemachines.fsm import Table


class Notifier:
    """Alerts to people over Telegram, e-mail, PagerDuty and a webhook."""

    def __init__(self, assembly: Assembly, name: str) -> None:
        self._assembly = assembly
        self._name = ActorName(name)
        self._epoch = 0
        self._worker: NotifierWorker | None = None

    def __repr__(self) -> str:
        return shown(self.health())

    def start(self, epoch: int, now_ms: int) -> None:
        """Begin as incarnation `epoch`; errors reach the supervisor."""
        from actors.notifications.worker import NotifierWorker
        from actors.runtime.ray_runtime import end_process

        parts = self._assembly.notifier()
        worker = NotifierWorker(self._assembly.store(self._name), parts, epoch, end_process)
        worker.start()
        self._epoch, self._worker = epoch, worker

    @in_group("operator")
    def acknowledge(self, body: dict[str, Any], natural_id: str) -> None:
        """An acknowledgement from a way in; returns once it is committed. A repeat is harmless."""
        from statemachines.notifications.acknowledging import Acknowledgement

        if self._worker is None:
            raise RuntimeError(f"{self._name} has not been started yet")
        self._worker.acknowledge(Acknowledgement.model_validate(body))

    @in_group("operator")
    def report(self, body: dict[str, Any]) -> None:
        """A report that is to be sent by e-mail; returns once that is committed. One of a key that was handed over
        before is not sent again."""
        from statemachines.notifications.message import ChannelName
        from statemachines.notifications.report import Report

        if self._worker is None:
            raise RuntimeError(f"{self._name} has not been started yet")
        self._worker.report(Report(**body), ChannelName.EMAIL)

    @in_group("health")
    def health(self) -> dict[str, Any]:
        """`progress` counts the turns of the loop, which never has nothing to do: a stuck one is replaced."""
        worker = self._worker
        state = "CREATED" if worker is None else "FAILED" if worker.has_failed else "RUNNING"
        return {
            "name": str(self._name),
            "state": state,
            "pid": os.getpid(),
            "progress": 0 if worker is None else worker.turns,
            "is_busy": state == "RUNNING",
            "epoch": self._epoch,
            "undelivered": 0 if worker is None else worker.waiting,
            "last_error": "" if worker is None else worker.last_error,
        }

    @in_group("control")
    def tick(self, now_ms: int) -> None:
        """It takes no part in lockstep."""

    @in_group("control")
    def report_again(self) -> None:
        """It takes no part in lockstep."""

    @in_group("control")
    def stop(self) -> None:
        """End; what is under way is sent again at the next start."""
        if self._worker is not None:
            self._worker.stop()


def _notifier_table() -> Table[Any]:
    from statemachines.notifications.machine import NOTIFIER_TABLE

    return NOTIFIER_TABLE


def _channel_table() -> Table[Any]:
    from statemachines.notifications.channel import CHANNEL_TABLE

    return CHANNEL_TABLE


def _delivery_table() -> Table[Any]:
    from statemachines.notifications.delivery import DELIVERY_TABLE

    return DELIVERY_TABLE


SPECS = (
    ActorSpec(
        name=ActorName.NOTIFIER,
        about="The notifier: alerts to people, acknowledgements (RM-5, IF-4).",
        stage=Stage.WAYS_IN,
        turn=3_000,
        waits_for=(),  # that the others cannot start is what people must learn
        section="notifications",
        actor_class=Notifier,
        machines=(
            MachineSpec(
                name="notifier", about="RM-5: whether alerts reach people.", table=_notifier_table, rows="notifier"
            ),
            MachineSpec(
                name="channel",
                about="RM-5: one channel to people, and how it is.",
                table=_channel_table,
                rows="channel:",
            ),
            MachineSpec(
                name="notification",
                about="RM-5: one message about an alert, or a report, over one channel.",
                table=_delivery_table,
                rows=None,
            ),
        ),
    ),
)
