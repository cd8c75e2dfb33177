"""Columns, tables and durable documents take the names of docs/glossary.md; an older data folder opens with its state

Revision: 0004 (after 0003), 2026-11-28 16:00:00
"""

from __future__ import annotations

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: None = None
depends_on: None = None

COLUMNS = (
    ("orders", "link_id", "client_order_id"),
    ("orders", "exchange_id", "venue_order_id"),
    ("orders", "executed_quantity", "filled_quantity"),
    ("executions", "link_id", "client_order_id"),
    ("executions", "exchange_id", "venue_order_id"),
    ("outbox", "wire", "envelope"),
)
INDEXES = (
    ("pk_asks", "pk_exchange_calls"),
    ("ix_asks_market_ms", "ix_exchange_calls_market_ms"),
    ("ix_asks_open", "ix_exchange_calls_open"),
    ("ix_asks_trace", "ix_exchange_calls_trace"),
    ("ix_executions_link_id", "ix_executions_client_order_id"),
)
KEYS = (
    ("link_id", "client_order_id"),
    ("exchange_id", "venue_order_id"),
    ("executed_quantity", "filled_quantity"),
    ("reported_executed", "reported_filled"),
    ("executed", "filled_quantity"),
    ("stake", "purpose"),
)
"""Names within documents that decisions read back."""
DOCUMENTS = (("machine_states", "data"), ("outbox", "envelope"), ("exchange_calls", "request"))
ROWS = (("work:", "parent:"), ("seen:", "executions:"))
"""Beginnings of the order manager's row keys."""
ORDERS_COMMENT = "An order as we know it; `{}` is our client id (EX-5)."


def upgrade() -> None:
    op.rename_table("asks", "exchange_calls")
    for table, old, new in COLUMNS:
        op.alter_column(table, old, new_column_name=new)
    for old, new in INDEXES:
        op.execute(f"ALTER INDEX {old} RENAME TO {new}")
    op.create_table_comment(
        "orders", ORDERS_COMMENT.format("client_order_id"), existing_comment=ORDERS_COMMENT.format("link_id")
    )
    _rename_within_documents()


def downgrade() -> None:
    raise NotImplementedError("an older program cannot read these names; restore the backup made before the upgrade")


def _rename_within_documents() -> None:
    for table, column in DOCUMENTS:
        value = f"{column}::text"
        for old, new in KEYS:
            # A name with its quotes and colon cannot stand within a string of JSON, whose quotes are escaped.
            value = f"""replace({value}, '"{old}":', '"{new}":')"""
        op.execute(f"UPDATE {table} SET {column} = ({value})::json")
    for old, new in ROWS:
        op.execute(
            f"UPDATE machine_states SET key = '{new}' || substr(key, {len(old) + 1}) "
            f"WHERE actor = 'order-manager' AND key LIKE '{old}%'"
        )
