"""Who pays when CORE must give (C10), by cases and by properties."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.core_hodl.rules import Valuation
from statemachines.core_hodl.tranche_plans import Plan, outflow, planned_usdt

P = CoreHodlParameters()
PRICES = {"BTC": D(100), "ETH": D(10)}
NOBODY: frozenset[str] = frozenset()
DUST = D("1e-9")


def books(cash: D | str, btc: D | str, eth: D | str, portfolio: D | str = "1e9") -> Valuation:
    return Valuation(D(cash), {"BTC": D(btc), "ETH": D(eth)}, PRICES, {}, D(portfolio))


def plan(number: int, cash: str) -> Plan:
    return Plan(number=number, opened_day_ms=0, cash_usdt=D(cash), tranches_left=9)


def test_c10_cash_above_the_buffer_pays_first() -> None:
    paid = outflow(D(100), books("200", "6", "20"), (), NOBODY, P)
    assert (paid.from_cash_usdt, paid.from_plans_usdt, dict(paid.sales), paid.missing_usdt) == (D(100), 0, {}, 0)


def test_c10_planned_cash_pays_next_and_the_latest_plan_first() -> None:
    """Of 300 cash 40 stay as the buffer of the 800 that remain; 150 are planned, so 110 pay before the plans do."""
    old, new = plan(1, "90"), plan(2, "60")
    paid = outflow(D(200), books("300", "4", "30"), (old, new), NOBODY, P)
    assert paid.from_cash_usdt == D(110)
    assert paid.from_plans_usdt == D(90)
    assert [one.cash_usdt for one in paid.plans] == [D(60), 0]
    assert not paid.sales and paid.missing_usdt == 0


def test_c10_then_sales_of_what_is_over_target_after_the_outflow_pro_rata_to_the_excess() -> None:
    """1,000 with 50 in cash at target give 200: the buffer falls to 40, 190 are sold 2 : 1."""
    held = books("50", D("6.3333333333"), D("31.6666666667"))
    paid = outflow(D(200), held, (), NOBODY, P)
    assert paid.from_cash_usdt == pytest.approx(D(10))
    assert paid.sales["BTC"] == pytest.approx(D(190) * 2 / 3, rel=D("1e-6"))
    assert paid.sales["ETH"] == pytest.approx(D(190) / 3, rel=D("1e-6"))
    assert paid.missing_usdt == pytest.approx(D(0), abs=D("1e-6"))


def test_c10_c8_a_fallen_asset_is_not_sold_and_what_is_missing_is_told() -> None:
    held = books("50", D("6.3333333333"), D("31.6666666667"))
    paid = outflow(D(200), held, (), frozenset({"BTC"}), P)
    assert set(paid.sales) == {"ETH"}
    assert paid.missing_usdt == pytest.approx(D(190) * 2 / 3, rel=D("1e-6"))


MONEY = st.decimals(min_value=0, max_value=5_000, places=2)


@given(MONEY, MONEY, MONEY, MONEY, MONEY, MONEY, st.sets(st.sampled_from(["BTC", "ETH"])))
def test_c10_what_is_given_adds_up_and_stays_within_what_there_is(
    amount: D, cash: D, btc: D, eth: D, first: D, second: D, fallen: set[str]
) -> None:
    """Nothing is paid twice, no plan below 0, no sale beyond what is held, none of a fallen asset, buffer kept."""
    held = books(cash, btc / 100, eth / 10)
    opened = (plan(1, str(first)), plan(2, str(second)))
    paid = outflow(amount, held, opened, frozenset(fallen), P)
    sold = sum(paid.sales.values(), D(0))
    assert abs(paid.from_cash_usdt + paid.from_plans_usdt + sold + paid.missing_usdt - amount) <= DUST
    assert min(paid.from_cash_usdt, paid.from_plans_usdt, paid.missing_usdt) >= -DUST
    assert planned_usdt(opened) - planned_usdt(paid.plans) == pytest.approx(paid.from_plans_usdt, abs=DUST)
    assert all(0 <= x <= held.value(a) + DUST and a not in fallen for a, x in paid.sales.items())
    left = held.cash_usdt - paid.from_cash_usdt - paid.from_plans_usdt
    least = P.cash_buffer * max(D(0), held.equity_usdt - amount)
    assert left >= min(held.cash_usdt, least) - DUST


@given(MONEY, MONEY, MONEY)
def test_c10_an_engine_without_plans_and_fallen_assets_can_always_give(amount: D, btc: D, eth: D) -> None:
    """With at least the buffer in cash everything up to the whole engine can be given."""
    cash = (btc + eth) / 19
    held = books(cash, btc / 100, eth / 10)
    given_amount = min(amount, held.equity_usdt)
    paid = outflow(given_amount, held, (), NOBODY, P)
    assert paid.missing_usdt <= D("1e-6")
