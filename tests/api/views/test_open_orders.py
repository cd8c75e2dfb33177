"""The list of open orders is one reading: an order that changes its state meanwhile is there once (P3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from api.views.lists import OPEN_STATES, open_orders
from infra.database.queries import Queries


class Moving:
    """Orders whose state changes right after every reading."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.readings = 0

    def orders(self, engine: None, state: str | Sequence[str], *_: Any) -> list[dict[str, Any]]:
        wanted = [state] if isinstance(state, str) else state
        self.readings += 1
        now = self.states[min(self.readings, len(self.states)) - 1]
        return [{"client_order_id": "o1", "created_ms": 1, "state": now}] if now in wanted else []


def test_an_order_that_changes_its_state_meanwhile_is_there_once() -> None:
    for order_of_states in (OPEN_STATES, OPEN_STATES[::-1]):
        moving = Moving(*order_of_states)
        assert len(open_orders(cast(Queries, moving))) == 1
        assert moving.readings == 1
