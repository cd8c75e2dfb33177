"""DA-2, A5, A6: how old an external value may be, and what the operator is told when none is valid."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from statemachines.messages.market import FeedFrame
from statemachines.tactical.parameters import TacticalParameters
from tests.statemachines.tactical.synthetic import CASH, Market


def test_ta_2_fear_needs_a_value_from_before_the_cycle_and_young_enough() -> None:
    """TA-2, A5: 24 h and 48 h old count; one published at the cycle's instant or 49 h before does not."""
    for hours, deploys in ((0, 0), (24, 1), (48, 1), (49, 0)):
        market = Market()
        market.close(10_000, market.fear(10, hours))
        assert len(market.deployed()) == deploys, hours
    market = Market()
    market.close(10_000, market.fear(10, 0))
    market.close(10_000, FeedFrame())  # yesterday's reading is now from before the cycle
    assert market.deployed() == ["TA-2 fear"]
    assert market.amounts() == [CASH / 4]


@pytest.mark.parametrize(
    ("field", "feed"), [("fear_greed_max_age_h", Market.fear), ("dvol_max_age_h", Market.volatile)], ids=["A5", "A6"]
)
@pytest.mark.parametrize(("max_age_h", "deploys"), [(48, 0), (72, 1)])
def test_the_setting_alone_decides_how_old_a_value_may_be(
    field: str, feed: Callable[[Market, int, int], FeedFrame], max_age_h: int, deploys: int
) -> None:
    """The sources once discarded what was older than 48 h, so a larger `*_max_age_h` had no effect."""
    market = Market(parameters=TacticalParameters.model_validate({field: max_age_h}))
    market.close(8_000, feed(market, 10 if "fear" in field else 90, 60))
    assert len(market.deployed()) == deploys


def alerts_of(market: Market, condition: str) -> list[tuple[str, str]]:
    return [(one.severity, one.text) for one in market.world.alerts if one.condition == condition]


def test_da_2_a_missing_or_stale_index_makes_ta_2_inactive_visibly() -> None:
    """DA-2, A5: the same alert while nothing changes; it ends with the next valid value."""
    market = Market()
    market.close(10_000)
    [(severity, text)] = alerts_of(market, "fear_greed")
    assert severity == "warning" and "No value of Fear & Greed has been received" in text and "TA-2" in text
    market.close(10_000, market.fear(50))
    assert "fear_greed" not in market.world.conditions.open
    market.days(2, 10_000)
    assert "fear_greed" in market.world.conditions.open, "published 72 h before the cycle"
    market.days(2, 10_000)
    texts = {text for _, text in alerts_of(market, "fear_greed")[1:]}
    assert len(texts) == 1 and "is of 2020-09-" in texts.pop()


def test_da_2_without_dvol_the_alert_says_what_stands_in_for_it() -> None:
    """A6: the realised volatility takes DVOL's place; only without both is the rule inactive."""
    market = Market()
    market.close(10_000)
    [(severity, text)] = alerts_of(market, "volatility")
    assert severity == "warning" and "rule of TA-3 is inactive" in text
    market = Market(history=[10_000] * 31)
    market.close(10_000)
    [(severity, text)] = alerts_of(market, "volatility")
    assert severity == "info" and "realised volatility instead" in text and "inactive" not in text
    market.close(10_000, market.volatile(50))
    assert "volatility" not in market.world.conditions.open
