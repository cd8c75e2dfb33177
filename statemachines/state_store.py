"""How durable rows are read back: one dialect for every actor. A row of an older schema is brought to the present one.

A change of a row's shape raises its schema and ships the upcaster from the one before, with a test that loads the old
form; a row that nobody can read stops the start with a sentence instead of being taken for something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from statemachines.actor_logic import StateRow

Upcaster = Callable[[StateRow], StateRow]
"""Takes a row of one schema to the next one."""


class UnreadableRowError(ValueError):
    """A durable row has a schema that this version cannot read."""


class RowKind(NamedTuple):
    """Rows whose key begins with `prefix`, at `schema`; `upcasters` by the schema that they read."""

    prefix: str
    schema: int
    upcasters: Mapping[int, Upcaster]


class StateDialect:
    """What one actor's rows look like: schema 1, but for the kinds named."""

    def __init__(self, *kinds: RowKind) -> None:
        self._kinds = kinds

    def read(self, owner: str, rows: Mapping[str, StateRow]) -> dict[str, StateRow]:
        """All rows as this version writes them.

        Raises:
            UnreadableRowError: a row is of a later version, or of one whose upcaster is gone.
        """
        return {key: self._current(owner, row) for key, row in rows.items()}

    def _current(self, owner: str, row: StateRow) -> StateRow:
        kind = next((one for one in self._kinds if row.key.startswith(one.prefix)), RowKind("", 1, {}))
        found = row
        while found.schema != kind.schema:
            upcast = kind.upcasters.get(found.schema)
            if upcast is None:
                raise UnreadableRowError(
                    f"row {row.key!r} of {owner} has schema {row.schema}; this version reads "
                    f"{sorted({kind.schema, *kind.upcasters})}. Start the version that wrote it, or restore a backup."
                )
            found = upcast(found)
        return found
