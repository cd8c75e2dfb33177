"""Alembic's entry: runs on the connection that `upgrade` hands in, inside its transaction."""

from __future__ import annotations

from alembic import context

from infra.database.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
