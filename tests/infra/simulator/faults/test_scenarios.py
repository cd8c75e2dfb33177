"""Each shipped scenario runs on a stepped exchange, the same each time, and ends what it says it ends."""

from __future__ import annotations

from typing import Any

import pytest

from infra.simulator.api import ApiRequest, Exchange
from infra.simulator.config import SimConfig
from infra.simulator.faults.scenario import shipped
from infra.simulator.injection import Injection
from infra.simulator.market.synthetic import SyntheticMarket

START_MS = 1_735_689_600_000  # 2025-01-01
STRETCH = 60


@pytest.fixture(scope="module")
def market() -> SyntheticMarket:
    return SyntheticMarket(2, START_MS, 2)


def stepped(market: SyntheticMarket, name: str) -> tuple[Exchange, Injection, list[tuple[int, list[str]]]]:
    """Ten hours of market under the scenario with positions and a resting order; what was active after each step."""
    exchange, scenario = Exchange(market, SimConfig(rate_limits=False)), shipped()[name]
    injection = Injection(
        lambda: exchange.venue, exchange.intervene, scenario.occurrences(START_MS, STRETCH), scenario.seed
    )
    for account, symbol in (("FUNDING", "SOLUSDT"), ("TREND-1", "BTCUSDT")):
        traded(exchange, account, symbol=symbol, side="Sell", orderType="Market", qty="0.1")
    last = exchange.venue.prices.last("linear", "ETHUSDT").quantize(1) - 40
    traded(
        exchange, "TREND-2", symbol="ETHUSDT", side="Buy", orderType="Limit", qty="1", price=f"{last:f}",
        timeInForce="PostOnly",
    )  # fmt: skip
    seen: list[tuple[int, list[str]]] = []
    while exchange.market_time < START_MS + 10 * 3_600_000:
        exchange.advance(exchange.step, injection.sooner(None))
        injection.pump()
        seen.append((exchange.market_time, [one.id for one in injection.desk.active()]))
    return exchange, injection, seen


def traded(exchange: Exchange, account: str, **params: Any) -> None:
    uid = next(one.uid for one in exchange.config.accounts if one.name == account)
    answer = exchange.handle(ApiRequest("POST", "/v5/order/create", {"category": "linear", **params}, uid))
    assert answer["retCode"] == 0, answer


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_scenario_begins_and_ends_when_it_says(name: str, market: SyntheticMarket) -> None:
    exchange, injection, seen = stepped(market, name)
    for one in shipped()[name].occurrences(START_MS, STRETCH):
        times = [at_ms for at_ms, active in seen if one.key in active]
        assert times[0] == one.begin_ms, one
        if one.end_ms is not None and one.fault.kind != "disconnect":
            assert times[-1] < one.end_ms <= next(at_ms for at_ms, _ in seen if at_ms > times[-1])
    endless = {one.key for one in shipped()[name].occurrences(START_MS, STRETCH) if one.end_ms is None}
    assert {one.id for one in injection.desk.active()} <= endless
    assert set(exchange.venue.conditions.active) <= endless
    assert exchange.dump() == stepped(market, name)[0].dump(), "the same each time"


def test_a_snapshot_in_the_middle_of_a_gap_keeps_prices_and_conditions(market: SyntheticMarket) -> None:
    """A price gap that a restart forgot would be a second gap."""
    exchange = Exchange(market, SimConfig(rate_limits=False))
    for identity, fault in (
        ("a", {"kind": "price-gap", "change": "-0.2"}),
        ("b", {"kind": "filter-change", "tick": "5"}),
        ("c", {"kind": "delisting"}),
    ):
        exchange.intervene({"what": "begin", "id": identity, "fault": fault})
    while exchange.market_time < START_MS + 3 * 3_600_000:
        exchange.advance(exchange.step, None)
    again = Exchange(market, SimConfig(rate_limits=False), state=exchange.dump())
    calm = Exchange(market, SimConfig(rate_limits=False))
    while calm.market_time < START_MS + 3 * 3_600_000:
        calm.advance(calm.step, None)
    asked = ApiRequest("GET", "/v5/market/kline", {"category": "linear", "symbol": "BTCUSDT", "interval": "D"})
    assert again.handle(asked)["result"] == exchange.handle(asked)["result"] != calm.handle(asked)["result"]
    assert again.venue.prices.last("linear", "BTCUSDT") < calm.venue.prices.last("linear", "BTCUSDT")
    assert again.venue.tradable("linear", "BTCUSDT").tick == 5
    assert again.venue.conditions.is_delisted("linear", "SOLUSDT")
    again.intervene({"what": "end", "id": "a"})
    again.advance(again.step, None)
    while again.market_time < START_MS + 5 * 3_600_000:
        again.advance(again.step, None)
    while calm.market_time < START_MS + 5 * 3_600_000:
        calm.advance(calm.step, None)
    assert again.venue.prices.last("spot", "BTCUSDT") == calm.venue.prices.last("spot", "BTCUSDT")
