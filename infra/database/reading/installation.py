"""What the database says of itself."""

from __future__ import annotations

from typing import LiteralString

SCHEMA: LiteralString = "SELECT version_num FROM alembic_version"
