"""The database fixtures for this folder."""

from tests.database import database_url, postgres_server

__all__ = ["database_url", "postgres_server"]
