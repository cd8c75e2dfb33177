"""Decisions of all actors as one stream: changes of state and remarks, without bookkeeping (P3)."""

from __future__ import annotations

from typing import Any, LiteralString, NamedTuple


class Sought(NamedTuple):
    """What a reader looks for; None: any. `machine` is a machine's key or a remark's subject, `state` the state that a
    change led to, `text` a part of the reason, without regard to case; `actors` are several of whom one decided."""

    actor: str | None = None
    kind: str | None = None
    machine: str | None = None
    state: str | None = None
    text: str | None = None
    trace: str | None = None
    actors: tuple[str, ...] | None = None


DECISIONS: LiteralString = r"""
SELECT id, actor, kind, market_ms, recorded_at, machine_table, machine, trigger, source, dest, reason, data, cause,
    trace
FROM journal WHERE NOT is_bookkeeping
    AND (%(actor)s::text IS NULL OR actor = %(actor)s)
    AND (%(actors)s::text[] IS NULL OR actor = ANY(%(actors)s))
    AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    AND (%(machine)s::text IS NULL OR machine = %(machine)s)
    AND (%(state)s::text IS NULL OR (kind = 'transition' AND dest = %(state)s))
    AND (%(text)s::text IS NULL OR reason ILIKE %(text)s ESCAPE '\')
    AND (%(trace)s::text IS NULL OR trace = %(trace)s)"""


def parameters(sought: Sought) -> dict[str, Any]:
    """The values of the statement; the text is looked for as it is written."""
    found = sought._asdict()
    found["actors"] = None if sought.actors is None else list(sought.actors)
    if sought.text is not None:
        escaped = sought.text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        found["text"] = f"%{escaped}%"
    return found
