"""The durable part that CORE-HODL, FUNDING and TACTICAL share: changed rows, and the commands of a call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, Generic, TypeVar

from statemachines.actor_logic import StateRow
from statemachines.commands import Commands
from statemachines.values import Frozen

E = TypeVar("E", bound=Frozen)

ENGINE_KEY = "ENGINE"
"""The key of the engine's own row."""


class EngineRows(Generic[E]):
    """`engine` is the engine's own row, `schema` that of all rows. `out` collects the commands of the current call
    until `take` returns them. A row that follows a machine holds that machine's state in the field `state`."""

    def __init__(self, engine: E, schema: int = 1) -> None:
        self.engine = engine
        self._schema = schema
        self.out: Commands = []
        self._dirty: set[str] = set()

    def take(self) -> Commands:
        """Return the commands of the current call and start the next one with none."""
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

    def rows(self) -> Iterable[StateRow]:
        """Every row in its current form."""
        return [self._stored(key) for key in (ENGINE_KEY, *self._further_keys())]

    def _stored(self, key: str) -> StateRow:
        row = self.engine if key == ENGINE_KEY else self._further(key)
        state = getattr(row, "state", None)
        return StateRow(key, state.name if isinstance(state, Enum) else "", self._schema, row.model_dump(mode="json"))

    def _further_keys(self) -> Iterable[str]:
        """The keys of the rows other than the engine's."""
        return ()

    def _further(self, key: str) -> Frozen:
        """The row of a key other than the engine's."""
        raise NotImplementedError(f"{type(self).__name__} has no row {key!r}")
