"""Every rule of TREND by its ID, as a pure function."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from pydantic import ValidationError

from statemachines.indicators.window import DailyValues
from statemachines.limits.funding_rates import rate_per_8h
from statemachines.limits.leverage import Exposure, liquidation_buffer
from statemachines.trend import rules
from statemachines.trend.parameters import TREND_1, TREND_2, TrendParameters
from statemachines.trend.rules import Episode, Pause
from tests.statemachines.trend.venue import INSTRUMENTS

P = TREND_1
BTC = INSTRUMENTS[0]


def values(close: str, fast: str | None, slow: str | None, adx: str | None, atr: str | None = "10") -> DailyValues:
    numbers = [None if text is None else D(text) for text in (fast, slow, adx, atr)]
    return DailyValues(0, D(close), *numbers)


@pytest.mark.parametrize(
    ("close", "fast", "slow", "adx", "expected"),
    [
        ("101", "101", "100", "25.1", 1),
        ("99", "99", "100", "25.1", -1),
        ("101", "101", "100", "25", 0),
        ("100", "101", "100", "30", 0),
        ("101", "100", "100", "30", 0),
        ("101", "99", "100", "30", 0),
        ("99", "101", "100", "30", 0),
        ("101", None, "100", "30", 0),
        ("101", "101", None, "30", 0),
        ("101", "101", "100", None, 0),
    ],
)
def test_tr3_signal_is_strict_and_needs_all_indicators(
    close: str, fast: str | None, slow: str | None, adx: str | None, expected: int
) -> None:
    """TR-3, D2: all three conditions, strictly; too few bars give no signal."""
    assert rules.signal(values(close, fast, slow, adx), P) == expected


def test_tr4_exit_on_the_wrong_side_of_the_slow_average() -> None:
    assert rules.broken_term(1, D(99), D(100)).holds and rules.broken_term(-1, D(101), D(100)).holds
    assert not rules.broken_term(1, D(100), D(100)).holds and not rules.broken_term(-1, D(100), D(100)).holds


def test_tr5_hard_stop_two_atr_rounded_to_the_tighter_tick() -> None:
    """TR-5, T5: a long's stop is rounded up, a short's down."""
    assert rules.hard_stop(1, D("100.00"), D("3.33"), P, D("0.1")) == D("93.4")
    assert rules.hard_stop(-1, D("100.00"), D("3.33"), P, D("0.1")) == D("106.6")
    assert rules.hard_stop(1, D("10"), D("8"), P, D("0.1")) == D("0.1"), "a stop is at least one tick"


def test_tr6_trailing_stop_three_atr_from_the_best_close() -> None:
    assert rules.trailing_stop(1, D(200), D("10.04"), P, D("0.1")) == D("169.9")
    assert rules.trailing_stop(-1, D(200), D("10.04"), P, D("0.1")) == D("230.1")
    assert rules.better(1, D(5), D(7)) == 7 and rules.better(-1, D(5), D(7)) == 5
    assert rules.is_tighter(1, D(101), D(100)) and rules.is_tighter(-1, D(99), D(100))
    assert not rules.is_tighter(1, D(100), D(100))


def test_tr6_profit_is_a_close_strictly_better_than_the_fill() -> None:
    assert rules.is_profit(1, D("100.1"), D(100)) and rules.is_profit(-1, D("99.9"), D(100))
    assert not rules.is_profit(1, D(100), D(100))


def test_a_price_that_touches_a_stop_triggers_it() -> None:
    assert rules.crossed_term(1, D(100), D(100)).holds and rules.crossed_term(-1, D(100), D(100)).holds
    assert not rules.crossed_term(1, D(100), D("100.1")).holds and not rules.crossed_term(-1, D(100), D("99.9")).holds


def test_tr7_time_stop_at_the_thirtieth_close() -> None:
    assert not rules.overdue_term(29, P).holds and rules.overdue_term(30, P).holds


def test_tr8_size_is_one_percent_over_two_atr() -> None:
    """TR-8, T7: factors multiply before rounding down to the lot; nothing left is 0."""
    assert rules.position_size(D(15_000), D(1_000), D(1), P, BTC) == D("0.075")
    assert rules.position_size(D(15_000), D(1_100), D(1), P, BTC) == D("0.068")
    assert rules.position_size(D(15_000), D(1_100), D("0.5"), P, BTC) == D("0.034")
    assert rules.position_size(D(100), D(1_000), D("0.5"), P, BTC) == 0
    assert rules.position_size(D(-5), D(1_000), D(1), P, BTC) == 0


def exposure(quantity: str, price: str) -> Exposure:
    return Exposure(D(quantity), D(price), D("0.005"))


def test_tr9_asset_limit_is_one_times_equity() -> None:
    assert rules.exposure_refusal(D(1000), exposure("10", "100"), {}, P) is None
    refused = rules.exposure_refusal(D(1000), exposure("10.001", "100"), {}, P)
    assert refused is not None and "TR-9" in refused and "1000.10" in refused


def test_tr9_total_limit_is_one_point_nine() -> None:
    """T8: 1.9 × passes with a buffer above one half, more is refused, not shrunk."""
    others = {"ETHUSDT": exposure("9", "100")}
    assert rules.exposure_refusal(D(1000), exposure("10", "100"), others, P) is None
    refused = rules.exposure_refusal(D(1000), exposure("10", "100"), {"ETHUSDT": exposure("9.001", "100")}, P)
    assert refused is not None and "1.9" in refused


def test_tr9_liquidation_buffer_at_the_whole_exposure() -> None:
    """T8: at 2.0 × the buffer is just under 50 %, at 1.9 × above it, for longs and shorts."""
    for sign in ("", "-"):
        two = liquidation_buffer(D(1000), (exposure(f"{sign}10", "100"), exposure(f"{sign}10", "100")))
        less = liquidation_buffer(D(1000), (exposure(f"{sign}10", "100"), exposure(f"{sign}9", "100")))
        assert two is not None and less is not None
        assert D("0.49") < two < D("0.5") < less
    assert liquidation_buffer(D(1000), ()) is None
    loose = P.model_copy(update={"max_total_exposure": D(3), "max_asset_exposure": D(3)})
    refused = rules.exposure_refusal(D(1000), exposure("20", "100"), {}, loose)
    assert refused is not None and "liquidation buffer" in refused


@pytest.mark.parametrize("direction", [1, -1])
def test_tr9_the_buffer_is_where_equity_meets_the_maintenance_margin(direction: int) -> None:
    position = Exposure(direction * D("3"), D(400), D("0.01"))
    buffer = liquidation_buffer(D(1000), (position,))
    assert buffer is not None
    mark = position.price * (1 - direction * buffer)
    equity = D(1000) + position.quantity * (mark - position.price)
    assert equity == pytest.approx(abs(position.quantity) * mark * D("0.01"), rel=D("1e-20"))


def test_tr12_fourteen_quiet_closes_pause_until_adx_is_above_20() -> None:
    pause = Pause()
    for _ in range(13):
        pause = rules.next_pause(pause, D("19.99"), P)
    assert pause == Pause(13, False)
    assert rules.next_pause(pause, D(20), P) == Pause(0, False), "20 is not below 20"
    pause = rules.next_pause(pause, D("19.99"), P)
    assert pause == Pause(14, True)
    assert rules.next_pause(pause, D(20), P) == Pause(0, True), "20 is not above 20"
    assert rules.next_pause(pause, D("20.01"), P) == Pause(0, False)
    assert rules.next_pause(pause, None, P) == pause


def test_tr13_episode_begins_above_09_and_ends_below_085() -> None:
    episode = rules.next_episode(Episode(), D("0.9"), P)
    assert episode == Episode(False, 0)
    episode = rules.next_episode(episode, D("0.9001"), P)
    assert episode == Episode(True, 1)
    assert rules.next_episode(episode, D("0.85"), P) == episode
    assert rules.next_episode(episode, None, P) == episode
    ended = rules.next_episode(episode, D("0.8499"), P)
    assert ended == Episode(False, 1)
    assert rules.next_episode(ended, D("0.95"), P) == Episode(True, 2)


def test_tr13_a_cut_is_half_rounded_down_to_the_lot() -> None:
    assert rules.cut_quantity(D("0.075"), BTC) == D("0.037")
    assert rules.cut_quantity(D("0.001"), BTC) == 0


def test_tr14_rates_are_normalised_and_only_the_payer_leaves() -> None:
    """TR-14, T11: a 4-hour rate counts twice; exactly 0.1 % stays; longs pay positive rates, shorts negative."""
    assert rate_per_8h(D("0.0006"), 240) == D("0.0012")
    for direction, rate in ((1, "0.0011"), (-1, "-0.0011")):
        assert rules.expensive_term(direction, D(rate), P).holds
    for direction, rate in ((1, "0.001"), (-1, "0.0011")):
        assert not rules.expensive_term(direction, D(rate), P).holds
    with pytest.raises(ValueError, match="interval"):
        rate_per_8h(D("0.0001"), 0)


def test_tr11_the_second_set_differs_in_its_averages_only() -> None:
    """TR-11, T9."""
    changed = {name: value for name, value in TREND_2.model_dump().items() if value != TREND_1.model_dump()[name]}
    assert changed == {"fast_sma_bars": 20, "slow_sma_bars": 100}
    assert (TREND_1.fast_sma_bars, TREND_1.slow_sma_bars) == (50, 200)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fast_sma_bars": 200},
        {"correlation_end": D("0.95")},
        {"warm_up_bars": 100},
        {"risk_per_trade": D(0)},
        {"assets": ()},
        {"max_hold_closes": 0},
    ],
)
def test_rm6_parameters_are_validated(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrendParameters(**wrong)  # type: ignore[arg-type]
