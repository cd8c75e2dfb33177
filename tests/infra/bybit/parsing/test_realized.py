"""REST's executions lack the realised profit; the transaction log of the same exchange has it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from infra.backtest.system import DirectExchange
from infra.bybit.exchange import BybitExchange
from infra.bybit.parsing.realized import with_realized
from infra.simulator.api.exchange import Exchange
from statemachines.requests import (
    Accepted,
    AccountSnapshot,
    ExecutionReport,
    LookUpOrder,
    OrderFound,
    PlaceOrder,
    ReadAccount,
)
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import LINEAR, Account, Side
from tests.simulation.whole import synthetic

ACCOUNT, SYMBOL = Account.TREND_1, "BTCUSDT"
D = Decimal


def place(gateway: BybitExchange, link: str, side: Side, quantity: str) -> None:
    request = PlaceOrder(
        client_order_id=link, category=LINEAR, symbol=SYMBOL, side=side, quantity=D(quantity), style="market"
    )
    assert isinstance(gateway.perform(ACCOUNT, request), Accepted)


def look_up(gateway: BybitExchange, link: str) -> ExecutionReport:
    found = gateway.perform(ACCOUNT, LookUpOrder(client_order_id=link, category=LINEAR, symbol=SYMBOL))
    assert isinstance(found, OrderFound)
    (execution,) = found.executions
    return execution


@pytest.fixture
def gateway() -> BybitExchange:
    """Bought and partly sold again, one spread lower."""
    made = DirectExchange(Exchange(synthetic(3))).gateway()
    place(made, "abc123t11-1", Side.BUY, "0.02")
    place(made, "abc123t12-1", Side.SELL, "0.01")
    return made


def test_a_looked_up_execution_that_closed_a_position_says_its_profit(gateway: BybitExchange) -> None:
    bought, sold = look_up(gateway, "abc123t11-1"), look_up(gateway, "abc123t12-1")
    assert bought.realized_pnl is None and bought.closed_quantity == 0
    assert sold.realized_pnl == (sold.price - bought.price) * sold.quantity != 0


def test_an_account_that_is_read_with_its_log_says_it_too(gateway: BybitExchange) -> None:
    without = gateway.perform(ACCOUNT, ReadAccount(executions_since_ms=0))
    with_log = gateway.perform(ACCOUNT, ReadAccount(executions_since_ms=0, transactions_since_ms=0))
    assert isinstance(without, AccountSnapshot) and isinstance(with_log, AccountSnapshot)
    assert [one.realized_pnl for one in without.executions] == [None, None]
    sold = look_up(gateway, "abc123t12-1")
    assert sold in with_log.executions and sold.realized_pnl


def _row(execution: ExecutionReport, **changed: Any) -> TransactionRow:
    plain: dict[str, Any] = {
        "account": ACCOUNT, "transaction_id": "l1", "transaction_type": "TRADE", "coin": "USDT", "change": D(3),
        "cash_flow": D(3), "symbol": execution.symbol, "trade_id": execution.execution_id,
    }  # fmt: skip
    return TransactionRow(**{**plain, **changed})


def test_a_row_that_is_not_certainly_the_executions_says_nothing(gateway: BybitExchange) -> None:
    sold = look_up(gateway, "abc123t12-1").model_copy(update={"realized_pnl": None})
    assert with_realized([sold], [_row(sold)])[0].realized_pnl == 3
    for rows in (
        [],
        [_row(sold, trade_id="another")],
        [_row(sold, symbol="ETHUSDT")],
        [_row(sold, problem="its cash flow cannot be read")],
        [_row(sold, transaction_type="SETTLEMENT_OF_SOMETHING")],
        [_row(sold), _row(sold, transaction_id="l2")],
    ):
        assert with_realized([sold], rows)[0].realized_pnl is None
    told = sold.model_copy(update={"realized_pnl": D(2)})
    assert with_realized([told], [_row(sold)]) == [told]
