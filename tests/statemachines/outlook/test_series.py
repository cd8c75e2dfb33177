"""P3: what is drawn is what the rules read: the newest point of each line is the number of the engine's own terms."""

from __future__ import annotations

from decimal import Decimal

import pytest

from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.core_hodl.views import series as core_hodl
from statemachines.facts import BarFact, FundingRateFact
from statemachines.funding import series as funding
from statemachines.funding.parameters import FundingParameters
from statemachines.outlook.series import Line, Pane
from statemachines.tactical import series as tactical
from statemachines.tactical.parameters import TacticalParameters
from statemachines.tactical.rules import Published
from statemachines.trend import series as trend
from statemachines.trend.parameters import TREND_1
from statemachines.values import DAY_MS, HOUR_MS
from tests.kit import builders
from tests.statemachines.trend.bars import next_day, scene

D = Decimal


def bar(day: int, close: str, category: str = "spot") -> BarFact:
    return builders.bar(category, "BTCUSDT", day * DAY_MS, close, "D")


def by_title(panes: list[Pane]) -> dict[str, Pane]:
    return {pane.title: pane for pane in panes}


def number(value: Decimal | None) -> object:
    assert value is not None
    return pytest.approx(float(value))


def newest(line: Line) -> float:
    return line.points[-1].value


def test_trend_draws_the_numbers_of_its_entry() -> None:
    rise = [100 + float(day % 10) for day in range(260)]
    venue = scene(rise, [1000.0] * 260, parameters=TREND_1)
    next_day(venue, rise[-1], 1000)
    terms = {term.what: term for one in venue.logic.outlook(260 * DAY_MS) if one.subject == "BTC" for term in one.terms}
    bars = venue.bars["BTCUSDT"]
    found = by_title(trend.panes(bars, TREND_1))
    fast, slow = found["averages"].lines
    assert found["averages"].is_price and (fast.name, slow.name) == ("SMA50", "SMA200")
    assert newest(found["trend strength"].lines[0]) == number(terms["ADX(14)"].value)
    assert newest(fast) == number(terms["SMA50 against SMA200"].value)
    assert newest(slow) == number(terms["SMA50 against SMA200"].limit)
    assert found["true range"].lines[0].points
    assert [level.value for level in found["trend strength"].levels] == [25.0, 20.0]
    assert len(slow.points) == len(bars) - 199, "no point where the look-back is not filled"


def test_trend_draws_by_the_parameters_in_force() -> None:
    """The console had 50 and 200 of its own: another policy would have been drawn wrong."""
    bars = [bar(day, str(100 + day), "linear") for day in range(30)]
    other = TREND_1.model_copy(update={"fast_sma_bars": 5, "slow_sma_bars": 10})
    fast, slow = by_title(trend.panes(bars, other))["averages"].lines
    assert (fast.name, newest(fast), slow.name, newest(slow)) == ("SMA5", 127.0, "SMA10", 124.5)
    assert all(not line.points for pane in trend.panes([], TREND_1) for line in pane.lines)


def test_funding_draws_rates_per_8_hours_and_the_basis_of_days_with_both_prices() -> None:
    rates = [FundingRateFact(symbol="BTCUSDT", settle_ms=at * HOUR_MS, rate=D("0.0001"), interval_min=minutes)
             for at, minutes in ((8, 480), (12, 240))]  # fmt: skip
    spot, perp = [bar(0, "100"), bar(1, "100"), bar(3, "100")], [bar(0, "101"), bar(1, "99"), bar(2, "100")]
    found = by_title(funding.panes(rates, spot, perp, FundingParameters()))
    assert found["funding rate"].lines[0].points == ((8 * HOUR_MS, 0.0001), (12 * HOUR_MS, 0.0002))
    assert found["basis"].lines[0].points == ((0, 0.01), (DAY_MS, -0.01))
    assert [level.value for level in found["basis"].levels] == [0.02, -0.02]


@pytest.mark.parametrize(("earlier", "falls"), [("0", [0.0, -0.5, 0.0]), ("400", [-0.75, -0.875, -0.5])])
def test_tactical_draws_the_fall_from_the_high_also_of_the_time_before(earlier: str, falls: list[float]) -> None:
    bars = [bar(day, close) for day, close in enumerate(("100", "50", "200"))]
    fear = [Published(value=D(18), market_ms=DAY_MS)]
    found = by_title(tactical.panes(bars, D(earlier), fear, TacticalParameters()))
    assert [value for _, value in found["fall from the high"].lines[0].points] == falls
    assert found["Fear & Greed"].lines[0].points == ((DAY_MS, 18.0),)
    assert [level.value for level in found["fall from the high"].levels] == [-0.5, -0.7, -0.2]


def test_core_draws_what_its_cycles_have_journalled() -> None:
    cycles = [(DAY_MS, {"drift_points": "3.2500", "planned_usdt": "900.00"}), (2 * DAY_MS, {"planned_usdt": "800.00"})]
    found = by_title(core_hodl.panes(cycles, CoreHodlParameters()))
    assert found["drift"].lines[0].points == ((DAY_MS, 0.0325),), "a figure that was not written is no zero"
    assert [value for _, value in found["plans of deposits (C5)"].lines[0].points] == [900.0, 800.0]
    assert [level.value for level in found["drift"].levels] == [0.1]
