"""TACTICAL driven day by day over recorded history against the independent reference (TA-1 .. TA-8, A1 .. A7)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from statemachines.actor_logic import ActorLogic, HistoryNeed
from statemachines.facts import BarFact
from statemachines.messages.control import CycleDone, RunCycle
from statemachines.messages.market import DayClosed, FeedFrame, FundingSettled
from statemachines.tactical.engine import TacticalEngine
from statemachines.values import DAY_MS, SPOT, Account, ActorName, Side
from tests.kit import builders
from tests.reference import tactical as reference
from tests.shared import shared_path
from tests.statemachines.harness import World, known_instruments

CAPITAL = Decimal(100_000)
END = date(2025, 6, 30)
STARTS = [date(2018, 1, 1), date(2020, 1, 1), date(2021, 5, 1), date(2022, 3, 1), date(2023, 1, 1)]


def ms_of(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def day_of(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, UTC).date()


@pytest.fixture(scope="module")
def market() -> reference.Market:
    return reference.load(shared_path("history"))


def bar(market: reference.Market, coin: str, row: int) -> BarFact:
    opened, close = market.opened[coin][row], market.close[coin][row]
    ends: dict[str, Any] = {"open": opened, "high": max(opened, close), "low": min(opened, close)}
    return builders.bar(SPOT, f"{coin}USDT", ms_of(market.days[row]), close, **ends)


def feed(market: reference.Market, day: date) -> FeedFrame:
    """What the feeds know at the cycle after `day`: Fear & Greed of D is published at D 00:00, DVOL of D at its end."""
    greed = next((day + timedelta(days=k) for k in (1, 0, -1) if day + timedelta(days=k) in market.fear_greed), None)
    if greed is not None and greed > day:  # published at the cycle's instant: the reader tells the one before it
        greed = next((day - timedelta(days=k) for k in (0, 1) if day - timedelta(days=k) in market.fear_greed), None)
    dvol = next((day - timedelta(days=k) for k in (0, 1, 2) if day - timedelta(days=k) in market.dvol), None)
    return FeedFrame(
        fear_greed=None if greed is None else market.fear_greed[greed],
        fear_greed_ms=None if greed is None else ms_of(greed),
        dvol=None if dvol is None else reference.exact(market.dvol[dvol]),
        dvol_ms=None if dvol is None else ms_of(dvol) + DAY_MS,
    )


def drive(market: reference.Market, start: date, end: date, restarts: bool = False) -> World:
    first = market.days.index(start)
    history = [bar(market, "BTC", row) for row in range(first)]

    def warm(engine: ActorLogic) -> None:
        engine.warm({HistoryNeed(SPOT, "BTCUSDT", "D", 3_000): history})

    world = World(TacticalEngine, Account.TACTICAL, CAPITAL, restarts=restarts, warm=warm, now_ms=ms_of(start))
    world.tell(known_instruments(), world.portfolio())
    stamps, rates = market.funding
    for row in range(first, market.days.index(end)):
        day = market.days[row]
        close_ms = reference.cycle_ms(day)
        begin_ms = 0 if row == first else close_ms - DAY_MS
        for index in range(
            int(np.searchsorted(stamps, begin_ms, "right")), int(np.searchsorted(stamps, close_ms, "right"))
        ):
            settled = {"BTCUSDT": reference.exact(rates[index])}
            world.tell(
                FundingSettled(
                    settle_ms=int(stamps[index]), rates=settled, predicted=settled, interval_min={"BTCUSDT": 480}
                )
            )
        world.advance_to(close_ms)
        bars = tuple(bar(market, coin, row) for coin in ("BTC", "ETH"))
        for one in bars:
            world.closes[SPOT, one.symbol] = one.close
            world.prices[SPOT, one.symbol] = market.opened[one.symbol.removesuffix("USDT")][row + 1]
        world.tell(
            DayClosed(day_ms=ms_of(day), close_ms=close_ms, bars=bars, feed=feed(market, day)), world.portfolio()
        )
        world.tell(
            RunCycle(
                day_ms=ms_of(day),
                close_ms=close_ms,
                engine=ActorName.TACTICAL,
                target_usdt=CAPITAL,
                portfolio_usdt=CAPITAL,
            )
        )
        world.settle()
        last = world.sent[-1][1] if world.sent else None
        assert any(isinstance(b, CycleDone) and b.day_ms == ms_of(day) for _, b in world.sent[-8:]), last
        world.complete_transfers()
    return world


def actions(world: World) -> list[reference.Event]:
    """Orders and movements in kind, one line per day and kind."""
    found: dict[tuple[date, str, str], list[tuple[str, Decimal]]] = {}
    for placed in world.placed:
        assert placed.filled == placed.intent.quantity
        kind = "deploy" if placed.intent.side is Side.BUY else "sell"
        coin = placed.intent.symbol.removesuffix("USDT")
        found.setdefault((day_of(placed.ms - DAY_MS), kind, placed.intent.reason), []).append((coin, placed.filled))
    for ms, body in world.sent:
        if getattr(body, "purpose", "") == "ta-6-in-kind":
            key = (day_of(ms - DAY_MS), "in_kind", getattr(body, "request_id")[:11])  # noqa: B009
            found.setdefault(key, []).append((getattr(body, "coin"), getattr(body, "amount")))  # noqa: B009
    return [reference.Event(day, kind, "", tuple(quantities)) for (day, kind, _), quantities in found.items()]


def plain(events: list[reference.Event]) -> list[reference.Event]:
    return [reference.Event(e.day, e.kind, "", e.quantities) for e in events]


def test_the_reference_meets_the_published_counts(market: reference.Market) -> None:
    """TA-1, TA-2, TA-3: days of the independent computation, 2018-01-01 to 2021-04-13."""
    first, last = market.days.index(date(2018, 1, 1)), market.days.index(date(2021, 4, 13))
    falls = reference.drawdowns(market)[first : last + 1]
    assert len(falls) == 1_199
    assert (falls <= -0.5).sum() == 749
    assert (falls <= -0.7).sum() == 175
    assert round(float(falls.min()) * 100, 2) == -83.19
    assert market.days[first + int(falls.argmin())] == date(2018, 12, 15)
    days = market.days[first : last + 1]
    assert sum((greed := reference.fear(market, day)) is not None and greed < 20 for day in days) == 141
    low = [
        day for day in days if (mean := reference.mean_funding(market, day)) is not None and mean < Decimal("-0.0005")
    ]
    assert low == [date(2020, 3, 14), date(2020, 3, 15)]


def test_levels_of_2020(market: reference.Market) -> None:
    """TA-1, A2: from 2020-01-01 level 1 holds on the first day, level 2 on the close of 2020-03-12."""
    world = drive(market, date(2020, 1, 1), date(2020, 3, 20))
    deployed = [(day_of(ms - DAY_MS), note.data["trigger"]) for ms, note in world.noted if note.trigger == "deploy"]
    assert deployed == [(date(2020, 1, 1), "TA-1 level 1"), (date(2020, 3, 12), "TA-1 level 2")]


@pytest.mark.parametrize("start", STARTS, ids=str)
def test_every_action_exactly_as_the_reference(market: reference.Market, start: date) -> None:
    """TA-1 .. TA-7: same dates, same sizes, to the end of the history."""
    wanted = plain(reference.run(market, start, END, CAPITAL, CAPITAL))
    world = drive(market, start, END)
    assert sorted(actions(world), key=str) == sorted(wanted, key=str)
    assert wanted
    deployed = [day_of(ms - DAY_MS) for ms, note in world.noted if note.trigger == "deploy"]
    assert all((b - a).days >= 30 for a, b in pairwise(deployed))


@pytest.mark.soak
def test_a_restored_brain_decides_the_same(market: reference.Market) -> None:
    """DA-5, OR-9: a new incarnation after every single call changes nothing in the journal."""
    through = drive(market, date(2020, 1, 1), date(2021, 4, 1))
    restored = drive(market, date(2020, 1, 1), date(2021, 4, 1), restarts=True)
    assert restored.noted == through.noted
    assert restored.sent == through.sent
