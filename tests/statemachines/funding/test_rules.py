"""FU-1 .. FU-9 on synthetic cases, each by its ID."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.funding.parameters import FundingParameters
from statemachines.funding.rules import (
    basis_run,
    entry_terms,
    hold_term,
    pair_size,
    split_payment,
)
from statemachines.limits.funding_rates import rate_per_8h
from statemachines.limits.insurance_fund import InsuranceReading, is_insurance_fund_depleted
from statemachines.messages.accounts import TransferWanted
from statemachines.messages.control import CycleDone, RunCycle
from statemachines.messages.market import InsuranceSeen
from statemachines.outlook.terms import all_hold
from statemachines.values import DAY_MS, HOUR_MS, LINEAR, SPOT, ActorName, Side
from tests.statemachines.funding.synthetic import GOOD, PRICES, Market
from tests.statemachines.harness import instrument

D = Decimal
P = FundingParameters()
ENGINE = "ENGINE"


@pytest.mark.parametrize(
    ("predicted", "settled", "basis", "enters"),
    [
        ("0.000101", ("0.0001", "0.0001"), "0", True),
        ("0.0001", ("0.001", "0.001"), "0", False),  # F1: exactly the default rate
        ("0.0002", ("0.0001",), "0", False),  # one settled period only
        ("0.0002", ("0", "0.0001"), "0", False),  # zero is not positive
        ("0.0002", ("-0.1", "0.0001", "0.0001"), "0", True),
        ("0.0002", ("0.0001", "0.0001"), "0.02", False),
        ("0.0002", ("0.0001", "0.0001"), "0.0199", True),
        ("0.0002", ("0.0001", "0.0001"), "-0.02", True),
        ("0.0002", ("0.0001", "0.0001"), "-0.0201", False),  # F5
        ("0.0002", ("0.0001", "0.0001"), None, False),  # F5: a stale leg
        (None, ("0.0001", "0.0001"), "0", False),
    ],
)
def test_fu_2_entry_condition(predicted: str | None, settled: tuple[str, ...], basis: str | None, enters: bool) -> None:
    """FU-2, F1, F2, F5."""
    terms = entry_terms(
        None if predicted is None else D(predicted),
        [D(rate) for rate in settled],
        None if basis is None else D(basis),
        P,
    )
    assert all_hold(terms) is enters


def test_fu_2_rates_are_normalised_to_eight_hours() -> None:
    """FU-2."""
    assert rate_per_8h(D("0.0001"), 240) == D("0.0002")
    assert rate_per_8h(D("0.0001"), 60) == D("0.0008")
    with pytest.raises(ValueError, match="interval 0"):
        rate_per_8h(D("0.0001"), 0)


def test_fu_2_predicted_rate_decides_not_the_last() -> None:
    """FU-2, F2."""
    market = Market()
    market.predicted = {"BTC": D("0.00005")}
    market.open("BTC", "ETH")
    assert market.state("BTC") == "MONITORING"
    assert market.state("ETH") == "FUNDING_COLLECTION"


def test_fu_1_fu_4_fu_7_sizes_of_both_legs() -> None:
    """FU-1, FU-4, FU-7, F7, F9: 5 % of equity in spot; the short is covered by the coins net of the fee. Elsewhere the
    fee that a spot buy pays in its coin was overlooked, and the short was larger than the coins."""
    market = Market()
    market.open("BTC", "ETH", "SOL")
    by_leg = {(one.symbol, one.category): one for one in market.intents()}
    assert by_leg["BTCUSDT", LINEAR].quantity == D("0.074")  # 0.075 would need 0.075076 spot = 750.76 USDT
    assert by_leg["BTCUSDT", SPOT].quantity == D("0.074075")
    assert {one.side for one in market.intents() if one.category == SPOT} == {Side.BUY}
    assert {one.side for one in market.intents() if one.category == LINEAR} == {Side.SELL}
    assert not any(one.reduce_only for one in market.intents())
    for asset, price in PRICES.items():
        spot, perp = by_leg[f"{asset}USDT", SPOT], by_leg[f"{asset}USDT", LINEAR]
        assert spot.quantity * price <= 750
        assert market.world.coins[asset] >= perp.quantity == -market.world.short_or_long(f"{asset}USDT")
    assert [one.symbol for one in market.intents()][::2] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


def test_fu_1_btc_and_eth_come_first_when_capital_is_short() -> None:
    """FU-1: cash for two pairs only."""
    market = Market(cash=D(1_000))
    market.world.coins["USDC"] = D(1)
    market.world.closes[SPOT, "USDCUSDT"] = D(19_000)  # equity is there, cash is not
    market.world.tell(market.world.portfolio())
    market.open("BTC", "ETH", "SOL")
    entered = [one.symbol for one in market.intents() if one.category == SPOT]
    assert entered[0] == "BTCUSDT"
    assert "SOLUSDT" not in entered
    spent = sum(one.quantity * one.reference_price for one in market.intents())
    assert spent <= 1_000


def test_fu_4_both_legs_are_validated_before_either_is_sent() -> None:
    """FU-4: a size that one leg's filters refuse sends nothing at all. Elsewhere the perpetual was filled before the
    spot leg turned out to be below its minimum."""
    spot, perp = instrument(SPOT, "BTC"), instrument(LINEAR, "BTC")
    assert pair_size(D(9), D(10_000), D("0.001"), spot, perp) is None  # below one lot
    big = perp.model_copy(update={"min_notional_usdt": D(1_000)})
    assert pair_size(D(750), D(10_000), D("0.001"), spot, big) is None
    market = Market(cash=D(100))  # 5 USDT
    market.open("BTC")
    assert market.intents() == []
    assert market.triggers() == ["opportunity", "decline"]


@given(
    room=st.decimals(min_value=0, max_value=10**7, places=2),
    price=st.decimals(min_value=D("0.5"), max_value=200_000, places=2),
    fee=st.sampled_from([D(0), D("0.00055"), D("0.001"), D("0.0018")]),
    asset=st.sampled_from(["BTC", "ETH", "SOL"]),
)
def test_fu_7_f9_the_largest_pair_that_fits(room: Decimal, price: Decimal, fee: Decimal, asset: str) -> None:
    """FU-7, F9: within the room, net coins cover the short, and one lot more would not fit."""
    spot, perp = instrument(SPOT, asset), instrument(LINEAR, asset)
    size = pair_size(room, price, fee, spot, perp)
    if size is None:
        return
    assert size.spot_order * price <= room
    assert size.spot_order * (1 - fee) >= size.short
    assert spot.floor_qty(size.spot_order) == size.spot_order and perp.floor_qty(size.short) == size.short
    assert spot.ceil_qty((size.short + perp.qty_step) / (1 - fee)) * price > room


def test_fu_3_negative_rate_exits_right_after_the_settlement_zero_does_not() -> None:
    """FU-3, F4."""
    market = Market()
    market.open("BTC")
    market.period(BTC=D(0))
    assert market.state() == "FUNDING_COLLECTION"
    market.period(BTC=D("-0.00000001"))
    assert market.state() == "MONITORING"
    assert market.triggers()[-3:] == ["negative", "close", "closed"]
    legs = market.intents("exit")
    assert {(one.category, one.side, one.reduce_only) for one in legs} == {
        (SPOT, Side.SELL, False),
        (LINEAR, Side.BUY, True),
    }


def test_fu_3_fourteen_days_are_42_settlements_and_no_entry_at_the_same_instant() -> None:
    """FU-3, F6."""
    market = Market()
    market.open("BTC")
    for _ in range(41):
        market.period(BTC=GOOD)
    assert market.state() == "FUNDING_COLLECTION"
    market.period(BTC=GOOD)
    assert market.triggers()[-3:] == ["max_hold", "close", "closed"]
    assert market.state() == "MONITORING"
    market.period(BTC=GOOD)
    assert market.state() == "FUNDING_COLLECTION"


def test_fu_3_other_intervals_hold_fourteen_times_24_hours() -> None:
    """FU-3, F6."""
    entered = 1_600_000_000_000
    assert not hold_term(entered, entered + 14 * DAY_MS - 1, 240, P).holds
    assert hold_term(entered, entered + 14 * DAY_MS, 240, P).holds


def test_fu_3_option_roll_keeps_the_pair() -> None:
    """F6."""
    market = Market(parameters=FundingParameters(on_max_hold="roll"))
    market.open("BTC")
    for _ in range(42):
        market.period(BTC=GOOD)
    assert market.state() == "FUNDING_COLLECTION"
    assert market.triggers()[-2:] == ["max_hold", "roll"]
    assert market.intents("exit") == []


def test_fu_3_basis_needs_two_consecutive_fresh_readings() -> None:
    """FU-3, F5."""
    market = Market()
    market.open("BTC")
    market.perp["BTC"] = D("10201")
    market.hour()
    market.stale.add((SPOT, "BTC"))
    market.hour()  # stale: breaks the row
    market.stale.clear()
    market.hour()
    assert market.state() == "FUNDING_COLLECTION"
    market.perp["BTC"] = D("10200")  # exactly 2 %: not above
    market.hour()
    market.perp["BTC"] = D("10201")
    market.hour()
    assert market.state() == "FUNDING_COLLECTION"
    market.hour()
    assert market.state() == "MONITORING"
    assert market.triggers()[-2:] == ["leave", "closed"]
    assert basis_run(5, None, P) == 0


def test_fu_3_an_exit_waits_for_both_legs() -> None:
    """F5: the decision stands, the orders wait for a fresh price of both legs."""
    market = Market()
    market.open("BTC")
    for _ in range(7):
        market.hour()
    market.stale.add((LINEAR, "BTC"))
    market.hour({"BTC": D("-0.0001")})
    assert market.state() == "EXIT"
    assert market.intents("exit") == []
    market.hour()
    market.stale.clear()
    market.hour()
    assert market.state() == "MONITORING"
    assert len(market.intents("exit")) == 2


def test_fu_3_the_daily_cycle_does_not_drive_funding() -> None:
    """F3: RunCycle is answered and decides nothing."""
    market = Market()
    market.period(BTC=GOOD)
    market.world.tell(
        RunCycle(day_ms=0, close_ms=DAY_MS, engine=ActorName.FUNDING, target_usdt=D(1), portfolio_usdt=D(1))
    )
    assert isinstance(market.world.sent[-1][1], CycleDone)
    assert market.intents() == []


def test_fu_5_half_is_carried_and_half_owed_and_moved_once_a_day() -> None:
    """FU-5, F8, OR-6: both halves are exact; one sum at the day's close; a failed movement is asked for again."""
    market = Market()
    market.open("BTC")
    half = D("0.074") * 10_000 * D("0.001") / 2
    market.period(BTC=D("0.001"))  # 00:00
    asked = [body for _, body in market.world.sent if isinstance(body, TransferWanted)]
    assert [(one.amount, one.purpose) for one in asked] == [(half, "fu-5")]
    market.world.complete_transfers(succeeded=False)
    for owed in (2, 3, 4):
        market.period(BTC=D("0.001"))
        assert D(market.world.rows[ENGINE].data["owed_usdt"]) == owed * half
    asked = [body for _, body in market.world.sent if isinstance(body, TransferWanted)]
    assert [one.amount for one in asked] == [half, 4 * half]
    assert len({one.request_id for one in asked}) == 2
    market.world.complete_transfers()
    assert D(market.world.rows[ENGINE].data["owed_usdt"]) == 0


@given(amount=st.decimals(min_value=D("0.00000001"), max_value=10**6, places=8))
def test_fu_5_the_two_shares_add_up(amount: Decimal) -> None:
    """FU-5."""
    assert sum(split_payment(amount, P)) == amount


def test_fu_5_compounding_is_carried_until_a_lot_fits_and_fu_7_has_room() -> None:
    """FU-5, FU-7, F8: at the limit nothing is bought; when the price falls the carry buys whole lots of both legs."""
    market = Market()
    market.open("BTC")
    market.period(BTC=D("0.02"))
    carry = D("0.074") * 10_000 * D("0.02") / 2  # 7.40 USDT: less than one lot of 0.001 at 10,000
    assert D(market.row()["carry_usdt"]) == carry
    market.spot["BTC"] = market.perp["BTC"] = D(7_000)
    market.period(BTC=D("0.0000001"))
    compound = market.intents("compound")
    assert {one.category: one.quantity for one in compound} == {SPOT: D("0.001002"), LINEAR: D("0.001")}
    assert D(market.row()["carry_usdt"]) < carry - 7
    assert market.world.short_or_long("BTCUSDT") == D("-0.075")


def test_fu_5_the_carry_survives_the_exit_and_is_not_consumed_by_an_entry() -> None:
    """F8."""
    market = Market()
    market.open("BTC")
    market.period(BTC=D("0.01"))
    carry = D(market.row()["carry_usdt"])
    market.period(BTC=D("-0.0001"))
    market.open("BTC")
    assert market.state() == "FUNDING_COLLECTION"
    assert D(market.row()["carry_usdt"]) == carry > 0


def test_fu_6_paid_funding_is_a_cost() -> None:
    """FU-6: booked, journalled, not shared."""
    market = Market()
    market.open("BTC")
    market.period(BTC=D("-0.001"))
    assert D(market.world.rows[ENGINE].data["paid_usdt"]) == D("0.074") * 10_000 * D("0.001")
    assert D(market.row()["carry_usdt"]) == 0


def test_fu_7_growth_is_not_trimmed() -> None:
    """F7: a price that doubles changes nothing."""
    market = Market()
    market.open("BTC")
    sent = len(market.intents())
    market.spot["BTC"] = market.perp["BTC"] = D(20_000)
    market.period(BTC=D("0.00005"))
    assert len(market.intents()) == sent


def test_fu_7_owed_money_is_not_equity() -> None:
    """F7, F8: with everything owed there is nothing to size an entry on."""
    market = Market()
    market.open("BTC")
    market.period(BTC=D("0.9"))  # 666 USDT received, half of it owed
    market.period(ETH=GOOD)
    market.period(ETH=GOOD)
    eth = next(one for one in market.intents("entry") if one.symbol == "ETHUSDT" and one.category == SPOT)
    equity = market.world.equity() - D(market.world.rows[ENGINE].data["owed_usdt"])
    assert eth.quantity * 500 <= equity * D("0.05") + 1
    assert eth.quantity * 500 > equity * D("0.05") - 10


def test_fu_8_three_negative_periods_close_everything() -> None:
    """FU-8, F10: counted per asset, here while an exit waits for its price; no entry at that settlement."""
    market = Market()
    market.open("BTC", "ETH")
    market.stale.add((SPOT, "BTC"))
    for _ in range(2):
        market.period(BTC=D("-0.0001"), ETH=GOOD)
    assert (market.state("BTC"), market.state("ETH")) == ("EXIT", "FUNDING_COLLECTION")
    market.period(BTC=D("-0.0001"), ETH=GOOD, SOL=GOOD)
    assert market.state("ETH") == "MONITORING"
    last = [note for note in market.world.notes if note.machine == "ETH" and note.trigger == "leave"][-1]
    assert "FU-8" in last.reason
    market.period(ETH=GOOD, SOL=GOOD)
    assert market.state("ETH") == "FUNDING_COLLECTION"  # the next settlement that satisfies FU-2


def test_fu_8_fires_for_held_assets_only() -> None:
    """F10: an asset that is not held may be negative as long as it likes."""
    market = Market()
    for _ in range(4):
        market.period(BTC=GOOD, SOL=D("-0.001"))
    assert market.state("BTC") == "FUNDING_COLLECTION"


def test_fu_9_depletion_is_an_emergency_exit_after_consecutive_readings() -> None:
    """FU-9, RM-4: a fall of more than 30 % within 24 h, seen twice."""
    readings = [InsuranceReading(0, D(100)), InsuranceReading(HOUR_MS, D("69.9"))]
    assert not is_insurance_fund_depleted(readings, P.insurance_limits)
    assert is_insurance_fund_depleted([*readings, InsuranceReading(2 * HOUR_MS, D(60))], P.insurance_limits)
    assert not is_insurance_fund_depleted([*readings, InsuranceReading(2 * HOUR_MS, D(70))], P.insurance_limits)
    later = InsuranceReading(25 * HOUR_MS + 1, D(60)), InsuranceReading(26 * HOUR_MS, D(60))
    assert not is_insurance_fund_depleted([*readings, *later], P.insurance_limits)

    market = Market()
    assert any(note.trigger == "fu9_inactive" for note in market.world.notes)
    market.open("BTC", "ETH")
    for balance in (100, 60, 60):
        market.world.now_ms += 1
        market.world.tell(InsuranceSeen(balance_usdt=D(balance), market_ms=market.now_ms))
        market.world.settle()
    assert (market.state("BTC"), market.state("ETH")) == ("MONITORING", "MONITORING")
    market.world.now_ms -= 3
    market.period(BTC=GOOD)
    assert market.state("BTC") == "MONITORING"  # the fall is still within the window
