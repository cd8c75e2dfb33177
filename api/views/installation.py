"""What runs here: version of the program, its configuration without secrets, its policy."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from api.json_values import plain
from api.views.reading import Reading, Row
from infra.database.reading import installation

DISTRIBUTION = "eternal-engine"
PACKAGES = ("ray", "pybit", "transitions", "fastapi", "psycopg")


class Installation:
    """Raises DatabaseAwayError (all methods)."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._queries = reading.queries

    async def version(self) -> Row:
        """Versions of the program, of Python, of what it is built on, and of the database's schema."""
        rows = await self._reading.rows(lambda: self._queries.rows(installation.SCHEMA))
        return {
            "version": _version(DISTRIBUTION),
            "api": "1",
            "python": platform.python_version(),
            "packages": {name: _version(name) for name in PACKAGES},
            "database_schema": rows[0]["version_num"] if rows else None,
        }

    async def config(self) -> Row:
        """The configuration of the newest start, as it was recorded: secrets are never in it."""
        rows = await self._reading.rows(lambda: self._queries.config_versions(1))
        if not rows:
            return {"version": None, "applied_at": None, "who": None, "reason": None, "config": {}}
        found: Row = plain({name: rows[0][name] for name in ("version", "applied_at", "who", "reason", "config")})
        return found

    async def policies(self) -> Row:
        """The newest versions of the policy, the newest one's settings, and the version in force at every actor
        (RM-6)."""
        found: Row = plain(await self._reading.read(self._queries.policies))
        return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
