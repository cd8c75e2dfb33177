"""The machine of TOY-1: it counts until it has counted enough."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from statemachines.fsm import Row, StateMachine, Table


class ToyState(Enum):
    """What the toy is doing."""

    COUNTING = "COUNTING"
    CONTENT = "CONTENT"


TOY_TABLE: Table[ToyState] = Table(
    "TOY-1",
    ToyState.COUNTING,
    (Row("enough", ToyState.COUNTING, ToyState.CONTENT, "it has counted enough cycles"),),
    {ToyState.COUNTING: "СЧЁТ", ToyState.CONTENT: "ДОВОЛЕН"},
)


class ToyMachine(StateMachine[ToyState]):
    """Where the count stands."""

    __slots__ = ()
    TABLE: ClassVar[Table[ToyState]] = TOY_TABLE
