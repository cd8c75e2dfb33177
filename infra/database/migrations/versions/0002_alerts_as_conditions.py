"""Alerts are conditions with a beginning, changes and an end

Revision: 0002 (after 0001), 2026-11-28 08:52:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: None = None
depends_on: None = None

OLD_COMMENT = "A text for the operator; the shell fills it from `commands.Alert`."
COMMENT = "A condition that the operator should know of, or an event (then `condition` is empty and it ends at once)."


def upgrade() -> None:
    """Alerts of earlier versions had no duration: they become events."""
    op.add_column("alerts", sa.Column("condition", sa.TEXT(), nullable=False, server_default=""))
    op.add_column("alerts", sa.Column("state", sa.TEXT(), nullable=False, server_default="ended"))
    op.add_column("alerts", sa.Column("changed_ms", sa.BIGINT(), nullable=True))
    op.add_column("alerts", sa.Column("changes", sa.BIGINT(), nullable=False, server_default="0"))
    op.add_column("alerts", sa.Column("ended_ms", sa.BIGINT(), nullable=True))
    op.execute("UPDATE alerts SET changed_ms = market_ms, ended_ms = market_ms")
    op.alter_column("alerts", "changed_ms", nullable=False)
    for name in ("condition", "state", "changes"):
        op.alter_column("alerts", name, server_default=None)
    op.create_table_comment("alerts", COMMENT, existing_comment=OLD_COMMENT)


def downgrade() -> None:
    for name in ("condition", "state", "changed_ms", "changes", "ended_ms"):
        op.drop_column("alerts", name)
    op.create_table_comment("alerts", OLD_COMMENT, existing_comment=COMMENT)
