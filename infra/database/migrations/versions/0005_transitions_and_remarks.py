"""The journal tells transitions of machines from remarks; what was its kind becomes `is_bookkeeping`

Revision: 0005 (after 0004), 2026-11-28 17:00:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: None = None
depends_on: None = None

KIND = "transition: a row of its machine's table; remark: nothing moved"


def upgrade() -> None:
    op.add_column(
        "journal",
        sa.Column(
            "machine_table", sa.TEXT(), nullable=False, server_default="", comment="the table of a transition's machine"
        ),
    )
    op.add_column(
        "journal",
        sa.Column(
            "is_bookkeeping",
            sa.BOOLEAN(),
            nullable=False,
            server_default=sa.text("false"),
            comment="depends on the network, not on a rule",
        ),
    )
    op.alter_column("journal", "kind", comment=KIND, existing_type=sa.TEXT(), existing_nullable=False)
    # What was forwarded or repeated was written as if it were a state, a component's life as the states told of.
    # The journal can only be appended to; the owner of the tables may sort it anew, within this transaction alone.
    op.execute("ALTER TABLE journal DISABLE TRIGGER USER")
    op.execute(
        """UPDATE journal SET is_bookkeeping = (kind = 'component'),
           kind = CASE WHEN source <> dest AND dest <> 'FORWARDED' AND trigger NOT IN ('component_changed', 'repeat')
                  THEN 'transition' ELSE 'remark' END"""
    )
    op.execute("ALTER TABLE journal ENABLE TRIGGER USER")


def downgrade() -> None:
    raise NotImplementedError("an older program cannot read these kinds; restore the backup made before the upgrade")
