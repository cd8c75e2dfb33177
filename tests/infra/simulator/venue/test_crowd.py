"""The other participants as the market's path makes them: open interest, liquidations, and the insurance pool."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.infra.simulator.venue.world import FLAT, Hour, World, at

D = Decimal
FALL: Hour = ("40000", "40000", "39500", "39600")
CRASH: Hour = ("30000", "30000", "29000", "29000")


def frames(made: World, topic: str, until_ms: int) -> list[dict[str, Any]]:
    """The rows of a public topic of the perpetuals until an instant."""
    return [
        row
        for result in made.run_to(until_ms)
        for frame in result.frames
        if frame.frame["topic"] == topic
        for row in frame.frame["data"]
    ]


def test_positions_of_others_are_liquidated_where_the_price_leaves_its_hour() -> None:
    """A fall of 1.25 % from the open of the hour takes longs at 0.5 % and at 1 %, the second twice as many."""
    made = World([FLAT, FLAT, FALL])
    made.run_to(at(2))
    made.exchange.subscribe(["allLiquidation.BTCUSDT"], category="linear")
    rows = frames(made, "allLiquidation.BTCUSDT", at(3))
    assert [(row["S"], row["v"], row["p"]) for row in rows] == [("Buy", "0.02", "39800"), ("Buy", "0.04", "39600")]
    assert frames(made, "allLiquidation.BTCUSDT", at(6)) == [], "the same fall liquidates once"


def test_the_liquidation_of_an_own_account_is_public_and_its_shortfall_is_the_pools() -> None:
    made = World([FLAT, FLAT, CRASH])
    made.exchange.subscribe(["allLiquidation.BTCUSDT", "insurance.USDT"], category="linear")
    made.post("/v5/position/set-leverage", "TREND-2", category="linear", symbol="BTCUSDT", buyLeverage="20",
              sellLeverage="20")  # fmt: skip
    made.order("TREND-2", side="Buy", qty="1")
    before = D(made.get("/v5/market/insurance")["list"][0]["balance"])
    rows: list[dict[str, Any]] = []
    pools: list[dict[str, Any]] = []
    for result in made.run_to(at(4)):
        for frame in result.frames:
            if frame.frame["topic"] == "allLiquidation.BTCUSDT":
                rows += frame.frame["data"]
            elif frame.frame["topic"] == "insurance.USDT":
                pools.append(frame.frame)
    own = next(row for row in rows if row["v"] == "1")
    assert own["S"] == "Buy", "a long"
    after = D(made.get("/v5/market/insurance")["list"][0]["balance"])
    lost = (D(own["p"]) - 30000) * 1
    assert before - after == lost > 0 and made.wallet("TREND-2") == 0
    assert pools[-1]["type"] == "delta" and D(pools[-1]["data"][0]["balance"]) == after


def test_open_interest_follows_what_was_traded_and_counts_own_positions() -> None:
    made = World()
    made.run_to(at(30))
    ticker = made.get("/v5/market/tickers", category="linear", symbol="BTCUSDT")["list"][0]
    assert ticker["openInterest"] == "192", "0.8 of the 240 of the last 24 hours"
    made.order(side="Sell", qty="0.5")
    interest = made.get("/v5/market/open-interest", category="linear", symbol="BTCUSDT", intervalTime="1h", limit=2)
    assert [row["openInterest"] for row in interest["list"]] == ["192.5", "192"]
    assert [row["singleOpenInterest"] for row in interest["list"]] == ["96.25", "96"]


def test_a_check_before_an_order_says_what_it_would_need_and_does_nothing() -> None:
    made = World()
    made.order(side="Buy", qty="0.1")
    state = made.exchange.dump()
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.1"}
    checked = made.post("/v5/order/pre-check", "TREND-1", **order, orderLinkId="x")
    assert made.exchange.dump() == state
    made.order(**{name: value for name, value in order.items() if name not in ("category", "symbol", "orderType")})
    wallet = made.get("/v5/account/wallet-balance", "TREND-1", accountType="UNIFIED")["list"][0]
    assert abs(checked["postImrE4"] - D(wallet["accountIMRate"]) * 10_000) <= 1
    assert abs(checked["postMmrE4"] - D(wallet["accountMMRate"]) * 10_000) <= 1
    assert checked["preImrE4"] < checked["postImrE4"]
    assert made.refused("/v5/order/pre-check", "TREND-1", **{**order, "qty": "400"}) == 110007
