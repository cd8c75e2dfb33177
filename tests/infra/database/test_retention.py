"""Decades of journal: whole months move to archives, nothing that is still needed moves (DA-5)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.runtime.ports import JournalRow
from infra.database.connection import connect
from infra.database.retention import RetentionPolicy, RetentionReport, retain
from infra.database.roles import as_role
from infra.database.statements import ENVELOPE_REST
from infra.database.store import PostgresStore
from infra.database.urls import RETENTION
from statemachines.commands import JournalEntry
from statemachines.facts import DeliveryFact, PortfolioFact
from statemachines.values import DAY_MS, HOUR_MS
from tests.kit.rows import Pen, envelope, row
from tests.kit.rows import place as place_order

POLICY = RetentionPolicy(journal_months=2, messages_days=40, known_days=30, portfolio_days=30)


def instant(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1000


NOW_MS = instant(2021, 3, 15)
WALL = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def pen(database_url: str) -> Iterator[Pen]:
    store = PostgresStore(database_url)
    yield Pen(store, "trend-1")
    store.close()


def line(market_ms: int, text: str) -> JournalRow:
    return JournalRow(market_ms, "c", "t", JournalEntry("BTC", "bar", "FLAT", "LONG", text, {"close": "1.50"}))


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(text) for text in file]


def column(url: str, query: str) -> list[Any]:
    with connect(url, "test") as connection:
        return [found[0] for found in connection.execute(query).fetchall()]


def names(report: RetentionReport) -> list[str]:
    return [path.name for path in report.archives]


def test_old_months_of_the_journal_move_to_one_file_each(pen: Pen, database_url: str, tmp_path: Path) -> None:
    instants = [instant(2020, 11, 30), instant(2020, 12, 1), instant(2020, 12, 31), instant(2021, 1, 1), NOW_MS]
    pen.write(journal=[line(ms, f"reason {ms} «ü»\nsecond line") for ms in instants])
    report = retain(as_role(database_url, RETENTION), tmp_path, NOW_MS, POLICY)
    assert names(report) == ["journal-2020-11.jsonl.gz", "journal-2020-12.jsonl.gz"]
    assert report.removed["journal"] == 3
    assert [row["market_ms"] for path in report.archives for row in read(path)] == instants[:3]
    assert read(report.archives[0])[0]["reason"] == f"reason {instants[0]} «ü»\nsecond line"
    assert read(report.archives[0])[0]["data"] == {"close": "1.50"}
    assert column(database_url, "SELECT market_ms FROM journal ORDER BY id") == instants[3:]


def test_a_second_run_changes_nothing(pen: Pen, database_url: str, tmp_path: Path) -> None:
    pen.write(journal=[line(instant(2020, 1, 5), "old")])
    retain(as_role(database_url, RETENTION), tmp_path, NOW_MS, POLICY)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    report = retain(as_role(database_url, RETENTION), tmp_path, NOW_MS, POLICY)
    assert (names(report), set(report.removed.values())) == ([], {0})
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_month_that_was_archived_before_gets_a_second_file(pen: Pen, database_url: str, tmp_path: Path) -> None:
    """After a crash between file and delete a line may be there twice; never is one missing."""
    pen.write(journal=[line(instant(2020, 1, 5), "one")])
    retain(as_role(database_url, RETENTION), tmp_path, NOW_MS, POLICY)
    pen.write(journal=[line(instant(2020, 1, 6), "late")])
    assert names(retain(as_role(database_url, RETENTION), tmp_path, NOW_MS, POLICY)) == ["journal-2020-01.2.jsonl.gz"]
    assert len(list(tmp_path.iterdir())) == 2


def test_an_archive_that_cannot_be_written_leaves_the_rows(
    pen: Pen, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pen.write(journal=[line(instant(2020, 1, 5), "kept")])

    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("infra.files.os.fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        retain(as_role(database_url, RETENTION), tmp_path, NOW_MS, POLICY)
    assert column(database_url, "SELECT reason FROM journal") == ["kept"]


def test_messages_that_somebody_still_needs_stay(pen: Pen, database_url: str, tmp_path: Path) -> None:
    old = {**envelope(1, "a", actor="trend-1"), "market_time": instant(2020, 1, 5)}
    needed = {**envelope(2, "a", "b", actor="trend-1"), "market_time": instant(2020, 1, 6)}
    young = {**envelope(3, "a", actor="trend-1"), "market_time": NOW_MS}
    pen.write(outbox=[old, needed, young], acknowledged={"a": 3})
    report = retain(as_role(database_url, RETENTION), tmp_path, NOW_MS, POLICY)
    assert report.removed["outbox"] == 1
    (kept,) = read(report.archives[0])
    assert kept["envelope"] == {name: old[name] for name in ENVELOPE_REST}
    assert {name: kept[name] for name in ("id", "seq", "recipients", "market_ms")} == {
        "id": old["id"],
        "seq": 1,
        "recipients": ["a"],
        "market_ms": old["market_time"],
    }
    loaded = pen.store.load("trend-1", pen.epoch)
    assert list(loaded.outbox) == [needed]
    assert loaded.last_sent == {"a": 3, "b": 2}


def test_requests_without_an_answer_stay(pen: Pen, database_url: str, tmp_path: Path) -> None:
    pen.write(calls=[place_order("answered"), row("open", place_order("x").call.request)])
    pen.write(answered=["answered"])
    report = retain(as_role(database_url, RETENTION), tmp_path, NOW_MS, POLICY)
    assert report.removed["exchange_calls"] == 1
    assert [found.call.key for found in pen.store.load("trend-1", pen.epoch).pending] == ["open"]


def test_known_ids_are_dropped_and_portfolios_thinned_to_one_a_day(pen: Pen, database_url: str, tmp_path: Path) -> None:
    day = instant(2020, 5, 1)
    times = [day, day + HOUR_MS, day + 23 * HOUR_MS, day + DAY_MS, NOW_MS - HOUR_MS, NOW_MS]
    versions = [
        PortfolioFact(version=n, market_ms=ms, equity_usdt=Decimal(1000 + n), data={}) for n, ms in enumerate(times, 1)
    ]
    pen.write(facts=versions, known=["old"], market_ms=day)
    pen.write(known=["new"], market_ms=NOW_MS)
    report = retain(as_role(database_url, RETENTION), tmp_path, NOW_MS, POLICY)
    assert column(database_url, "SELECT version FROM portfolio_versions ORDER BY 1") == [3, 4, 5, 6]
    assert report.removed["known_ids"] == 1
    assert pen.store.is_known("trend-1", ["old", "new"]) == {"new"}


def delivery(number: int, market_ms: int, name: str = "", **changes: Any) -> DeliveryFact:
    whole = {
        "delivery_id": name or f"alert-{number}/email", "number": number, "kind": "report" if name else "alert",
        "channel": "email", "action": "report" if name else "raise", "alert_id": "", "dedup_key": "",
        "severity": "info", "title": "t", "text": "x", "state": "DELIVERED", "market_ms": market_ms,
        "created_at": WALL, "next_at": WALL, "ended_at": WALL, **changes,
    }  # fmt: skip
    return DeliveryFact.model_validate(whole)


def test_messages_to_people_move_once_they_have_ended_and_what_is_remembered_by_them_stays(
    pen: Pen, database_url: str, tmp_path: Path
) -> None:
    old = instant(2020, 1, 5)
    rows = [
        delivery(1, old),
        delivery(2, old, state="RETRY", ended_at=None),
        delivery(3, old, "report:daily:2020-01-03/email"),
        delivery(4, old, "report:monthly:2019-12/email"),
        delivery(5, old, "report:daily:2020-01-04/email"),
        delivery(6, instant(2020, 2, 1), state="EXPIRED"),
        delivery(7, NOW_MS),
    ]
    pen.write(facts=rows)
    report = retain(as_role(database_url, RETENTION), tmp_path, NOW_MS, POLICY)
    assert names(report) == ["deliveries-2020-01.jsonl.gz", "deliveries-2020-02.jsonl.gz"]
    assert column(database_url, "SELECT number FROM deliveries ORDER BY number") == [2, 4, 5, 7]
    assert [one["number"] for path in report.archives for one in read(path)] == [1, 3, 6]


def test_the_newest_message_stays_for_the_next_one_is_counted_from_it(
    pen: Pen, database_url: str, tmp_path: Path
) -> None:
    pen.write(facts=[delivery(1, instant(2020, 1, 5)), delivery(2, instant(2020, 1, 6))])
    retain(as_role(database_url, RETENTION), tmp_path, NOW_MS, POLICY)
    assert column(database_url, "SELECT number FROM deliveries") == [2]
