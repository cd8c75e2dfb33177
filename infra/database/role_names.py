"""The roles in the database (`infra.database.roles`), by name: what a command that only reads has to load."""

from __future__ import annotations

APPLICATION = "eternal_app"
RETENTION = "eternal_retention"
READER = "eternal_reader"
ROLES = (APPLICATION, RETENTION, READER)
