"""R4: the signed exposure of all accounts, per coin and in total, and as the operator sees it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.overview import portfolio_view
from statemachines.messages.accounts import AccountView
from statemachines.portfolio.equity import MissingPriceError
from statemachines.portfolio.exposure import exposure_usdt_by_coin, total_exposure_usdt
from statemachines.values import Account

D = Decimal
PRICES = {"spot:BTCUSDT": D(100), "linear:BTCUSDT": D(101), "spot:ETHUSDT": D(10), "linear:ETHUSDT": D(10)}


def view(account: Account, coins: dict[str, str] | None = None, positions: dict[str, str] | None = None) -> AccountView:
    return AccountView(
        account=account,
        equity_usdt=D(0),
        cash_usdt=D(0),
        coins={coin: D(amount) for coin, amount in (coins or {}).items()},
        positions={symbol: (D(size), D(1)) for symbol, size in (positions or {}).items()},
    )


ACCOUNTS = {
    Account.CORE_HODL: view(Account.CORE_HODL, {"BTC": "2", "ETH": "5"}),
    Account.TREND_1: view(Account.TREND_1, positions={"BTCUSDT": "1", "ETHUSDT": "-3"}),
    Account.TREND_2: view(Account.TREND_2, positions={"BTCUSDT": "0.5"}),
    Account.FUNDING: view(Account.FUNDING, {"BTC": "1"}, {"BTCUSDT": "-1"}),
}


def test_two_engines_long_btc_count_together_and_a_hedged_pair_nets_out() -> None:
    assert exposure_usdt_by_coin(ACCOUNTS, PRICES) == {"BTC": D("350.5"), "ETH": D(20)}
    assert total_exposure_usdt(ACCOUNTS, PRICES) == D("370.5")


@pytest.mark.parametrize("missing", ["spot:BTCUSDT", "linear:ETHUSDT"])
def test_a_missing_price_is_never_zero(missing: str) -> None:
    prices = {key: price for key, price in PRICES.items() if key != missing}
    with pytest.raises(MissingPriceError, match=missing):
        exposure_usdt_by_coin(ACCOUNTS, prices)


@given(st.lists(st.tuples(st.sampled_from(list(Account)), st.integers(-9, 9), st.integers(0, 9)), max_size=12))
def test_the_sum_over_accounts_is_the_sum_of_each(held: list[tuple[Account, int, int]]) -> None:
    """Nothing is counted twice or left out, whatever the accounts hold."""
    accounts = {a: view(a, {"BTC": str(coins)}, {"BTCUSDT": str(size)}) for a, size, coins in held}
    total = total_exposure_usdt(accounts, PRICES)
    assert total == sum((total_exposure_usdt({a: one}, PRICES) for a, one in accounts.items()), D(0))


def test_the_operator_sees_it_per_coin_and_in_total() -> None:
    data = {
        "accounts": {account.value: one.model_dump(mode="json") for account, one in ACCOUNTS.items()},
        "prices": {key: str(price) for key, price in PRICES.items()},
    }
    shown = portfolio_view({"version": 3, "market_ms": 5, "equity_usdt": D(400), "data": data})
    assert (shown["exposure_usdt"], shown["exposure_by_coin"]) == (D("370.5"), {"BTC": D("350.5"), "ETH": D(20)})
    assert portfolio_view(None)["exposure_usdt"] is None
