"""What was forgone by not staking, and the version of the policy, in the daily records

Revision: 0012 (after 0011), 2026-11-29 12:05:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.add_column("performance", sa.Column("forgone_usdt", sa.NUMERIC(), nullable=False, server_default="0"))
    op.add_column("performance", sa.Column("policy_version", sa.BIGINT(), nullable=False, server_default="0"))
    op.alter_column("performance", "forgone_usdt", server_default=None)
    op.alter_column("performance", "policy_version", server_default=None)


def downgrade() -> None:
    op.drop_column("performance", "policy_version")
    op.drop_column("performance", "forgone_usdt")
