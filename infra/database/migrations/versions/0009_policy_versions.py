"""The policy has versions of its own: limits, weights and parameters, with who, when and why

Revision: 0009 (after 0008), 2026-11-29 09:20:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.create_table(
        "policy_versions",
        sa.Column("version", sa.BIGINT(), autoincrement=False, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("who", sa.TEXT(), nullable=False),
        sa.Column("reason", sa.TEXT(), nullable=False),
        sa.Column("origin", sa.TEXT(), nullable=False, comment="configuration, operator or rollback"),
        sa.Column("policy", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_policy_versions")),
        comment="Limits, weights and parameters as they were set (RM-6); the newest version applies.",
    )


def downgrade() -> None:
    op.drop_table("policy_versions")
