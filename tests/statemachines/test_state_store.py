"""One dialect of durable state: the schema number of every row of every actor is checked at its start."""

from __future__ import annotations

import pytest

from api.logics import logics
from infra.config import EternalConfig
from statemachines.actor_logic import StateRow
from statemachines.state_store import RowKind, StateDialect, UnreadableRowError
from statemachines.values import ActorName
from tests.kit.restoring import restore_logic
from tests.simulation.whole import INSTALLATION


def test_a_row_goes_through_every_upcaster_between_its_schema_and_the_present_one() -> None:
    def step(row: StateRow) -> StateRow:
        return row._replace(schema=row.schema + 1, data={**row.data, f"from_{row.schema}": True})

    dialect = StateDialect(RowKind("order:", 3, {1: step, 2: step}))
    rows = {"order:1": StateRow("order:1", "OPEN", 1, {}), "book": StateRow("book", "", 1, {})}
    read = dialect.read("order-manager", rows)
    assert read["order:1"] == StateRow("order:1", "OPEN", 3, {"from_1": True, "from_2": True})
    assert read["book"] is rows["book"]


def test_a_row_that_nobody_can_read_is_refused_with_what_to_do() -> None:
    dialect = StateDialect(RowKind("order:", 3, {2: lambda row: row._replace(schema=3)}))
    for schema in (1, 4):
        row = StateRow("order:1", "OPEN", schema, {})
        with pytest.raises(UnreadableRowError, match=rf"'order:1' of order-manager has schema {schema}.*backup"):
            dialect.read("order-manager", {"order:1": row})


LOGICS = logics(EternalConfig(), INSTALLATION)


@pytest.mark.parametrize("actor", LOGICS)
def test_every_actor_refuses_a_row_of_a_later_version(actor: ActorName) -> None:
    """Before, only the engines looked at the number; the others would have read what they do not understand."""
    with pytest.raises(UnreadableRowError, match="schema 99"):
        restore_logic(LOGICS[actor](), {"anything": StateRow("anything", "", 99, {})})
