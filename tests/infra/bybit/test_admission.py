"""What keys and accounts must be before anything starts: each fault is named with what mends it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from infra.bybit.admission import AdmissionError, account_problems, admit, key_problems
from infra.bybit.credentials import AccountKey, Credentials, from_simulator
from infra.bybit.parsing.fields import Row, UnparsableError
from infra.bybit.session import HttpSessions
from statemachines.values import Account
from tests.conformance.process import SimulatorProcess

T1 = Account.TREND_1
NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
TRADE = {"ContractTrade": ["Order", "Position"], "Spot": ["SpotTrade"]}
MOVE = {"Wallet": ["AccountTransfer", "SubMemberTransfer"]}


def key(permissions: dict[str, list[str]], **changes: Any) -> Row:
    sound = {"readOnly": 0, "userID": 7, "expiredAt": "1970-01-01T00:00:00Z", "permissions": permissions}
    return Row(sound | changes, "key")


def account(**changes: Any) -> Row:
    return Row({"unifiedMarginStatus": 5, "marginMode": "REGULAR_MARGIN"} | changes, "account")


def test_a_trading_key_and_a_moving_key_are_admitted() -> None:
    assert key_problems(T1, key(TRADE), 7, NOW) == []
    assert key_problems(T1, key(TRADE, expiredAt="2025-06-01T12:00:01Z"), 7, NOW) == []
    assert key_problems(Account.MASTER, key(MOVE), None, NOW) == []
    assert account_problems(T1, account()) == []
    assert account_problems(T1, account(unifiedMarginStatus=6)) == []


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (key({**TRADE, "Wallet": ["Withdraw"]}), "may withdraw (Wallet.Withdraw)"),
        (key({"Spot": ["SpotTrade"]}), "lacks ContractTrade.Order, ContractTrade.Position"),
        (key(TRADE, readOnly=1), "may only read"),
        (key(TRADE, expiredAt="2025-06-01T12:00:00Z"), "expired at 2025-06-01 12:00 UTC"),
        (key(TRADE, userID=8), "belongs to UID 8, not to 7"),
    ],
)
def test_each_fault_of_a_key_is_told(row: Row, told: str) -> None:
    (problem,) = key_problems(T1, row, 7, NOW)
    assert told in problem
    assert problem.startswith("TREND-1: ")


def test_an_end_that_cannot_be_read_is_not_taken_for_never() -> None:
    with pytest.raises(UnparsableError, match="expiredAt"):
        key_problems(T1, key(TRADE, expiredAt="soon"), 7, NOW)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (account(unifiedMarginStatus=1), "unifiedMarginStatus is 1; 5 or 6"),
        (account(marginMode="PORTFOLIO_MARGIN"), "marginMode is PORTFOLIO_MARGIN; REGULAR_MARGIN"),
    ],
)
def test_each_fault_of_an_account_is_told(row: Row, told: str) -> None:
    (problem,) = account_problems(T1, row)
    assert told in problem


def test_the_simulated_accounts_are_admitted_and_a_wrong_secret_is_not(tmp_path: Path) -> None:
    simulator = SimulatorProcess(tmp_path / "state")
    try:
        held = from_simulator(tmp_path / "state" / "keys.json")
        admit(HttpSessions(held, simulator.url), tuple(Account), held.uids())
        wrong = AccountKey(held.keys[T1].api_key, SecretStr("wrong"), held.keys[T1].uid)
        with pytest.raises(AdmissionError) as refused:
            admit(HttpSessions(Credentials({T1: wrong}), simulator.url), (T1,), {})
        assert "TREND-1: what its key may do could not be learnt" in str(refused.value)
        assert held.keys[T1].api_key.get_secret_value() not in str(refused.value)
        reader = json.loads((tmp_path / "state" / "keys.json").read_text())["read_only"]
        only = AccountKey(SecretStr(reader["api_key"]), SecretStr(reader["api_secret"]), reader["uid"])
        with pytest.raises(AdmissionError, match="MASTER: its key may only read"):
            admit(HttpSessions(Credentials({Account.MASTER: only}), simulator.url), (Account.MASTER,), {})
    finally:
        simulator.stop()
