"""Alerts reach people: acknowledgements, how far an alert was taken, deliveries

Revision: 0013 (after 0012), 2026-11-29 19:00:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.create_table(
        "acknowledgements",
        sa.Column("alert_id", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("who", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), autoincrement=False, nullable=False),
        sa.Column("text", sa.TEXT(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_acknowledgements")),
        comment="A person has seen an alert and acts on it: it is no longer repeated. The first acknowledgement "
        "stands.",
    )
    op.create_table(
        "notices",
        sa.Column("alert_id", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("severity", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("state", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("changes", sa.BIGINT(), autoincrement=False, nullable=False),
        sa.Column("channels", postgresql.JSONB(astext_type=sa.Text()), autoincrement=False, nullable=False),
        sa.Column("is_acknowledged", sa.BOOLEAN(), autoincrement=False, nullable=False),
        sa.Column("repeats", sa.BIGINT(), autoincrement=False, nullable=False),
        sa.Column("repeat_at", sa.DateTime(timezone=True), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_notices")),
        comment="How far the notifier has taken an alert.",
    )
    op.create_index(
        "ix_notices_open",
        "notices",
        ["alert_id"],
        unique=False,
        postgresql_where=sa.text("state <> 'ended' OR repeat_at IS NOT NULL"),
    )
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BIGINT(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("action", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("alert_id", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("dedup_key", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("severity", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("title", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("text", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("html", sa.TEXT(), autoincrement=False, nullable=True),
        sa.Column("state", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("attempts", sa.BIGINT(), autoincrement=False, nullable=False),
        sa.Column("market_ms", sa.BIGINT(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), autoincrement=False, nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), autoincrement=False, nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), autoincrement=False, nullable=True),
        sa.Column("message_id", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("remote_id", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.TEXT(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_deliveries")),
        comment="A message to people over one channel: an alert (raised, changed, repeated, acknowledged, ended), or "
        "a report.",
    )
    op.create_index(op.f("ix_deliveries_number"), "deliveries", ["number"], unique=False)
    op.create_index(op.f("ix_deliveries_alert_id"), "deliveries", ["alert_id"], unique=False)
    op.create_index(
        "ix_deliveries_open", "deliveries", ["number"], unique=False, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_index(op.f("ix_alerts_changed_ms"), "alerts", ["changed_ms"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_alerts_changed_ms"), table_name="alerts")
    for table in ("deliveries", "notices", "acknowledgements"):
        op.drop_table(table)
