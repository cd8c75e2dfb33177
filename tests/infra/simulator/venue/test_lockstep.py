"""Micro-steps, deadlines, public frames, persistence of the state (DESIGN 3; RE-1)."""

from __future__ import annotations

import orjson
import pytest

from infra.simulator.api import Exchange
from infra.simulator.api.exchange import StepAhead
from infra.simulator.venue.prices import HOUR_MS
from infra.simulator.venue.stepper import Public
from tests.infra.simulator.venue.world import FLAT, START_MS, WAVE, TinyMarket, World, at


def test_the_first_step_shows_the_start_and_each_quiet_hour_is_one_step() -> None:
    world = World()
    assert world.exchange.market_time == START_MS
    first = world.step()
    assert (first.step, first.market_time, first.queued) == (1, START_MS, 0)
    assert [world.step().market_time for _ in range(3)] == [at(1), at(2), at(3)]


def test_a_deadline_inside_the_hour_is_honoured_exactly() -> None:
    world = World()
    world.step()
    result = world.step(at(0, 0, 30))
    assert (result.market_time, result.frames) == (at(0, 0, 30), [])
    again = world.step(at(0, 0, 10))
    assert (again.market_time, again.step) == (at(0, 0, 30), result.step + 1)


def test_a_repeated_step_changes_nothing_and_a_future_one_is_refused() -> None:
    world = World(WAVE)
    world.order(side="Buy", qty="0.1")
    world.exchange.drain()
    first = world.exchange.advance(0, None)
    before = world.exchange.dump()
    again = world.exchange.advance(0, None)
    assert first.advanced and not again.advanced
    assert (again.step, again.market_time) == (first.step, first.market_time)
    assert world.exchange.dump() == before
    with pytest.raises(StepAhead):
        world.exchange.advance(7, None)


def test_the_market_ends_with_its_last_bar() -> None:
    world = World(days=1)
    world.exchange.subscribe(["kline.60.BTCUSDT", "kline.D.BTCUSDT"], category="linear")
    results = []
    while not world.exchange.end:
        results.append(world.step())
    assert results[-1].market_time == at(24)
    assert [frame.frame["topic"] for frame in results[-1].frames] == ["kline.60.BTCUSDT", "kline.D.BTCUSDT"]
    final = world.step()
    assert (final.end, final.advanced, final.step) == (True, False, results[-1].step)


def test_the_prices_of_a_point_are_shown_before_anyone_is_told_of_a_fill_at_it() -> None:
    """X3: after a sale that filled at 00:40 a purchase was quoted on the book of 00:20 and refused for its price."""
    world = World(WAVE)
    world.exchange.subscribe(["order"], account="TREND-1")
    world.step()
    world.order(side="Buy", qty="0.1", orderType="Limit", price="39900", timeInForce="PostOnly")
    world.exchange.drain()
    seen: list[tuple[str, int]] = []
    while not seen or seen[-1][0] != "filled":
        result = world.step()
        seen += [("prices", result.market_time)] if result.public is not Public.NOTHING else []
        seen += [("filled", result.market_time)] if result.frames else []
    assert seen[-2] == ("prices", seen[-1][1]) and seen[-1][1] % HOUR_MS


def test_bars_of_the_hour_and_of_the_day_are_confirmed_at_their_end() -> None:
    world = World(WAVE)
    world.exchange.subscribe(["kline.60.BTCUSDT", "kline.D.BTCUSDT"], category="spot")
    frames = [frame.frame for result in world.run_to(at(24)) for frame in result.frames]
    hourly = [frame["data"][0] for frame in frames if frame["topic"].startswith("kline.60")]
    daily = [frame["data"][0] for frame in frames if frame["topic"].startswith("kline.D")]
    assert len(hourly) == 24 and len(daily) == 1
    assert (hourly[0]["start"], hourly[0]["end"], hourly[0]["confirm"]) == (START_MS, at(1) - 1, True)
    assert (daily[0]["open"], daily[0]["high"], daily[0]["low"], daily[0]["close"]) == (
        "40000",
        "40500",
        "39800",
        "40000",
    )


def test_tickers_come_as_snapshot_then_delta_and_books_never_delete_absent_levels() -> None:
    world = World(WAVE)
    topics = ["tickers.BTCUSDT", "orderbook.50.BTCUSDT"]
    frames = [frame.frame for frame in world.exchange.subscribe(topics, category="linear")]
    for result in world.run_to(at(5)):
        frames += [frame.frame for frame in result.frames]
    kinds = [frame["type"] for frame in frames if frame["topic"] == "tickers.BTCUSDT"]
    assert kinds[0] == "snapshot" and kinds[-1] == "delta"
    levels: dict[str, str] = {}
    last_u = 0
    for frame in (one for one in frames if one["topic"].startswith("orderbook")):
        data = frame["data"]
        if frame["type"] == "snapshot":
            levels = {}
        for price, size in data["b"] + data["a"]:
            if size == "0":
                del levels[price]
            else:
                levels[price] = size
        assert data["u"] >= last_u and data["seq"] > 0
        last_u = data["u"]
    assert len(levels) == 100, "fifty levels of each side, as the topic says"
    book = world.get("/v5/market/orderbook", category="linear", symbol="BTCUSDT", limit="50")
    assert {price for price, _ in book["b"] + book["a"]} == set(levels)


def test_points_are_silent_unless_someone_works_a_limit_order() -> None:
    world = World(WAVE)
    world.step()
    assert world.step(at(0, 30)).market_time == at(0, 30)
    world.order(side="Buy", qty="0.1", price="39750", orderType="Limit")
    world.exchange.drain()
    world.exchange.subscribe(["tickers.BTCUSDT"], category="linear")
    result = world.step()
    assert result.market_time == at(0, 40)
    assert [frame.frame["topic"] for frame in result.frames] == ["tickers.BTCUSDT"]


def test_nobody_sees_the_hour_before_it_has_passed() -> None:
    world = World(WAVE)
    world.run_to(at(1, 20))
    rows = world.get("/v5/market/kline", category="linear", symbol="BTCUSDT", interval="60", limit="1")["list"]
    assert rows[0][:5] == [str(at(1)), "40200", "40500", "40200", "40500"]


def test_prices_stand_still_in_a_gap() -> None:
    market = TinyMarket([FLAT, ("40000", "40000", "39000", "39000")])
    for category_hour in (at(2), at(3)):
        del market.rows["BTCUSDT"][category_hour]
    exchange = Exchange(market)
    exchange.subscribe(["kline.60.BTCUSDT"], category="linear")
    frames = []
    while exchange.market_time < at(4):
        frames += exchange.advance(exchange.step, None).frames
    assert [frame.frame["data"][0]["start"] for frame in frames] == [at(0), at(1)]


def test_a_dumped_exchange_goes_on_as_if_never_stopped() -> None:
    """RE-1: state as JSON at any step, then the same future."""
    world = World(WAVE, funding={8: "0.0001", 16: "0.0002"})
    world.order(side="Buy", qty="0.1", orderLinkId="entry", stopLoss="39850")
    world.order("FUNDING", category="spot", side="Buy", qty="0.01", marketUnit="baseCoin")
    world.order("FUNDING", side="Sell", qty="0.009")
    world.order("TREND-2", side="Sell", qty="0.01", price="40280", orderType="Limit")
    copies: list[Exchange] = []
    for stop_after in (1, 2, 3, 5, 12):
        while world.exchange.step < stop_after:
            world.step()
        saved = orjson.loads(orjson.dumps(world.exchange.dump()))
        copies.append(Exchange(TinyMarket(WAVE, funding={8: "0.0001", 16: "0.0002"}), state=saved))
    for exchange in [world.exchange, *copies]:
        while exchange.market_time < at(20):
            exchange.advance(exchange.step, None)
    for copy in copies:
        assert orjson.dumps(copy.dump()) == orjson.dumps(world.exchange.dump())


def test_feeds_outside_bybit_have_their_own_shapes() -> None:
    world = World()
    fear = world.call("GET", "/fng/", None, limit="2", format="json")
    assert [row["value"] for row in fear["data"]] == ["20", "80"]
    assert fear["data"][0]["value_classification"] == "Extreme Fear"
    dvol = world.call("GET", "/api/v2/public/get_volatility_index_data", None, currency="BTC", resolution="1D")
    assert dvol["result"]["data"][0][4] == 55.5
