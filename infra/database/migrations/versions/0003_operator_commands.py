"""The operator's commands have a register: an id belongs to one command for ever

Revision: 0003 (after 0002), 2026-11-28 11:50:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.create_table(
        "operator_commands",
        sa.Column("command_id", sa.TEXT(), nullable=False),
        sa.Column("action", sa.TEXT(), nullable=False),
        sa.Column("scope", sa.TEXT(), nullable=False),
        sa.Column("reason", sa.TEXT(), nullable=False),
        sa.Column("who", sa.TEXT(), nullable=False),
        sa.Column("given_ms", sa.BIGINT(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("command_id", name=op.f("pk_operator_commands")),
        comment="A command of the operator (RM-5, OR-8) as it was carried out; `command_id` belongs to it for ever.",
    )


def downgrade() -> None:
    op.drop_table("operator_commands")
