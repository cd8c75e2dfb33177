"""One name per machine in journal, API and documents; durable rows that are no machine have no state

Revision: 0006 (after 0005), 2026-11-28 19:10:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: None = None
depends_on: None = None


NO_STATES = (
    ("market-data", ("KNOWN",)),
    ("order-manager", ("KEPT",)),
    ("orchestrator", ("BOOK", "TALLY", "VIEW", "CONTROL")),
    ("risk-manager", ("BOOK", "DESK", "PRICES", "RESULTS", "INSTRUMENTS", "UNUSABLE", "CONTROL")),
    ("trend-1", ("SEEN", "IDLE")),
    ("trend-2", ("SEEN", "IDLE")),
)
"""What stood in the column of the state though the row is no machine, or none is under way."""


COMMENTS = {
    "alerts": "A condition that concerns the operator, or an event "
    "(then `condition` is empty and it ends immediately).",
    "bars": "A closed bar. `start_ms` is its open time; the bar is available only after its close.",
    "discrepancies": "A difference between our records and the exchange found by reconciliation (OR-9).",
    "operator_commands": "A command of the operator (RM-5, OR-8) as it was carried out; `command_id` is never reused.",
    "orders": "An order as we have it on record; `client_order_id` is our client id (EX-5).",
    "transfers": "A transfer between accounts, from its decision to its end (OR-6).",
}


def upgrade() -> None:
    # The journal can only be appended to; the owner of the tables may rename within this transaction alone.
    op.execute("ALTER TABLE journal DISABLE TRIGGER USER")
    op.execute("UPDATE journal SET machine_table = replace(lower(machine_table), ' ', '-') WHERE machine_table <> ''")
    op.execute("UPDATE journal SET machine = 'ENGINE' WHERE actor = 'core-hodl' AND machine = 'CORE'")
    op.execute("ALTER TABLE journal ENABLE TRIGGER USER")
    rows = sa.table("machine_states", sa.column("actor"), sa.column("key"), sa.column("state"))
    op.execute(rows.update().where(rows.c.key == "alerts").values(state=""))
    for actor, words in NO_STATES:
        op.execute(rows.update().where(rows.c.actor == actor, rows.c.state.in_(words)).values(state=""))
    for table, comment in COMMENTS.items():
        op.create_table_comment(table, comment)


def downgrade() -> None:
    raise NotImplementedError("an older program uses other names; restore the backup made before the upgrade")
