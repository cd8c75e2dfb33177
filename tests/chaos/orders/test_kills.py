"""A few kills of `make chaos-orders` on the real system."""

from __future__ import annotations

import pytest

from tests.chaos.orders.campaign import summary
from tests.chaos.orders.one_system import campaign
from tests.chaos.orders.victims import draw

SEED, KILLS = 3, 4


@pytest.mark.ray
@pytest.mark.drill
@pytest.mark.timeout(600)
def test_kills_in_the_middle_of_bursts_lose_nothing_and_double_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        findings = campaign(draw(KILLS, SEED), SEED)
    assert len(findings.trials) == KILLS
    assert findings.is_clean, summary(findings)
    assert sum(one.orders for one in findings.trials) > 0
    assert any(one.under_way for one in findings.trials), "no kill fell while orders were under way"
