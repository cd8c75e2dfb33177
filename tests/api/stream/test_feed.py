"""The stream of events misses nothing and repeats nothing that it need not: numbers that commit late, fills of an order
that changes again, alerts of one instant, a client that comes back, one that is too far behind, a database away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from actors.runtime.ports import JournalRow
from api.access.answers import Granted
from api.access.judge import Judge
from api.access.scopes import Scope
from api.http.app import create_app
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.stream import events, feed
from api.stream.events import MAX_OF_ONE, MAX_STREAMS, RESERVED, Streams, TooManyStreamsError
from api.stream.feed import Batch, Feed, StreamPlace, place_from, settled
from api.tokens import Token
from api.views.arguments import BadValueError
from api.views.reading import DatabaseAwayError
from infra.database.queries import Queries
from infra.database.store import PostgresStore
from statemachines.commands import JournalEntry, Remark
from statemachines.facts import AlertFact, ExecutionFact, PortfolioFact
from statemachines.values import HOUR_MS, Side
from tests.api.test_http import STATUS
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.kit import rows
from tests.kit.rows import ALERT, Pen


@pytest.fixture
def store(database_url: str) -> Iterator[PostgresStore]:  # noqa: F811
    found = PostgresStore(database_url)
    yield found
    found.close()


@pytest.fixture
def reader(database_url: str) -> Iterator[Feed]:  # noqa: F811
    queries = Queries(database_url)
    yield Feed(queries)
    queries.close()


OWNER = Granted("operator", Scope.ADMIN)


async def stands() -> bool:
    """The client may listen."""
    return True


def remark(text: str, *, is_bookkeeping: bool = False) -> JournalRow:
    return JournalRow(
        HOUR_MS, "c", "t", Remark("BTC", "note", text, {"n": Decimal("1.0")}, is_bookkeeping=is_bookkeeping)
    )


def order_line(intent_id: str, dest: str) -> JournalRow:
    """As the order's machine writes it, under its name in the journal."""
    return JournalRow(HOUR_MS, "c", "t", JournalEntry(f"{intent_id}/1", "x", "OPEN", dest, "", table="order"))


def fill(name: str) -> ExecutionFact:
    return ExecutionFact(
        account="TREND-1", execution_id=name, client_order_id="o-1", venue_order_id="v", engine="trend-1",
        category="linear", symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), price=Decimal(2), fee=Decimal(0),
        fee_coin="USDT", is_maker=False, realized_pnl=Decimal(0), executed_ms=HOUR_MS,
    )  # fmt: skip


def read(reader: Feed, place: StreamPlace) -> tuple[list[str], StreamPlace]:
    """The keys of what a client is sent, and its place behind them."""
    batch = reader.after(place)
    reader.take(batch)
    return [one.key for one in batch.happenings], batch.place


def begin(reader: Feed) -> StreamPlace:
    batch = reader.present()
    reader.take(batch)
    return batch.place


def test_what_happens_is_sent_once_in_its_order(store: PostgresStore, reader: Feed) -> None:
    pen = Pen(store, "order-manager")
    pen.write(journal=[remark("before")])
    place = begin(reader)
    assert read(reader, place) == ([], place), "what was before is in the lists"
    pen.write(journal=[remark("one"), remark("network", is_bookkeeping=True), remark("two")])
    keys, place = read(reader, place)
    assert [key.partition(":")[0] for key in keys] == ["decision", "decision"]
    assert read(reader, place) == ([], place)


def test_an_order_comes_with_its_fills_each_once(store: PostgresStore, reader: Feed) -> None:
    pen, place = Pen(store, "order-manager"), begin(reader)
    pen.write(journal=[order_line("o-1", "PARTIALLY_FILLED")],
              facts=[rows.order("o-1", "PARTIALLY_FILLED", "t"), fill("e-1")])  # fmt: skip
    keys, place = read(reader, place)
    assert "fill:TREND-1:e-1" in keys and any(key.startswith("order:o-1") for key in keys)
    pen.write(journal=[order_line("o-1", "FILLED")], facts=[rows.order("o-1", "FILLED", "t"), fill("e-2")])
    keys, place = read(reader, place)
    assert [key for key in keys if key.startswith("fill")] == ["fill:TREND-1:e-2"], "the first one was sent before"
    pen.write(journal=[order_line("o-1", "FILLED")])
    keys, place = read(reader, place)
    assert [key.partition(":")[0] for key in keys] == ["decision"], "nothing of the order is different"


def test_of_several_versions_of_the_portfolio_the_newest_is_sent(store: PostgresStore, reader: Feed) -> None:
    pen, place = Pen(store, "risk-manager"), begin(reader)
    data = {"accounts": {"TREND-1": {"equity_usdt": "7.5"}}}
    pen.write(facts=[PortfolioFact(version=n, market_ms=n, equity_usdt=Decimal(n), data=data) for n in (1, 2)])
    batch = reader.after(place)
    assert [one.key for one in batch.happenings] == ["equity:2"]
    assert batch.happenings[0].data["accounts"] == {"TREND-1": "7.5"}
    assert read(reader, batch.place)[0] == []


def test_an_alert_is_sent_when_it_is_raised_and_when_it_changes(store: PostgresStore, reader: Feed) -> None:
    pen = Pen(store, "risk-manager")
    pen.write(facts=[ALERT])
    place = begin(reader)
    assert read(reader, place)[0] == [], "it was there before"
    pen.write(facts=[ALERT.model_copy(update={"alert_id": "another", "changed_ms": ALERT.changed_ms})])
    keys, place = read(reader, place)
    assert len(keys) == 1 and keys[0].startswith("alert:another"), "of the same instant, raised later"
    pen.write(facts=[ALERT.model_copy(update={"changed_ms": ALERT.changed_ms + 5, "changes": ALERT.changes + 1})])
    assert len(read(reader, place)[0]) == 1


def raised(name: str, at_ms: int) -> AlertFact:
    return ALERT.model_copy(update={"alert_id": name, "changed_ms": at_ms, "market_ms": at_ms})


def test_an_alert_of_an_actor_that_lags_is_sent(store: PostgresStore, reader: Feed) -> None:
    """The planted defect is a place in market time: what is raised later with an earlier time would never be sent."""
    pen, place = Pen(store, "trend-1"), begin(reader)
    pen.write(facts=[raised("first", 1_000)])
    _, place = read(reader, place)
    pen.write(facts=[raised("lagging", 999)])
    keys, place = read(reader, place)
    assert [key.split(":")[1] for key in keys] == ["lagging"]


def test_an_alert_that_commits_late_is_sent_once_to_who_comes_again(
    store: PostgresStore,
    reader: Feed,
    database_url: str,  # noqa: F811
) -> None:
    queries = Queries(database_url)
    pen, place = Pen(store, "trend-1"), begin(reader)
    pen.write(facts=[raised("seed", 1_000)])
    _, place = read(reader, place)
    with psycopg.connect(database_url) as slow:
        slow.execute("UPDATE alerts SET changes = changes + 1 WHERE alert_id = 'seed'")
        pen.write(facts=[raised("fast", 2_000)])
        keys, place = read(Feed(queries), place)
        assert "alert:fast" in "".join(keys), "nothing waits for the slow one"
    keys, place = read(Feed(queries), place)
    assert "alert:seed" in "".join(keys)
    _, place = read(again := Feed(queries), place)
    assert read(again, place) == ([], place) and read(Feed(queries), place)[0] == []
    queries.close()


def test_very_many_alerts_of_one_instant_are_sent_and_too_many_skipped(
    store: PostgresStore, reader: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted defect is a page of an instant that has more than a page: no later alert would be sent."""
    pen, place = Pen(store, "trend-1"), begin(reader)
    monkeypatch.setattr(feed, "ALL_ALERTS_S", 0.0)
    monkeypatch.setattr(feed, "MAX_ROWS", 5)
    pen.write(facts=[raised(f"a{at}", 1_000) for at in range(20)])
    keys, place = read(reader, place)
    assert len(keys) == 20
    pen.write(facts=[raised("new", 1_000)])
    keys, place = read(reader, place)
    assert len(keys) == 1
    monkeypatch.setattr(feed, "MAX_BEHIND", 10)
    pen.write(facts=[raised(f"b{at}", 1_000) for at in range(11)])
    keys, place = read(reader, place)
    assert [key.partition(":")[0] for key in keys] == ["skipped"] and read(reader, place)[0] == []


def test_only_the_newest_alerts_are_compared_until_it_is_time_for_all(
    store: PostgresStore, reader: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    pen, place = Pen(store, "trend-1"), begin(reader)
    monkeypatch.setattr(feed, "NEWEST_ALERTS", feed.NEWEST_ALERTS.replace(f"LIMIT {feed.MAX_ROWS}", "LIMIT 1"))
    pen.write(facts=[raised("older", 1_000), raised("newer", 2_000)])
    keys, behind = read(reader, place)
    assert [key.split(":")[1] for key in keys] == ["newer"] and behind == place
    monkeypatch.setattr(feed, "ALL_ALERTS_S", 0.0)
    keys, behind = read(reader, behind)
    assert [key.split(":")[1] for key in keys] == ["older"] and behind.alerts_transaction > place.alerts_transaction


@pytest.mark.parametrize("field", StreamPlace._fields)
def test_a_place_ahead_of_the_database_is_skipped(store: PostgresStore, reader: Feed, field: str) -> None:
    """A restored backup: the planted defect is a client that waits for numbers which come in a year."""
    pen = Pen(store, "trend-1")
    pen.write(journal=[remark("one")], facts=[raised("x", 1_000)])
    keys, place = read(reader, reader.present().place._replace(**{field: 10**15}))
    assert [key.partition(":")[0] for key in keys] == ["skipped"]
    pen.write(journal=[remark("two")], facts=[raised("y", 1_001)])
    keys, place = read(reader, place)
    assert [key.partition(":")[0] for key in keys] == ["decision", "alert"]


def test_a_number_that_commits_late_is_waited_for(database_url: str, store: PostgresStore, reader: Feed) -> None:  # noqa: F811
    """The planted defect is a reader that only remembers the highest number: it would never see the slow row."""
    pen = Pen(store, "trend-1")
    pen.write(journal=[remark("seed")])
    place = begin(reader)
    columns = (
        "actor, commit_no, market_ms, machine_table, machine, trigger, source, dest, data, kind, cause, trace, "
        "is_bookkeeping"
    )
    with psycopg.connect(database_url) as slow:
        slow.execute(f"INSERT INTO journal ({columns}, reason) SELECT {columns}, 'slow' FROM journal".encode())
        pen.write(journal=[remark("fast")])
        assert read(reader, place)[0] == [], "a number is missing, and its transaction may still commit"
    found = reader.after(place).happenings
    assert [one.data["reason"] for one in found] == ["slow", "fast"]
    number = place.journal + 1
    waiting = [{"id": number + 1, "age_s": feed.GAP_S - 0.1}, {"id": number + 2, "age_s": 0.0}]
    assert settled([dict(row) for row in waiting], number - 1) == []
    assert settled([{**row, "age_s": feed.GAP_S + 1} for row in waiting], number - 1) == [
        {**row, "age_s": feed.GAP_S + 1} for row in waiting
    ], "a transaction that was rolled back leaves a gap for ever"
    assert settled([dict(row) for row in waiting], number) == waiting


def test_a_client_that_comes_back_gets_what_it_missed_and_one_far_behind_is_told(
    monkeypatch: pytest.MonkeyPatch,
    store: PostgresStore,
    reader: Feed,
    database_url: str,  # noqa: F811
) -> None:
    pen, place = Pen(store, "trend-1"), begin(reader)
    pen.write(journal=[remark(str(at)) for at in range(12)])
    queries = Queries(database_url)
    again = Feed(queries)
    assert len(read(again, place_from(str(place)))[0]) == 12
    monkeypatch.setattr(feed, "MAX_ROWS", 5)
    first, behind = read(again, place)
    assert len(first) == 5 and len(read(again, behind)[0]) == 5, "it reads on from where it is"
    monkeypatch.setattr(feed, "MAX_BEHIND", 6)
    keys, behind = read(again, place)
    assert [key.partition(":")[0] for key in keys] == ["skipped"] and read(again, behind)[0] == []
    queries.close()


@pytest.mark.parametrize("text", ["", "1-2", "a-b-c", "1-2-3-4", "-1-2-3", "1" * 19 + "-1-1"])
def test_an_id_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadValueError, match="Last-Event-ID"):
        place_from(text)
    assert place_from("12-0-1735689600000") == StreamPlace(12, 0, 1_735_689_600_000)


def parsed(text: str) -> list[dict[str, Any]]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "data" in fields:
            found.append({**fields, "data": json.loads(fields["data"])})
    return found


def test_over_http_with_the_state_first_and_resumed_by_its_last_id(store: PostgresStore, database_url: str) -> None:  # noqa: F811
    service = OperatorService(Queries(database_url), SnapshotCache(lambda: STATUS), lambda: "synthetic", True)
    streams = Streams(service, life_s=0.4, turn_s=0.05)
    with TestClient(create_app(service, Judge(Token("t" * 43)).judge, streams=streams)) as client:
        client.headers["Authorization"] = f"Bearer {'t' * 43}"
        answer = client.get("/api/v1/events/stream")
        assert answer.headers["content-type"].startswith("text/event-stream") and answer.text.startswith(": begin")
        begun, first = parsed(answer.text)
        assert (begun["event"], begun["id"]) == ("begun", first["id"]), "what was read before it may be older"
        assert first["event"] == "state" and first["data"]["engines"], "all that a page shows before anything happens"
        Pen(store, "trend-1").write(journal=[remark("missed")])
        resumed = parsed(client.get("/api/v1/events/stream", headers={"Last-Event-ID": first["id"]}).text)
        assert [one["event"] for one in resumed] == ["decision", "state"]
        assert resumed[0]["data"]["reason"] == "missed" and resumed[0]["data"]["data"] == {"n": "1.0"}
        wrong = client.get("/api/v1/events/stream", headers={"Last-Event-ID": "x"})
        assert wrong.status_code == 422 and wrong.json()["field"] == "Last-Event-ID"
    assert streams.open == 0
    service.close()


class Away:
    """A service whose database answers at the third look."""

    def __init__(self) -> None:
        self.looks = 0
        self.reading = self
        self.queries = None

    async def read(self, _work: Any) -> Batch:
        self.looks += 1
        if self.looks < 3:
            raise DatabaseAwayError("the database is restarting")
        return Batch([], StreamPlace(1, 2, 3))

    async def overview(self) -> dict[str, Any]:
        market = dict.fromkeys(("label", "is_simulated", "market_ms", "day", "state", "why"))
        return {
            "health": self.looks < 3,
            "market": market,
            "engines": [],
            "components": [],
            "equity_usdt": None,
            "equity_ms": None,
            "expected": {"urgency": "none", "items": []},
        }


def test_a_database_that_is_away_is_said_once_and_the_stream_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "QUIET_S", 0.02)
    streams = Streams(Away(), life_s=0.2, turn_s=0.01)  # type: ignore[arg-type]

    async def all_lines() -> list[str]:
        return [line async for line in streams.begin(None, OWNER, stands)]

    lines = asyncio.run(all_lines())
    assert [one["event"] for one in parsed("".join(lines))] == ["away", "state", "begun", "state"]
    assert any(line.startswith(": quiet") for line in lines)


def test_an_outage_ends_with_its_connection() -> None:
    """A new one says `away` before its first `state` if it still holds; a `state` without it is what `back` is."""

    async def kinds(streams: Streams) -> list[str]:
        return [one["event"] for one in parsed("".join([line async for line in streams.begin("1-2-3", OWNER, stands)]))]

    service = Away()
    service.looks = 1
    streams = Streams(service, life_s=0.03, turn_s=0.06)  # type: ignore[arg-type]
    assert asyncio.run(kinds(streams)) == ["away", "state"]
    assert asyncio.run(kinds(streams)) == ["state"]


def counted(asks: Sequence[Granted]) -> list[int]:
    """How many listen after each has come; who is refused leaves the number as it was."""

    async def all_come() -> list[int]:
        streams, kept, found = Streams(Away()), [], []  # type: ignore[arg-type]
        for granted in asks:
            with suppress(TooManyStreamsError):
                kept.append(streams.begin(None, granted, stands))
                await anext(kept[-1])
            found.append(streams.open)
        for lines in kept:
            await lines.aclose()  # type: ignore[attr-defined]
        return [*found, streams.open]

    return asyncio.run(all_come())


def test_no_more_clients_than_allowed() -> None:
    """DE-3: who may only read takes neither the others' places nor the last ones."""
    of_one = [Granted("reader", Scope.READ)] * (MAX_OF_ONE + 1)
    assert counted(of_one)[-3:] == [MAX_OF_ONE, MAX_OF_ONE, 0]
    most = MAX_STREAMS - RESERVED
    readers = [Granted(f"reader {at}", Scope.READ) for at in range(most + 1)]
    assert counted(readers)[-3:] == [most, most, 0]
    acting = [Granted(f"{at}", Scope.CONTROL) for at in range(RESERVED)] + [Granted("late", Scope.ADMIN)]
    assert counted(readers + acting)[-3:] == [MAX_STREAMS, MAX_STREAMS, 0]
    before_code = Granted("owner", Scope.READ, withheld=Scope.ADMIN)
    assert counted([*readers, before_code])[-2:] == [most + 1, 0]


def test_those_who_come_at_once_are_counted_too() -> None:
    async def all_come() -> int:
        streams = Streams(Away(), life_s=5.0)  # type: ignore[arg-type]
        lines = [streams.begin(None, OWNER, stands) for _ in range(MAX_OF_ONE + 5)]
        first = [await anext(one, None) for one in lines]
        for one in lines:
            await one.aclose()  # type: ignore[attr-defined]
        return len([line for line in first if line is not None])

    assert asyncio.run(all_come()) == MAX_OF_ONE


def test_a_stream_ends_when_the_client_may_listen_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """DE-3: a session that was ended would have gone on listening for a minute."""
    monkeypatch.setattr(events, "STANDING_S", 0.0)
    asked: list[int] = []

    async def stands_twice() -> bool:
        asked.append(len(asked))
        return len(asked) <= 2

    async def all_lines() -> list[str]:
        streams = Streams(Away(), life_s=20.0, turn_s=0.01)  # type: ignore[arg-type]
        return [line async for line in streams.begin(None, OWNER, stands_twice)]

    assert asyncio.run(asyncio.wait_for(all_lines(), 10)) and len(asked) == 3


def test_a_stream_ends_when_its_server_does() -> None:
    streams = Streams(Away(), life_s=60.0, turn_s=0.01)  # type: ignore[arg-type]

    async def ended() -> int:
        lines = 0
        async for _line in streams.begin(None, OWNER, stands):
            lines += 1
            streams.end()
        return lines

    assert asyncio.run(asyncio.wait_for(ended(), 5)) >= 1
