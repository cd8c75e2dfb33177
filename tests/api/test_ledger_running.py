"""`eternal ledger check` while market time goes by: what has just happened at the exchange is no difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from api.ledger.check import Report, check_ledger
from api.logics import logics
from infra.backtest.system import DirectExchange, InProcessSystem
from infra.bybit.readers.ledger_reading import ExchangeRecords
from infra.bybit.session import DirectSessions, Handle
from infra.config import EternalConfig
from infra.database.store import PostgresStore
from infra.simulator.api import Exchange
from infra.simulator.config import SimConfig
from infra.simulator.venue import earn
from statemachines.earn.terms import StakeCoins
from statemachines.requests import Accepted, PlaceOrder
from statemachines.values import DAY_MS, HOUR_MS, LINEAR, Account, Side
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.simulation.whole import synthetic

D = Decimal
SOL_PRODUCT = "432"


@dataclass
class Running:
    """The whole system on PostgreSQL, in the morning of its fourth day; CORE-HODL began with SOL in Earn."""

    url: str
    system: InProcessSystem

    def check(self, from_ms: int = 0, handle: Handle | None = None) -> Report:
        direct = DirectExchange(self.system.exchange)
        records = ExchangeRecords(DirectSessions(handle or direct.handle), direct)
        return check_ledger(self.url, records, Account, from_ms, lag_ms=1, pause=lambda _seconds: None)

    @property
    def start_ms(self) -> int:
        return self.system.exchange.venue.market.start_ms


@pytest.fixture
def running(database_url: str) -> Iterator[Running]:  # noqa: F811
    market = synthetic(6)
    exchange = Exchange(market, SimConfig(rate_limits=False))
    earn.move_by_hand(exchange.venue, exchange.venue.accounts["CORE-HODL"], "SOL", D(8))
    store = PostgresStore(database_url)
    system = InProcessSystem(exchange, logics(EternalConfig(), "test01"), store)
    system.start()
    system.run(market.start_ms + 3 * DAY_MS + 2 * HOUR_MS)
    yield Running(database_url, system)
    store.close()


def test_what_moves_after_the_instant_compared_is_no_difference_whatever_the_first_day(running: Running) -> None:
    """`--from` a day in the future read no rows at all, so that a fill between the two readings was a difference."""
    running.system.exchange.transact("TREND-2", "USDT", "BONUS", D(1), D(0), {})
    now_ms = running.system.exchange.market_time
    for from_ms in (0, now_ms - DAY_MS, now_ms, now_ms + 70 * 365 * DAY_MS):
        assert running.check(from_ms).differences == [], from_ms


def test_rows_of_hours_that_pass_while_they_are_read_are_no_failure(running: Running) -> None:
    """A paper system passes an hour between two requests: "field 'execTime' is ...; an instant to ... is required"."""
    exchange = running.system.exchange
    direct = DirectExchange(exchange)
    passed: list[str] = []

    def handle(method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Mapping[str, Any]:
        if "execution" in path and account is Account.TREND_1:
            passed.append(path)
            exchange.venue.now_ms += HOUR_MS
        answer = direct.handle(method, path, params, account)
        if "execution" in path and account is Account.TREND_1:
            row = {**EXECUTION, "category": params["category"], "execTime": str(exchange.market_time)}
            return {**answer, "result": {**answer["result"], "list": [row] if row["category"] == "spot" else []}}
        return answer

    assert running.check(handle=handle).differences == [] and passed


EXECUTION = {
    "symbol": "BTCUSDT", "orderId": "1", "orderLinkId": "", "side": "Buy", "execId": "e1", "execPrice": "100",
    "execQty": "1", "execFee": "0.001", "execType": "Trade", "feeCurrency": "BTC", "feeRate": "0.001", "isMaker": False,
}  # fmt: skip


def test_ch10_yield_paid_today_is_named_and_is_no_difference_until_it_is_booked(running: Running) -> None:
    """Yield is paid at 00:30 and read when the day closes: for the hours between the check failed, on each day."""
    core = running.system.exchange.venue.accounts["CORE-HODL"]
    paid, position = core.earn.yields[-1].data, core.earn.positions[SOL_PRODUCT]
    report = running.check()
    assert report.differences == []
    (note,) = _notes(report)
    assert f"yield {paid['id']} of {paid['amount']} SOL, paid into Earn at 2025-01-04T0" in note

    position.amount += D("1E-18")
    report = running.check()
    assert "earn SOL" in {one.text.partition(":")[0] for one in report.differences} and not _notes(report)
    position.amount -= D("1E-18")

    running.system.run(running.start_ms + 4 * DAY_MS + 1)
    report = running.check()
    assert report.differences == [] and not _notes(report)


def trade_and_stake(exchange: Exchange) -> None:
    """By other hands, now: no order manager reports it."""
    gateway = DirectExchange(exchange).gateway()
    order = PlaceOrder(
        client_order_id="by-hand", category=LINEAR, symbol="BTCUSDT", side=Side.BUY, quantity=D("0.003"), style="market"
    )
    assert isinstance(gateway.perform(Account.TREND_1, order), Accepted)
    stake = StakeCoins(client_order_id="by-hand", action="stake", coin="ETH", product_id="431", amount=D("0.1"))
    assert isinstance(gateway.perform(Account.CORE_HODL, stake), Accepted)


def test_or6_what_is_traded_and_staked_after_the_instant_compared_is_no_difference(running: Running) -> None:
    """Balances were compared as of one instant, positions and Earn as they are now: on a system that trades, every fill
    in the last minute was a difference until it was booked and read twice."""
    exchange = running.system.exchange
    held = exchange.venue.accounts["TREND-1"].positions["BTCUSDT"].size
    trade_and_stake(exchange)
    assert exchange.venue.accounts["TREND-1"].positions["BTCUSDT"].size != held
    report = running.check()
    assert report.differences == []
    assert any("TREND-1: its equity is not compared, since BTCUSDT was traded" in note for note in report.notes)
    assert ("TREND-1", "position", "BTCUSDT", held) in {
        (one.account, one.what, one.unit, one.exchange) for one in report.figures
    }


@pytest.mark.parametrize("planted", ["position", "earn"])
def test_a_difference_at_the_instant_compared_is_found_beside_what_happened_after_it(
    running: Running, planted: str
) -> None:
    exchange = running.system.exchange
    trend, core = exchange.venue.accounts["TREND-1"], exchange.venue.accounts["CORE-HODL"]
    trade_and_stake(exchange)
    if planted == "position":
        trend.positions["BTCUSDT"].size += D("0.001")
    else:
        core.earn.positions[SOL_PRODUCT].amount += D("1E-18")
    found = {one.text.partition(":")[0] for one in running.check().differences}
    assert found == ({"position BTCUSDT"} if planted == "position" else {"earn SOL", "equity USDT"})


def _notes(report: Report) -> list[str]:
    return [one for one in report.notes if "yield" in one]
