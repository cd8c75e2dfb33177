"""CORE-HODL's rules by their IDs (CH-1, CH-2, CH-4, CH-6, CH-7, CH-8, CH-10; RULINGS C1 to C10)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.core_hodl import rules, tranche_plans
from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.core_hodl.rules import Valuation
from statemachines.core_hodl.staking import decision as staking
from statemachines.values import DAY_MS

P = CoreHodlParameters()
S = P.staking
PRICES = {"BTC": D(100), "ETH": D(10)}


def _books(cash: str, btc: str, eth: str, portfolio: str = "1000000", tactical: str = "0") -> Valuation:
    return Valuation(D(cash), {"BTC": D(btc), "ETH": D(eth)}, PRICES, {"BTC": D(tactical)}, D(portfolio))


def _plan(number: int, cash: str, left: int) -> tranche_plans.Plan:
    return tranche_plans.Plan(number=number, opened_day_ms=0, cash_usdt=D(cash), tranches_left=left)


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_ch1_weights_are_two_thirds_and_one_third() -> None:
    assert rules.weights(P) == {"BTC": D(2) / D(3), "ETH": D(1) / D(3)}


def test_ch7_targets_apply_to_95_percent_less_planned_cash() -> None:
    aims = rules.targets(_books("1000", "0", "0"), D(50), P)
    assert sum(aims.values()) == pytest.approx(D(900))
    assert aims["BTC"] == pytest.approx(D(600))


def test_ch7_no_target_passes_45_percent_of_the_portfolio_and_tactical_counts() -> None:
    books = _books("1000", "0", "0", portfolio="1000", tactical="1")
    assert rules.targets(books, D(0), P)["BTC"] == D(350)  # 45 % of 1000 less TACTICAL's 100


def test_ch2_drift_is_in_points_of_the_invested_value_and_strict() -> None:
    books = _books("50", "7.6", "19")  # invested 950: BTC 80 %, target 66.7 %
    drift = rules.largest(rules.drifts(books, rules.targets(books, D(0), P), P))
    assert drift == pytest.approx(D("0.1333"), abs=D("0.0001"))
    assert rules.drift_due(drift, 0, None, P)
    assert not rules.drift_due(D("0.10"), 0, None, P)


def test_c2_drift_rebalances_are_three_days_apart() -> None:
    day = _ms("2024-05-10")
    assert not rules.drift_due(D("0.2"), day, day - 2 * DAY_MS, P)
    assert rules.drift_due(D("0.2"), day, day - 3 * DAY_MS, P)


@pytest.mark.parametrize(("day", "end"), [("2024-01-05", "2024-03-31"), ("2024-12-31", "2024-12-31")])
def test_c3_the_calendar_is_the_quarters_last_day(day: str, end: str) -> None:
    assert rules.next_quarter_end_ms(_ms(day)) == _ms(end)


def test_c3_a_quarters_end_on_a_day_without_a_cycle_is_not_lost() -> None:
    assert rules.calendar_due_ms(_ms("2024-04-02"), _ms("2024-03-30")) == _ms("2024-03-31")
    assert rules.calendar_due_ms(_ms("2024-04-03"), _ms("2024-04-02")) is None


def test_ch8_suspension_begins_above_70_and_ends_at_65_percent() -> None:
    deep, middle, light = {"BTC": D("0.71"), "ETH": D("0.1")}, {"BTC": D("0.66"), "ETH": D("0.1")}, {"BTC": D("0.65")}
    assert rules.is_suspended(False, deep, P)
    assert not rules.is_suspended(False, middle, P)
    assert rules.is_suspended(True, middle, P)
    assert not rules.is_suspended(True, light, P)
    assert not rules.is_suspended(False, {"BTC": D("0.70")}, P)


def test_c8_while_suspended_every_asset_below_65_percent_is_protected() -> None:
    falls = {"BTC": D("0.66"), "ETH": D("0.80")}
    assert rules.fallen(True, falls, P) == {"BTC", "ETH"}
    assert rules.fallen(False, falls, P) == frozenset()


def test_c7_above_half_of_the_portfolio_core_sells_down_to_45_percent_but_never_a_fallen_asset() -> None:
    books = _books("0", "6", "0", portfolio="1000")
    assert rules.trims(books, frozenset(), (), P) == {"BTC": D(150)}
    assert rules.trims(books, frozenset({"BTC"}), (), P) == {}
    assert rules.trims(_books("0", "5", "0", portfolio="1000"), frozenset(), (), P) == {}


def test_ch7_the_buffer_is_never_spent_and_a_thin_one_is_told() -> None:
    assert rules.spendable_usdt(_books("100", "9", "0"), P) == D(50)
    assert rules.spendable_usdt(_books("20", "9.8", "0"), P) == 0
    assert rules.is_buffer_thin(_books("24", "9.76", "0"), P)
    assert not rules.is_buffer_thin(_books("25", "9.75", "0"), P)


def test_ch4_sells_what_is_over_and_buys_what_is_under_and_leaves_out_tiny_legs() -> None:
    books = _books("50", "7", "25")
    aims = {"BTC": D(650), "ETH": D(300)}
    assert rules.over(books, aims, P) == {"BTC": D(50)}
    assert rules.under(books, aims, P) == {"ETH": D(50)}
    assert rules.over(books, {"BTC": D("699.5"), "ETH": D(250)}, P) == {}


def test_ch6_a_tranche_is_what_is_missing_over_what_is_left_and_never_negative() -> None:
    books = _books("1000", "0", "0")
    aims = rules.targets(books, D(0), P)
    first = tranche_plans.build_tranche(books, aims, 30, P)
    assert first["BTC"] == pytest.approx(aims["BTC"] / 30)
    assert all(amount >= 0 for amount in tranche_plans.build_tranche(_books("0", "99", "0"), aims, 1, P).values())


def test_c5_the_build_ends_within_one_percent_and_inflows_of_one_percent_open_a_plan() -> None:
    assert tranche_plans.is_built(_books("50", "6.3", "31.5"), rules.targets(_books("50", "6.3", "31.5"), D(0), P), P)
    books = _books("1000", "0", "0")
    assert not tranche_plans.is_built(books, rules.targets(books, D(0), P), P)
    assert tranche_plans.opens_plan(D(10), books, P)
    assert not tranche_plans.opens_plan(D("9.99"), books, P)


def test_c10_planned_cash_is_taken_from_the_latest_plan_first() -> None:
    old, new = _plan(1, "100", 5), _plan(2, "60", 30)
    assert tranche_plans.planned_usdt((old, new)) == D(160)
    left = tranche_plans.shrink((old, new), D(80))
    assert tranche_plans.planned_usdt(left) == D(80)
    assert left[0].cash_usdt == D(80)


def test_ch10_calm_needs_low_volatility_a_distant_calendar_date_and_no_drift() -> None:
    day = _ms("2024-05-01")
    assert staking.calm(D("0.59"), day, _ms("2024-06-30"), False, S).is_calm
    assert not staking.calm(D("0.60"), day, _ms("2024-06-30"), False, S).is_calm
    assert not staking.calm(D("0.3"), _ms("2024-06-16"), _ms("2024-06-30"), False, S).is_calm
    assert not staking.calm(D("0.3"), day, _ms("2024-06-30"), True, S).is_calm
    assert not staking.calm(None, day, _ms("2024-06-30"), False, S).is_calm


AMOUNT = st.decimals(min_value=0, max_value=10_000, places=2)


@given(AMOUNT, AMOUNT, AMOUNT, AMOUNT)
def test_ch7_purchases_never_pass_their_rooms_nor_the_cash(btc: D, eth: D, room: D, budget: D) -> None:
    bought = rules.affordable({"BTC": btc, "ETH": eth}, {"BTC": room, "ETH": room}, budget)
    assert sum(bought.values()) <= budget + D("1e-18")
    assert all(0 <= amount <= room for amount in bought.values())


def test_c7_a_trim_never_sells_more_than_core_holds() -> None:
    """CH-7: TACTICAL's coins count for the 50 %, only CORE's can be sold."""
    books = Valuation(
        cash_usdt=D(0),
        coins={"BTC": D(1), "ETH": D(0)},
        prices={"BTC": D(100), "ETH": D(10)},
        tactical_coins={"BTC": D(8)},
        portfolio_usdt=D(1_000),
    )
    assert rules.trims(books, frozenset(), (), P) == {"BTC": D(100)}
