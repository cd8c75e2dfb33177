"""Argon2 as cheap as it gets: its cost is no concern of a test of what is done with it."""

from __future__ import annotations

from argon2 import PasswordHasher

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
