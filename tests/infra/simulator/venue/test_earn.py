"""Earn of the simulated exchange (bybit-v5 4.6): stake, redeem, yield, refusals, and what survives a restart."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from infra.simulator.api import ApiRequest, Exchange
from infra.simulator.api.keys import default_key
from infra.simulator.config import SimConfig
from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.synthetic import SyntheticMarket
from tests.infra.simulator.venue.world import START_MS

D = Decimal
FLEXIBLE = {"category": "FlexibleSaving"}
HALF_HOUR_MS = HOUR_MS // 2


class World:
    """CORE-HODL with 10 ETH in its wallet."""

    def __init__(self, **changes: Any) -> None:
        self.market = SyntheticMarket(7, START_MS, 6)
        self.config = replace(SimConfig(rate_limits=False), **changes)
        self.exchange = Exchange(self.market, self.config)
        self.uids = {one.name: one.uid for one in self.config.accounts}
        self.exchange.deposit("CORE-HODL", "ETH", D(10))

    def ask(self, method: str, path: str, account: str = "CORE-HODL", **params: Any) -> dict[str, Any]:
        return self.exchange.handle(ApiRequest(method, path, params, self.uids[account]))

    def place(self, kind: str, amount: str, link: str, **changes: Any) -> int:
        """The return code."""
        body = {
            **FLEXIBLE, "orderType": kind, "accountType": "UNIFIED", "amount": amount, "coin": "ETH",
            "productId": "431", "orderLinkId": link,
        }  # fmt: skip
        return int(self.ask("POST", "/v5/earn/place-order", **(body | changes))["retCode"])

    def rows(self, what: str, name: str = "list", **params: Any) -> list[dict[str, Any]]:
        answer = self.ask("GET", f"/v5/earn/{what}", **FLEXIBLE, **params)
        assert answer["retCode"] == 0, answer
        return list(answer["result"][name])

    @property
    def wallet(self) -> Decimal:
        return self.exchange.venue.accounts["CORE-HODL"].balance("ETH")

    def log(self) -> list[tuple[str, str]]:
        account = self.exchange.venue.accounts["CORE-HODL"]
        return [(row.data["type"], row.data["change"]) for row in account.log if "STAKING" in row.data["type"]]

    def run(self, until_ms: int) -> None:
        while self.exchange.market_time < until_ms:
            self.exchange.advance(self.exchange.step, until_ms, until_ms)


def test_a_stake_moves_coins_out_of_the_wallet_and_back() -> None:
    world = World()
    assert world.place("Stake", "4", "a") == 0
    assert world.wallet == 6 and world.rows("position")[0]["amount"] == "4"
    assert world.place("Redeem", "1.5", "b") == 0
    assert world.wallet == D("7.5") and world.rows("position")[0]["amount"] == "2.5"
    assert world.log() == [("FLEXIBLE_STAKING_SUBSCRIPTION", "-4"), ("FLEXIBLE_STAKING_REDEMPTION", "1.5")]
    (row,) = world.rows("order", orderLinkId="b")
    assert (row["orderType"], row["orderValue"], row["status"]) == ("Redeem", "1.5", "Success")


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (180001, {"amount": "0"}),
        (180001, {"amount": "0.000000001"}),
        (180001, {"coin": "BTC"}),
        (180007, {"productId": "1"}),
        (180007, {"category": "OnChain"}),
        (180012, {"amount": "0.0001"}),
        (180014, {"amount": "2000000"}),
        (180016, {"amount": "11"}),
        (180016, {"orderType": "Redeem"}),
        (180001, {"interestCard": {"awardId": 1, "specCode": "x"}}),
        (10001, {"orderType": "Other"}),
        (10001, {"accountType": "SPOT"}),
        (10001, {"orderLinkId": ""}),
        (10001, {"amount": "many"}),
    ],
)
def test_what_is_refused_moves_nothing(code: int, changes: dict[str, Any]) -> None:
    world = World()
    body = {"amount": "1", **changes}
    kind = str(body.pop("orderType", "Stake"))
    assert world.place(kind, str(body.pop("amount")), "a", **body) == code
    assert world.wallet == 10 and not world.rows("order")


def test_an_order_id_is_taken_again_after_30_minutes_only() -> None:
    """The replay guard of the real exchange: whoever repeats blindly after half an hour stakes twice."""
    world = World()
    assert world.place("Stake", "1", "a") == 0
    world.run(START_MS + HALF_HOUR_MS - 1)
    assert world.place("Stake", "1", "a") == 180025 and world.wallet == 9
    world.run(START_MS + HALF_HOUR_MS)
    assert world.place("Stake", "1", "a") == 0 and world.wallet == 8


def test_a_key_without_the_permission_is_refused_and_the_products_are_public() -> None:
    world = World()
    key = default_key("CORE-HODL", world.uids["CORE-HODL"], is_master=False)
    bare = replace(key, permissions={"Spot": ("SpotTrade",)})
    for method, path in (("GET", "position"), ("GET", "yield"), ("GET", "order"), ("POST", "place-order")):
        answer = world.exchange.handle(ApiRequest(method, f"/v5/earn/{path}", FLEXIBLE, key.uid, bare))
        assert answer["retCode"] == 10005
    assert world.exchange.handle(ApiRequest("GET", "/v5/earn/product", FLEXIBLE))["result"]["list"]


def test_yield_of_3_percent_a_year_accrues_hourly_and_is_added_to_the_position_every_day() -> None:
    world = World()
    world.place("Stake", "8.76", "a")
    world.run(START_MS + 3 * HOUR_MS)
    assert world.rows("position")[0]["claimableYield"] == "0.00009"  # 3 hours of 3 % of 8.76 / 8760
    world.run(START_MS + 4 * DAY_MS)
    paid = [D(row["amount"]) for row in world.rows("yield", "yield")][::-1]
    assert len(paid) == 3 and paid[0] == 24 * D("0.00003") and paid[1] > paid[0]
    (position,) = world.rows("position")
    assert D(position["amount"]) == D("8.76") + sum(paid) and D(position["totalPnl"]) == sum(paid)
    assert len(world.rows("hourly-yield", limit=100)) == 96 and len(world.log()) == 1


def test_who_stakes_nothing_is_paid_nothing_and_other_rates_can_be_chosen() -> None:
    world = World(earn_yield=D("0.05"))
    world.run(START_MS + 2 * DAY_MS)
    assert not world.rows("yield", "yield") and world.rows("product")[0]["estimateApr"] == "5%"


def test_the_last_redemption_pays_the_yield_that_was_not_paid_yet() -> None:
    world = World()
    world.place("Stake", "8.76", "a")
    world.run(START_MS + 2 * HOUR_MS)
    assert world.place("Redeem", "8.76", "b") == 0
    assert world.wallet == 10 + D("0.00006") and world.rows("position")[0]["amount"] == "0"
    assert world.rows("yield", "yield")[0]["distributionMode"] == "Manual"


def test_a_delayed_redemption_is_pending_until_it_arrives_also_over_a_restart() -> None:
    world = World(earn_redeem_delay_ms=30 * HOUR_MS)
    world.place("Stake", "4", "a")
    world.place("Redeem", "3", "b")
    assert world.wallet == 6 and world.rows("order", orderLinkId="b")[0]["status"] == "Pending"
    world.run(START_MS + DAY_MS)
    world.exchange = Exchange(world.market, world.config, state=world.exchange.dump())
    assert world.wallet == 6 and D(world.rows("position")[0]["amount"]) == 1
    world.run(START_MS + 31 * HOUR_MS)
    assert world.wallet == 9 and world.rows("order", orderLinkId="b")[0]["status"] == "Success"


def test_a_snapshot_continues_as_if_nothing_had_happened() -> None:
    worlds = [World(), World()]
    for world in worlds:
        world.place("Stake", "4", "a")
        world.run(START_MS + DAY_MS + HOUR_MS)
    worlds[1].exchange = Exchange(worlds[1].market, worlds[1].config, state=worlds[1].exchange.dump())
    for world in worlds:
        world.run(START_MS + 3 * DAY_MS)
        world.place("Redeem", "1", "b")
    assert worlds[0].exchange.dump() == worlds[1].exchange.dump()


def test_a_snapshot_of_the_version_before_earn_is_read() -> None:
    world = World()
    state = world.exchange.dump()
    state["format"] = 1
    for account in state["accounts"]:
        del account["earn"]
    world.exchange = Exchange(world.market, world.config, state=state)
    assert world.place("Stake", "1", "a") == 0


def test_a_stake_from_the_funding_wallet_and_back_into_it() -> None:
    world = World()
    world.ask("POST", "/v5/asset/transfer/inter-transfer", transferId="t", coin="ETH", amount="2",
              fromAccountType="UNIFIED", toAccountType="FUND")  # fmt: skip
    world.exchange.venue.accounts["CORE-HODL"].fund["ETH"] = D(2)
    assert world.place("Stake", "2", "a", accountType="FUND") == 0
    assert world.place("Redeem", "1", "b", accountType="FUND", toAccountType="FUND") == 0
    assert world.exchange.venue.accounts["CORE-HODL"].fund["ETH"] == 1 and not world.log()
