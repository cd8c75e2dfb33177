"""Commands that restrict are in force from the orchestrator's commit on while the risk manager is away

Revision: 0011 (after 0010), 2026-11-29 10:00:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.create_table(
        "held_commands",
        sa.Column("command_id", sa.TEXT(), nullable=False),
        sa.Column("scope", sa.TEXT(), nullable=False),
        sa.Column("state", sa.TEXT(), nullable=False),
        sa.Column("action", sa.TEXT(), nullable=False),
        sa.Column("asked_scope", sa.TEXT(), nullable=False),
        sa.Column("reason", sa.TEXT(), nullable=False),
        sa.Column("who", sa.TEXT(), nullable=False),
        sa.Column("given_ms", sa.BIGINT(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("command_id", "scope", name=op.f("pk_held_commands")),
        comment="A command that forbids new risk, accepted by the orchestrator in the risk manager's place (RM-5).",
    )


def downgrade() -> None:
    op.drop_table("held_commands")
