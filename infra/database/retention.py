"""Retention: what stays in the database, what moves to compressed archives, what is thinned.

The plan, by market time, so that it holds for decades:

| Rows | In the database | Afterwards |
|---|---|---|
| machine states, bars, funding rates, orders, executions, positions, postings, transfers | unlimited | - |
| switches and their trips | unlimited | - |
| journal | `journal_months` whole months | `journal-YYYY-MM.jsonl.gz`, one decision per line |
| outbox (only what every recipient has acknowledged) | `messages_days` | `outbox-YYYY-MM.jsonl.gz`, likewise |
| deliveries (only ended ones; newest reports stay) | `messages_days` | `deliveries-YYYY-MM.jsonl.gz`, likewise |
| exchange_calls (only answered ones) | `messages_days` | `exchange_calls-YYYY-MM.jsonl.gz`, likewise |
| known ids | `known_days` | dropped; the exchange never repeats a fact that late |
| portfolio versions | all for `portfolio_days` | the last one of each market day |

Why archives and not partitions: a month is at most some hundred thousand rows, which a DELETE carries well, and gzip of
JSON lines can be read in twenty years without this program. An archive file is complete on disk (fsync) before its
rows are deleted, in the same transaction that read them; a crash in between leaves rows that are archived again
under the next number: a line may appear twice, none is ever missing.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from pydantic import Field

from infra.database.connection import connect
from infra.files import write_whole
from statemachines.parameters import ParameterModel

DAY_MS = 86_400_000
FETCH_ROWS = 2_000


class RetentionPolicy(ParameterModel):
    """How long rows stay in the database, in market time (P5)."""

    journal_months: int = Field(default=24, ge=1, le=1200)
    """Whole months of the journal; older ones become archive files (P5)."""

    messages_days: int = Field(default=90, ge=1, le=36_500)
    """Messages that every recipient has acknowledged, requests that are answered and messages to people that are
    delivered or given up; older ones become archive files (P5)."""

    known_days: int = Field(default=90, ge=8, le=36_500)  # the exchange's look-up windows are 7 days
    """Ids of facts that are remembered against a repetition; older ones are dropped (EX-2)."""

    portfolio_days: int = Field(default=90, ge=1, le=36_500)
    """All versions of the portfolio; of older days the last version stays (P5)."""


@dataclass(slots=True)
class RetentionReport:
    """What one run did: rows taken out per table, and the archive files written."""

    removed: dict[str, int] = field(default_factory=dict)
    archives: list[Path] = field(default_factory=list)


ACKNOWLEDGED_BY_ALL: LiteralString = """NOT EXISTS (
    SELECT FROM unnest(t.recipients) AS name, actors a
    WHERE a.actor = t.sender AND coalesce((a.acknowledged ->> name)::bigint, 0) < t.seq)"""

DELIVERED: LiteralString = """t.ended_at IS NOT NULL
    AND t.number < (SELECT max(number) FROM deliveries)
    AND (t.kind <> 'report' OR EXISTS (
        SELECT FROM deliveries AS later WHERE later.kind = 'report' AND later.number > t.number
        AND split_part(later.delivery_id, ':', 2) = split_part(t.delivery_id, ':', 2)))"""
"""An unfinished message stays, however old. So do the newest one, by whose number the next is counted, and the newest
report of each kind (`daily`, `monthly`: the second part of the id): which reports were sent is read from these rows."""

KNOWN: LiteralString = "DELETE FROM known_ids WHERE market_ms < %s"

PORTFOLIOS: LiteralString = """
DELETE FROM portfolio_versions AS old WHERE market_ms < %s AND EXISTS (
    SELECT FROM portfolio_versions AS later
    WHERE later.version > old.version AND later.market_ms / 86400000 = old.market_ms / 86400000)"""


def retain(url: str, archive: Path, now_ms: int, policy: RetentionPolicy) -> RetentionReport:
    """Apply the plan as of market time `now_ms`; running it again changes nothing.

    Raises:
        OSError: an archive cannot be written; its rows stay in the database.
    """
    report = RetentionReport()
    archive.mkdir(parents=True, exist_ok=True)
    with connect(url, "retention", is_patient=True) as connection:
        connection.execute("SET statement_timeout = 0")
        journal_before = _months_before(now_ms, policy.journal_months)
        messages_before = _month_start(now_ms - policy.messages_days * DAY_MS)
        _archive(connection, archive, "journal", "true", "id", journal_before, report)
        _archive(connection, archive, "outbox", ACKNOWLEDGED_BY_ALL, "sender, seq", messages_before, report)
        _archive(
            connection, archive, "exchange_calls", "status = 'ANSWERED'", "commit_no, position", messages_before, report
        )
        _archive(connection, archive, "deliveries", DELIVERED, "number", messages_before, report)
        known = connection.execute(KNOWN, (now_ms - policy.known_days * DAY_MS,))
        report.removed["known_ids"] = known.rowcount
        portfolios = connection.execute(PORTFOLIOS, (now_ms - policy.portfolio_days * DAY_MS,))
        report.removed["portfolio_versions"] = portfolios.rowcount
    return report


def _archive(
    connection: psycopg.Connection[Any],
    archive: Path,
    table: LiteralString,
    condition: LiteralString,
    order: LiteralString,
    before_ms: int,
    report: RetentionReport,
) -> None:
    """Move whole months before `before_ms` (a month's start) into one file each, oldest first."""
    report.removed[table] = 0
    period: LiteralString = f"WHERE market_ms >= %s AND market_ms < %s AND {condition}"
    oldest: LiteralString = f"SELECT min(market_ms) FROM {table} AS t {period}"
    start_ms = -(2**62)
    while True:
        row = connection.execute(oldest, (start_ms, before_ms)).fetchone()
        if row is None or row[0] is None:
            return
        start_ms, end_ms = _month_start(row[0]), _next_month(row[0])
        with connection.transaction():
            # the rows that are read are exactly the rows that are deleted
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            path = _free_name(archive, table, start_ms)
            select: LiteralString = f"SELECT row_to_json(t)::text FROM {table} AS t {period} ORDER BY {order}"
            rows = _rows(connection, select, start_ms, end_ms)
            written = _write(path, rows)
            gone = connection.execute(f"DELETE FROM {table} AS t {period}", (start_ms, end_ms)).rowcount
            if gone != written:
                path.unlink()
                raise RuntimeError(f"archive {path.name} holds {written} rows but {gone} would be deleted; nothing was")
        report.removed[table] += gone
        report.archives.append(path)
        start_ms = end_ms


def _rows(connection: psycopg.Connection[Any], query: LiteralString, start_ms: int, end_ms: int) -> Iterator[bytes]:
    with connection.cursor(name="archive") as cursor:  # on the server, so that a month need not fit into memory
        cursor.itersize = FETCH_ROWS
        for (row,) in cursor.execute(query, (start_ms, end_ms)):
            yield row.encode()


def _write(path: Path, rows: Iterator[bytes]) -> int:
    """The lines as an archive that has its name when it is whole on the disk; how many they are."""
    count = 0

    def fill(draft: Path) -> None:
        nonlocal count
        with open(draft, "wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6) as packed:
            for line in rows:
                packed.write(line + b"\n")
                count += 1

    write_whole(path, fill)
    return count


def _free_name(archive: Path, table: str, month_ms: int) -> Path:
    month = datetime.fromtimestamp(month_ms / 1000, UTC).strftime("%Y-%m")
    path, number = archive / f"{table}-{month}.jsonl.gz", 1
    while path.exists():
        number += 1
        path = archive / f"{table}-{month}.{number}.jsonl.gz"
    return path


def _month_start(instant_ms: int) -> int:
    day = datetime.fromtimestamp(instant_ms // 1000, UTC)
    return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * 1000


def _next_month(instant_ms: int) -> int:
    return _month_start(_month_start(instant_ms) + 32 * DAY_MS)


def _months_before(now_ms: int, months: int) -> int:
    start = datetime.fromtimestamp(_month_start(now_ms) / 1000, UTC)
    index = start.year * 12 + (start.month - 1) - months
    return int(datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1000
