"""A system in which one worker can be told to fall into an endless loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.runtime.actor_runner import Parts
from actors.runtime.outbox_dispatcher import Peers
from api.assembly import SystemAssembly
from infra.config import EternalConfig
from statemachines.actor_logic import ActorLogic
from statemachines.commands import Commands
from statemachines.messages.envelope import Envelope
from statemachines.values import ActorName

VICTIM = ActorName.TREND_1


def loop_file(config: EternalConfig) -> Path:
    """The victim's next decision takes this file away and never ends."""
    return config.data_folder / "loop-for-ever"


class LoopingAssembly(SystemAssembly):
    """The system's own parts, with a victim among the engines."""

    def parts(self, name: ActorName, peers: Peers) -> Parts:
        parts = super().parts(name, peers)
        if name is not VICTIM:
            return parts
        logic: Any = _LoopingBrain(parts.logic, loop_file(self.config))
        return replace(parts, logic=logic)


class _LoopingBrain:
    """Decides as the logic inside does, until the file is there."""

    def __init__(self, inside: ActorLogic, told: Path) -> None:
        self._inside = inside
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inside, name)

    def handle(self, message: Envelope) -> Commands:
        if self._told.exists():
            self._told.unlink()
            while True:
                pass
        return self._inside.handle(message)
