"""Cursors of lists: the unique key of the last row of a page, as text. Rows of one millisecond are neither lost nor
repeated, whatever is added meanwhile (case 22)."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from api.views.arguments import BadValueError
from infra.database.reading.paging import NEVER_MS, PageKey, Place

Row = dict[str, Any]
MAX_CHARACTERS = 400


def page_of(rows: Sequence[Row], limit: int, key: PageKey) -> Row:
    """A page as it is answered: its rows and `next`, to be given as `before` for the page after; null at the end.

    `rows` may hold one row more than `limit`: then there is a further page.
    """
    shown = list(rows[:limit])
    return {"rows": shown, "next": encode(shown[-1], key) if len(rows) > limit else None}


def encode(row: Mapping[str, Any], key: PageKey) -> str:
    """The row's place as a cursor."""
    place = [row[column] for column in key.columns]
    return urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str | None, key: PageKey) -> Place:
    """Where a page begins; None means at the newest row.

    Raises:
        BadValueError: it is no cursor of this list.
    """
    if cursor is None:
        return key.newest
    place = _read(cursor)
    checks: list[Callable[[object], bool]] = [_is_number if kind is int else _is_text for kind in key.types]
    if place is None or len(place) != len(checks) or not all(is_good(v) for is_good, v in zip(checks, place)):  # noqa: B905 - the lengths are compared before
        raise BadValueError("before", cursor, hint="the `next` of this list's page before is")
    return tuple(place)


def _read(cursor: str) -> list[Any] | None:
    if len(cursor) > MAX_CHARACTERS:
        return None
    try:
        place = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return place if isinstance(place, list) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -NEVER_MS <= value <= NEVER_MS


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()
