"""Restoring a logic in tests as the durable actor does it: through JSON, and held against what it would write."""

from __future__ import annotations

import json
from collections.abc import Mapping

from statemachines.actor_logic import ActorLogic, StateRow
from statemachines.state_store import restore


def restore_logic(logic: ActorLogic, rows: Mapping[str, StateRow]) -> None:
    """Raises UnreadableRowError."""
    stored = {key: row._replace(data=json.loads(json.dumps(row.data))) for key, row in rows.items()}
    restore(logic.name, logic, stored, logic.dialect)
