"""Versions of the policy and what every actor holds of them, as the ways in show them (RM-6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, LiteralString

from statemachines.policy.held import KEY

Row = dict[str, Any]

SHOWN = 50

VERSIONS: LiteralString = f"""SELECT version, recorded_at, who, reason, origin FROM policy_versions
    ORDER BY version DESC LIMIT {SHOWN}"""

NEWEST: LiteralString = "SELECT policy FROM policy_versions ORDER BY version DESC LIMIT 1"

HELD: LiteralString = """SELECT actor, (data -> 'current' ->> 'number')::bigint AS version,
    (data -> 'next' ->> 'number')::bigint AS waiting, (data ->> 'refused')::bigint AS refused
    FROM machine_states WHERE key = %(key)s ORDER BY actor"""


def policies(rows: Callable[..., list[Row]]) -> Row:
    """The newest versions, the newest one's settings, and by actor the version in force, the one that waits and the
    newest that it could not apply (None: none)."""
    newest = rows(NEWEST)
    policy = newest[0]["policy"] if newest else {}
    return {"versions": rows(VERSIONS), "policy": policy, "actors": rows(HELD, key=KEY)}
