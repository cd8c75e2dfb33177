"""Time windows and cursors over record rows. A cursor is opaque, percent-encoded, and passed back unchanged."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from infra.simulator.api.params import Params, shown
from infra.simulator.venue.errors import params_error
from infra.simulator.venue.model import Row

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS


def window(params: Params, now_ms: int, default_ms: int) -> tuple[int, int]:
    """The query window in market time, at most 7 days; one bound alone gives a default-length window."""
    start, end = params.integer("startTime"), params.integer("endTime")
    if start is None:
        end = now_ms if end is None else end
        start = end - default_ms
    elif end is None:
        end = start + default_ms
    if end < start:
        raise params_error("startTime should be less than endTime.")
    if end - start > WEEK_MS:
        raise params_error("The time range between startTime and endTime cannot exceed 7 days.")
    return start, end


def cursor_of(seq: int) -> str:
    """The cursor that continues after the row with this sequence number."""
    return f"{seq}%3A1%2C{seq}%3A1"


def seq_of(cursor: str) -> int | None:
    """The sequence number of a cursor; None for the first page."""
    if not cursor:
        return None
    head = unquote(cursor).split(":", 1)[0]
    if not (head.isascii() and head.isdigit() and len(head) <= 19):
        raise params_error(f"params error: cursor {shown(cursor)} was not given out by this exchange.")
    return int(head)


def within(rows: Sequence[Row], start_ms: int, end_ms: int) -> Sequence[Row]:
    """The rows (in time order) whose time lies in the window, bounds included."""
    first = bisect_left(rows, start_ms, key=lambda row: row.time_ms)
    last = bisect_right(rows, end_ms, key=lambda row: row.time_ms)
    return rows[first:last]


def page(
    rows: Sequence[Row], params: Params, default: int, maximum: int, keep: Callable[[Row], bool] = lambda row: True
) -> tuple[list[Row], str]:
    """One page, newest first, and the cursor of the next (empty on the last page)."""
    limit = params.limit(default, maximum)
    after = seq_of(params.text("cursor"))
    chosen: list[Row] = []
    for row in reversed(rows):
        if (after is not None and row.seq >= after) or not keep(row):
            continue
        if len(chosen) == limit:
            return chosen, cursor_of(chosen[-1].seq)
        chosen.append(row)
    return chosen, ""
