"""FUNDING driven hour by hour over recorded history against the independent reference (FU-1 .. FU-8, F1 .. F10)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from statemachines.facts import BarFact
from statemachines.funding.engine import FundingEngine
from statemachines.messages.market import BarsClosed, DayClosed, FundingSettled
from statemachines.values import DAY_MS, HOUR_MS, LINEAR, SPOT, Account, Side
from tests.kit import builders
from tests.reference import funding as reference
from tests.shared import shared_path
from tests.statemachines.harness import World, known_instruments

CASH = Decimal(15_000)


def ms_of(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() * 1000)


@pytest.fixture(scope="module")
def data() -> dict[str, reference.Series]:
    return reference.load(shared_path("history"))


def bar_of(leg: reference.Leg, category: str, asset: str, start_ms: int) -> BarFact | None:
    row = leg.at.get(start_ms)
    if row is None:
        return None
    opened, close = Decimal(repr(float(leg.open[row]))), Decimal(repr(float(leg.close[row])))
    ends = {"open": opened, "high": max(opened, close), "low": min(opened, close)}
    return builders.bar(category, f"{asset}USDT", start_ms, close, "60", volume=repr(float(leg.volume[row])), **ends)


def drive(data: dict[str, reference.Series], start: str, end: str, restarts: bool = False) -> World:
    """The engine over the recorded hours, as the market-data and order-manager actors would tell it."""
    world = World(FundingEngine, Account.FUNDING, CASH, restarts=restarts)
    legs = {(c, a): getattr(s, n) for a, s in data.items() for c, n in ((SPOT, "spot"), (LINEAR, "perp"))}
    start_ms, end_ms = ms_of(start), ms_of(end)
    world.now_ms = start_ms
    world.tell(known_instruments(), world.portfolio())
    earlier = sorted({ms for s in data.values() for ms in s.rates if ms < start_ms})
    for ms in earlier:
        world.tell(settlement(data, ms))
    for now in range(start_ms, end_ms, HOUR_MS):
        world.advance_to(now)
        bars = []
        for (category, asset), leg in legs.items():
            bar = bar_of(leg, category, asset, now - HOUR_MS)
            if bar is not None:
                bars.append(bar)
                world.closes[category, f"{asset}USDT"] = bar.close
            row = leg.at.get(now)
            if row is not None:
                world.prices[category, f"{asset}USDT"] = Decimal(repr(float(leg.open[row])))
            elif (close := world.closes.get((category, f"{asset}USDT"))) is not None:
                world.prices[category, f"{asset}USDT"] = close
        settled = settlement(data, now)
        for symbol, rate in settled.rates.items():
            world.pay_funding(symbol, rate, world.closes[LINEAR, symbol])
        if settled.rates:
            world.tell(settled)
        world.tell(BarsClosed(close_ms=now, bars=tuple(bars)))
        if settled.rates:
            world.tell(world.portfolio())
        if now % DAY_MS == 0:
            world.tell(DayClosed(day_ms=now - DAY_MS, close_ms=now, bars=()))
        world.settle()
        if now % DAY_MS == 0:
            world.complete_transfers()
    return world


def settlement(data: dict[str, reference.Series], ms: int) -> FundingSettled:
    rates = {f"{asset}USDT": series.rates[ms] for asset, series in data.items() if ms in series.rates}
    return FundingSettled(settle_ms=ms, rates=rates, predicted=rates, interval_min=dict.fromkeys(rates, 480))


def actions(world: World) -> list[reference.Event]:
    """The engine's orders in the reference's words; both legs of an action stand in one line."""
    events: list[reference.Event] = []
    by_action: dict[tuple[int, str, str], dict[str, Decimal]] = {}
    for placed in world.placed:
        kind = placed.intent.purpose
        assert placed.filled == placed.intent.quantity
        legs = by_action.setdefault((placed.ms, placed.intent.symbol.removesuffix("USDT"), kind), {})
        assert placed.intent.side is (Side.BUY if (kind == "exit") == (placed.intent.category == LINEAR) else Side.SELL)
        legs[placed.intent.category] = placed.filled
    for (ms, asset, kind), legs in by_action.items():
        events.append(reference.Event(ms, asset, kind, "", legs[LINEAR], legs[SPOT]))
    return events


def expected(events: list[reference.Event]) -> list[reference.Event]:
    return [reference.Event(e.ms, e.asset, e.kind, "", e.short, e.spot) for e in events]


def day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def test_the_reference_meets_the_published_counts(data: dict[str, reference.Series]) -> None:
    """FU-2, FU-3, FU-8: entries per year and exits by rule of the independent computations."""
    events = reference.run(data, ms_of("2019-12-01"), ms_of("2025-07-01"))
    entries = Counter((e.asset, day(e.ms)[:4]) for e in events if e.kind == "entry")
    assert entries == {
        ("BTC", "2020"): 15, ("BTC", "2021"): 16, ("BTC", "2023"): 6, ("BTC", "2024"): 10,
        ("ETH", "2020"): 16, ("ETH", "2021"): 17, ("ETH", "2023"): 6, ("ETH", "2024"): 9,
        ("SOL", "2024"): 10,
    }  # fmt: skip
    assert Counter(e.reason for e in events if e.kind == "exit") == {"14 days": 94, "negative": 11}
    early = reference.run(data, ms_of("2020-02-01"), ms_of("2020-04-01"))
    assert sum(e.kind == "entry" for e in early) == 6


def test_february_and_march_2020_exactly_as_the_reference(data: dict[str, reference.Series]) -> None:
    """FU-1 .. FU-7: same dates, same sizes, also when the engine is restored after every single call (OR-9)."""
    wanted = expected(reference.run(data, ms_of("2020-02-01"), ms_of("2020-04-01")))
    plain = drive(data, "2020-02-01", "2020-04-01")
    restored = drive(data, "2020-02-01", "2020-04-01", restarts=True)
    assert sorted(actions(plain), key=str) == sorted(wanted, key=str)
    assert sum(e.kind == "entry" for e in wanted) == 6
    assert restored.noted == plain.noted
    assert restored.sent == plain.sent


@pytest.mark.parametrize(
    ("start", "end"),
    [("2019-12-01", "2021-02-01"), pytest.param("2019-12-01", "2025-07-01", marks=pytest.mark.soak)],
    ids=["fourteen months", "everything there is"],
)
def test_every_entry_exit_and_compounding_is_exactly_the_references(
    data: dict[str, reference.Series], start: str, end: str
) -> None:
    """FU-1 .. FU-8: exact dates and sizes of every entry, exit and compounding."""
    wanted = reference.run(data, ms_of(start), ms_of(end))
    world = drive(data, start, end)
    assert sorted(actions(world), key=str) == sorted(expected(wanted), key=str)
    exits = Counter(note.trigger for note in world.notes if note.trigger in ("max_hold", "negative", "leave"))
    reasons = {"14 days": "max_hold", "negative": "negative"}
    assert exits == Counter(reasons[e.reason] for e in wanted if e.kind == "exit")
    assert set(exits) == {"max_hold", "negative"} and world.alerts == []
