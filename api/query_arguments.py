"""What may be asked of the operator service: checks of names and numbers, each error naming what is allowed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from api.text import first_refused, shown
from infra.database.queries import MAX_ROWS

LONGEST_LIST = 20
MAX_IDENTIFIER = 200
LINK_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class UnknownNameError(Exception):
    """There is no such thing (HTTP 404). `field`, `value`, `allowed` say what was asked and what there is."""

    def __init__(self, field: str, value: object, allowed: Iterable[object] = (), hint: str = "") -> None:
        self.field, self.value, self.allowed = field, shown(value), [str(one) for one in allowed]
        self.sentence = f"{field} '{self.value}' does not exist{_ending(self.allowed, hint)}"
        super().__init__(self.sentence)


class BadValueError(Exception):
    """A parameter has a value that is not allowed (HTTP 422)."""

    def __init__(self, field: str, value: object, allowed: Iterable[object] = (), hint: str = "") -> None:
        self.field, self.value, self.allowed = field, shown(value), [str(one) for one in allowed]
        self.sentence = f"{field} '{self.value}' is not allowed{_ending(self.allowed, hint)}"
        super().__init__(self.sentence)


def one_of(field: str, value: str | None, allowed: Collection[str]) -> str | None:
    """`value` if it is None or among `allowed`. Raises BadValueError."""
    if value is not None and value not in allowed:
        raise BadValueError(field, value, sorted(allowed))
    return value


def identifier(field: str, value: str | None) -> str | None:
    """`value` if it is None or could be an identifier of ours. Raises BadValueError."""
    if value is not None and (not 1 <= len(value) <= MAX_IDENTIFIER or first_refused(value)):
        raise BadValueError(field, value, hint=f"1 to {MAX_IDENTIFIER} printable characters are")
    return value


def limit_of(limit: int) -> int:
    """A number of rows. Raises BadValueError."""
    if not 1 <= limit <= MAX_ROWS:
        raise BadValueError("limit", limit, hint=f"whole numbers from 1 to {MAX_ROWS} are")
    return limit


def _ending(allowed: list[str], hint: str) -> str:
    if allowed:
        return f"; allowed: {', '.join(allowed[:LONGEST_LIST])}.{f' {hint}.' if hint else ''}"
    return f"; {hint}." if hint else "."
