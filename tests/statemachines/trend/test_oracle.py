"""TREND driven over recorded history against an independent computation of the same rules (DESIGN 8.2).

Proves TR-1 to TR-8, TR-11, TR-13, TR-14, D1 to D5 and T1 to T12: exact dates, sizes, stops and exit rules.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from statemachines.messages.orders import Intent
from statemachines.trend.parameters import TREND_1, TREND_2
from statemachines.values import ActorName
from tests.reference import trend as reference
from tests.statemachines.trend import history
from tests.statemachines.trend.venue import Venue

pytestmark = pytest.mark.slow

START, END = "2019-12-01", "2025-07-01"
SETS = {
    "TREND-1": (ActorName.TREND_1, TREND_1, 15_000, 50, 200),
    "TREND-2": (ActorName.TREND_2, TREND_2, 5_000, 20, 100),
}
ENTRIES = {
    ("TREND-1", "BTC"): [0, 12, 34, 11, 16, 12, 10],
    ("TREND-1", "ETH"): [0, 15, 30, 19, 11, 14, 5],
    ("TREND-2", "BTC"): [1, 21, 30, 12, 15, 13, 7],
    ("TREND-2", "ETH"): [0, 19, 36, 18, 12, 20, 5],
}
EXITS = {
    "TREND-1": {"TR-4": 23, "TR-5": 43, "TR-6": 48, "TR-7": 27, "TR-14": 48},
    "TREND-2": {"TR-4": 36, "TR-5": 42, "TR-6": 49, "TR-7": 30, "TR-14": 52},
}
HALVED_AND_CUTS = {"TREND-1": (48, 10), "TREND-2": (57, 10)}
SPRING_2020 = {"TREND-1": 1, "TREND-2": 9}


def expected(engine: str, start: str, end: str) -> reference.Result:
    _, _, capital, fast, slow = SETS[engine]
    series = {asset: h.series for asset, h in history.load().items()}
    return reference.run(
        series, fast=fast, slow=slow, capital=float(capital), start_ms=history.ms(start), end_ms=history.ms(end)
    )


def actual(engine: str, start: str, end: str, *, restarts: bool = False) -> Venue:
    name, parameters, capital, _, _ = SETS[engine]
    return history.replay(name, parameters, Decimal(capital), history.ms(start), history.ms(end), restarts=restarts)


def year(at_ms: int) -> int:
    return datetime.fromtimestamp(at_ms / 1000, UTC).year


def entries_of(venue: Venue) -> list[tuple[str, int, int, float]]:
    return [
        (body.symbol.removesuffix("USDT"), at, body.side.sign, float(body.quantity))
        for at, body in venue.sent
        if isinstance(body, Intent) and body.purpose == "entry"
    ]


def exits_of(venue: Venue) -> list[tuple[str, int, str]]:
    return [
        (note.machine, at - at % 3_600_000, note.data["rule"])
        for at, note in venue.noted
        if note.dest == "EXIT" and note.source != "EXIT"
    ]


def cuts_of(venue: Venue) -> list[tuple[str, int, float]]:
    return [(n.machine, at, float(n.data["quantity"])) for at, n in venue.noted if n.trigger == "cut"]


def stops_of(venue: Venue) -> list[tuple[str, int, float]]:
    return [(n.machine, at, float(n.data["to"])) for at, n in venue.noted if n.trigger == "stop_moved"]


def assert_same(venue: Venue, result: reference.Result) -> None:
    assert entries_of(venue) == [(e.asset, e.close_ms, e.direction, e.quantity) for e in result.entries]
    assert sorted(exits_of(venue)) == sorted((x.asset, x.at_ms, x.rule) for x in result.exits)
    assert sorted(cuts_of(venue)) == sorted((c.asset, c.at_ms, c.quantity) for c in result.cuts)
    assert sorted(stops_of(venue)) == sorted(result.stops)
    hard = [float(n.data["stop"]) for _, n in venue.noted if n.trigger == "fill"]
    assert hard == [e.stop for e in result.entries]
    equity = venue.cash + sum(q * (venue.closes[s] - price) for s, (q, price) in venue.positions.items())
    assert float(equity) == pytest.approx(result.equity, abs=1e-6)
    assert venue.alerts == []


@pytest.mark.parametrize("engine", SETS)
def test_the_reference_meets_the_counts_of_the_independent_computations(engine: str) -> None:
    """reference-counts.md: entries per year and asset, exits by rule, halved entries and cuts (TR-13)."""
    result = expected(engine, START, END)
    for asset in ("BTC", "ETH"):
        years = Counter(year(e.close_ms) for e in result.entries if e.asset == asset)
        assert [years[y] for y in range(2019, 2026)] == ENTRIES[(engine, asset)]
    assert Counter(x.rule for x in result.exits) == EXITS[engine]
    assert (sum(e.halved for e in result.entries), len(result.cuts)) == HALVED_AND_CUTS[engine]
    assert not {"TR-9", "TR-12"} & set(result.blocked)


@pytest.mark.parametrize("engine", SETS)
def test_spring_2020_from_a_flat_start(engine: str) -> None:
    """February and March 2020: the crash of March 12 with every stop and exit, entry by entry."""
    result = expected(engine, "2020-02-01", "2020-04-01")
    assert len(result.entries) == SPRING_2020[engine]
    assert_same(actual(engine, "2020-02-01", "2020-04-01"), result)


@pytest.mark.parametrize("engine", SETS)
def test_the_whole_history(engine: str) -> None:
    """Five and a half years: every date, size, stop and exit rule of the engine is the reference's."""
    assert_same(actual(engine, START, END), expected(engine, START, END))


def test_a_restart_after_every_message_changes_nothing() -> None:
    """OR-9, TR-13: 2021 with a new engine from the saved rows and warm-up bars after every single step."""
    steady = actual("TREND-2", "2021-04-01", "2021-07-01")
    restarted = actual("TREND-2", "2021-04-01", "2021-07-01", restarts=True)
    assert restarted.notes == steady.notes
    assert restarted.sent == steady.sent
    assert restarted.rows == steady.rows
