"""Alembic revisions, in order; made by `python -m infra.database.migrations`."""
