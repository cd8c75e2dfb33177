"""The lease on the database: whose orchestrator may act

Revision: 0007 (after 0006), 2026-11-29 05:30:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("only_row", sa.BOOLEAN(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "run", sa.TEXT(), server_default="", nullable=False, comment="the start of `eternal run` that has it"
        ),
        sa.Column("place", sa.TEXT(), server_default="", nullable=False, comment="what one launch at a time can hold"),
        sa.Column("shown", sa.TEXT(), server_default="", nullable=False, comment="the holder, for people"),
        sa.Column(
            "epoch",
            sa.BIGINT(),
            autoincrement=False,
            server_default="0",
            nullable=False,
            comment="of its orchestrator; 0: none yet",
        ),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("'epoch'::timestamptz"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("only_row", name=op.f("pk_leases")),
        comment="The lease on this database: whose orchestrator may act (ADR 0006).",
    )


def downgrade() -> None:
    op.drop_table("leases")
