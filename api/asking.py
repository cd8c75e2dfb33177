"""What may be asked of the operator service: checks of names and numbers, each error naming what is allowed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from infra.database.queries import MOST_ROWS, NEVER_MS

LONGEST_LIST = 20
IDENTIFIER = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
LINK_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class UnknownNameError(Exception):
    """There is no such thing (HTTP 404). `field`, `value`, `allowed` say what was asked and what there is."""

    def __init__(self, field: str, value: object, allowed: Iterable[object] = (), hint: str = "") -> None:
        self.field, self.value, self.allowed = field, _shown(value), [str(one) for one in allowed]
        self.sentence = f"{field} {self.value!r} does not exist{_ending(self.allowed, hint)}"
        super().__init__(self.sentence)


class BadValueError(Exception):
    """A parameter has a value that is not allowed (HTTP 422)."""

    def __init__(self, field: str, value: object, allowed: Iterable[object] = (), hint: str = "") -> None:
        self.field, self.value, self.allowed = field, _shown(value), [str(one) for one in allowed]
        self.sentence = f"{field} {self.value!r} is not allowed{_ending(self.allowed, hint)}"
        super().__init__(self.sentence)


def one_of(field: str, value: str | None, allowed: Collection[str]) -> str | None:
    """`value` if it is None or among `allowed`. Raises BadValueError."""
    if value is not None and value not in allowed:
        raise BadValueError(field, value, sorted(allowed))
    return value


def identifier(field: str, value: str | None) -> str | None:
    """`value` if it is None or could be an identifier of ours. Raises BadValueError."""
    if value is not None and not IDENTIFIER.fullmatch(value):
        raise BadValueError(field, value, hint="1 to 200 printable characters are")
    return value


def limit_of(limit: int) -> int:
    """A number of rows. Raises BadValueError."""
    if not 1 <= limit <= MOST_ROWS:
        raise BadValueError("limit", limit, hint=f"whole numbers from 1 to {MOST_ROWS} are")
    return limit


def before_of(before: int | None) -> int:
    """Where a page begins; None means at the newest row. Raises BadValueError."""
    if before is None:
        return NEVER_MS
    if not 0 <= before <= NEVER_MS:
        raise BadValueError("before", before, hint="the last row's key of the page before is, 0 or more")
    return before


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _ending(allowed: list[str], hint: str) -> str:
    if allowed:
        return f"; allowed: {', '.join(allowed[:LONGEST_LIST])}."
    return f"; {hint}." if hint else "."
