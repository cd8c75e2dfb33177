"""R1: the edges of a standstill: which close begins it, which ends it, and what a flat engine may hold."""

from __future__ import annotations

from decimal import Decimal

import pytest

from statemachines.messages.accounts import AccountView
from statemachines.risk.parameters import RiskParameters
from statemachines.risk.standstill import Standstill, is_flat, next_standstill
from statemachines.values import DAY_MS, Account, Instrument
from tests.kit import builders

START = 1_700_000_000_000 // DAY_MS * DAY_MS
PARAMETERS = RiskParameters()


def day(number: int) -> int:
    return START + number * DAY_MS


def test_it_ends_at_the_thirtieth_day_and_not_the_day_before() -> None:
    one = next_standstill(Standstill(), True, day(0), PARAMETERS)
    assert (one.standstill, one.ends, one.waits_for_operator) == (Standstill(day(0)), False, False)
    one = next_standstill(one.standstill, True, day(29), PARAMETERS)
    assert (one.standstill, one.ends) == (Standstill(day(0)), False), "later closes do not move its beginning"
    one = next_standstill(one.standstill, True, day(30), PARAMETERS)
    assert (one.standstill, one.ends, one.waits_for_operator) == (Standstill(None, day(30)), True, False)


def test_a_day_that_is_not_standing_begins_the_count_anew_and_keeps_the_last_return() -> None:
    one = next_standstill(Standstill(day(0), day(-400)), False, day(20), PARAMETERS)
    assert (one.standstill, one.ends, one.waits_for_operator) == (Standstill(None, day(-400)), False, False)
    again = next_standstill(one.standstill, True, day(21), PARAMETERS)
    assert again.standstill.since_ms == day(21)
    assert not next_standstill(again.standstill, True, day(50), PARAMETERS).ends
    assert next_standstill(again.standstill, True, day(51), PARAMETERS).ends


@pytest.mark.parametrize(("since_return", "ends"), [(364, False), (365, True)])
def test_a_second_return_is_the_operators_until_365_days_have_passed(since_return: int, ends: bool) -> None:
    before = Standstill(day(0), day(40 - since_return))
    one = next_standstill(before, True, day(40), PARAMETERS)
    assert (one.ends, one.waits_for_operator) == (ends, not ends)
    assert one.standstill == (Standstill(None, day(40)) if ends else before)


def instrument(category: str, min_qty: str = "0.001", qty_step: str = "0.001") -> Instrument:
    return builders.instrument(category, "BTCUSDT", step=qty_step, least=min_qty)


INSTRUMENTS = {"linear:BTCUSDT": instrument("linear"), "spot:BTCUSDT": instrument("spot")}
PRICES = {"linear:BTCUSDT": Decimal(50_000), "spot:BTCUSDT": Decimal(50_000)}


def view(coins: dict[str, str] | None = None, position: str | None = None) -> AccountView:
    return AccountView(
        account=Account.TREND_1,
        equity_usdt=Decimal(1000),
        cash_usdt=Decimal(0),
        coins={coin: Decimal(amount) for coin, amount in (coins or {}).items()},
        positions={} if position is None else {"BTCUSDT": (Decimal(position), Decimal(50_000))},
    )


@pytest.mark.parametrize(
    ("coins", "position", "flat"),
    [
        ({"USDT": "1000"}, None, True),
        ({"BTC": "0", "USDT": "1"}, "0", True),
        ({"BTC": "0.0009"}, None, True),
        ({"BTC": "0.001"}, None, False),
        ({"USDT": "1", "BTC": "1"}, None, False),
        ({}, "0.001", False),
        ({}, "-0.001", False),
        ({}, "0.0009", True),
    ],
)
def test_dust_is_flat_and_one_lot_is_not(coins: dict[str, str], position: str | None, flat: bool) -> None:
    assert is_flat(view(coins, position), INSTRUMENTS, PRICES) is flat


def test_the_larger_of_lot_and_least_order_is_what_can_be_closed() -> None:
    for lot in (instrument("linear", "0.01", "0.001"), instrument("linear", "0.001", "0.01")):
        assert is_flat(view(position="0.009"), {"linear:BTCUSDT": lot}, PRICES)
        assert not is_flat(view(position="0.01"), {"linear:BTCUSDT": lot}, PRICES)


def test_what_cannot_be_judged_counts_as_held() -> None:
    assert not is_flat(view(position="0.0001"), {}, PRICES)
    assert not is_flat(view({"BTC": "0.0001"}), {}, PRICES)
    assert not is_flat(view({"BTC": "0.0001"}), INSTRUMENTS, {})
