"""Passing over hours in which nothing happens: the same decisions, books and exchange as with every hour shown."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from infra.simulator.api import AdvanceResult
from infra.simulator.market.port import Bar, Market
from infra.simulator.venue import stepper
from infra.simulator.venue.fast_forward import pass_hours
from infra.simulator.venue.state import Venue
from infra.simulator.venue.stepper import Public
from statemachines.values import HOUR_MS
from tests.infra.simulator.venue.world import FLAT, World, at
from tests.kit.journals import first_difference, from_memory
from tests.shared import shared_path
from tests.simulation.books import books_in_memory
from tests.simulation.whole import recorded, run, synthetic

LONG = at(1_000)


def _never(_venue: Venue, _patient_ms: int, _max_basis: Mapping[str, Decimal]) -> tuple[int, ...]:
    return ()


def _both_ways(market: Market, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the market with passing and with walking, compare all that is durable; how many hours were passed over."""
    passed: list[int] = []

    def counted(venue: Venue, patient_ms: int, max_basis: Mapping[str, Decimal]) -> tuple[int, ...]:
        found = pass_hours(venue, patient_ms, max_basis)
        passed.extend(found)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(stepper, "pass_hours", counted)
        store, system = run(market)
    with monkeypatch.context() as patch:
        patch.setattr(stepper, "pass_hours", _never)
        walked, walking = run(market)
    assert first_difference(from_memory(walked), from_memory(store)) == ""
    assert books_in_memory(walked) == books_in_memory(store)
    # The number of micro-steps is what passing saves; nothing else may differ.
    assert system.exchange.dump() | {"step": 0} == walking.exchange.dump() | {"step": 0}
    return len(passed)


@pytest.mark.parametrize(("seed", "days"), [(2, 10), pytest.param(5, 40, marks=pytest.mark.soak)])
def test_a_run_is_the_same_as_with_every_hour_shown(seed: int, days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = _both_ways(synthetic(days, seed), monkeypatch)
    assert 0 < hours < days * 24, "neither all nor nothing may be passed over, or nothing is proven"


@pytest.mark.parametrize(
    ("first", "end"),
    [
        ("2020-03-05", "2020-03-20"),
        pytest.param("2019-12-20", "2020-01-20", marks=pytest.mark.soak),
        pytest.param("2021-05-10", "2021-06-10", marks=pytest.mark.soak),
    ],
)
def test_so_are_the_crashes_of_2020_and_2021_and_a_listing(
    first: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _both_ways(recorded(shared_path("history"), first, end), monkeypatch) > 0


def _ahead(world: World, patient_ms: int = LONG) -> AdvanceResult:
    return world.exchange.advance(world.exchange.step, None, patient_ms)


def test_patience_is_never_overstayed() -> None:
    world = World()
    world.step()  # the bars at the start
    result = _ahead(world, at(5) + HOUR_MS // 2)
    assert (result.market_time, result.passed_ms) == (at(5), tuple(at(hour) for hour in range(1, 5)))
    result = _ahead(world, 0)
    assert (result.market_time, result.passed_ms) == (at(6), ())


def test_the_bars_of_the_hours_passed_over_are_shown_in_order_and_quotes_once() -> None:
    world = World()
    world.exchange.subscribe(["kline.60.BTCUSDT", "tickers.BTCUSDT"], category="spot")
    world.step()
    frames = [frame.frame for frame in _ahead(world, at(4)).frames]
    bars = [frame["data"][0]["start"] for frame in frames if frame["topic"].startswith("kline")]
    assert bars == [at(hour) for hour in range(4)]
    assert len(frames) - len(bars) == 1


def test_a_day_ends_the_passing() -> None:
    world = World()
    world.step()
    assert _ahead(world).market_time == at(24)
    assert _ahead(world).market_time == at(47), "the last hour before the market's end is shown"


def test_a_settlement_ends_the_passing_and_one_that_is_paid_is_not_passed_into() -> None:
    world = World(funding={8: "0.0001", 16: "0.0001"})
    world.step()
    assert _ahead(world).market_time == at(8)
    world.order(side="Sell", qty="0.01")
    world.exchange.drain()
    while world.exchange.market_time < at(9):
        _ahead(world)
    assert world.exchange.market_time == at(15)
    assert _ahead(world).public is Public.NOTHING, "the payment is a step of its own, before the bars"
    assert world.exchange.market_time == at(16)


@pytest.mark.parametrize("trigger", ["LastPrice", "MarkPrice"])
def test_an_hour_that_reaches_a_stop_is_not_passed_over(trigger: str) -> None:
    calm, high = FLAT, ("40000", "41500", "39000", "40000")
    world = World([calm] * 6 + [high])
    world.step()
    order = world.order(side="Buy", qty="0.1", triggerPrice="41000", triggerDirection=1, triggerBy=trigger)
    world.exchange.drain()
    assert _ahead(world).market_time == at(6)
    assert world.show(order["orderId"])["orderStatus"] == "Untriggered"
    assert at(6) < _ahead(world).market_time < at(7), "the prices of this point come first"
    assert at(6) < _ahead(world).market_time < at(7)
    assert world.show(order["orderId"])["orderStatus"] == "Filled"


def test_no_hour_is_passed_over_while_a_limit_order_works() -> None:
    world = World()
    world.step()
    world.order(side="Buy", qty="0.1", orderType="Limit", price="39000")
    world.exchange.drain()
    assert not any(_ahead(world).passed_ms for _ in range(5))


def test_an_hour_in_which_a_margin_breaks_is_not_passed_over() -> None:
    fall = ("40000", "40000", "28000", "28000")
    world = World([FLAT] * 4 + [fall])
    world.step()
    wallet = world.get("/v5/account/wallet-balance", "TREND-1", accountType="UNIFIED")
    cash = Decimal(wallet["list"][0]["totalEquity"])
    world.order(side="Buy", qty=str(int(cash * 34 / 400_000 * 1000) / 1000))
    world.exchange.drain()
    while world.exchange.market_time < at(1):
        _ahead(world)
    assert world.exchange.market_time == at(4), "the fall comes in the hour after"
    assert at(4) < _ahead(world).market_time < at(5), "the prices of this point come first"
    assert at(4) < _ahead(world).market_time < at(5)
    assert Decimal(world.position()["size"] or 0) == 0, "liquidated within the hour, not passed over"


def test_a_gap_and_its_beginning_are_shown_at_their_hours() -> None:
    world = World()
    del world.exchange.venue.market.rows["BTCUSDT"][at(3)]  # type: ignore[attr-defined]
    world.step()
    assert [_ahead(world).market_time for _ in range(3)] == [at(3), at(4), at(24)]


def test_the_first_hour_with_a_basis_above_the_limit_is_shown_at_once() -> None:
    world = World()
    market = world.exchange.venue.market
    original = market.hour

    def apart(category: str, symbol: str, start_ms: int) -> Bar | None:
        bar = original(category, symbol, start_ms)
        if bar is None or (category, start_ms) != ("linear", at(4)):
            return bar
        return bar._replace(close=Decimal("40800.1"))

    market.hour = apart  # type: ignore[method-assign]
    world.step()
    limits = {"BTCUSDT": Decimal("0.02")}
    assert world.exchange.advance(world.exchange.step, None, LONG, limits).market_time == at(5)
    assert world.exchange.advance(world.exchange.step, None, LONG, limits).market_time == at(24)


def test_a_basis_at_the_limit_is_none_above_it() -> None:
    world = World()
    world.step()
    assert world.exchange.advance(world.exchange.step, None, LONG, {"BTCUSDT": Decimal(0)}).market_time == at(24)
