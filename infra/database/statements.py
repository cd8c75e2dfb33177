"""A commit of the durable actor as SQL: a list of statements that go to the server in one round trip.

Rows travel as one JSON document per table and are unfolded there, so a statement's text never depends on the number
of rows and stays prepared. A guard that fails divides by zero on purpose: that ends the transaction on the
server without waiting for an answer in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel

from actors.runtime.ports import Commit, EnvelopeDict, ExchangeCallRow, JournalRow
from infra.database.columns import fact_columns
from statemachines.actor_logic import StateRow
from statemachines.facts import Fact, HeldCommandFact, PostingFact, SwitchFact

BLOCKING_STATES = ("HALTED", "PAUSED", "REDUCE_ONLY")
"""Switch states in which a gated request must not leave (RM-2, RM-5)."""

SWITCH_LOCK = 7_315_002
"""Advisory lock: commits with gated requests share it, a commit that turns a switch holds it alone. So a
request is either durable before the switch or sees it; there is no instant in between."""


ENVELOPE_REST = ("prev", "version", "body")
"""What of a message has no column of its own in the outbox."""


class Statement(NamedTuple):
    """One statement; `names_blocked` marks the one whose rows are keys of blocked calls."""

    sql: str
    parameters: Sequence[Any]
    names_blocked: bool = False


GRANT = """
INSERT INTO actors (actor, epoch, holder) VALUES (%s, 1, %s)
ON CONFLICT (actor) DO UPDATE SET epoch = actors.epoch + 1, holder = excluded.holder, granted_at = now()
RETURNING epoch"""

GRANT_UNDER = """
WITH lease AS (SELECT 1 FROM leases WHERE epoch = %s FOR SHARE)
INSERT INTO actors (actor, epoch, holder) SELECT %s, 1, %s FROM lease
ON CONFLICT (actor) DO UPDATE SET epoch = actors.epoch + 1, holder = excluded.holder, granted_at = now()
RETURNING epoch"""
"""A grant that waits for a claim under way and has no row when the lease is not of that orchestrator any more."""

IN_FORCE = """(SELECT scope, state FROM switches UNION ALL SELECT scope, state FROM held_commands h
        WHERE NOT EXISTS (SELECT FROM operator_commands c WHERE c.command_id = h.command_id))"""
"""The switches, and the commands that the risk manager was not there to carry out (RM-5)."""

EPOCH = "SELECT epoch, NULL, NULL FROM actors WHERE actor = %s"

FENCE = f"""
SELECT epoch, s.scope, s.state FROM actors LEFT JOIN {IN_FORCE} s ON s.scope = ANY(%s) AND s.state = ANY(%s)
WHERE actor = %s"""
"""The epoch and the switches that forbid new risk, in the one round trip before a write to the exchange."""

GUARD = """
WITH mine AS (
    UPDATE actors SET commit_no = %s, next_seq = %s, market_ms = %s, committed_at = now(),
        cursors = cursors || %s::jsonb, acknowledged = acknowledged || %s::jsonb, last_sent = last_sent || %s::jsonb
    WHERE actor = %s AND epoch = %s AND commit_no = %s RETURNING 1
) SELECT 1 / count(*) FROM mine"""

STATES = """
WITH written AS (
    INSERT INTO machine_states AS old (actor, key, version, epoch, state, schema, data, market_ms)
    SELECT %s, key, %s, %s, state, schema, data, %s
    FROM json_to_recordset(%s::json) AS new (key text, state text, schema integer, data json)
    ON CONFLICT (actor, key) DO UPDATE SET version = excluded.version, epoch = excluded.epoch, state = excluded.state,
        schema = excluded.schema, data = excluded.data, market_ms = excluded.market_ms
    WHERE old.version < excluded.version AND old.epoch <= excluded.epoch RETURNING 1
) SELECT 1 / (count(*) = %s)::integer FROM written"""

KNOWN = """
INSERT INTO known_ids (actor, natural_id, market_ms) SELECT %s, unnest(%s::text[]), %s
ON CONFLICT DO NOTHING"""

OUTBOX = """
INSERT INTO outbox (sender, seq, id, recipients, kind, market_ms, cause, trace, envelope)
SELECT %s, seq, id, recipients, kind, market_ms, cause, trace, envelope
FROM json_to_recordset(%s::json) AS new (seq bigint, id text, recipients text[], kind text, market_ms bigint,
    cause text, trace text, envelope json)"""

ANSWERED = "UPDATE exchange_calls SET status = 'ANSWERED' WHERE actor = %s AND key = ANY(%s::text[])"

EXCHANGE_CALLS = f"""
WITH added AS (
    INSERT INTO exchange_calls (actor, key, commit_no, position, account, kind, request, gate, delay_s, status,
        blocked_by, market_ms, cause, trace)
    SELECT %s, key, %s, position, account, kind, request, gate, delay_s,
        CASE WHEN switch.name IS NULL THEN 'PENDING' ELSE 'BLOCKED' END, switch.name, market_ms, cause, trace
    FROM json_to_recordset(%s::json) AS new (key text, position integer, account text, kind text, request json,
        gate text, delay_s double precision, market_ms bigint, cause text, trace text)
    LEFT JOIN LATERAL (
        SELECT scope || ' ' || s.state AS name FROM {IN_FORCE} s
        WHERE gate IS NOT NULL AND scope IN ('GLOBAL', gate) AND s.state = ANY(%s::text[])
        ORDER BY scope LIMIT 1
    ) AS switch ON true
    RETURNING key, status
) SELECT key FROM added WHERE status = 'BLOCKED'"""

JOURNAL = """
INSERT INTO journal (actor, commit_no, market_ms, kind, machine_table, machine, trigger, source, dest, reason, data,
    is_bookkeeping, cause, trace)
SELECT %s, %s, market_ms, kind, machine_table, machine, trigger, source, dest, reason, data, is_bookkeeping, cause,
    trace
FROM json_to_recordset(%s::json) AS new (market_ms bigint, kind text, machine_table text, machine text,
    trigger text, source text, dest text, reason text, data jsonb, is_bookkeeping boolean, cause text, trace text)"""

POSTING_LINES = """
WITH input AS (
    SELECT * FROM json_to_recordset(%s::json) AS new (posting_id text, kind text, posted_ms bigint, description text,
        lines json)
), added AS (
    INSERT INTO postings (posting_id, kind, posted_ms, description)
    SELECT posting_id, kind, posted_ms, description FROM input ON CONFLICT DO NOTHING RETURNING posting_id
)
INSERT INTO posting_lines (posting_id, line_no, posted_ms, account, ledger_account, coin, amount)
SELECT posting_id, line.ordinality, posted_ms, line.value ->> 'account', line.value ->> 'ledger_account',
    line.value ->> 'coin', (line.value ->> 'amount')::numeric
FROM added JOIN input USING (posting_id), json_array_elements(lines) WITH ORDINALITY AS line"""


def commit_statements(commit: Commit) -> list[Statement]:
    """The statements of one commit, without BEGIN and COMMIT, in the order in which they must run."""
    actor, number, market_ms = commit.actor, commit.number, commit.market_ms
    found = []
    if any(isinstance(fact, SwitchFact | HeldCommandFact) for fact in commit.facts):
        found.append(Statement("SELECT pg_advisory_xact_lock(%s)", [SWITCH_LOCK]))
    elif any(row.call.gate is not None for row in commit.calls):
        found.append(Statement("SELECT pg_advisory_xact_lock_shared(%s)", [SWITCH_LOCK]))
    rows = [to_json(dict(m)) for m in (commit.cursors, commit.acknowledged, last_sent(commit.outbox))]
    place = [actor, commit.epoch, number - 1]
    found.append(Statement(GUARD, [number, commit.next_seq, market_ms, *rows, *place]))
    if commit.states:
        states = {row.key: row for row in commit.states}  # the newest of a repeated key
        found.append(
            Statement(STATES, [actor, number, commit.epoch, market_ms, _state_rows(states.values()), len(states)])
        )
    if commit.known:
        found.append(Statement(KNOWN, [actor, list(commit.known), market_ms]))
    if commit.outbox:
        found.append(Statement(OUTBOX, [actor, _outbox_rows(commit.outbox)]))
    if commit.journal:
        found.append(Statement(JOURNAL, [actor, number, _journal_rows(commit.journal)]))
    found += fact_statements(commit.facts)
    if commit.answered:
        found.append(Statement(ANSWERED, [actor, list(commit.answered)]))
    if commit.calls:
        found.append(Statement(EXCHANGE_CALLS, [actor, number, _ask_rows(commit.calls), list(BLOCKING_STATES)], True))
    return found


def fact_statements(facts: Sequence[Fact]) -> list[Statement]:
    """One statement per kind of fact; of facts that are replaced only the newest per key is written."""
    by_kind: dict[type[Fact], dict[tuple[Any, ...], Fact]] = {}
    for fact in facts:
        rows = by_kind.setdefault(type(fact), {})
        key = tuple(getattr(fact, name) for name in fact.KEY)
        if not fact.ONCE or key not in rows:
            rows[key] = fact
    found = []
    for kind, rows in by_kind.items():
        document = to_json([fact.model_dump(mode="json") for fact in rows.values()])
        found.append(Statement(POSTING_LINES if kind is PostingFact else fact_sql(kind), [document]))
    return found


@cache
def fact_sql(kind: type[Fact]) -> str:
    """The statement that writes facts of one kind: insert once, or replace by the newest version."""
    columns = fact_columns(kind)
    names = ", ".join(columns)
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in kind.KEY)
    action = "NOTHING" if kind.ONCE else f"UPDATE SET {changes}"
    return (
        f"INSERT INTO {kind.TABLE} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{kind.TABLE}, %s::json) "
        f"ON CONFLICT ({', '.join(kind.KEY)}) DO {action}"
    )


def last_sent(outbox: Sequence[EnvelopeDict]) -> dict[str, int]:
    """Per recipient the newest sequence addressed to it by these messages."""
    return {str(name): int(envelope["seq"]) for envelope in outbox for name in envelope["to"]}


def to_json(value: object) -> str:
    """JSON text; Decimal as a string, models and mappings as objects."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"a value of type {type(value).__name__} cannot be stored; allowed: JSON values, Decimal, models")


def _state_rows(states: Iterable[StateRow]) -> str:
    return to_json([{"key": s.key, "state": s.state, "schema": s.schema, "data": s.data} for s in states])


def _outbox_rows(outbox: Sequence[EnvelopeDict]) -> str:
    return to_json(
        [
            {
                "seq": envelope["seq"],
                "id": envelope["id"],
                "recipients": list(envelope["to"]),
                "kind": envelope["kind"],
                "market_ms": envelope["market_time"],
                "cause": envelope["cause"],
                "trace": envelope["trace"],
                "envelope": {name: envelope[name] for name in ENVELOPE_REST},
            }
            for envelope in outbox
        ]
    )


def _ask_rows(calls: Sequence[ExchangeCallRow]) -> str:
    return to_json(
        [
            {
                "key": row.call.key,
                "position": position,
                "account": row.call.account,
                "kind": row.call.request.kind,
                "request": row.call.request,
                "gate": row.call.gate,
                "delay_s": row.call.delay_s,
                "market_ms": row.market_ms,
                "cause": row.cause,
                "trace": row.trace,
            }
            for position, row in enumerate(calls)
        ]
    )


def _journal_rows(journal: Sequence[JournalRow]) -> str:
    return to_json(
        [
            {
                "market_ms": line.market_ms,
                "machine": line.note.machine,
                "trigger": line.note.trigger,
                "source": line.note.source,
                "dest": line.note.dest,
                "reason": line.note.reason,
                "data": line.note.data,
                "kind": line.note.KIND,
                "machine_table": line.note.table,
                "is_bookkeeping": line.note.is_bookkeeping,
                "cause": line.cause,
                "trace": line.trace,
            }
            for line in journal
        ]
    )
