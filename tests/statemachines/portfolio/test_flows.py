"""F11, ADR 0026: what capital became without what came in and went out; the one rule of all results."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.portfolio.flows import SMALLEST_BASE_USDT, AccountFlows, Flows, period_factor, period_return
from statemachines.values import Account

D = Decimal
MONEY = st.decimals("0", "1000000", places=2, allow_nan=False, allow_infinity=False)


def returned(start: str, inflow: str, outflow: str, end: str) -> Decimal | None:
    return period_return(D(start), Flows(D(inflow), D(outflow)), D(end))


@pytest.mark.parametrize(
    ("start", "inflow", "outflow", "end", "expected"),
    [
        ("15000", "0", "14000", "900", "-100/15000"),  # a loss of 100, then 14,000 withdrawn: -0.67 %, not -10 %
        ("15000", "0", "15000", "0", "0"),  # all withdrawn, nothing lost
        ("15000", "0", "14900", "0", "-100/15000"),  # all that was left
        ("1000", "14000", "14000", "900", "-100/15000"),  # in and out on one day, not netted
        ("100", "10000", "0", "9898", "-202/10100"),  # a deposit of 100 times the equity, then 2 % lost on all of it
        ("0", "50", "0", "45", "-5/50"),  # nothing before
        ("100", "0", "0", "120", "20/100"),
        ("100", "0", "0", "-20", "-100/100"),  # more than all lost: never below -1
    ],
)
def test_f11_inflows_count_from_the_start_and_outflows_until_the_end(
    start: str, inflow: str, outflow: str, end: str, expected: str
) -> None:
    profit, _, base = expected.partition("/")
    assert returned(start, inflow, outflow, end) == pytest.approx(D(profit) / D(base or 1), abs=D("1e-20"))


@pytest.mark.parametrize(
    ("start", "is_measured"), [("0", False), ("-5", False), ("0.0099", False), ("0.01", True), ("0.0101", True)]
)
def test_f11_without_capital_there_is_no_return(start: str, is_measured: bool) -> None:
    assert (returned(start, "0", "0", "1") is not None) is is_measured
    assert D("0.01") == SMALLEST_BASE_USDT


@given(MONEY, MONEY, MONEY, MONEY)
def test_f11_no_flow_enlarges_a_result(start: Decimal, inflow: Decimal, outflow: Decimal, end: Decimal) -> None:
    """|return| is at most |profit| over the capital that was there at the start, of the same sign, at least -1."""
    found = period_return(start, Flows(inflow, outflow), end)
    if found is None:
        assert start + inflow < SMALLEST_BASE_USDT
        return
    profit = end + outflow - start - inflow
    assert found >= -1
    assert abs(found) * start <= abs(profit) + D("1e-15")
    assert (found > 0) is (profit > 0) and (found < 0) is (profit < 0)


@given(MONEY, MONEY, MONEY, MONEY, MONEY)
def test_f11_what_comes_and_goes_on_the_same_day_only_makes_the_result_smaller(
    start: Decimal, inflow: Decimal, outflow: Decimal, end: Decimal, passing: Decimal
) -> None:
    calm = period_return(start, Flows(inflow, outflow), end)
    busy = period_return(start, Flows(inflow + passing, outflow + passing), end)
    if calm is not None and busy is not None:
        assert abs(busy) <= abs(calm) + D("1e-20")


@given(MONEY, MONEY, MONEY)
def test_f11_flows_alone_are_no_result(start: Decimal, inflow: Decimal, outflow: Decimal) -> None:
    assert period_factor(start, Flows(inflow, outflow), start + inflow - outflow) in (None, D(1))


# --- the flows of an account, and of a group ---


def one_to_one(_coin: str, amount: Decimal) -> Decimal:
    return amount


def test_f11_what_comes_in_and_goes_out_is_not_netted() -> None:
    flows = AccountFlows()
    flows.add("USDT", D(140))
    flows.add("USDT", D(-100))
    assert flows.totals([Account.TREND_1], one_to_one) == Flows(D(140), D(100))


def test_f11_a_transfer_within_a_group_is_no_flow_of_the_group() -> None:
    flows = AccountFlows()
    flows.transferred(Account.TREND_2, "USDT", D(30))
    flows.transferred(Account.CORE_HODL, "USDT", D(-20))
    assert flows.totals([Account.TREND_1], one_to_one) == Flows(D(30), D(20))
    assert flows.totals([Account.TREND_1, Account.TREND_2], one_to_one) == Flows(D(0), D(20))
    assert flows.totals(list(Account), one_to_one) == Flows()


@pytest.mark.parametrize("amount", [D(30), D(-30)])
@pytest.mark.parametrize("beside", [D(0), D(50), D(-50), D(10), D(-10), D(30), D(-30)])
def test_or6_a_transfer_that_was_seen_in_the_balances_first_is_no_flow_from_outside(
    amount: Decimal, beside: Decimal
) -> None:
    """The balances show it together with something else; then its end says that it was a transfer."""
    flows = AccountFlows()
    flows.add("USDT", amount + beside)
    flows.take_back("USDT", amount)
    assert flows.totals([Account.TREND_1], one_to_one) == Flows(max(beside, D(0)), max(-beside, D(0)))


def test_the_durable_form_is_read_back() -> None:
    flows = AccountFlows()
    flows.add("USDT", D("1.5"))
    flows.add("BTC", D("-2"))
    flows.transferred(Account.TREND_2, "ETH", D(3))
    flows.transferred(Account.MASTER, "USDT", D(-4))
    assert AccountFlows.of(flows.to_data()).to_data() == flows.to_data()
