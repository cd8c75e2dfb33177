"""`ports.LeaseRegister` on PostgreSQL: who may run an orchestrator on this database (ADR 0006).

One row, measured by the database's own clock. `claim` is the launch's, `succeed` and `renew` are the orchestrator's.
The row's lock orders all of them, and the grants of the actors' epochs with them (`PostgresStore.grant`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

from actors.runtime.ports import Claimant, FencedError, LeaseHeldError
from infra.database.connection import Line
from infra.database.statements import GRANT
from statemachines.values import ActorName

CREATE = "INSERT INTO leases DEFAULT VALUES ON CONFLICT DO NOTHING"
READ = "SELECT run, place, shown, expires_at > clock_timestamp() AS is_valid FROM leases"
CLAIM = """
UPDATE leases SET run = %s, place = %s, shown = %s, epoch = 0, claimed_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => %s)"""
FENCE_ALL = "UPDATE actors SET epoch = epoch + 1"
SUCCEED = "UPDATE leases SET epoch = %s, expires_at = clock_timestamp() + make_interval(secs => %s)"
EXTEND = "UPDATE leases SET expires_at = clock_timestamp() + make_interval(secs => %s) WHERE run = %s"
RENEW = "UPDATE leases SET expires_at = clock_timestamp() + make_interval(secs => %s) WHERE epoch = %s"
RELEASE = "UPDATE leases SET run = '', place = '', shown = '', epoch = 0, expires_at = 'epoch' WHERE run = %s"


class _Row(NamedTuple):
    run: str
    place: str
    shown: str
    is_valid: bool

    def is_held_against(self, claimant: Claimant) -> bool:
        """Whether another run has it and it may still be working."""
        return self.run not in ("", claimant.run) and self.is_valid and self.place != claimant.place


class PostgresLease:
    """The lease of this database, over a connection of its own: to renew it waits for no commit."""

    def __init__(self, url: str, application: str = "lease") -> None:
        self._line = Line(url, application)

    def close(self) -> None:
        """Give the connection back; a later call opens a new one."""
        self._line.close()

    def look(self, claimant: Claimant, seconds: float) -> None:
        """Change nothing: the database may still be an older program's.

        Raises LeaseHeldError as `claim` would.
        """

        def look(connection: psycopg.Connection[Any]) -> None:
            is_there = connection.execute("SELECT to_regclass('leases') IS NOT NULL").fetchone()
            found = connection.execute(READ).fetchone() if is_there is not None and is_there[0] else None
            if found is not None and (row := _Row(*found)).is_held_against(claimant):
                raise LeaseHeldError(row.shown, seconds)

        self._line.perform(look)

    # --- ports.LeaseRegister ---

    def claim(self, claimant: Claimant, seconds: float) -> None:
        def claim(connection: psycopg.Connection[Any]) -> None:
            with connection.transaction():
                row = _locked(connection)
                if row.run == claimant.run:
                    connection.execute(EXTEND, (seconds, claimant.run))
                    return
                if row.is_held_against(claimant):
                    raise LeaseHeldError(row.shown, seconds)
                connection.execute(CLAIM, (claimant.run, claimant.place, claimant.shown, seconds))
                connection.execute(FENCE_ALL)

        self._line.perform(claim)

    def succeed(self, run: str, seconds: float) -> int:
        def succeed(connection: psycopg.Connection[Any]) -> int:
            with connection.transaction():
                row = _locked(connection)
                if row.run != run:
                    raise LeaseHeldError(row.shown or "none has claimed it yet", seconds)
                granted = connection.execute(GRANT, (ActorName.ORCHESTRATOR, row.shown)).fetchone()
                assert granted is not None
                connection.execute(SUCCEED, (granted[0], seconds))
                return int(granted[0])

        return self._line.perform(succeed)

    def renew(self, epoch: int, seconds: float) -> None:
        renewed = self._line.perform(lambda connection: connection.execute(RENEW, (seconds, epoch)).rowcount)
        if not renewed:
            raise FencedError(f"the lease of orchestrator {epoch} is over: another one has it now")

    def release(self, run: str) -> None:
        self._line.perform(lambda connection: connection.execute(RELEASE, (run,)))


def _locked(connection: psycopg.Connection[Any]) -> _Row:
    query = f"{READ} FOR UPDATE"
    found = connection.execute(query).fetchone()
    if found is None:
        connection.execute(CREATE)
        found = connection.execute(query).fetchone()
    assert found is not None
    return _Row(*found)
