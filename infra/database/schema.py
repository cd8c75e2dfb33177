"""All tables (SQLAlchemy Core). The fact tables are derived from `statemachines.facts`, so they cannot drift apart.

Money is NUMERIC, instants are BIGINT milliseconds UTC of market time (`_ms`); columns ending in `_at` are wall time.
Documents that decisions read back (`machine_states.data`, `outbox.envelope`, `exchange_calls.request`) are JSON:
JSONB reorders keys, and a restored machine must see exactly what it wrote. Documents for readers are JSONB.
"""

from __future__ import annotations

import types
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, LiteralString, Union, get_args, get_origin

from sqlalchemy import (
    BIGINT,
    BOOLEAN,
    INTEGER,
    JSON,
    NUMERIC,
    TEXT,
    Column,
    DateTime,
    Float,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeEngine

from infra.database.columns import fact_columns
from statemachines import facts

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA = MetaData(naming_convention=NAMING)

_NO_JSONB = text("'{}'::jsonb")
_NOW = func.now()

ACTORS = Table(
    "actors",
    METADATA,
    Column("actor", TEXT, primary_key=True),
    Column("epoch", BIGINT, nullable=False),
    Column("commit_no", BIGINT, nullable=False, server_default="0"),
    Column("holder", TEXT, nullable=False),
    Column("granted_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("committed_at", DateTime(timezone=True)),
    Column("market_ms", BIGINT, nullable=False, server_default="0"),
    Column("next_seq", BIGINT, nullable=False, server_default="1"),
    Column("cursors", JSONB, nullable=False, server_default=_NO_JSONB),
    Column("acknowledged", JSONB, nullable=False, server_default=_NO_JSONB),
    Column("last_sent", JSONB, nullable=False, server_default=_NO_JSONB),
    comment="One row per actor: its epoch (fencing), its place in the protocol, its newest commit. Cursors, "
    "acknowledgements and newest sequences live in this row, since every commit updates it anyway.",
    postgresql_with={"fillfactor": "50"},
)

MACHINE_STATES = Table(
    "machine_states",
    METADATA,
    Column("actor", TEXT),
    Column("key", TEXT),
    Column("version", BIGINT, nullable=False, comment="commit number of the actor that wrote it"),
    Column("epoch", BIGINT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("schema", INTEGER, nullable=False),
    Column("data", JSON, nullable=False),
    Column("market_ms", BIGINT, nullable=False),
    PrimaryKeyConstraint("actor", "key"),
    comment="The durable state of every machine.",
    postgresql_with={"fillfactor": "70"},
)

KNOWN_IDS = Table(
    "known_ids",
    METADATA,
    Column("actor", TEXT),
    Column("natural_id", TEXT),
    Column("market_ms", BIGINT, nullable=False),
    PrimaryKeyConstraint("actor", "natural_id"),
    Index(None, "market_ms"),
    comment="Natural ids of outside facts that an actor has taken; a repeat is dropped.",
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("sender", TEXT),
    Column("seq", BIGINT),
    Column("id", TEXT, nullable=False),
    Column("recipients", ARRAY(TEXT), nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("market_ms", BIGINT, nullable=False),
    Column("cause", TEXT, nullable=False),
    Column("trace", TEXT, nullable=False),
    Column("envelope", JSON, nullable=False),
    PrimaryKeyConstraint("sender", "seq"),
    Index(None, "id"),
    Index(None, "trace"),
    Index(None, "market_ms"),
    comment="Every message ever sent, until retention; unacknowledged ones are sent again.",
)

EXCHANGE_CALLS = Table(
    "exchange_calls",
    METADATA,
    Column("actor", TEXT),
    Column("key", TEXT),
    Column("commit_no", BIGINT, nullable=False),
    Column("position", INTEGER, nullable=False),
    Column("account", TEXT, nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("request", JSON, nullable=False),
    Column("gate", TEXT),
    Column("delay_s", Float(53), nullable=False),
    Column("status", TEXT, nullable=False, comment="PENDING, BLOCKED (by a switch) or ANSWERED"),
    Column("blocked_by", TEXT, comment="scope and state of the switch"),
    Column("market_ms", BIGINT, nullable=False),
    Column("cause", TEXT, nullable=False),
    Column("trace", TEXT, nullable=False),
    PrimaryKeyConstraint("actor", "key"),
    Index("ix_exchange_calls_open", "actor", postgresql_where=text("status <> 'ANSWERED'")),
    Index(None, "trace"),
    Index(None, "market_ms"),
    comment="Requests to the exchange, durable before they are sent.",
)

JOURNAL = Table(
    "journal",
    METADATA,
    Column("id", BIGINT, Identity(always=True), primary_key=True),
    Column("actor", TEXT, nullable=False),
    Column("commit_no", BIGINT, nullable=False),
    Column("market_ms", BIGINT, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("machine", TEXT, nullable=False),
    Column("trigger", TEXT, nullable=False),
    Column("source", TEXT, nullable=False),
    Column("dest", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("kind", TEXT, nullable=False, comment="transition: a row of its machine's table; remark: nothing moved"),
    Column("cause", TEXT, nullable=False),
    Column("trace", TEXT, nullable=False),
    Column("machine_table", TEXT, nullable=False, server_default="", comment="the table of a transition's machine"),
    Column(
        "is_bookkeeping",
        BOOLEAN,
        nullable=False,
        server_default=text("false"),
        comment="depends on the network, not on a rule",
    ),
    Index(None, "actor", "machine", "id"),
    Index(None, "trace"),
    Index(None, "market_ms"),
    comment="Every decision with its reason and its numbers (P3).",
)

LEASES = Table(
    "leases",
    METADATA,
    Column("only_row", BOOLEAN, primary_key=True, server_default=text("true")),
    Column("run", TEXT, nullable=False, server_default="", comment="the start of `eternal run` that has it"),
    Column("place", TEXT, nullable=False, server_default="", comment="what one launch at a time can hold"),
    Column("shown", TEXT, nullable=False, server_default="", comment="the holder, for people"),
    Column("epoch", BIGINT, nullable=False, server_default="0", comment="of its orchestrator; 0: none yet"),
    Column("claimed_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True), nullable=False, server_default=text("'epoch'::timestamptz")),
    comment="The lease on this database: whose orchestrator may act (ADR 0006).",
)

HEARTBEATS = Table(
    "heartbeats",
    METADATA,
    Column("component", TEXT, primary_key=True),
    Column("state", TEXT, nullable=False),
    Column("market_ms", BIGINT, nullable=False),
    Column("beat_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("detail", JSONB, nullable=False, server_default=_NO_JSONB),
    comment="The newest sign of life of every component (OR-8).",
)

CONFIG_VERSIONS = Table(
    "config_versions",
    METADATA,
    Column("version", BIGINT, Identity(always=True), primary_key=True),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("who", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("config", JSONB, nullable=False, comment="without secrets"),
    comment="Configuration as it was in force (DA-5, RM-6).",
)

POLICY_VERSIONS = Table(
    "policy_versions",
    METADATA,
    Column("version", BIGINT, primary_key=True, autoincrement=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("who", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("origin", TEXT, nullable=False, comment="configuration, operator or rollback"),
    Column("policy", JSONB, nullable=False),
    comment="Limits, weights and parameters as they were set (RM-6); the newest version applies.",
)

INSTALLATION = Table(
    "installation",
    METADATA,
    Column("only_row", BOOLEAN, primary_key=True, server_default=text("true")),
    Column("installation_id", TEXT, nullable=False, comment="six characters, first part of every order id (EX-5)"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("profile", TEXT),
    Column("exchange_instance", TEXT),
    Column("account_uids", JSONB, nullable=False, server_default=_NO_JSONB),
    Column("bound_at", DateTime(timezone=True)),
    comment="What this database belongs to: one profile, one exchange, its accounts.",
)

POSTING_LINES = Table(
    "posting_lines",
    METADATA,
    Column("posting_id", TEXT),
    Column("line_no", INTEGER),
    Column("posted_ms", BIGINT, nullable=False),
    Column("account", TEXT, nullable=False),
    Column("ledger_account", TEXT, nullable=False),
    Column("coin", TEXT, nullable=False),
    Column("amount", NUMERIC, nullable=False, comment="debit positive, credit negative"),
    PrimaryKeyConstraint("posting_id", "line_no"),
    ForeignKeyConstraint(["posting_id"], ["postings.posting_id"]),
    Index(None, "account", "ledger_account", "coin", "posted_ms"),
    comment="The sides of each posting; per posting and coin they sum to zero (OR-6).",
)

_INDEXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "orders": (("created_ms",), ("trace",), ("engine", "created_ms"), ("intent_id",)),
    "executions": (("executed_ms",), ("client_order_id",)),
    "postings": (("posted_ms",), ("kind",)),
    "portfolio_versions": (("market_ms",),),
    "transfers": (("requested_ms",),),
    "discrepancies": (("found_ms",),),
    "switch_trips": (("tripped_ms",),),
    "alerts": (("market_ms",), ("changed_ms",)),
    "deliveries": (("number",), ("alert_id",)),
}
_OPEN: dict[str, tuple[tuple[str, LiteralString], ...]] = {
    "deliveries": (("number", "ended_at IS NULL"),),
    "notices": (("alert_id", "state <> 'ended' OR repeat_at IS NOT NULL"),),
}
"""Indexes over the few rows that are still open, of tables that keep all others too."""


def column_type(annotation: Any) -> tuple[TypeEngine[Any], bool]:
    """The column type of a fact's field and whether it may be NULL.

    Raises:
        TypeError: the field's type has no column type here.
    """
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [argument for argument in get_args(annotation) if argument is not type(None)]
        if len(inner) == 1:
            return column_type(inner[0])[0], True
    plain = get_origin(annotation) or annotation
    if plain is Literal:
        return TEXT(), False
    if plain in (dict, tuple, list):
        return JSONB(), False
    known: dict[type, TypeEngine[Any]] = {
        Decimal: NUMERIC(),
        bool: BOOLEAN(),
        int: BIGINT(),
        str: TEXT(),
        datetime: DateTime(timezone=True),
    }
    if plain in known:
        return known[plain], False
    if isinstance(plain, type) and issubclass(plain, StrEnum):
        return TEXT(), False
    raise TypeError(f"field type {annotation!r} has no column type; allowed: {[t.__name__ for t in known]}, JSON")


def _fact_table(fact: type[facts.Fact]) -> Table:
    columns = []
    for name in fact_columns(fact):
        kind, nullable = column_type(fact.model_fields[name].annotation)
        columns.append(Column(name, kind, nullable=nullable, autoincrement=False))
    indexes = [Index(None, *names) for names in _INDEXES.get(fact.TABLE, ())]
    indexes += [
        Index(f"ix_{fact.TABLE}_open", name, postgresql_where=text(condition))
        for name, condition in _OPEN.get(fact.TABLE, ())
    ]
    summary = (fact.__doc__ or "").strip().split("\n")[0]
    return Table(fact.TABLE, METADATA, *columns, PrimaryKeyConstraint(*fact.KEY), *indexes, comment=summary)


FACTS: tuple[type[facts.Fact], ...] = tuple(sorted(facts.Fact.__subclasses__(), key=lambda fact: fact.TABLE))
FACT_TABLES: dict[str, Table] = {fact.TABLE: _fact_table(fact) for fact in FACTS}
