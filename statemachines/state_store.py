"""Reading durable rows back: one dialect for every actor, checked against the rows that the actor itself would write.

A change of a row's shape increments its schema and ships the upcaster from the previous one, with a test that loads
the old form. A row that differs from the one that the actor would write stops the start with a clear error: a missing
field must not become its default, since the default of a held position is "none".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from statemachines.actor_logic import StateRow

Upcaster = Callable[[StateRow], StateRow]
"""Converts a row of one schema to the next one."""


class UnreadableRowError(ValueError):
    """A durable row cannot be read by this version, or not without a difference."""


class RowKind(NamedTuple):
    """Rows whose key begins with `prefix`, at `schema`; `upcasters` by the schema that they read."""

    prefix: str
    schema: int
    upcasters: Mapping[int, Upcaster]


def _never(row: StateRow) -> bool:
    return False


class StateDialect:
    """The schemas of one actor's rows: 1, except for the kinds given.

    `unchecked` names the fields whose content depends on other rows or the configuration, so that it may change at a
    start; "state" is the row's state if every incarnation starts from the initial state.
    `is_idle` returns whether a row may be left unread: that of an asset that is no longer configured and not held.
    """

    def __init__(
        self,
        *kinds: RowKind,
        unchecked: frozenset[str] = frozenset(),
        is_idle: Callable[[StateRow], bool] = _never,
    ) -> None:
        self._kinds = kinds
        self.unchecked = unchecked
        self.is_idle = is_idle

    def read(self, owner: str, rows: Mapping[str, StateRow]) -> dict[str, StateRow]:
        """All rows in the schema that this version writes.

        Raises:
            UnreadableRowError: a row has a later schema, or one whose upcaster has been removed, or is not a document.
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
            try:
                found = upcast(found)
            except Exception as error:
                raise UnreadableRowError(_unreadable(owner, row.key, error)) from error
        if not isinstance(found.data, Mapping):
            raise UnreadableRowError(
                f"row {row.key!r} of {owner} holds {_shown(found.data)}; an object is required. {ADVICE}"
            )
        return found


PLAIN = StateDialect()
"""The dialect of an actor whose rows all have schema 1."""

ADVICE = "Restore a backup (docs/operations.md); on the simulated exchange `eternal reset` discards all state."


def cause_of(error: UnreadableRowError) -> str:
    """What is wrong with the row, without the advice for a start that fails on it."""
    return str(error).removesuffix(ADVICE).rstrip()


class Durable(Protocol):
    """An object that is restored from rows and can return its current rows at any time."""

    def restore(self, rows: Mapping[str, StateRow]) -> None: ...

    def rows(self) -> Iterable[StateRow]: ...


def restore(owner: str, durable: Durable, rows: Mapping[str, StateRow], dialect: StateDialect = PLAIN) -> None:
    """Restore `durable` and compare every row with the one it would write now.

    Raises:
        UnreadableRowError: a row has another schema, cannot be read, is not one of the owner's, or would be written
            otherwise than it was read (a missing, unknown or contradicting field, another state than the document's).
    """
    current = dialect.read(owner, rows)
    try:
        durable.restore(current)
        written = {row.key: row for row in durable.rows()}
    except UnreadableRowError:
        raise
    except Exception as error:  # any error that an invalid document causes in the reader
        raise UnreadableRowError(_unreadable(owner, _culprit(durable, current), error)) from error
    for key, row in current.items():
        if key in written:
            _compare(owner, row, written[key], dialect)
        elif not dialect.is_idle(row):
            raise UnreadableRowError(f"row {key!r} ({row.state or 'no state'}) is not one of {owner}'s. {ADVICE}")


def _culprit(durable: Durable, rows: Mapping[str, StateRow]) -> str:
    """The key of the row that cannot be read on its own. `durable` has already failed and is no longer used."""
    for key, row in rows.items():
        try:
            durable.restore({key: row})
        except Exception:  # noqa: BLE001 - any failure marks the row
            return key
    return ", ".join(rows)


def _unreadable(owner: str, key: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"row {key!r} of {owner} cannot be read ({type(error).__name__}: {text}). {ADVICE}"


def _compare(owner: str, stored: StateRow, written: StateRow, dialect: StateDialect) -> None:
    may_differ = "state" in dialect.unchecked and stored.state and written.state
    if stored.state != written.state and not may_differ:
        raise UnreadableRowError(
            f"row {stored.key!r} of {owner} has the state {stored.state!r}, its document {written.state!r}. {ADVICE}"
        )
    found = _difference("", _plain(stored.data, dialect), _plain(written.data, dialect))
    if found:
        raise UnreadableRowError(f"row {stored.key!r} of {owner}: {found}. {ADVICE}")


def _plain(data: Mapping[str, Any], dialect: StateDialect) -> Any:
    """The data as the database returns it."""
    kept = {key: value for key, value in data.items() if key not in dialect.unchecked}
    return json.loads(json.dumps(kept))


def _difference(place: str, stored: Any, written: Any) -> str:
    """The first difference between two documents, as a clause; "" for none. The order of sets is ignored."""
    if stored == written:
        return ""
    if isinstance(stored, dict) and isinstance(written, dict):
        for key in [*stored, *(one for one in written if one not in stored)]:
            where = f"{place}.{key}" if place else str(key)
            if key not in stored:
                return f"field {where!r} is missing"
            if key not in written:
                return f"field {where!r} is {_shown(stored[key])}; there is no such field"
            if found := _difference(where, stored[key], written[key]):
                return found
        return ""
    if isinstance(stored, list) and isinstance(written, list) and len(stored) == len(written):
        if _sorted(stored) == _sorted(written):
            return ""
        pairs = enumerate(zip(stored, written, strict=True))
        return next(found for at, (a, b) in pairs if (found := _difference(f"{place}[{at}]", a, b)))
    return f"field {place!r} is {_shown(stored)}; it is read as {_shown(written)}"


def _sorted(values: list[Any]) -> list[str]:
    return sorted(json.dumps(value, sort_keys=True) for value in values)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
