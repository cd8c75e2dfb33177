"""Orders: filters, market, limit, post-only, IOC, FOK, conditional, reduce-only (EX-1, EX-2, EX-3)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from infra.simulator.config import SimConfig
from tests.infra.simulator.venue.world import FLAT, World, at

LIMIT = {"orderType": "Limit"}


def test_a_market_order_fills_at_the_displayed_ask_and_pays_the_taker_fee() -> None:
    world = World()
    ask = world.get("/v5/market/orderbook", category="linear", symbol="BTCUSDT")["a"][0][0]
    order = world.order(side="Buy", qty="0.1")
    assert (order["orderStatus"], order["avgPrice"], order["cumExecQty"]) == ("Filled", "40000.1", "0.1")
    assert ask == "40000.1"
    assert order["cumFeeDetail"] == {"USDT": "2.2000055"}
    assert world.position()["size"] == "0.1"
    assert world.wallet("TREND-1") == Decimal("14997.7999945")


def test_a_taker_walks_the_levels_and_the_rest_is_cancelled() -> None:
    config = SimConfig(book_levels=2, level_notional_usdt=Decimal(40000))
    world = World(config=config)
    order = world.order("CORE-HODL", side="Buy", qty="3", slippageToleranceType="TickSize", slippageTolerance="5")
    rows = world.get("/v5/execution/list", "CORE-HODL", category="linear")["list"]
    assert [(row["execPrice"], row["execQty"]) for row in reversed(rows)] == [
        ("40000.1", "1"),
        ("40000.2", "1"),
    ]
    assert (order["orderStatus"], order["rejectReason"]) == ("Cancelled", "EC_CancelForNoFullFill")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"qty": "0.0005"}, 10001),
        ({"qty": "0.0015"}, 10001),
        ({"qty": "501"}, 10001),
        ({"qty": "x"}, 10001),
        ({"qty": "1", "symbol": "NOUSDT"}, 10001),
        ({"qty": "1", "side": "Hold"}, 10001),
        ({"qty": "10"}, 110007),
        ({"qty": "0.001", "reduceOnly": True}, 110017),
        ({"qty": "0.001", "positionIdx": 1}, 10001),
        ({"qty": "0.001", "orderLinkId": "x" * 37}, 10001),
        ({"qty": "0.001", **LIMIT, "price": "40000.05"}, 10001),
        ({"qty": "0.001", **LIMIT, "price": "41000"}, 110003),
        ({"qty": "0.001", **LIMIT}, 10001),
        ({"qty": "0.001", "triggerPrice": "41000"}, 10001),
        ({"qty": "0.001", "triggerPrice": "39000", "triggerDirection": 1}, 110092),
        ({"qty": "0.001", "triggerPrice": "41000", "triggerDirection": 2}, 110093),
        ({"qty": "0.001", "slippageToleranceType": "TickSize", "slippageTolerance": "0"}, 110108),
        ({"qty": "0.001", "slippageToleranceType": "Percent", "slippageTolerance": "11"}, 110109),
        ({"category": "spot", "qty": "0.0000001", "marketUnit": "baseCoin"}, 170137),
        ({"category": "spot", "qty": "0.00001", "marketUnit": "baseCoin"}, 170136),
        ({"category": "spot", "qty": "0.0001", "marketUnit": "baseCoin"}, 170140),
        ({"category": "spot", "qty": "4"}, 170140),
        ({"category": "spot", "qty": "20000"}, 170131),
        ({"category": "spot", "qty": "1", "side": "Sell"}, 170131),
        ({"category": "spot", "qty": "100", "isLeverage": 1}, 170036),
        ({"category": "spot", "symbol": "NOUSDT", "qty": "100"}, 170121),
        ({"category": "spot", "qty": "0.001", **LIMIT, "price": "40000.05"}, 170134),
        ({"category": "spot", "qty": "0.001", **LIMIT, "price": "41000"}, 170193),
    ],
)
def test_refusals_have_the_codes_of_bybit_and_no_effect(params: dict[str, object], code: int) -> None:
    world = World()
    before = world.exchange.dump()
    body = {"category": "linear", "symbol": "BTCUSDT", "orderType": "Market", "side": "Buy"} | params
    assert world.refused("/v5/order/create", "TREND-1", **body) == code
    assert world.exchange.dump() == before
    assert world.exchange.drain() == []


def test_an_order_link_id_is_accepted_once_for_ever() -> None:
    world = World()
    world.order(side="Buy", qty="0.001", orderLinkId="once")
    body = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.001", "orderLinkId": "once"}
    assert world.refused("/v5/order/create", "TREND-1", category="linear", **body) == 110072
    spot = body | {"qty": "100"}
    assert world.refused("/v5/order/create", "TREND-1", category="spot", **spot) == 170141
    assert world.refused("/v5/order/create", "TREND-2", category="linear", **body) == 0


def test_a_post_only_that_would_take_is_acknowledged_then_cancelled() -> None:
    world = World()
    order = world.order(side="Buy", qty="0.01", price="40000.1", timeInForce="PostOnly", **LIMIT)
    assert (order["orderStatus"], order["rejectReason"]) == ("Cancelled", "EC_PostOnlyWillTakeLiquidity")
    frames = [frame.frame["topic"] for frame in world.exchange.drain()]
    assert frames == ["order", "position", "wallet"]
    rests = world.order(side="Buy", qty="0.01", price="39999.9", timeInForce="PostOnly", **LIMIT)
    assert rests["orderStatus"] == "New"


def test_a_resting_limit_fills_as_maker_at_its_price_when_a_later_point_reaches_it() -> None:
    world = World([FLAT, ("40000", "40100", "39500", "40050")])
    order = world.order(side="Buy", qty="0.1", price="39600", **LIMIT)
    world.run_to(at(1, 19, 59))
    assert world.show(order["orderId"])["orderStatus"] == "New"
    results = world.run_to(at(1, 20))
    done = world.show(order["orderId"])
    assert (done["orderStatus"], done["avgPrice"], done["updatedTime"]) == ("Filled", "39600", str(at(1, 20)))
    topics = [frame.frame["topic"] for result in results for frame in result.frames]
    assert topics == ["execution", "order", "position", "wallet"]
    assert world.wallet("TREND-1") == 15000 - Decimal("39600") * Decimal("0.1") * Decimal("0.0002")


def test_ioc_and_fok_never_rest() -> None:
    world = World()
    ioc = world.order(side="Buy", qty="0.1", price="39999", timeInForce="IOC", **LIMIT)
    fok = world.order(side="Buy", qty="0.1", price="39999", timeInForce="FOK", **LIMIT)
    assert (ioc["orderStatus"], ioc["rejectReason"]) == ("Cancelled", "EC_NoImmediateQtyToFill")
    assert (fok["orderStatus"], fok["rejectReason"]) == ("Cancelled", "EC_NoEnoughQtyToFill")
    assert world.order(side="Buy", qty="0.1", price="40000.1", timeInForce="FOK", **LIMIT)["orderStatus"] == "Filled"


def test_a_stop_within_the_hour_fills_at_the_bid_of_its_trigger_price() -> None:
    """T5: the path between two points is continuous."""
    world = World([FLAT, ("40000", "40100", "39000", "40050")])
    world.order(side="Buy", qty="0.1")
    stop = world.order(side="Sell", qty="0.1", triggerPrice="39300.5", triggerDirection=2, reduceOnly=True)
    assert (stop["orderStatus"], stop["stopOrderType"]) == ("Untriggered", "Stop")
    world.run_to(at(1, 20))
    done = world.show(stop["orderId"])
    assert (done["orderStatus"], done["avgPrice"]) == ("Filled", "39300.4")
    assert world.position()["size"] == "0"


def test_a_stop_gapped_over_at_the_open_fills_at_the_open() -> None:
    world = World([FLAT, ("38000", "38100", "37900", "38050")])
    world.order(side="Buy", qty="0.1")
    stop = world.order(side="Sell", qty="0.1", triggerPrice="39300", triggerDirection=2, reduceOnly=True)
    world.run_to(at(1))
    assert world.show(stop["orderId"])["avgPrice"] == "37999.9"


def test_bars_are_shown_before_the_open_point_is_matched() -> None:
    """The owner of a stop learns of the new hour first and may still move or cancel it."""
    world = World([FLAT, ("38000", "38100", "37900", "38050")])
    world.order(side="Buy", qty="0.1")
    stop = world.order(side="Sell", qty="0.1", triggerPrice="39300", triggerDirection=2, reduceOnly=True)
    world.step()
    world.step()
    assert world.exchange.market_time == at(1)
    assert world.show(stop["orderId"])["orderStatus"] == "Untriggered"
    world.post("/v5/order/cancel", "TREND-1", category="linear", symbol="BTCUSDT", orderId=stop["orderId"])
    world.run_to(at(1))
    assert world.show(stop["orderId"])["orderStatus"] == "Deactivated"
    assert world.position()["size"] == "0.1"


def test_the_nearer_of_two_stops_is_passed_first() -> None:
    world = World([FLAT, ("40000", "40100", "39000", "40050")])
    world.order(side="Buy", qty="0.1")
    far = world.order(side="Sell", qty="0.1", triggerPrice="39200", triggerDirection=2, reduceOnly=True)
    near = world.order(side="Sell", qty="0.1", triggerPrice="39500", triggerDirection=2, reduceOnly=True)
    world.run_to(at(1, 20))
    assert world.show(near["orderId"])["avgPrice"] == "39499.9"
    late = world.show(far["orderId"])
    assert (late["orderStatus"], late["cancelType"]) == ("Cancelled", "CancelByReduceOnly")
    assert world.position()["size"] == "0"


def test_a_reduce_only_order_is_cut_to_the_position_and_never_flips_it() -> None:
    world = World()
    world.order(side="Buy", qty="0.1")
    order = world.order(side="Sell", qty="0.5", reduceOnly=True)
    assert (order["orderStatus"], order["cumExecQty"]) == ("Filled", "0.1")
    assert world.position()["size"] == "0"


def test_a_resting_reduce_only_order_goes_with_its_position() -> None:
    world = World()
    world.order(side="Buy", qty="0.1")
    rests = world.order(side="Sell", qty="0.1", price="40300", reduceOnly=True, **LIMIT)
    world.order(side="Sell", qty="0.04", reduceOnly=True)
    assert world.show(rests["orderId"])["qty"] == "0.06"
    world.order(side="Sell", qty="0.06", reduceOnly=True)
    gone = world.show(rests["orderId"])
    assert (gone["orderStatus"], gone["cancelType"]) == ("Cancelled", "CancelByReduceOnly")


def test_qty_zero_with_close_on_trigger_closes_the_position() -> None:
    world = World()
    world.order(side="Sell", qty="0.2")
    world.order(side="Buy", qty="0", reduceOnly=True, closeOnTrigger=True)
    assert world.position()["size"] == "0"


def test_trading_stop_protects_the_whole_position_and_goes_with_it() -> None:
    world = World([FLAT, ("40000", "40100", "39000", "40050")])
    world.order(side="Buy", qty="0.1")
    stop = {"category": "linear", "symbol": "BTCUSDT", "tpslMode": "Full", "positionIdx": 0}
    world.post("/v5/position/trading-stop", "TREND-1", **stop, stopLoss="39500", takeProfit="41000")
    assert world.refused("/v5/position/trading-stop", "TREND-1", **stop, stopLoss="39500") == 34040
    assert world.refused("/v5/position/trading-stop", "TREND-1", **stop, stopLoss="40500") == 10001
    world.order(side="Buy", qty="0.1")
    world.run_to(at(1, 20))
    assert world.position()["size"] == "0"
    assert world.get("/v5/order/realtime", "TREND-1", category="linear", symbol="BTCUSDT")["list"] == []
    row = world.get("/v5/position/closed-pnl", "TREND-1", category="linear")["list"][0]
    assert (row["avgExitPrice"], row["closedSize"]) == ("39499.9", "0.2")


def test_a_stop_loss_sent_with_the_order_is_attached_upon_the_fill() -> None:
    world = World()
    world.order(side="Sell", qty="0.1", stopLoss="40500")
    rows = world.get("/v5/order/realtime", "TREND-1", category="linear", symbol="BTCUSDT")["list"]
    assert [(row["stopOrderType"], row["triggerPrice"], row["side"]) for row in rows] == [("StopLoss", "40500", "Buy")]
    assert world.position()["stopLoss"] == "40500"


def test_amend_moves_a_stop_and_refuses_what_does_not_change() -> None:
    world = World()
    world.order(side="Buy", qty="0.1")
    stop = world.order(side="Sell", qty="0.1", triggerPrice="39000", triggerDirection=2, reduceOnly=True)
    ids = {"category": "linear", "symbol": "BTCUSDT", "orderId": stop["orderId"]}
    world.post("/v5/order/amend", "TREND-1", **ids, triggerPrice="39500")
    assert world.show(stop["orderId"])["triggerPrice"] == "39500"
    assert world.refused("/v5/order/amend", "TREND-1", **ids, triggerPrice="39500") == 10001
    assert world.refused("/v5/order/amend", "TREND-1", **ids, triggerPrice="40100") == 110093
    assert world.refused("/v5/order/amend", "TREND-1", **ids | {"orderId": "none"}, qty="0.2") == 110001


def test_cancel_all_takes_every_kind_of_the_symbol() -> None:
    world = World()
    world.order(side="Buy", qty="0.1")
    world.order(side="Buy", qty="0.1", price="39700", **LIMIT)
    world.order(side="Sell", qty="0.1", triggerPrice="39000", triggerDirection=2, reduceOnly=True)
    assert world.refused("/v5/order/cancel-all", "TREND-1", category="linear") == 10001
    done = world.post("/v5/order/cancel-all", "TREND-1", category="linear", symbol="BTCUSDT")
    assert len(done["list"]) == 2
    assert world.get("/v5/order/realtime", "TREND-1", category="linear", symbol="BTCUSDT")["list"] == []


def test_a_batch_answers_leg_by_leg() -> None:
    world = World()
    leg = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}
    answer = world.call(
        "POST", "/v5/order/create-batch", "TREND-1", category="linear", request=[leg, leg | {"qty": "0"}]
    )
    assert answer["retCode"] == 0
    assert [one["code"] for one in answer["retExtInfo"]["list"]] == [0, 10001]
    assert answer["result"]["list"][1]["orderId"] == ""


def test_an_unfilled_cancelled_order_leaves_the_history_after_a_day() -> None:
    world = World()
    order = world.order(side="Buy", qty="0.1", price="39700", **LIMIT)
    ids = {"category": "linear", "orderId": order["orderId"]}
    world.post("/v5/order/cancel", "TREND-1", symbol="BTCUSDT", **ids)
    world.run_to(at(23))
    assert len(world.get("/v5/order/history", "TREND-1", **ids)["list"]) == 1
    world.run_to(at(25))
    assert world.get("/v5/order/history", "TREND-1", **ids)["list"] == []


def test_pages_follow_the_cursor_without_overlap() -> None:
    world = World()
    made = [world.order(side="Buy", qty="0.001")["orderId"] for _ in range(7)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = world.get("/v5/order/history", "TREND-1", category="linear", limit="3", cursor=cursor)
        seen += [row["orderId"] for row in page["list"]]
        cursor = page["nextPageCursor"]
        if not cursor:
            break
    assert seen == made[::-1]


@pytest.mark.parametrize(("turn", "status"), [("39500", "Filled"), ("39500.1", "New")])
def test_a_price_that_just_touches_a_resting_order_fills_it_and_one_tick_less_does_not(turn: str, status: str) -> None:
    world = World([FLAT, ("40000", "40000", turn, "40000")])
    order = world.order(side="Buy", qty="0.01", price="39500", **LIMIT)
    world.run_to(at(2))
    assert world.show(order["orderId"])["orderStatus"] == status


@pytest.mark.parametrize(("turn", "status"), [("40500", "Filled"), ("40499.9", "New")])
def test_so_does_a_touch_from_below(turn: str, status: str) -> None:
    world = World([FLAT, ("40000", turn, "40000", "40000")])
    order = world.order(side="Sell", qty="0.01", price="40500", **LIMIT)
    world.run_to(at(2))
    assert world.show(order["orderId"])["orderStatus"] == status


@pytest.mark.parametrize(
    ("direction", "trigger", "hour", "status"),
    [
        (2, "39500", ("40000", "40000", "39500", "40000"), "Filled"),
        (2, "39500", ("40000", "40000", "39500.1", "40000"), "Untriggered"),
        (1, "40500", ("40000", "40500", "40000", "40000"), "Filled"),
        (1, "40500", ("40000", "40499.9", "40000", "40000"), "Untriggered"),
    ],
)
def test_a_price_that_just_touches_a_trigger_fires_it(
    direction: int, trigger: str, hour: tuple[str, str, str, str], status: str
) -> None:
    world = World([FLAT, hour])
    order = world.order(side="Buy", qty="0.01", triggerPrice=trigger, triggerDirection=direction)
    world.run_to(at(2))
    assert world.show(order["orderId"])["orderStatus"] == status
