"""What the launch and its Ray driver say to each other over their pipe: plain values, pickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Begin:
    """Start a head of our own (`address` None), files below `temp_folder`, or join the cluster there."""

    address: str | None
    temp_folder: str
    dashboard_port: int
    import_paths: tuple[str, ...]
    namespace: str


@dataclass(frozen=True, slots=True)
class SpawnOrchestrator:
    """Create the orchestrator from this assembly or find it alive; with `replace` end the one that is there first."""

    assembly: Any
    replace: bool


@dataclass(frozen=True, slots=True)
class RaiseAlert:
    """Have the orchestrator commit an alert of the launch; answered by `AlertTaken` once it is accepted."""

    number: int
    natural_id: str
    component: str
    severity: Literal["info", "warning", "critical"]
    text: str


@dataclass(frozen=True, slots=True)
class EndActors:
    """Stop the orchestrator, then end every actor of ours and leave Ray; the driver ends."""


ToDriver = Begin | SpawnOrchestrator | RaiseAlert | EndActors


@dataclass(frozen=True, slots=True)
class Ready:
    """Ray runs at `address`; the address of its dashboard, as far as it has one."""

    address: str
    dashboard: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Ray does not run here; a sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Heard:
    """The orchestrator's newest status."""

    status: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Silent:
    """The orchestrator gave no status. `is_gone`: Ray says that it does not exist or has died."""

    reason: str
    is_gone: bool


@dataclass(frozen=True, slots=True)
class Occupied:
    """Another system works in this cluster; nothing was created or replaced. A sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class HeadLost:
    """Processes of our head without which nothing runs have died or are frozen."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertTaken:
    """The orchestrator has taken the alert of this number."""

    number: int


FromDriver = Ready | Failed | Heard | Silent | Occupied | HeadLost | AlertTaken
