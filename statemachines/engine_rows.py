"""What CORE-HODL, FUNDING and TACTICAL share of their durable part: rows that changed, and the commands of a call."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, Generic, TypeVar

from statemachines.actor_logic import StateRow
from statemachines.commands import Commands
from statemachines.values import Frozen

E = TypeVar("E", bound=Frozen)

ENGINE_KEY = "ENGINE"
"""The key of the engine's own row."""
SCHEMA = 1
"""All their rows are of schema 1; a change of one ships its upcaster in a `StateDialect`."""


class EngineRows(Generic[E]):
    """`engine` is the engine's own row. `out` collects the commands of the present call; the engine takes them with
    `take`. A row that follows a machine has its state in the field `state`."""

    def __init__(self, engine: E) -> None:
        self.engine = engine
        self.out: Commands = []
        self._dirty: set[str] = set()

    def take(self) -> Commands:
        """The commands of the present call; the next one begins with none."""
        out, self.out = self.out, []
        return out

    def set_engine(self, **changes: Any) -> None:
        """Change the engine's own row."""
        self.engine = self.engine.model_copy(update=changes)
        self._dirty.add(ENGINE_KEY)

    def dirty(self) -> Sequence[StateRow]:
        """Rows changed since the last call, in the order of their keys."""
        rows = [self._stored(key) for key in sorted(self._dirty)]
        self._dirty.clear()
        return rows

    def _stored(self, key: str) -> StateRow:
        row = self.engine if key == ENGINE_KEY else self._further(key)
        state = getattr(row, "state", None)
        return StateRow(key, state.name if isinstance(state, Enum) else "", SCHEMA, row.model_dump(mode="json"))

    def _further(self, key: str) -> Frozen:
        """The row of a key other than the engine's."""
        raise NotImplementedError(f"{type(self).__name__} has no row {key!r}")
