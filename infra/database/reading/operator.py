"""The operator's commands and the switches, as the ways in show them (RM-5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, LiteralString

from statemachines.risk.machine import STRICTNESS

Row = dict[str, Any]

HELD: LiteralString = """(SELECT * FROM held_commands h
    WHERE NOT EXISTS (SELECT FROM operator_commands c WHERE c.command_id = h.command_id)) AS held"""
"""Commands that were accepted in the risk manager's place and that it has not carried out yet."""

COMMANDED: LiteralString = f"""(SELECT command_id, action, scope, reason, who, given_ms FROM operator_commands
    UNION ALL SELECT DISTINCT command_id, action, asked_scope, reason, who, given_ms FROM {HELD}) AS commanded"""

SWITCHES: LiteralString = """SELECT s.*, nullif(m.state, 'IDLE') AS flatten, m.data -> 'left' AS flatten_left
    FROM switches s LEFT JOIN machine_states m ON m.actor = 'risk-manager' AND m.key = 'flatten:' || s.scope
    ORDER BY s.scope"""


def in_force(switches: Iterable[Row], held: Iterable[Row]) -> list[Row]:
    """The switches, by scope; a held command is shown where it is the stricter one."""
    found = {row["scope"]: row for row in switches}
    for row in held:
        known = found.get(row["scope"])
        if known is None or STRICTNESS.index(known["state"]) < STRICTNESS.index(row["state"]):
            shown = {name: row[name] for name in ("scope", "state", "reason", "who")}
            found[row["scope"]] = {**shown, "changed_ms": row["given_ms"], "flatten": None, "flatten_left": None}
    return [found[scope] for scope in sorted(found)]
