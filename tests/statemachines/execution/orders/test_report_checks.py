"""The judge of executions: bounds at their edges, and what an amendment or a closing order allows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from statemachines.execution.orders.report_checks import (
    NO_TERMS,
    fee_problem,
    foreign_problem,
    overfill_problem,
    tax_problem,
    terms_of,
)
from statemachines.requests import VenueOrderStatus
from statemachines.values import Account, Side
from tests.statemachines.execution.orders.test_child_order import execution, order, report

D = Decimal


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, ""),
        ({"side": Side.SELL}, "side is Sell"),
        ({"symbol": "ETHUSDT"}, "symbol is ETHUSDT"),
        ({"category": "spot"}, "category is spot"),
        ({"account": Account.TREND_2}, "account is TREND-2"),
    ],
)
def test_a_report_is_ours_only_with_our_account_category_symbol_and_side(changes: dict[str, Any], wrong: str) -> None:
    terms = terms_of(order())
    for told in (execution("e1"), report(VenueOrderStatus.NEW)):
        problem = foreign_problem(terms, told.model_copy(update=changes))
        assert problem.startswith(wrong) and bool(problem) is bool(wrong)
        assert foreign_problem(NO_TERMS, told.model_copy(update=changes)) == "", "what is not known contradicts nothing"


def test_executions_add_up_to_the_order_and_not_beyond_it() -> None:
    made = order()
    made.take_execution(execution("e1", "0.4"), 5)
    assert overfill_problem(terms_of(made), execution("e2", "0.6")) == ""
    assert "0.6" in overfill_problem(terms_of(made), execution("e2", "0.601"))


def test_a_pending_amendment_may_have_widened_or_not_yet_narrowed_the_order() -> None:
    assert overfill_problem(terms_of(order(amended={"quantity": D(2)})), execution("e1", "2")) == ""
    assert overfill_problem(terms_of(order(amended={"quantity": D("0.5")})), execution("e1", "1")) == ""
    assert overfill_problem(terms_of(order(amended={"price": D(2)})), execution("e1", "1.1"))


def test_an_order_that_closes_whatever_is_left_has_no_quantity_of_its_own() -> None:
    """X1: quantity 0 closes what there is, a little more or less than the books have."""
    assert overfill_problem(terms_of(order(closes_rest=True)), execution("e1", "9")) == ""


@pytest.mark.parametrize(
    ("changes", "is_sound"),
    [
        ({"fee": D(0), "fee_coin": "XYZ"}, True),
        ({"fee": D("0.4")}, True),
        ({"fee": D("0.41")}, False),
        ({"fee": D("-0.4")}, True),
        ({"fee": D("-0.41")}, False),
        ({"fee": D("0.004"), "fee_coin": "BTC"}, True),
        ({"fee": D("0.0041"), "fee_coin": "BTC"}, False),
        ({"fee": D("0.0001"), "fee_coin": "XYZ"}, False),
        ({"fee": D("2"), "execution_type": "Funding"}, True),
        ({"fee": D("-2.01"), "execution_type": "Funding"}, False),
        ({"fee": D("0.001"), "fee_coin": "BTC", "execution_type": "Funding"}, False),
        ({"fee": D("2"), "fee_coin": "", "execution_type": "Funding"}, True),
        ({"fee": D("0.1"), "fee_rate": D("0.01")}, True),
        ({"fee": D("0.1"), "fee_rate": D("0.0101")}, False),
        ({"fee": D("0.1"), "fee_rate": D("-0.05"), "execution_type": "Funding"}, True),
        ({"fee": D("0.1"), "fee_rate": D("-0.051"), "execution_type": "Funding"}, False),
    ],
)
def test_a_fee_is_at_most_a_hundredth_and_a_settlement_a_twentieth_of_the_value(
    changes: dict[str, Any], is_sound: bool
) -> None:
    """0.4 BTC at 100 USDT are worth 40 USDT."""
    problem = fee_problem(execution("e1", "0.4").model_copy(update=changes), "BTC", "USDT")
    assert (problem == "") is is_sound


@pytest.mark.parametrize(
    ("changes", "is_sound"),
    [
        ({}, True),
        ({"fee": D(41), "fee_coin": "USDT", "tax_in_fee": D(40)}, True),
        ({"fee": D(41), "fee_coin": "USDT", "tax_in_fee": D("40.01")}, False),
        ({"fee": D(41), "fee_coin": "", "tax_in_fee": D("40.01")}, False),
        ({"tax_in_fee": D("0.4"), "fee_coin": "BTC"}, True),
        ({"tax_in_fee": D("-0.41"), "fee_coin": "BTC"}, False),
        ({"extra_fees": (("BTC", D("0.4")), ("USDT", D(40)))}, True),
        ({"extra_fees": (("BTC", D("0.4")), ("USDT", D("40.01")))}, False),
        ({"extra_fees": (("BTC", D("0.401")),)}, False),
        ({"extra_fees": (("XYZ", D("0.0001")),)}, False),
    ],
)
def test_taxes_exceed_the_value_in_no_coin(changes: dict[str, Any], is_sound: bool) -> None:
    """0.4 BTC at 100 USDT are worth 40 USDT. The fee beside them has its own bound."""
    problem = tax_problem(execution("e1", "0.4").model_copy(update=changes), "BTC", "USDT")
    assert (problem == "") is is_sound


def test_a_tax_neither_counts_in_the_bound_of_the_fee_nor_hides_a_fee_beyond_it() -> None:
    taxed = execution("e1", "0.4").model_copy(update={"fee_coin": "USDT", "tax_in_fee": D(10)})
    assert fee_problem(taxed.model_copy(update={"fee": D("10.4")}), "BTC", "USDT") == ""
    for fee in ("10.41", "9.59"):
        assert fee_problem(taxed.model_copy(update={"fee": D(fee)}), "BTC", "USDT")
