"""An interactive market has depth: size walks the book and moves the price, by the one rule that a replay charges."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from infra.simulator.config import SimConfig
from infra.simulator.venue.depth.liquidity import Liquidity
from tests.infra.simulator.venue.world import World, at

D = Decimal
SLIPPAGE = D("0.0002")
STEP = D("0.001")


def world(*, deep: bool = True, hour: int = 3) -> World:
    made = World(config=SimConfig(slippage=SLIPPAGE, deep_book=deep))
    made.run_to(at(hour))
    return made


def book(made: World, limit: int = 200) -> dict[str, Any]:
    found: dict[str, Any] = made.get("/v5/market/orderbook", category="linear", symbol="BTCUSDT", limit=limit)
    return found


@pytest.mark.parametrize("own", ["0", "0.5", "40"])
@pytest.mark.parametrize("sign", [1, -1])
def test_walking_the_book_to_any_rung_costs_what_the_rule_says(own: str, sign: int) -> None:
    market = Liquidity(SLIPPAGE, D(8000), D(own), "seed")
    quantity = cost = D(0)
    distances: list[D] = []
    for distance, size in market.rungs(sign, STEP):
        quantity, cost = quantity + size, cost + size * distance
        distances.append(distance)
        assert abs(cost / quantity - market.slippage_at(quantity)) < D("1e-20")
    assert quantity >= market.volume and all(low <= high for low, high in pairwise(distances))


def test_the_shape_is_seeded_and_follows_the_volume_of_the_market() -> None:
    def rungs(volume: int, seed: str) -> list[tuple[Decimal, Decimal]]:
        return list(Liquidity(SLIPPAGE, D(volume), D(0), seed).rungs(1, STEP))

    assert rungs(8000, "a") == rungs(8000, "a") != rungs(8000, "b")
    small, large = rungs(800, "a"), rungs(8000, "a")
    within = D("0.0005")
    near = [sum(size for distance, size in one if distance <= within) for one in (small, large)]
    assert near[1] == pytest.approx(near[0] * 10, rel=D("0.1"))


def test_an_order_pays_the_levels_that_were_shown_and_its_average_is_the_rules() -> None:
    made = world()
    shown = book(made)
    assert len(shown["a"]) > 20 and len({size for _, size in shown["a"]}) > 10
    order = made.order(side="Buy", qty="0.2")
    fills = [row for row in made.get("/v5/execution/list", "TREND-1", category="linear", limit=100)["list"]][::-1]
    assert [(row["execPrice"], row["execQty"]) for row in fills[:-1]] == [
        tuple(level) for level in shown["a"][: len(fills) - 1]
    ]
    rule = D(40000) * (1 + SLIPPAGE * D("20").sqrt())  # 0.2 of 10 a hour: 20 times what is free
    assert 0 <= D(order["avgPrice"]) - rule <= D("0.1"), "rounded outward to the tick"


def test_size_moves_the_price_for_an_hour_and_the_flat_book_is_as_it_was() -> None:
    made = world()
    before = book(made, 1)
    made.order(side="Buy", qty="0.2")
    after = book(made, 1)
    assert D(after["a"][0][0]) > D(before["a"][0][0]) and D(after["b"][0][0]) < D(before["b"][0][0])
    made.run_to(at(4, 1))
    assert book(made, 1)["a"][0][0] == before["a"][0][0]
    flat = world(deep=False)
    assert book(flat, 1)["a"][0] == ["40000.1", "25"]
    assert flat.order(side="Buy", qty="0.2")["avgPrice"] == "40035.8", "the whole of it at the rule's price"


def test_a_limit_order_takes_what_is_offered_up_to_its_price_and_rests(price: str = "40012") -> None:
    made = world()
    offered = sum(D(size) for level, size in book(made)["a"] if D(level) <= D(price))
    order = made.order(side="Buy", qty="0.2", orderType="Limit", price=price)
    assert D(order["cumExecQty"]) == offered and order["orderStatus"] == "PartiallyFilled"


def test_everybody_sees_the_trades_and_the_book_that_is_left() -> None:
    made = world()
    made.exchange.subscribe(["publicTrade.BTCUSDT", "orderbook.50.BTCUSDT"], category="linear")
    made.exchange.drain()
    made.order(side="Buy", qty="0.2")
    frames = {frame.frame["topic"]: frame.frame for frame in made.exchange.drain()}
    trades = frames["publicTrade.BTCUSDT"]["data"]
    assert sum(D(one["v"]) for one in trades) == D("0.2") and {one["S"] for one in trades} == {"Buy"}
    assert frames["orderbook.50.BTCUSDT"]["data"]["a"]


def test_what_was_traded_is_counted_again_after_a_restart() -> None:
    made = world()
    made.order(side="Buy", qty="0.2")
    resumed = World(config=SimConfig(slippage=SLIPPAGE, deep_book=True), state=made.exchange.dump())
    assert book(resumed, 50) == book(made, 50)
