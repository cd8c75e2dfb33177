"""What the engines' rules have read, from committed rows: every engine has its panes, by the parameters in force."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from actors.runtime.ports import JournalRow
from api.logics import PolicyLogics
from api.views.arguments import BadValueError
from api.views.indicators import Indicators
from api.views.reading import Reading
from infra.config import EternalConfig
from infra.database.queries import Queries
from infra.database.server.embedded import EmbeddedPostgres
from infra.database.store import PostgresStore
from statemachines.commands import Remark
from statemachines.facts import FundingRateFact
from statemachines.values import DAY_MS
from tests.database import fresh_database, postgres_server  # noqa: F401 - a fixture
from tests.kit import builders
from tests.kit.rows import Pen, message

LOGICS = PolicyLogics(EternalConfig(), "test01", 0)
DAYS = 210
PANES = {
    "core-hodl": {"drift": 1, "plans of deposits (C5)": 1},
    "trend-1": {"averages": DAYS - 49, "trend strength": DAYS - 27, "true range": DAYS - 14},
    "trend-2": {"averages": DAYS - 19, "trend strength": DAYS - 27, "true range": DAYS - 14},
    "funding": {"funding rate": 1, "basis": DAYS},
    "tactical": {"fall from the high": DAYS, "Fear & Greed": 1},
}


@pytest.fixture(scope="module")
def reading(postgres_server: EmbeddedPostgres) -> Iterator[Reading]:  # noqa: F811
    with fresh_database(postgres_server) as url:
        store = PostgresStore(url)
        bars = [
            builders.bar(category, "BTCUSDT", day * DAY_MS, str(100 + day % 11), "D")
            for category in ("spot", "linear")
            for day in range(DAYS)
        ]
        rate = FundingRateFact(symbol="BTCUSDT", settle_ms=DAY_MS, rate=Decimal("0.0001"), interval_min=480)
        feed = {"day_ms": 0, "feed": {"fear_greed": 31, "fear_greed_ms": DAY_MS // 2}}
        day = message("market-data", 1, "tactical", "day_closed", "x", "x", body=feed)
        Pen(store, "market-data").write(facts=[*bars, rate], outbox=[day])
        figures = {"drift_points": "3.25", "planned_usdt": "900.00"}
        cycle = JournalRow(DAY_MS, "x", "x", Remark("engine", "cycle", "the day's figures", figures))
        Pen(store, "core-hodl").write(journal=[cycle])
        store.close()
        found = Reading(Queries(url))
        yield found
        found.close()


def asked(reading: Reading, engine: str, symbol: str = "BTCUSDT") -> Any:
    return asyncio.run(Indicators(reading, LOGICS).of(engine, symbol))


@pytest.mark.parametrize("engine", PANES)
def test_every_engine_has_the_numbers_that_its_rules_read(reading: Reading, engine: str) -> None:
    found = asked(reading, engine)
    assert found["problem"] == ""
    assert {pane["title"]: len(pane["lines"][0]["points"]) for pane in found["panes"]} == PANES[engine]
    times = [point["market_ms"] for point in found["panes"][0]["lines"][0]["points"]]
    assert times == sorted(times)


def test_a_market_without_bars_has_none_and_a_wrong_engine_is_named(reading: Reading) -> None:
    assert asked(reading, "trend-1", "DOGEUSDT")["panes"] == []
    with pytest.raises(BadValueError, match="engine"):
        asked(reading, "trend-9")
    assert "not known" in asyncio.run(Indicators(reading, None).of("trend-1", "BTCUSDT"))["problem"]
