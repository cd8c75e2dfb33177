"""OR-9: TACTICAL sells and returns what its account holds, not what it once bought."""

from __future__ import annotations

from decimal import Decimal

import pytest

from statemachines.messages.accounts import BalancesKnown, TransferEnded
from statemachines.state_store import restore
from statemachines.tactical.engine import TacticalEngine
from statemachines.tactical.state import DIALECT
from statemachines.values import Account, Side
from tests.statemachines.tactical.synthetic import Market

D = Decimal


def by_hand(market: Market, coin: str, change: str) -> None:
    """Somebody moves coins; the order manager reports the account."""
    market.world.coins[coin] += D(change)
    coins = {**market.world.coins, "USDT": market.world.cash}
    market.world.tell(BalancesKnown(account=Account.TACTICAL, coins=coins, positions={}))


def deployed(restarts: bool = False) -> Market:
    market = Market(restarts=restarts)
    market.close(5_000)
    assert market.state() == "DEPLOYMENT" and market.world.coins["BTC"] == D("0.7992")
    return market


def sold(market: Market) -> dict[str, Decimal]:
    return {one.symbol: one.quantity for one in market.intents() if one.side is Side.SELL}


def missing(market: Market) -> list[str]:
    return [alert.text for alert in market.world.alerts if alert.title == "TACTICAL D1: coins are missing"]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_sale_is_for_what_the_account_holds(restarts: bool) -> None:
    """The whole deployment was sold, the exchange refused it for lack of coins, and the next day again, for ever."""
    market = deployed(restarts)
    by_hand(market, "BTC", "-0.5")
    market.eth = D(1_001)
    market.close(10_001)
    assert sold(market) == {"BTCUSDT": D("0.2992"), "ETHUSDT": D("1.998")}
    assert market.triggers()[-2:] == ["profit", "sold"] and market.world.coins["BTC"] == 0
    (text,) = missing(market)
    assert "0.5 BTC of D1 left the account" in text


def test_a_sale_of_nothing_ends_the_deployment() -> None:
    market = deployed()
    by_hand(market, "BTC", "-0.7992")
    by_hand(market, "ETH", "-1.998")
    market.eth = D(1_001)
    market.close(10_001)
    assert sold(market) == {} and market.triggers()[-2:] == ["sold", "returned"]


@pytest.mark.parametrize("restarts", [False, True])
def test_coins_that_come_back_before_the_sale_are_sold(restarts: bool) -> None:
    market = deployed(restarts)
    by_hand(market, "BTC", "-0.5")
    by_hand(market, "BTC", "0.6")
    market.eth = D(1_001)
    market.close(10_001)
    assert sold(market) == {"BTCUSDT": D("0.7992"), "ETHUSDT": D("1.998")}, "never more than the deployment's"
    assert missing(market) == [] and market.world.coins["BTC"] == D("0.1")


def test_half_of_what_is_left_is_sold_fast() -> None:
    market = deployed()
    by_hand(market, "BTC", "-0.5")
    market.eth = D(751)
    market.close(7_501)
    assert sold(market) == {"BTCUSDT": D("0.2992"), "ETHUSDT": D("0.999")}, "half of what was bought"


def test_a_return_in_kind_is_of_what_is_there() -> None:
    market = deployed()
    market.days(364, 5_000)
    by_hand(market, "BTC", "-0.7992")
    market.close(5_000)
    assert {(one.coin, one.amount) for one in market.returns()} == {("ETH", D("1.998"))}
    market.world.complete_transfers()
    assert market.state() == "CASH_ACCUMULATION"


@pytest.mark.parametrize(("left", "amounts"), [("0", ["0.7992"]), ("0.25", ["0.7992", "0.25"])])
def test_a_failed_return_of_what_has_left_meanwhile_is_not_requested_for_ever(left: str, amounts: list[str]) -> None:
    market = deployed()
    market.days(364, 5_000)
    market.close(5_000)
    for wanted in market.returns():
        end = TransferEnded(
            transfer_id=wanted.request_id, request_id=wanted.request_id, from_account=wanted.from_account,
            to_account=wanted.to_account, coin=wanted.coin, amount=wanted.amount, purpose=wanted.purpose,
            succeeded=wanted.coin == "ETH", reason="",
        )  # fmt: skip
        market.world.tell(end)
    by_hand(market, "BTC", str(D(left) - D("0.7992")))
    market.close(5_000)
    assert [one.amount for one in market.returns() if one.coin == "BTC"] == [D(one) for one in amounts]
    assert (market.state() == "CASH_ACCUMULATION") is (left == "0")


def test_rows_of_schema_1_are_read_back() -> None:
    """Version 1 did not store what the account holds: it is unknown until the first report, not zero."""
    market = deployed()
    old = {
        key: row._replace(schema=1, data={name: value for name, value in row.data.items() if name != "wallet"})
        for key, row in market.world.rows.items()
    }
    assert DIALECT.read("tactical", old)["ENGINE"].data["wallet"] == {}
    restore("tactical", TacticalEngine(), old, DIALECT)
