"""Leases for tests that are about something else."""

from __future__ import annotations


class Unopposed:
    """Always held: there is no other orchestrator."""

    epoch = 1
    is_held = True

    def confirm(self) -> None:
        """It is held."""


def fenced_never(why: str) -> None:
    """No other orchestrator can have fenced this one."""
    raise AssertionError(why)
