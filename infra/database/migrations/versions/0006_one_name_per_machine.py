"""The journal names a machine's table as API and documents do, and CORE-HODL's machine as its durable row

Revision: 0006 (after 0005), 2026-11-28 19:10:00
"""

from __future__ import annotations

from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    # The journal can only be appended to; the owner of the tables may rename within this transaction alone.
    op.execute("ALTER TABLE journal DISABLE TRIGGER USER")
    op.execute("UPDATE journal SET machine_table = replace(lower(machine_table), ' ', '-') WHERE machine_table <> ''")
    op.execute("UPDATE journal SET machine = 'ENGINE' WHERE actor = 'core-hodl' AND machine = 'CORE'")
    op.execute("ALTER TABLE journal ENABLE TRIGGER USER")


def downgrade() -> None:
    raise NotImplementedError("an older program uses other names; restore the backup made before the upgrade")
