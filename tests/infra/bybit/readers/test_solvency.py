"""FU-9, CH-9: what the gateway makes of the exchange's answers about its fund and chains, recorded and simulated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from infra.backtest.system import DirectExchange
from infra.bybit.parsing.fields import Row, UnparsableError
from infra.bybit.readers.solvency import parse_insurance, parse_withdrawals
from infra.simulator.api import Exchange
from infra.simulator.config import SimConfig
from infra.simulator.faults.catalogue import InsuranceFundFall, WithdrawalSuspension
from statemachines.requests import Refused, Unknown
from statemachines.solvency.terms import COINS, INSURANCE, CoinWithdrawals, ReadSolvency, SolvencyRead
from statemachines.values import Account
from tests.shared import shared_path
from tests.simulation.whole import synthetic

ASKED = ReadSolvency(coins=COINS, symbols=("BTCUSDT", "ETHUSDT"))


def pools(*rows: tuple[str, str]) -> Row:
    found = [{"coin": "USDT", "symbols": symbols, "balance": balance, "value": balance} for symbols, balance in rows]
    return Row({"updatedTime": "1714003200000", "list": found}, "answer")


def coin(*chains: tuple[str, str], name: str = "BTC") -> Row:
    rows = [{"chain": f"C{n}", "chainWithdraw": flag, "withdrawFee": fee} for n, (flag, fee) in enumerate(chains)]
    return Row({"rows": [{"name": name, "coin": name, "chains": rows}]}, "answer")


def recorded(topic: str) -> Mapping[str, Any]:
    folder = shared_path("bybit", "recorded", topic)
    path = sorted(folder.glob("*.json"))[0]
    result = json.loads(path.read_text())["result"]
    assert isinstance(result, dict)
    return result


def test_the_recorded_fund_is_the_general_pool_and_those_that_cover_our_symbols() -> None:
    answer = Row(recorded("market-insurance"), "answer")
    assert parse_insurance(answer, ("BTCUSDT",)) == Decimal("10148045273.618073")
    with_sol = Decimal("10148045273.618073") + Decimal("14454.51626125")
    assert parse_insurance(answer, ("BTCUSDT", "SOLUSDT")) == with_sol


def test_the_recorded_chains_of_a_coin() -> None:
    answer = Row(recorded("asset-coin-query-info"), "answer")
    assert parse_withdrawals(answer, "MNT") == CoinWithdrawals(coin="MNT", chains=2, open_chains=2)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (pools(), "no pool"),
        (pools(("WIFUSDT", "5")), "no pool"),
        (pools(("", "-1")), "balance"),
        (pools(("", "")), "balance"),
        (Row({"list": [{"coin": "BTC", "symbols": "", "balance": "1"}]}, "answer"), "coin"),
        (Row({"list": [{"coin": "USDT", "symbols": None, "balance": "1"}]}, "answer"), "symbols"),
        (Row({}, "answer"), "list"),
    ],
)
def test_a_fund_that_cannot_be_read_is_no_figure(answer: Row, problem: str) -> None:
    """An empty answer is not a fund of zero, and not a full one."""
    with pytest.raises(UnparsableError, match=problem):
        parse_insurance(answer, ("BTCUSDT",))


@pytest.mark.parametrize(
    ("answer", "chains", "opened"),
    [
        (coin(("1", "0.1"), ("0", "0.1")), 2, 1),
        (coin(("0", "0.1"), ("0", "0.1")), 2, 0),
        (coin(("0", "0.1"), ("1", "")), 1, 0),  # a chain without a fee never allows withdrawals
        (coin(), 0, 0),
    ],
)
def test_the_chains_that_are_open(answer: Row, chains: int, opened: int) -> None:
    found = parse_withdrawals(answer, "BTC")
    assert (found.chains, found.open_chains, found.is_suspended) == (chains, opened, opened == 0)


@pytest.mark.parametrize(
    "answer",
    [
        coin(("2", "0.1")),
        coin(("", "0.1")),
        coin(("1", "0.1"), name="ETH"),
        Row({"rows": []}, "answer"),
        Row({"rows": [{"coin": "BTC"}]}, "answer"),
    ],
)
def test_a_status_that_cannot_be_read_is_neither_open_nor_suspended(answer: Row) -> None:
    with pytest.raises(UnparsableError):
        parse_withdrawals(answer, "BTC")


# --- against the simulated exchange ---


class Wrong:
    """The simulated exchange, with answers to some paths replaced."""

    def __init__(self) -> None:
        self.exchange = Exchange(synthetic(2), SimConfig(rate_limits=False))
        self.direct = DirectExchange(self.exchange)
        self.answers: dict[str, Mapping[str, Any]] = {}
        self.gateway = self.direct.gateway(self._handle)

    def _handle(self, method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Mapping[str, Any]:
        if path in self.answers and params.get("coin", "BTC") in ("BTC", "USDT"):
            return self.answers[path]
        return self.direct.handle(method, path, params, account)

    def read(self) -> SolvencyRead:
        found = self.gateway.perform(Account.MASTER, ASKED)
        assert isinstance(found, SolvencyRead), found
        return found


def refusal(code: int) -> dict[str, Any]:
    return {"retCode": code, "retMsg": "refused", "result": {}, "retExtInfo": {}, "time": 0}


def test_a_sound_exchange() -> None:
    found = Wrong().read()
    assert found.insurance_usdt == 500_000_000 and not found.unread and not found.no_access
    assert [one.coin for one in found.withdrawals] == [*COINS]
    assert not any(one.is_suspended for one in found.withdrawals)


def test_its_faults_are_seen() -> None:
    wrong = Wrong()
    active = wrong.exchange.venue.conditions.active
    active["one"] = (wrong.exchange.market_time, WithdrawalSuspension(coin="ETH"))
    active["two"] = (wrong.exchange.market_time, InsuranceFundFall(share=Decimal("0.4")))
    found = wrong.read()
    assert found.insurance_usdt == 300_000_000
    assert [one.coin for one in found.withdrawals if one.is_suspended] == ["ETH"]


def test_one_part_that_cannot_be_read_leaves_the_other() -> None:
    wrong = Wrong()
    wrong.answers["/v5/market/insurance"] = {"retCode": 0, "retMsg": "OK", "result": {"list": []}, "time": 0}
    found = wrong.read()
    assert found.insurance_usdt is None and [*found.unread] == [INSURANCE] and len(found.withdrawals) == 3
    wrong.answers = {"/v5/asset/coin/query-info": refusal(10001)}
    found = wrong.read()
    assert found.insurance_usdt == 500_000_000 and {*found.unread} == {"BTC", "USDT"}
    assert [one.coin for one in found.withdrawals] == ["ETH"]


@pytest.mark.parametrize("code", [10005, 10032])
def test_a_key_or_a_site_without_the_endpoint_is_named(code: int) -> None:
    wrong = Wrong()
    wrong.answers["/v5/asset/coin/query-info"] = refusal(code)
    found = wrong.read()
    assert not found.unread and str(code) in found.no_access and found.insurance_usdt is not None


@pytest.mark.parametrize("code", [10006, 10016])
def test_a_failed_query_is_no_reading(code: int) -> None:
    wrong = Wrong()
    wrong.answers["/v5/asset/coin/query-info"] = refusal(code)
    assert isinstance(wrong.gateway.perform(Account.MASTER, ASKED), Refused | Unknown)
