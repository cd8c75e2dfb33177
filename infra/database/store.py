"""`ports.Store` on PostgreSQL: one connection per actor for its commits, one round trip per commit (DA-5, DESIGN 1)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import psycopg
from pydantic import TypeAdapter

from actors.runtime.ports import Commit, EnvelopeDict, ExchangeCallRow, Fence, FencedError, Loaded
from infra.database.connection import Line
from infra.database.reading.market import CLOSED, bars_of
from infra.database.statements import (
    BLOCKING_STATES,
    EPOCH,
    FENCE,
    GRANT,
    GRANT_UNDER,
    commit_statements,
    to_json,
)
from statemachines.actor_logic import StateRow
from statemachines.commands import ExchangeCall
from statemachines.facts import BarFact
from statemachines.limits.entry_gate import scopes_of
from statemachines.requests import ExchangeRequest
from statemachines.values import ActorName

LOG = logging.getLogger(__name__)
_REQUEST: TypeAdapter[ExchangeRequest] = TypeAdapter(ExchangeRequest)
T = TypeVar("T")

PLACE = "SELECT epoch, commit_no, market_ms, next_seq, cursors, acknowledged, last_sent FROM actors WHERE actor = %s"

UNACKNOWLEDGED = """
SELECT envelope, id, sender, seq, recipients, kind, market_ms, cause, trace FROM outbox WHERE sender = %s AND seq > %s
AND EXISTS (SELECT FROM unnest(recipients) AS name WHERE coalesce((%s::jsonb ->> name)::bigint, 0) < seq)
ORDER BY seq"""

OPEN_ASKS = """
SELECT key, account, request, gate, delay_s, cause, trace, market_ms FROM exchange_calls
WHERE actor = %s AND status <> 'ANSWERED' ORDER BY commit_no, position"""


class PostgresStore:
    """The database as one durable actor sees it. Safe to use from several threads; picklable (without connection).

    A lost connection raises StoreUnavailableError; the next call connects again. `holds` has a connection of its own:
    the request queues read it before each write to the exchange and must not stand in line behind the worker's commits.
    """

    def __init__(self, url: str, application: str = "eternal-engine") -> None:
        self._url = url
        self._application = application
        self._line = Line(url, application)
        self._fence = Line(url, application)

    def __repr__(self) -> str:
        return f"PostgresStore(application={self._application!r})"

    def __reduce__(self) -> tuple[type[PostgresStore], tuple[str, str]]:
        return PostgresStore, (self._url, self._application)

    def close(self) -> None:
        """Give the connection back; a later call opens a new one."""
        self._line.close()
        self._fence.close()

    # --- ports.Store ---

    def grant(self, actor: str, holder: str, under: int | None = None) -> int:
        if under is None:
            row = self._perform(lambda connection: connection.execute(GRANT, (actor, holder)).fetchone())
        else:
            row = self._perform(lambda connection: connection.execute(GRANT_UNDER, (under, actor, holder)).fetchone())
        if row is None:
            raise FencedError(f"orchestrator {under} has not the lease any more: {actor} gets no epoch from it")
        return int(row[0])

    def load(self, actor: str, epoch: int) -> Loaded:
        return self._perform(lambda connection: _load(connection, actor, epoch))

    def commit(self, commit: Commit) -> frozenset[str]:
        return self._perform(lambda connection: _commit(connection, commit))

    def holds(self, actor: str, epoch: int) -> bool:
        return self.fence(actor, epoch).is_held

    def fence(self, actor: str, epoch: int, gates: Collection[str] = ()) -> Fence:
        scopes = sorted({scope for gate in gates for scope in scopes_of(gate)})
        query = (FENCE, (scopes, list(BLOCKING_STATES), actor)) if scopes else (EPOCH, (actor,))
        rows = self._fence.perform(lambda connection: connection.execute(*query).fetchall())
        return Fence(bool(rows) and int(rows[0][0]) == epoch, {row[1]: row[2] for row in rows if row[1] is not None})

    def is_known(self, actor: str, natural_ids: Sequence[str]) -> frozenset[str]:
        if not natural_ids:
            return frozenset()
        query = "SELECT natural_id FROM known_ids WHERE actor = %s AND natural_id = ANY(%s::text[])"
        rows = self._perform(lambda connection: connection.execute(query, (actor, list(natural_ids))).fetchall())
        return frozenset(row[0] for row in rows)

    def closed_bars(
        self, category: str, symbol: str, interval: str, last_start_ms: int, count: int
    ) -> Sequence[BarFact]:
        key = {"category": category, "symbol": symbol, "interval": interval}
        asked = {**key, "last_start_ms": last_start_ms, "count": count}
        rows = self._perform(lambda connection: connection.execute(CLOSED, asked).fetchall())
        return bars_of(dict(zip(BarFact.model_fields, row, strict=True)) for row in rows)

    def _perform(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        return self._line.perform(work)


def _commit(connection: psycopg.Connection[Any], commit: Commit) -> frozenset[str]:
    statements = commit_statements(commit)
    blocked: psycopg.Cursor[Any] | None = None
    try:
        with connection.pipeline():
            connection.execute("BEGIN")
            for statement in statements:
                cursor = connection.execute(statement.sql, statement.parameters)
                if statement.names_blocked:
                    blocked = cursor
            connection.execute("COMMIT")
    except psycopg.errors.DivisionByZero:
        connection.rollback()
        return _landed_earlier(connection, commit)
    return frozenset(row[0] for row in blocked.fetchall()) if blocked is not None else frozenset()


def _landed_earlier(connection: psycopg.Connection[Any], commit: Commit) -> frozenset[str]:
    """The guard hit no row: either this very commit had landed and its answer was lost, or we are fenced."""
    row = connection.execute(PLACE, (commit.actor,)).fetchone()
    if row is not None and (row[0], row[1]) == (commit.epoch, commit.number):
        LOG.info("Commit %d of %s had already landed.", commit.number, commit.actor)
        query = "SELECT key FROM exchange_calls WHERE actor = %s AND commit_no = %s AND blocked_by IS NOT NULL"
        return frozenset(found[0] for found in connection.execute(query, (commit.actor, commit.number)))
    place = "no such actor" if row is None else f"epoch {row[0]} and commit {row[1]} are there"
    raise FencedError(
        f"commit {commit.number} of {commit.actor} under epoch {commit.epoch} was refused: {place}; another one wrote"
    )


def _load(connection: psycopg.Connection[Any], actor: str, epoch: int) -> Loaded:
    place = connection.execute(PLACE, (actor,)).fetchone()
    if place is None or place[0] != epoch:
        found = "none" if place is None else str(place[0])
        raise FencedError(f"epoch {epoch} of {actor} is over; {found} holds it now")
    _, number, market_ms, next_seq, cursors, acknowledged, last_sent = place
    waiting = [acknowledged.get(name, 0) for name, seq in last_sent.items() if acknowledged.get(name, 0) < seq]
    outbox: list[Any] = []
    if waiting:
        outbox = connection.execute(UNACKNOWLEDGED, (actor, min(waiting), to_json(acknowledged))).fetchall()
    states = connection.execute(
        "SELECT key, state, schema, data FROM machine_states WHERE actor = %s ORDER BY key", (actor,)
    )
    return Loaded(
        number=number,
        market_ms=market_ms,
        next_seq=next_seq,
        states={row[0]: StateRow(*row) for row in states},
        cursors=cursors,
        acknowledged=acknowledged,
        last_sent=last_sent,
        outbox=[_envelope(row) for row in outbox],
        pending=[_ask_row(row) for row in connection.execute(OPEN_ASKS, (actor,))],
    )


def _envelope(row: Sequence[Any]) -> EnvelopeDict:
    """A message as it was addressed; rows of earlier versions hold all of it in their envelope."""
    rest, *columns = row
    names = ("id", "sender", "seq", "to", "kind", "market_time", "cause", "trace")
    return dict(zip(names, columns, strict=True)) | dict(rest)


def _ask_row(row: Sequence[Any]) -> ExchangeCallRow:
    key, account, request, gate, delay_s, cause, trace, market_ms = row
    return ExchangeCallRow(
        call=ExchangeCall(
            key=key,
            account=account,
            request=_REQUEST.validate_python(request),
            gate=None if gate is None else ActorName(gate),
            delay_s=delay_s,
        ),
        cause=cause,
        trace=trace,
        market_ms=market_ms,
    )
