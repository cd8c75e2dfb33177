"""What may be asked of the operator service: checks of names and numbers, each error naming what is allowed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from api.text import first_refused, shown
from infra.database.reading.paging import MAX_ROWS, Span

LONGEST_LIST = 20
MAX_IDENTIFIER = 200
MAX_INSTANT = 40
LINK_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class UnknownNameError(Exception):
    """There is no such thing (HTTP 404). `field`, `value`, `allowed` say what was asked and what there is."""

    def __init__(self, field: str, value: object, allowed: Iterable[object] = (), hint: str = "") -> None:
        self.field, self.value, self.allowed = field, shown(value), [str(one) for one in allowed]
        self.sentence = f"{field} '{self.value}' does not exist{_ending(self.allowed, hint)}"
        super().__init__(self.sentence)


class BadValueError(Exception):
    """A parameter has a value that is not allowed (HTTP 422)."""

    def __init__(
        self, field: str, value: object, allowed: Iterable[object] = (), hint: str = "", sentence: str = ""
    ) -> None:
        """`sentence`: one that names the value and what is allowed already."""
        self.field, self.value, self.allowed = field, shown(value), [str(one) for one in allowed]
        self.sentence = sentence or f"{field} '{self.value}' is not allowed{_ending(self.allowed, hint)}"
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


def span_of(since: str | None, until: str | None) -> Span:
    """The part of time that is asked for: from the first instant on, before the second one. Raises BadValueError."""
    first, last = instant_of("from", since), instant_of("to", until)
    if first is not None and last is not None and first > last:
        raise BadValueError("from", since, hint=f"an instant not later than `to` ({shown(until)}) is")
    return Span.of(first, last)


def instant_of(field: str, value: str | None) -> int | None:
    """An instant in milliseconds UTC, given as such or in ISO 8601; a date is its beginning, and without an offset it
    is UTC. Raises BadValueError."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,16}", value):
        return int(value)
    try:
        found = datetime.fromisoformat(value) if len(value) <= MAX_INSTANT else None
    except ValueError:
        found = None
    if found is None:
        raise BadValueError(field, value, hint="milliseconds UTC or ISO 8601 (2025-01-31, 2025-01-31T12:00:00Z) are")
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _ending(allowed: list[str], hint: str) -> str:
    if allowed:
        return f"; allowed: {', '.join(allowed[:LONGEST_LIST])}.{f' {hint}.' if hint else ''}"
    return f"; {hint}." if hint else "."
