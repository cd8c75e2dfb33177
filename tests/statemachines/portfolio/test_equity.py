"""DESIGN 7: one definition of equity, exact in Decimal; a missing price is never zero."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.actor_logic import StateRow
from statemachines.facts import BarFact
from statemachines.messages.accounts import BalancesKnown, TransferEnded
from statemachines.portfolio.equity import Holdings, MissingPriceError, equity_usdt
from statemachines.portfolio.flows import Flows
from statemachines.portfolio.holdings import ACCOUNTS, AccountHoldings
from statemachines.state_store import StateDialect
from statemachines.values import HOUR_MS, Account
from tests.kit import builders

PRICES = {
    "spot:BTCUSDT": Decimal("60000.1"),
    "spot:ETHUSDT": Decimal("3000.01"),
    "linear:BTCUSDT": Decimal("60010.5"),
    "linear:ETHUSDT": Decimal("2999.9"),
}
AMOUNT = st.decimals("-1000", "1000", places=8, allow_nan=False, allow_infinity=False)


def test_equity_is_cash_plus_coins_at_spot_plus_unrealised_pnl_at_linear() -> None:
    """Elsewhere unrealised profit was counted twice: in the exchange's total and once more per position."""
    holdings = Holdings(
        {"USDT": Decimal("1000.25"), "BTC": Decimal("0.5")},
        {"ETHUSDT": (Decimal("-2"), Decimal("3100"))},
    )
    expected = Decimal("1000.25") + Decimal("0.5") * Decimal("60000.1") + Decimal("-2") * (Decimal("2999.9") - 3100)
    assert equity_usdt(holdings, PRICES) == expected


def test_a_missing_price_raises_and_is_never_zero() -> None:
    """Elsewhere a missing field became 0 or None, and trading continued with that equity."""
    with pytest.raises(MissingPriceError, match="spot:SOLUSDT"):
        equity_usdt(Holdings({"USDT": Decimal(1), "SOL": Decimal(1)}, {}), PRICES)
    with pytest.raises(MissingPriceError, match="linear:SOLUSDT"):
        equity_usdt(Holdings({"USDT": Decimal(1)}, {"SOLUSDT": (Decimal(1), Decimal(1))}), PRICES)


def test_what_is_zero_needs_no_price() -> None:
    assert equity_usdt(Holdings({"USDT": Decimal(7), "SOL": Decimal(0)}, {}), PRICES) == 7


@given(st.lists(st.tuples(AMOUNT, AMOUNT, AMOUNT), min_size=1, max_size=5))
def test_portfolio_equity_is_the_exact_sum_of_its_accounts(rows: list[tuple[Decimal, Decimal, Decimal]]) -> None:
    accounts = {
        account: Holdings({"USDT": cash, "BTC": coin}, {"ETHUSDT": (position, Decimal(3000))})
        for account, (cash, coin, position) in zip(Account, rows, strict=False)
    }
    portfolio = builders.portfolio(1, 0, accounts, PRICES)
    assert portfolio.equity_usdt == sum(view.equity_usdt for view in portfolio.accounts.values())
    exact = sum(c + b * PRICES["spot:BTCUSDT"] + p * (PRICES["linear:ETHUSDT"] - 3000) for c, b, p in rows)
    assert portfolio.equity_usdt == exact


def _transfer(amount: str) -> TransferEnded:
    return TransferEnded(
        transfer_id="t",
        request_id="r",
        from_account=Account.FUNDING,
        to_account=Account.TACTICAL,
        coin="USDT",
        amount=Decimal(amount),
        purpose="FU-5",
        succeeded=True,
    )


def _balances(account: Account, cash: str) -> BalancesKnown:
    return BalancesKnown(account=account, coins={"USDT": Decimal(cash)}, positions={})


@pytest.mark.parametrize("balances_first", [True, False])
def test_a_transfer_counts_once_whichever_message_comes_first(balances_first: bool) -> None:
    """OR-6, F11: balances after the transfer and the transfer's end come from one decision of the order manager."""
    book = AccountHoldings()
    for account in (Account.FUNDING, Account.TACTICAL):
        book.take_balances(_balances(account, "100"), "m:1")
    book.clear_flows()
    if not balances_first:
        book.take_transfer(_transfer("30"), "m:2")
    book.take_balances(_balances(Account.FUNDING, "70"), "m:2")
    book.take_balances(_balances(Account.TACTICAL, "130"), "m:2")
    if balances_first:
        book.take_transfer(_transfer("30"), "m:2")
    holdings = book.holdings(frozenset())
    assert holdings[Account.FUNDING].balances["USDT"] == 70
    assert holdings[Account.TACTICAL].balances["USDT"] == 130
    assert book.flows_of([Account.FUNDING]) == Flows(Decimal(0), Decimal(30))
    assert book.flows_of([Account.TACTICAL]) == Flows(Decimal(30), Decimal(0))
    assert book.flows_of([Account.FUNDING, Account.TACTICAL]) == Flows()


def test_the_former_row_of_an_account_keeps_its_flows() -> None:
    former = StateRow("account:TREND-1", "", 1, {
        "known": True, "balances": {"USDT": "5"}, "positions": {}, "cause": "m:1", "flows": {"USDT": "-7", "BTC": "2"},
    })  # fmt: skip
    (row,) = StateDialect(ACCOUNTS).read("risk-manager", {former.key: former}).values()
    book = AccountHoldings()
    book.prices = dict(PRICES)
    book.restore_account(Account.TREND_1, row.data)
    assert row.schema == 2 and book.account_data(Account.TREND_1) == row.data
    assert book.flows_of([Account.TREND_1]) == Flows(2 * PRICES["spot:BTCUSDT"], Decimal(7))


def test_the_newest_close_is_the_price() -> None:
    book = AccountHoldings()

    def bar(start_ms: int, close: str) -> BarFact:
        return builders.bar("spot", "BTCUSDT", start_ms, close, "60")

    book.take_bars([bar(HOUR_MS, "2"), bar(0, "1")])
    assert book.price_of("spot", "BTCUSDT") == (Decimal(2), 2 * HOUR_MS)


def test_a_position_of_quantity_0_is_none() -> None:
    """A closed position needs no price; one that was opened at price 0 is still a position."""
    book = AccountHoldings()
    positions = {"BTCUSDT": (Decimal(0), Decimal(5)), "ETHUSDT": (Decimal(1), Decimal(0))}
    book.take_balances(_balances(Account.TREND_1, "100").model_copy(update={"positions": positions}), "m:1")
    assert set(book.holdings(frozenset())[Account.TREND_1].positions) == {"ETHUSDT"}
