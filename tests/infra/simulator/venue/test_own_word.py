"""The simulated exchange keeps its own word: what it takes it works as asked, everything else it refuses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from infra.simulator.api import ApiRequest
from infra.simulator.config import SimConfig, default_accounts
from infra.simulator.market.path import HOUR_MS
from infra.simulator.ratelimit import IP_BAN_MS, IP_REQUESTS, IP_WINDOW_MS, IpLimiter, RateLimiter
from tests.infra.simulator.venue.world import FLAT, START_MS, World, at

FALLING = [FLAT, ("40000", "40000", "39000", "39000"), ("39000", "39000", "38000", "38000")]


@pytest.mark.parametrize(
    ("side", "changes"),
    [
        ("Buy", {"stopLoss": "41000"}),
        ("Buy", {"stopLoss": "40000"}),
        ("Buy", {"takeProfit": "39000"}),
        ("Sell", {"stopLoss": "39000"}),
        ("Sell", {"takeProfit": "41000"}),
        ("Buy", {"stopLoss": "39000.05"}),
        ("Buy", {"stopLoss": "-1"}),
        ("Buy", {"orderType": "Limit", "price": "39900", "stopLoss": "39950"}),
        ("Buy", {"takeProfit": "1e20000000"}),
        ("Buy", {"orderType": "Limit", "price": "40400", "stopLoss": "40200"}),
        ("Buy", {"orderType": "Limit", "price": "40400", "stopLoss": "40000"}),
        ("Sell", {"orderType": "Limit", "price": "39600", "stopLoss": "39800"}),
        ("Sell", {"orderType": "Limit", "price": "39600", "takeProfit": "40000"}),
    ],
)
def test_a_stop_on_the_wrong_side_or_off_the_tick_is_refused(side: str, changes: dict[str, Any]) -> None:
    """Case 23: a buy with its stop-loss above the price filled at a price that never was."""
    order = {"category": "linear", "symbol": "BTCUSDT", "orderType": "Market", "side": side, "qty": "0.01"} | changes
    assert World().refused("/v5/order/create", "TREND-1", **order) == 10001


@pytest.mark.parametrize(
    ("side", "price", "stop"),
    [("Buy", "40400", {"takeProfit": "40200"}), ("Sell", "39600", {"takeProfit": "39800"})],
)
def test_the_stops_of_a_marketable_limit_are_judged_by_the_market(side: str, price: str, stop: dict[str, str]) -> None:
    """It fills at the market, not at its limit: judged by the limit, a buy at 40400 in a market of 40000 took a
    stop-loss of 40200, which was passed before it existed, and refused a take-profit of 40200."""
    world = World()
    world.order(side=side, qty="0.01", orderType="Limit", price=price, **stop)
    assert world.position()["takeProfit"] == stop["takeProfit"]


def test_an_amended_price_is_held_against_the_stops_of_the_order() -> None:
    world = World()
    world.order(side="Buy", qty="0.01", orderType="Limit", price="39800", stopLoss="39500", orderLinkId="a")
    change = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "a"}
    assert world.refused("/v5/order/amend", "TREND-1", **change, price="39400") == 10001
    assert world.refused("/v5/order/amend", "TREND-1", **change, price="39500") == 10001
    world.post("/v5/order/amend", "TREND-1", **change, price="39600")


def test_sound_stops_are_taken_and_work() -> None:
    world = World(FALLING)
    world.order(side="Buy", qty="0.01", stopLoss="39500", takeProfit="45000")
    assert (world.position()["stopLoss"], world.position()["takeProfit"]) == ("39500", "45000")
    world.run_to(at(2))
    assert world.position()["size"] == "0"
    rows = world.get("/v5/execution/list", "TREND-1", category="linear")["list"]
    assert rows[0]["execPrice"] == "39499.9", "the bid when the price passed the trigger on its way down"


def test_a_stop_that_comes_into_being_beyond_its_trigger_fills_at_a_price_that_was() -> None:
    """A resting buy fills on the way down to a price below its own stop: the stop works from where the price is."""
    world = World(FALLING)
    world.order(side="Buy", qty="0.01", orderType="Limit", price="39800", stopLoss="39500")
    world.run_to(at(3))
    rows = world.get("/v5/execution/list", "TREND-1", category="linear")["list"]
    prices = [Decimal(row["execPrice"]) for row in reversed(rows)]
    assert prices[0] == Decimal(39800)
    assert prices[1] <= Decimal(39000), "39500 was never traded after the stop existed"


@pytest.mark.parametrize(
    ("category", "changes"),
    [
        ("linear", {"tpslMode": "Partial", "stopLoss": "39000"}),
        ("linear", {"slTriggerBy": "MarkPrice", "stopLoss": "39000"}),
        ("linear", {"slOrderType": "Limit", "slLimitPrice": "39000", "stopLoss": "39100"}),
        ("linear", {"smpType": "CancelMaker"}),
        ("linear", {"timeInForce": "RPI", "orderType": "Limit", "price": "39000"}),
        ("linear", {"bboSideType": "Queue", "bboLevel": "1"}),
        ("linear", {"positionIdx": 2}),
        ("spot", {"stopLoss": "39000"}),
        ("spot", {"takeProfit": "45000"}),
        ("spot", {"reduceOnly": True}),
        ("spot", {"slippageTolerance": "5"}),
    ],
)
def test_what_is_not_simulated_is_refused_not_ignored(category: str, changes: dict[str, Any]) -> None:
    order = {"category": category, "symbol": "BTCUSDT", "orderType": "Market", "side": "Buy", "qty": "0.01"}
    if category == "spot":
        order["marketUnit"] = "baseCoin"
    assert World().refused("/v5/order/create", "TREND-1", **order | changes) == 10001


def test_amending_what_an_amendment_cannot_change_here_is_refused() -> None:
    world = World()
    made = world.order(side="Buy", qty="0.01", orderType="Limit", price="39000")
    body = {"category": "linear", "symbol": "BTCUSDT", "orderId": made["orderId"]}
    assert world.refused("/v5/order/amend", "TREND-1", **body, price="39100", stopLoss="38000") == 10001
    assert world.show(made["orderId"])["price"] == "39000"


def test_klines_from_a_start_begin_there() -> None:
    """Without `end` the page begins at `start`; it once was the newest page."""
    world = World([FLAT] * 30)
    world.run_to(at(30))
    rows = world.get(
        "/v5/market/kline", category="linear", symbol="BTCUSDT", interval="60", start=START_MS + 2 * HOUR_MS, limit=3
    )["list"]
    assert [int(row[0]) for row in rows] == [START_MS + hour * HOUR_MS for hour in (4, 3, 2)]


@pytest.mark.parametrize("depth", [1, 50, 200, 500])
def test_a_book_is_as_deep_as_asked(depth: int) -> None:
    book = World().get("/v5/market/orderbook", category="linear", symbol="BTCUSDT", limit=depth)
    assert (len(book["b"]), len(book["a"])) == (depth, depth)
    assert [Decimal(price) for price, _size in book["b"]] == sorted(
        (Decimal(price) for price, _size in book["b"]), reverse=True
    )


def test_a_batch_is_counted_by_its_orders_and_only_its_tail_is_refused() -> None:
    limiter = RateLimiter(enforced=True)
    assert limiter.ask(1, "batch", "linear", 10, 7, 0).granted == 7
    second = limiter.ask(1, "batch", "linear", 10, 7, 1)
    assert (second.granted, second.left) == (3, 0)
    third = limiter.ask(1, "batch", "linear", 10, 2, 2)
    assert (third.granted, third.allowed) == (0, False) and third.reset_ms > 2
    assert limiter.ask(1, "batch", "linear", 10, 2, 1_500).granted == 2


def test_a_leg_beyond_the_limit_fails_alone() -> None:
    world = World()
    leg = {"symbol": "BTCUSDT", "orderType": "Limit", "side": "Buy", "qty": "0.001", "price": "39000"}
    request = ApiRequest(
        "POST", "/v5/order/create-batch", {"category": "linear", "request": [leg] * 3}, world.uids["TREND-1"], granted=2
    )
    answer = world.exchange.handle(request)
    assert answer["retCode"] == 0
    assert [one["code"] for one in answer["retExtInfo"]["list"]] == [0, 0, 10006]
    assert len(world.get("/v5/order/realtime", "TREND-1", category="linear", symbol="BTCUSDT")["list"]) == 2


def test_a_batch_above_the_venues_size_is_refused_whole() -> None:
    leg = {"symbol": "BTCUSDT", "orderType": "Limit", "side": "Buy", "qty": "0.001", "price": "39000"}
    world = World()
    assert world.refused("/v5/order/create-batch", "TREND-1", category="linear", request=[leg] * 21) == 10001


def test_an_address_that_asks_too_much_is_shut_out_for_ten_minutes() -> None:
    limiter = IpLimiter(enforced=True)
    assert all(limiter.allows("a", number) for number in range(IP_REQUESTS))
    assert not limiter.allows("a", IP_REQUESTS)
    assert limiter.allows("b", IP_REQUESTS), "another address is not meant"
    assert not limiter.allows("a", IP_REQUESTS + IP_WINDOW_MS)
    assert limiter.allows("a", IP_REQUESTS + IP_BAN_MS)


@pytest.mark.parametrize("category", ["spot", "linear"])
@pytest.mark.parametrize("side", ["Buy", "Sell"])
def test_no_order_fills_inside_the_displayed_spread_and_all_kinds_meet_the_same_book(category: str, side: str) -> None:
    """Market, IOC, FOK and PostOnly were judged by two books: takers filled at the last price, between bid and ask."""
    world = World()
    market = {"category": category, "symbol": "BTCUSDT"}
    if category == "spot":
        world.order(**market, side="Buy", qty="0.2", marketUnit="baseCoin")
    book = world.get("/v5/market/orderbook", **market, limit=1)
    bid, ask = Decimal(book["b"][0][0]), Decimal(book["a"][0][0])
    best, inside = (ask, bid + (ask - bid) / 2) if side == "Buy" else (bid, bid + (ask - bid) / 2)
    order = market | {"side": side, "qty": "0.01", "marketUnit": "baseCoin"}
    assert Decimal(world.order(**order)["avgPrice"]) == best
    limit = order | {"orderType": "Limit"}
    for tif, at_touch, within in (
        ("IOC", "Filled", "Cancelled"),
        ("FOK", "Filled", "Cancelled"),
        ("GTC", "Filled", "New"),
        ("PostOnly", "Cancelled", "New"),
    ):
        assert world.order(**limit, price=str(best), timeInForce=tif)["orderStatus"] == at_touch, tif
        assert world.order(**limit, price=str(inside), timeInForce=tif)["orderStatus"] == within, tif


def test_a_large_order_walks_the_levels_that_are_displayed() -> None:
    config = SimConfig(level_notional_usdt=Decimal(4000), accounts=default_accounts())
    world = World(config=config)
    book = world.get("/v5/market/orderbook", category="linear", symbol="BTCUSDT", limit=50)
    world.order(side="Buy", qty="0.3")
    rows = world.get("/v5/execution/list", "TREND-1", category="linear")["list"]
    fills = [(row["execPrice"], row["execQty"]) for row in reversed(rows)]
    assert fills[:3] == [tuple(level) for level in book["a"][:3]]
    assert sum(Decimal(quantity) for _price, quantity in fills) == Decimal("0.3")


def test_slippage_moves_a_market_order_outward_and_never_inside() -> None:
    world = World(config=SimConfig(slippage=Decimal("0.0002")))
    assert world.order(side="Buy", qty="0.01")["avgPrice"] == "40008"
    tiny = World(config=SimConfig(slippage=Decimal("0.000000001")))
    assert tiny.order(side="Buy", qty="0.01")["avgPrice"] == "40000.1"
    assert tiny.order(side="Sell", qty="0.01", reduceOnly=True)["avgPrice"] == "39999.9"


def test_a_leg_of_a_batch_cannot_say_what_the_exchange_does_not_document_for_legs() -> None:
    """bybit-v5 4.2: create-batch has no slippage tolerance and cancel-batch no kind of order. An exchange that takes
    them in a simulation teaches a client to lose them in earnest."""
    world = World()
    leg = {"symbol": "BTCUSDT", "orderType": "Market", "side": "Buy", "qty": "0.001", "orderLinkId": "leg-1"}
    bounded = leg | {"slippageToleranceType": "Percent", "slippageTolerance": "0.5"}
    for path, one in (
        ("/v5/order/create-batch", bounded),
        ("/v5/order/cancel-batch", {"symbol": "BTCUSDT", "orderLinkId": "leg-1", "orderFilter": "StopOrder"}),
    ):
        request = ApiRequest("POST", path, {"category": "linear", "request": [one]}, world.uids["TREND-1"])
        answer = world.exchange.handle(request)
        assert (answer["retCode"], answer["retExtInfo"]["list"][0]["code"]) == (0, 10001)
        assert answer["result"]["list"][0]["orderId"] == ""
