"""OR-6: the first reading of an account becomes the opening of its ledger; all of it must be of one instant."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from decimal import Decimal as D
from typing import Any

import pytest

from infra.backtest.system import DirectExchange
from infra.simulator.api.exchange import Exchange
from statemachines.requests import AccountSnapshot, ExchangeResponse, ReadAccount
from statemachines.values import Account
from tests.simulation.whole import synthetic

A = Account.CORE_HODL
PATHS = ("/v5/order/realtime", "/v5/execution/list", "/v5/position/list", "/v5/account/transaction-log")


def opened(after: str, times: int, *, is_opening: bool = True) -> tuple[Decimal, ExchangeResponse]:
    """A reading during which a deposit of 100 USDT arrives after each of the first `times` requests to this path.
    Returns the balance before it."""
    exchange = Exchange(synthetic(3))
    direct, left = DirectExchange(exchange), [0]

    def handle(method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Mapping[str, Any]:
        answer = direct.handle(method, path, params, account)
        if path == after and left[0]:
            left[0] -= 1
            exchange.deposit(A.value, "USDT", D(100))
        return answer

    gateway = direct.gateway(handle)
    before = gateway.perform(A, ReadAccount(executions_since_ms=0))
    assert isinstance(before, AccountSnapshot)
    left[0] = times
    now_ms = exchange.market_time
    request = ReadAccount(executions_since_ms=now_ms, transactions_since_ms=now_ms, is_opening=is_opening)
    return before.balances["USDT"], gateway.perform(A, request)


@pytest.mark.parametrize("after", PATHS)
def test_what_arrives_while_an_account_is_opened_is_in_the_opening_and_in_the_log(after: str) -> None:
    """The log was read before the wallet: a deposit in between was in the opening balance, was not known as a part of
    it, and was booked once more with the next reading of the log."""
    before, found = opened(after, 1)
    assert isinstance(found, AccountSnapshot) and found.transactions is not None
    assert found.balances["USDT"] - before == 100
    assert [row.change for row in found.transactions].count(D(100)) == 1


def test_a_wallet_that_never_rests_is_no_opening() -> None:
    _before, found = opened("/v5/account/transaction-log", 1_000)
    assert not isinstance(found, AccountSnapshot) and "its wallet changed" in str(found)


def test_any_other_reading_takes_the_wallet_once() -> None:
    """It is compared with the ledger, and read again when it differs."""
    _before, found = opened("/v5/account/transaction-log", 1_000, is_opening=False)
    assert isinstance(found, AccountSnapshot)
