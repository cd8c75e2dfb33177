"""The exchange by the wall clock: the matching core of the lockstep, moved by another driver."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from infra.bybit.streams.book import OrderBook
from infra.simulator.__main__ import UsageError, _arguments, choose_market
from infra.simulator.api.exchange import ApiRequest, Exchange
from infra.simulator.config import SimConfig
from infra.simulator.credentials import load_or_create
from infra.simulator.disk.durable import DurableExchange
from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.synthetic import SyntheticMarket
from infra.simulator.market.ticks import TickMarket
from infra.simulator.server import make_app
from infra.simulator.wall_clock import TICK_MS, WallClock

START_MS = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
NOW_MS = START_MS + 7 * HOUR_MS + 59 * 60_000 + 50_400
"""Ten seconds before a settlement, in the middle of a second."""
CONFIG = SimConfig(tick_ms=TICK_MS)


@pytest.fixture(scope="module")
def market() -> TickMarket:
    return TickMarket(SyntheticMarket(2, START_MS, 3, 420), TICK_MS)


def exchange(market: TickMarket) -> Exchange:
    made = Exchange(market, CONFIG)
    made.run_to(NOW_MS)
    return made


def uid(of: Exchange, name: str = "TREND-1") -> int:
    return next(one.uid for one in of.config.accounts if one.name == name)


def ask(of: Exchange, method: str, path: str, **params: Any) -> dict[str, Any]:
    answer = of.handle(ApiRequest(method, path, params, uid(of)))
    assert answer["retCode"] == 0, answer
    found: dict[str, Any] = answer["result"]
    return found


def topics(of: Exchange, topic: str) -> list[dict[str, Any]]:
    return [one.frame for one in of.drain() if one.frame["topic"] == topic]


def test_it_opens_at_the_present_and_time_passes_second_by_second(market: TickMarket) -> None:
    ours = exchange(market)
    assert ours.market_time == NOW_MS, "the hours before are history"
    ours.subscribe(["publicTrade.BTCUSDT"], category="linear")
    ours.run_to(NOW_MS + 5_000)
    seen = [frame["data"][0] for frame in topics(ours, "publicTrade.BTCUSDT")]
    assert [trade["T"] for trade in seen] == [NOW_MS - 400 + 1_000 * n for n in range(3, 6)], "the last seconds"
    for second in range(6, 9):
        ours.run_to(NOW_MS + 1_000 * second)
        (frame,) = topics(ours, "publicTrade.BTCUSDT")
        index = (frame["data"][0]["T"] % HOUR_MS) // TICK_MS
        hour_ms = frame["data"][0]["T"] - frame["data"][0]["T"] % HOUR_MS
        assert Decimal(frame["data"][0]["p"]) == market.path_point("linear", "BTCUSDT", hour_ms, index)
    before = ours.step
    ours.run_to(NOW_MS)
    assert ours.step == before, "a clock that is set back moves nothing"


def test_an_hour_ends_with_a_confirmed_bar_and_a_settlement_is_paid(market: TickMarket) -> None:
    ours = exchange(market)
    ask(
        ours, "POST", "/v5/order/create", category="linear", symbol="BTCUSDT", side="Buy", orderType="Market", qty="0.1"
    )
    ours.subscribe(["kline.60.BTCUSDT"], category="linear")
    bars = []
    for second in range(1, 13):
        ours.run_to(NOW_MS + 1_000 * second)
        bars += [frame["data"][0] for frame in topics(ours, "kline.60.BTCUSDT")]
    (closed,) = [bar for bar in bars if bar["confirm"]]
    tape = market.hour("linear", "BTCUSDT", START_MS + 7 * HOUR_MS)
    assert tape is not None
    assert [Decimal(closed[name]) for name in ("open", "high", "low", "close")] == list(tape[1:5])
    assert len(bars) == 12, "a running bar every second"
    rows = ask(ours, "GET", "/v5/account/transaction-log", category="linear")["list"]
    settled = next(row for row in rows if row["type"] == "SETTLEMENT")
    assert int(settled["transactionTime"]) == START_MS + 8 * HOUR_MS
    rate = market.funding_rate("BTCUSDT", START_MS + 8 * HOUR_MS)
    assert Decimal(settled["feeRate"]) == rate


def test_a_resting_order_is_filled_by_the_tick_that_reaches_it(market: TickMarket) -> None:
    ours = exchange(market)
    last = Decimal(ask(ours, "GET", "/v5/market/tickers", category="linear", symbol="BTCUSDT")["list"][0]["lastPrice"])
    made = ask(
        ours, "POST", "/v5/order/create", category="linear", symbol="BTCUSDT", side="Buy", orderType="Limit",
        qty="0.1", price=str(last - Decimal(2)), timeInForce="PostOnly",
    )  # fmt: skip
    ours.subscribe(["execution"], account="TREND-1")
    for second in range(1, 3_600):
        ours.run_to(NOW_MS + 1_000 * second)
        if fills := topics(ours, "execution"):
            break
    (fill,) = fills[0]["data"]
    reached = market.path_point(
        "linear", "BTCUSDT", int(fill["execTime"]) // HOUR_MS * HOUR_MS, int(fill["execTime"]) % HOUR_MS // TICK_MS
    )
    assert fill["orderId"] == made["orderId"] and Decimal(fill["execPrice"]) == last - 2
    assert reached is not None and reached <= last - 2


def test_a_deep_book_loses_no_update_for_its_reader(market: TickMarket) -> None:
    """Fault of the first run of profile testnet: the book's number was the step of the lockstep, which grows by more
    than one between two frames; a reader of the 50-level book asked for a new snapshot with each of them."""
    ours = exchange(market)
    book = OrderBook("orderbook.50.BTCUSDT")
    (snapshot,) = ours.subscribe([book.topic], category="linear")
    assert book.take(snapshot.frame)
    taken = 0
    for second in range(1, 30):
        ours.run_to(NOW_MS + 1_000 * second)
        ask(
            ours,
            "POST",
            "/v5/order/create",
            category="linear",
            symbol="ETHUSDT",
            side="Buy",
            orderType="Market",
            qty="0.1",
        )
        for frame in topics(ours, book.topic):
            taken += book.take(frame)
    assert taken == 29 and book.is_ready


def test_a_restart_resumes_from_the_log_and_catches_up(tmp_path: Path, market: TickMarket) -> None:
    now = [NOW_MS]
    keys = load_or_create(tmp_path)
    clock = WallClock(NOW_MS, 1, lambda: now[0])

    def open_() -> DurableExchange:
        return DurableExchange(tmp_path, market, CONFIG, keys, clock=clock)

    first = open_()
    first.catch_up()
    now[0] += 400
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.1"}
    key = next(one for one in keys.keys.values() if one.account == "TREND-1")
    assert first.handle(ApiRequest("POST", "/v5/order/create", order, key.uid, key))["retCode"] == 0
    (fill,) = first.exchange.venue.accounts["TREND-1"].executions
    assert fill.time_ms == NOW_MS + 400, "the instant of the order, not of the last tick"
    now[0] += 60_000
    first.catch_up()
    state = first.exchange.dump()
    first.close()
    again = open_()
    assert again.exchange.dump() == state
    now[0] += 3_600_000
    again.catch_up()
    assert again.exchange.market_time == now[0]
    again.close()


def test_speed_multiplies_what_has_passed_since_the_beginning() -> None:
    now = [1_000_000]
    clock = WallClock(1_000_000, 60, lambda: now[0])
    now[0] += 1_000
    assert clock.now_ms() == 1_060_000
    assert WallClock(0, 1).pause_s == 1.0 and 0.05 <= clock.pause_s < 0.06 and WallClock(0, 3_600).pause_s == 0.05


def test_nobody_advances_it_and_its_time_is_the_present(tmp_path: Path, market: TickMarket) -> None:
    keys = load_or_create(tmp_path)
    durable = DurableExchange(tmp_path, market, CONFIG, keys, clock=WallClock(NOW_MS, 1, lambda: NOW_MS + 700))

    async def talk() -> None:
        async with TestClient(TestServer(make_app(durable, keys, CONFIG))) as client:
            answer = await (await client.get("/v5/market/time")).json()
            assert answer["time"] == NOW_MS + 700
            refused = await client.post("/sim/advance", json={"step": 0}, headers={"X-Sim-Token": keys.sim_token})
            assert refused.status == 409 and "wall clock" in (await refused.json())["error"]

    asyncio.run(talk())


# --- the command ---


def chosen(folder: Path, *options: str) -> Any:
    folder.mkdir(exist_ok=True)
    return choose_market(_arguments(["--state", str(folder), *options]), folder)


def test_a_synthetic_market_begins_today_and_the_folder_keeps_its_clock(tmp_path: Path) -> None:
    market, _, clock, _ = chosen(tmp_path, "--seed", "2", "--clock", "wall", "--speed", "10")
    assert clock.speed == 10
    assert market.start_ms == clock.anchor_ms - clock.anchor_ms % DAY_MS
    assert "wall clock" in market.label and "synthetic" in market.label
    again, _, same, _ = chosen(tmp_path)
    assert (again.start_ms, same) == (market.start_ms, clock)
    with pytest.raises(UsageError, match="clock wall"):
        chosen(tmp_path, "--seed", "2", "--clock", "lockstep")


def test_days_of_a_replay_are_shown_as_if_the_first_were_today(tmp_path: Path) -> None:
    market, _, clock, _ = chosen(
        tmp_path, "--seed", "2", "--from", "2020-03-01", "--to", "2020-04-01", "--clock", "wall"
    )
    assert market.start_ms == clock.anchor_ms - clock.anchor_ms % DAY_MS
    assert market.end_ms - market.start_ms == 31 * DAY_MS and "days later" in market.label


def test_a_speed_without_the_clock_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--clock wall only"):
        chosen(tmp_path, "--seed", "2", "--speed", "5")
    with pytest.raises(UsageError, match="--speed is 0"):
        chosen(tmp_path, "--seed", "2", "--clock", "wall", "--speed", "0")


def test_a_folder_of_an_earlier_version_is_one_in_lockstep(tmp_path: Path) -> None:
    (tmp_path / "market.json").write_text(
        json.dumps({"seed": 2, "from": START_MS, "to": START_MS + DAY_MS, "fill_spread": 1})
    )
    assert chosen(tmp_path, "--clock", "lockstep").clock is None


def test_a_market_by_the_wall_clock_has_depth_and_the_folder_keeps_it(tmp_path: Path) -> None:
    assert chosen(tmp_path / "wall", "--seed", "2", "--clock", "wall").impact == Decimal("0.0001")
    with pytest.raises(UsageError, match=r"impact 0\.0001"):
        chosen(tmp_path / "wall", "--impact", "0.002")
    period = ("--from", "2024-01-01", "--to", "2024-02-01")
    assert chosen(tmp_path / "steps", "--seed", "2", *period).impact == 0, "the book of a replay stays as it was"
    assert chosen(tmp_path / "deep", "--seed", "2", *period, "--impact", "0.0002").impact == Decimal("0.0002")
    for wrong in ("0.02", "-1", "NaN", "much"):
        with pytest.raises(SystemExit):
            _arguments(["--state", str(tmp_path), "--impact", wrong])


def test_a_best_price_that_stands_still_is_shown_again_after_three_seconds(market: TickMarket) -> None:
    """By the wall clock, with the same number; in lockstep at every step, since a client there waits for the quote of
    the step (a run under Ray decided in another order than one in-process)."""
    still = SimConfig(tick_ms=TICK_MS, spread_ticks=1_000_000)  # the bid is a tick, whatever the price
    ours = Exchange(market, still)
    ours.run_to(NOW_MS)
    ours.subscribe(["orderbook.1.BTCUSDT"], category="linear")
    seen: list[tuple[int, int, bool]] = []
    before: dict[str, Any] = {}
    for second in range(1, 60):
        ours.run_to(NOW_MS + 1_000 * second)
        for frame in topics(ours, "orderbook.1.BTCUSDT"):
            data = frame["data"]
            seen.append((frame["ts"], data["u"], data | {"u": 0, "seq": 0} == before))
            before = data | {"u": 0, "seq": 0}
    for (at_ms, number, _), (next_ms, next_number, is_same) in itertools.pairwise(seen):
        assert (next_number == number) == is_same
        assert next_ms - at_ms <= 3_000 and (not is_same or next_ms - at_ms == 3_000)
    stepped = Exchange(SyntheticMarket(2, START_MS, 2, 420))
    stepped.subscribe(["orderbook.1.BTCUSDT"], category="linear")
    while stepped.market_time < START_MS + HOUR_MS:
        stepped.advance(stepped.step, None)
    last = Decimal(
        ask(stepped, "GET", "/v5/market/tickers", category="linear", symbol="BTCUSDT")["list"][0]["lastPrice"]
    )
    price = str((last * Decimal("0.991")).quantize(Decimal("0.1")))
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01"}
    ask(stepped, "POST", "/v5/order/create", **order, price=price)  # its owner is shown every point
    frames: list[int] = []
    while stepped.market_time < START_MS + 4 * HOUR_MS:
        done = stepped.advance(stepped.step, None)
        found = [frame for frame in done.frames if frame.frame["topic"] == "orderbook.1.BTCUSDT"]
        assert len(found) == (done.public != "nothing")
        frames += [frame.frame["ts"] for frame in found]
    assert any(later - earlier == 1_000 for earlier, later in itertools.pairwise(frames)), "a close and the next open"
