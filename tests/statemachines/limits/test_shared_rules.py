"""Rules that several parts apply stand once: the same answer from the engine, the risk manager and the daily cycle."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from statemachines.execution.orders.order_ids import client_order_id, parse_client_order_id
from statemachines.facts import BarFact
from statemachines.intent_ids import base36, intent_id, parse_intent_id
from statemachines.limits.entry_gate import ScopeState, barring_scope, entry_size_factor, is_blocked, permits_entries
from statemachines.limits.funding_rates import rate_per_8h
from statemachines.limits.leverage import Exposure, ExposureLimits, liquidation_buffer
from statemachines.messages.market import FundingSettled
from statemachines.messages.orders import Intent
from statemachines.risk.machine import NO_NEW_RISK, RiskStateName
from statemachines.tactical.engine_orders import EngineOrders
from statemachines.tactical.intake import Intake
from statemachines.tactical.parameters import TacticalParameters
from statemachines.trend.parameters import TREND_1, TrendAsset
from statemachines.values import DAY_MS, ActorName, Side
from tests.kit import builders
from tests.statemachines.risk import test_checks as risk
from tests.statemachines.trend.venue import Venue, instrument

HIGH_MARGIN = D("0.02")
"""A maintenance margin rate at which the two former formulas stood on both sides of the limit."""


def test_tr9_a_short_at_1_9_times_equity_is_refused_by_engine_and_risk_manager_alike() -> None:
    """The engine took the maintenance margin at the mark of the liquidation (0.496), the risk manager at today's mark
    (0.506): at 1.9 x the one refused what the other let pass. T8 measures to the liquidation price, so 0.496 holds."""
    short = [Exposure(D(-19), D(100), HIGH_MARGIN)]
    buffer = liquidation_buffer(D(1_000), short)
    assert buffer is not None and buffer.quantize(D("0.001")) == D("0.496")
    long = liquidation_buffer(D(1_000), [Exposure(D(19), D(100), HIGH_MARGIN)])
    assert long is not None and long > D("0.5"), "the same long passes: its margin shrinks with the mark"

    at_1_9 = {"side": Side.SELL, "quantity": "0.18", "accounts": risk.with_position("-4", "ETHUSDT")}
    high = dict.fromkeys(("BTCUSDT", "ETHUSDT"), HIGH_MARGIN)
    assert risk.refused(risk.order(**at_1_9)) == set()  # type: ignore[arg-type]
    assert risk.refused(risk.order(**at_1_9, maintenance_margin=high)) == {"leverage"}  # type: ignore[arg-type]
    as_long = {"side": Side.BUY, "quantity": "0.18", "accounts": risk.with_position("4", "ETHUSDT")}
    assert risk.refused(risk.order(**as_long, maintenance_margin=high)) == set()  # type: ignore[arg-type]


@pytest.mark.parametrize(("rate", "trades"), [("0.005", True), ("0.02", False)])
def test_tr9_the_engine_refuses_the_short_that_the_risk_manager_would_refuse(rate: str, trades: bool) -> None:
    """The engine's own way to the same refusal: a short of 1.9 x equity by its sizing rule, at two margin rates."""
    parameters = TREND_1.model_copy(
        update={
            "assets": (TrendAsset(asset="BTC", symbol="BTCUSDT"),),
            "max_asset_exposure": D("1.9"),
            "risk_per_trade": D("0.05"),
            "warm_up_bars": 260,
        }
    )
    history = [_bar(day, D(2_000) - D(4) * day) for day in range(250)]
    rules = instrument("BTCUSDT", "0.1", "0.001").model_copy(update={"maintenance_margin_rate": D(rate)})
    venue = Venue(ActorName.TREND_1, parameters, D(10_000), {"BTCUSDT": history}, (rules,))
    # The size follows from the ATR: risk 5 % / (2 x ATR); the price is such that it comes to about 1.9 x equity.
    close = D(2_000) - D(4) * 250
    venue.prices["BTCUSDT"] = close
    venue.day([_bar(250, close)])
    entries = [one for _, one in venue.sent if isinstance(one, Intent) and one.purpose == "entry"]
    reasons = [note.reason for _, note in venue.noted]
    if trades:
        assert [one.side for one in entries] == [Side.SELL], reasons
        assert D("1.85") < entries[0].quantity * close / 10_000 <= D("1.9")
    else:
        assert not entries and any("TR-9: liquidation buffer 0.4" in one for one in reasons), reasons


def _bar(day: int, close: D) -> BarFact:
    width = D("6.6")
    return builders.bar("linear", "BTCUSDT", day * DAY_MS, close, high=close + width, low=close - width)


def test_tr9_at_the_limit_itself_the_buffer_is_not_enough() -> None:
    limits = ExposureLimits()
    assert limits.allows_buffer(None) and limits.allows_buffer(D("0.5001")) and not limits.allows_buffer(D("0.5"))
    assert limits.allows_asset(D(1_000), D(1_000)) and not limits.allows_asset(D("1000.01"), D(1_000))
    assert limits.allows_total(D(1_900), D(1_000)) and not limits.allows_total(D("1900.01"), D(1_000))
    assert liquidation_buffer(D(1_000), [Exposure(D(0), D(100), HIGH_MARGIN)]) is None


def test_the_entry_gate_is_one_for_all() -> None:
    """RM-2, RM-3, F11: the states stood in six places, as those that permit entries and as those that do not."""
    assert {name for name in RiskStateName if permits_entries(name)} == {RiskStateName.NORMAL, RiskStateName.CAUTION}
    assert frozenset(RiskStateName) - NO_NEW_RISK == {RiskStateName.NORMAL, RiskStateName.CAUTION}
    assert is_blocked(10, 9) and not is_blocked(10, 10) and not is_blocked(None, 0)
    scopes = [ScopeState("GLOBAL", "CAUTION"), ScopeState("trend-1", "NORMAL", 10)]
    assert barring_scope(scopes, 9) == scopes[1] and barring_scope(scopes, 10) is None
    paused = ScopeState("GLOBAL", "PAUSED")
    assert barring_scope([*scopes, paused], 10) == paused and paused.is_barred_by_state
    assert entry_size_factor([]) == 1 and entry_size_factor([D("0.5"), D(1)]) == D("0.5")


def test_a_funding_rate_is_normalised_in_one_way() -> None:
    """An interval of 0 was a ZeroDivisionError in TACTICAL and a ValueError with a sentence elsewhere."""
    assert rate_per_8h(D("0.0006"), 240) == D("0.0012") and rate_per_8h(D("0.0006")) == D("0.0006")
    for wrong in (0, -480):
        with pytest.raises(ValueError, match="must be above 0"):
            rate_per_8h(D("0.0001"), wrong)
    orders = EngineOrders(TacticalParameters())
    told = FundingSettled(settle_ms=1, rates={"BTCUSDT": D("0.0001")}, predicted={}, interval_min={"BTCUSDT": 60})
    Intake(orders).settled(told)
    assert [one.value for one in orders.engine.settled] == [D("0.0008")]


@pytest.mark.parametrize("number", [0, 1, 35, 36, 46_655, 2**40])
def test_an_intent_id_is_written_and_read_in_one_place(number: int) -> None:
    """Four writers and two readers of base 36 did not agree on 0: CORE's was empty text."""
    text = intent_id(ActorName.CORE_HODL, number)
    assert parse_intent_id(text).number == number and parse_intent_id(text).issuer is ActorName.CORE_HODL
    link = client_order_id("abc123", text, 2)
    parts = parse_client_order_id("abc123", link)
    assert parts is not None and parts.intent_id == text
    assert int(base36(number), 36) == number


@pytest.mark.parametrize("wrong", ["trend", "trend-1-", "trend-1-Z!", "trend-1-Z", "nobody-1", "", "-1", "trend-1-é"])
def test_what_is_no_intent_id_is_refused_with_a_sentence(wrong: str) -> None:
    with pytest.raises(ValueError, match="base36"):
        parse_intent_id(wrong)
    with pytest.raises(ValueError, match="base36"):
        client_order_id("abc123", wrong, 1)


def test_counters_are_not_negative() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        base36(-1)
