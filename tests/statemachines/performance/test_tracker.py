"""P4: what each engine achieved, by day: equity without flows, costs, yields."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from statemachines.actor_logic import StateRow
from statemachines.facts import PerformanceFact
from statemachines.messages.accounts import BalancesKnown, FundingPaid, StakingForgone, TransferEnded
from statemachines.performance.tracker import PERFORMANCE, TOTAL, PerformanceTracker
from statemachines.portfolio.equity import account_view, portfolio_of
from statemachines.portfolio.holdings import AccountHoldings
from statemachines.state_store import StateDialect
from statemachines.values import ACCOUNT_OF, DAY_MS, ENGINES, Account, ActorName, Side
from tests.kit.builders import fill

D = Decimal
CLOSE_MS = 100 * DAY_MS
PRICES = {"spot:BTCUSDT": D(50_000), "spot:ETHUSDT": D(2_000)}


class Desk:
    """The risk manager's holdings and the tracker, fed alike."""

    def __init__(self) -> None:
        self.book, self.tracker = AccountHoldings(), PerformanceTracker()
        self.book.prices = dict(PRICES)
        self._day = 0
        for engine in ENGINES:
            self.balances(ACCOUNT_OF[engine], {"USDT": D(1_000)})
        self.book.clear_flows()

    def balances(self, account: Account, coins: dict[str, Decimal], **more: Any) -> None:
        body = BalancesKnown(account=account, coins=coins, positions={}, **more)
        self.book.take_balances(body, "")
        self.tracker.take_balances(body)

    def transfer(self, source: Account, target: Account, amount: str, purpose: str, **more: Any) -> None:
        body = TransferEnded(
            transfer_id="t", request_id="r", from_account=source, to_account=target, coin=more.pop("coin", "USDT"),
            amount=D(amount), purpose=purpose, succeeded=more.pop("succeeded", True),
        )  # fmt: skip
        self.book.take_transfer(body, "")
        self.tracker.take_transfer(body, self.book.prices)

    def close(self) -> dict[str, PerformanceFact]:
        held = self.book.holdings(frozenset({"BTC", "ETH"}))
        views = {account: account_view(account, one, self.book.prices) for account, one in held.items()}
        portfolio = portfolio_of(1, CLOSE_MS, views, self.book.prices)
        self._day += 1
        found = self.tracker.close(portfolio, self.book, CLOSE_MS + self._day * DAY_MS)
        self.book.clear_flows()
        return {fact.engine: fact for fact in found}


def test_the_first_close_has_no_return_and_every_engine_a_record() -> None:
    found = Desk().close()
    assert set(found) == {*map(str, ENGINES), TOTAL}
    assert all(fact.day_return is None for fact in found.values())
    assert found[TOTAL].equity_usdt == 1_000 * len(ENGINES)
    assert found[TOTAL].day_ms == CLOSE_MS


def test_money_that_came_in_is_no_return() -> None:
    desk = Desk()
    desk.close()
    desk.balances(Account.MASTER, {"USDT": D(500)})
    desk.transfer(Account.MASTER, Account.TREND_1, "500", "OR-5 contribution")
    desk.balances(Account.TREND_1, {"USDT": D(1_650)}, results={"USDT": D(150)})
    found = desk.close()
    trend = found["trend-1"]
    assert (trend.equity_usdt, trend.flow_usdt) == (1_650, 500)
    assert trend.day_return == D(1_650) / D(1_500) - 1
    whole = found[TOTAL]
    assert whole.flow_usdt == 500
    assert whole.day_return == (D(5_000) + 650) / D(5_500) - 1


def test_or4_what_is_trimmed_is_a_harvest_and_sums_to_nothing() -> None:
    desk = Desk()
    desk.transfer(Account.TREND_1, Account.CORE_HODL, "100", "OR-4 trim")
    desk.transfer(Account.TREND_1, Account.FUNDING, "60", "OR-4 trim")
    desk.transfer(Account.TREND_1, Account.TACTICAL, "5", "OR-2 regime")
    desk.transfer(Account.TREND_1, Account.TACTICAL, "7", "OR-4 trim", succeeded=False)
    found = desk.close()
    assert found["trend-1"].harvest_usdt == 160
    assert (found["core-hodl"].harvest_usdt, found["funding"].harvest_usdt) == (-100, -60)
    assert found["tactical"].harvest_usdt == found[TOTAL].harvest_usdt == 0


@pytest.mark.parametrize(("side", "paid"), [(Side.BUY, D(20)), (Side.SELL, D(-20))])
def test_slippage_is_what_a_fill_costs_against_the_price_of_its_decision(side: Side, paid: Decimal) -> None:
    desk = Desk()
    one = fill(ActorName.TREND_1, "BTCUSDT", side, "2", "110", CLOSE_MS, fee=D("0.5"))
    desk.tracker.take_fill(one, D(100))
    desk.tracker.take_fill(one.model_copy(update={"price": D(90)}), None)
    found = desk.close()["trend-1"]
    assert found.slippage_usdt == paid
    assert (found.turnover_usdt, found.decided_usdt, found.fees_usdt) == (400, 220, 1)
    assert desk.close()["trend-1"].turnover_usdt == 0, "a close begins anew"


def test_ch11_what_staking_earns_is_counted_once_and_valued_at_the_close() -> None:
    desk = Desk()
    coins = {"USDT": D(1_000), "ETH": D(10)}
    desk.balances(Account.CORE_HODL, coins, staked={"ETH": D(8)}, earned={"ETH": D("0.5")})
    first = desk.close()["core-hodl"]
    assert (first.staked_usdt, first.earned_usdt) == (16_000, 1_000)
    desk.balances(Account.CORE_HODL, coins, staked={"ETH": D(8)}, earned={"ETH": D("0.6")})
    desk.balances(Account.CORE_HODL, coins, staked={"ETH": D(0)}, earned={"ETH": D("0.6")})
    second = desk.close()["core-hodl"]
    assert (second.staked_usdt, second.earned_usdt) == (0, 200)
    assert desk.close()["core-hodl"].earned_usdt == 0


def test_ch11_what_was_forgone_is_counted_once_and_valued_at_the_close() -> None:
    desk = Desk()
    for total in ("0.1", "0.25", "0.25"):  # the total so far, told again after a restart
        desk.tracker.take_forgone(StakingForgone(account=Account.CORE_HODL, coin="ETH", amount=D(total)))
    first = desk.close()
    assert first["core-hodl"].forgone_usdt == first[TOTAL].forgone_usdt == 500
    assert desk.close()["core-hodl"].forgone_usdt == 0
    desk.tracker.take_forgone(StakingForgone(account=Account.CORE_HODL, coin="ETH", amount=D("0.26")))
    assert desk.close()["core-hodl"].forgone_usdt == 20


def test_the_former_row_of_an_engine_keeps_what_was_counted() -> None:
    former = StateRow(
        "performance:core-hodl", "", 1,
        {"tally": {"fees_usdt": "3"}, "staked": {"ETH": "8"}, "earned": {"ETH": "0.5"}, "counted": {"ETH": "0.2"}},
    )  # fmt: skip
    (row,) = StateDialect(PERFORMANCE).read("risk-manager", {former.key: former}).values()
    tracker = PerformanceTracker()
    tracker.restore_engine(ActorName.CORE_HODL, row.data)
    assert tracker.engine_data(ActorName.CORE_HODL) == row.data
    assert row.data["earned"] == {"total": {"ETH": "0.5"}, "counted": {"ETH": "0.2"}} and row.schema == 2


def test_funding_is_the_engine_s() -> None:
    desk = Desk()
    paid = FundingPaid(
        execution_id="f", engine=ActorName.FUNDING, account=Account.FUNDING, symbol="BTCUSDT", amount_usdt=D("-3"),
        rate=D("-0.0001"), settle_ms=0, cash_usdt=D(997),
    )  # fmt: skip
    desk.tracker.take_funding(paid)
    found = desk.close()
    assert found["funding"].funding_usdt == found[TOTAL].funding_usdt == -3


def test_a_restored_tracker_gives_the_same_records() -> None:
    desk = Desk()
    desk.balances(Account.CORE_HODL, {"USDT": D(1_000), "ETH": D(1)}, staked={"ETH": D(1)}, earned={"ETH": D("0.1")})
    desk.close()
    desk.tracker.take_fill(fill(ActorName.TREND_1, "BTCUSDT", Side.BUY, "1", "110", CLOSE_MS), D(100))
    desk.transfer(Account.TREND_1, Account.CORE_HODL, "100", "OR-4 trim")
    copy = PerformanceTracker()
    copy.restore_closes(desk.tracker.closes_data())
    for engine in ENGINES:
        copy.restore_engine(engine, desk.tracker.engine_data(engine))
    other = Desk()
    other.tracker, other._day = copy, 1  # noqa: SLF001
    other.book = AccountHoldings()
    other.book.restore_prices({key: [str(price), 0] for key, price in PRICES.items()})
    for account in Account:
        other.book.restore_account(account, desk.book.account_data(account))
    assert other.close() == desk.close()


@pytest.mark.parametrize(("went", "result"), [("700", D(-100) / D(1_000)), ("900", D(-100) / D(1_000))])
def test_a_day_s_return_is_that_of_rm_3(went: str, result: Decimal) -> None:
    """What left counts until the day's end; all of it is no reason to leave the loss out."""
    desk = Desk()
    desk.close()
    desk.transfer(Account.TREND_1, Account.FUNDING, went, "OR-4 trim")
    desk.balances(Account.TREND_1, {"USDT": D(900) - D(went)}, results={"USDT": D(-100)})
    found = desk.close()
    assert found["trend-1"].day_return == pytest.approx(result, abs=D("1e-20"))
    assert found["trend-1"].flow_usdt == -D(went)
    assert found[TOTAL].flow_usdt == 0 and found[TOTAL].day_return == pytest.approx(D(-100) / D(5_000))


def test_what_came_and_went_within_one_reading_is_summed_apart() -> None:
    desk = Desk()
    desk.close()
    flows = {"deposits": {"USDT": D(9_000)}, "withdrawals": {"USDT": D(9_000)}, "results": {"USDT": D(-100)}}
    desk.balances(Account.TREND_1, {"USDT": D(900)}, **flows)
    found = desk.close()["trend-1"]
    assert found.flow_usdt == 0 and found.day_return == D(-100) / D(10_000)
