"""Automatic switches that have tripped, with the readings that tripped them

Revision: 0010 (after 0009), 2026-11-29 09:00:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.create_table(
        "switch_trips",
        sa.Column("trip_id", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("switch", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("effect", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("readings", postgresql.JSONB(astext_type=sa.Text()), autoincrement=False, nullable=False),
        sa.Column("tripped_ms", sa.BIGINT(), autoincrement=False, nullable=False),
        sa.Column("ended_ms", sa.BIGINT(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("trip_id", name=op.f("pk_switch_trips")),
        comment="An automatic switch has tripped (RM-4), with its effect on which scopes and the readings that tripped "
        "it.",
    )
    op.create_index(op.f("ix_switch_trips_tripped_ms"), "switch_trips", ["tripped_ms"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_switch_trips_tripped_ms"), table_name="switch_trips")
    op.drop_table("switch_trips")
