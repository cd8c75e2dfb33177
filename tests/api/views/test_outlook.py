"""What an engine would do next, read from what it has committed: the same as the engine itself would say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from api.json_values import plain
from api.logics import PolicyLogics
from api.views.outlook import Outlook
from api.views.reading import Reading
from infra.config import EternalConfig
from infra.database.queries import Queries
from infra.database.server.embedded import EmbeddedPostgres
from infra.database.store import PostgresStore
from statemachines.trend.parameters import TREND_1
from statemachines.values import DAY_MS
from tests.database import fresh_database, postgres_server  # noqa: F401 - a fixture
from tests.kit.rows import Pen
from tests.statemachines.trend.bars import next_day, scene
from tests.statemachines.trend.venue import Venue

RISE = [100 * 1.002**day for day in range(260)]
LOGICS = PolicyLogics(EternalConfig(), "test01", 0)


@pytest.fixture
def url(postgres_server: EmbeddedPostgres) -> Iterator[str]:  # noqa: F811
    with fresh_database(postgres_server) as url:
        yield url


def committed(url: str) -> Venue:
    """TREND-1 after one day of its cycle, with all that it has committed."""
    venue = scene(RISE, [1000.0] * 260, parameters=TREND_1)
    next_day(venue, RISE[-1], 1000)
    store = PostgresStore(url)
    Pen(store, "market-data").write(facts=[bar for rows in venue.bars.values() for bar in rows])
    Pen(store, "trend-1").write(states=list(venue.rows.values()), market_ms=260 * DAY_MS)
    store.close()
    return venue


def test_p3_it_is_what_the_engine_itself_would_say(url: str) -> None:
    venue, reading = committed(url), Reading(Queries(url))
    found = asyncio.run(Outlook(reading, LOGICS).of("trend-1"))
    reading.close()
    assert found["problem"] == "" and found["market_ms"] == 260 * DAY_MS
    own = venue.logic.outlook(260 * DAY_MS)
    assert own and {(one["subject"], one["event"], one["rule"]) for one in found["prospects"]} == {
        (one.subject, one.event, one.rule) for one in own
    }
    for one in own:
        shown = next(
            each for each in found["prospects"] if (each["subject"], each["event"]) == (one.subject, one.event)
            and each["rule"] == one.rule
        )  # fmt: skip
        assert [term["value"] for term in shown["terms"]] == [plain(term.value) for term in one.terms]
    ranks = [one["closeness"] for one in found["prospects"] if one["closeness"] is not None and not one["barred"]]
    assert ranks == sorted(ranks, reverse=True)


def test_an_engine_that_has_committed_nothing_is_not_guessed_at(url: str) -> None:
    reading = Reading(Queries(url))
    found = asyncio.run(Outlook(reading, LOGICS).of("funding"))
    reading.close()
    assert found["prospects"] == [] and "not committed" in found["problem"]


def test_rows_of_another_version_are_a_problem_and_no_failure(url: str) -> None:
    venue = scene(RISE, [1000.0] * 260, parameters=TREND_1)
    next_day(venue, RISE[-1], 1000)
    store, reading = PostgresStore(url), Reading(Queries(url))
    Pen(store, "trend-1").write(states=[row._replace(schema=99) for row in venue.rows.values()])
    store.close()
    found = asyncio.run(Outlook(reading, LOGICS).of("trend-1"))
    reading.close()
    assert found["prospects"] == [] and "schema 99" in found["problem"]
