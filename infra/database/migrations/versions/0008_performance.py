"""What each engine achieved, day by day

Revision: 0008 (after 0007), 2026-11-29 09:10:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.create_table(
        "performance",
        sa.Column("day_ms", sa.BIGINT(), autoincrement=False, nullable=False),
        sa.Column("engine", sa.TEXT(), autoincrement=False, nullable=False),
        sa.Column("equity_usdt", sa.NUMERIC(), nullable=False),
        sa.Column("flow_usdt", sa.NUMERIC(), nullable=False),
        sa.Column("day_return", sa.NUMERIC(), nullable=True),
        sa.Column("staked_usdt", sa.NUMERIC(), nullable=False),
        sa.Column("turnover_usdt", sa.NUMERIC(), nullable=False),
        sa.Column("decided_usdt", sa.NUMERIC(), nullable=False),
        sa.Column("slippage_usdt", sa.NUMERIC(), nullable=False),
        sa.Column("fees_usdt", sa.NUMERIC(), nullable=False),
        sa.Column("funding_usdt", sa.NUMERIC(), nullable=False),
        sa.Column("harvest_usdt", sa.NUMERIC(), nullable=False),
        sa.Column("earned_usdt", sa.NUMERIC(), nullable=False),
        sa.PrimaryKeyConstraint("day_ms", "engine", name=op.f("pk_performance")),
        comment='What an engine, or "total", achieved on one market day (P4), in USDT.',
    )


def downgrade() -> None:
    op.drop_table("performance")
