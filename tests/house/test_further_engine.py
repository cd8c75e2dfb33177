"""A new engine is its folder in `statemachines/`, its file in `actors/` and nothing else (DESIGN 2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.house import extended

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = extended.build(tmp_path_factory.mktemp("house"))
    answer: dict[str, Any] = json.loads(extended.run(place, "tests.house.toy_in_process", timeout_s=240))
    return answer


def test_it_has_its_place_at_the_start_among_the_ticks_and_on_the_event_bus(seen: dict[str, Any]) -> None:
    assert seen["start_order"][3:] == [
        "core-hodl", "trend-1", "trend-2", "funding", "tactical", "toy-1", "orchestrator",
    ]  # fmt: skip
    assert seen["turns"][-4:] == ["toy-1", "orchestrator", "api", "notifier"]
    assert {"run_cycle", "portfolio", "fill", "transfer_ended"} <= set(seen["routes"])
    assert seen["cycle"] == ["core-hodl", "trend-1", "trend-2", "tactical", "toy-1"]


def test_it_has_an_account_limits_a_weight_a_section_and_order_ids(seen: dict[str, Any]) -> None:
    """Its weight is 0 until the configuration gives it capital, so the specification's weights still sum to 1."""
    assert seen["account"] == "TOY-1"
    assert seen["accounts"][-1] == "TOY-1"
    assert (seen["weight"], seen["capital"]) == ("0", "1.00")
    assert seen["universe"] == ["spot:BTCUSDT"]
    assert seen["section"]
    assert seen["order_id"] == ["toy-1-z", 1]


def test_the_configuration_takes_it_wherever_an_engine_is_meant(seen: dict[str, Any]) -> None:
    """The engines that are allowed follow from the folders, so no list has to be extended."""
    assert seen["configured"] == [["toy-1"], ["toy-1"], "0.05"]
    assert seen["enough"] == 3


def test_without_a_weight_it_is_refused_in_a_sentence(seen: dict[str, Any]) -> None:
    """It was a decimal.DivisionUndefined; every further engine has weight 0 at first."""
    assert seen["without_capital"] == (
        "The engines toy-1 cannot be run: their orchestrator.weights add up to 0; more than 0 is required."
    )


def test_it_is_journalled_and_resumes_after_a_crash(seen: dict[str, Any]) -> None:
    """The first of the two cycles lies before the crash, so the count was restored, and every cycle is counted once."""
    assert [line.partition(" count: ")[2] for line in seen["journal"]] == [
        "enough COUNTING -> CONTENT (2 cycles are counted; 2 are enough)"
    ]
    (state, data) = seen["states"]["count"]
    assert state == "CONTENT"
    assert data["count"] >= 4


def test_it_is_shown(seen: dict[str, Any]) -> None:
    assert "toy-1" in seen["api_actors"]
    assert "toy-1" in seen["api_engines"]
    assert "toy-1" in seen["backtest_engines"]
    assert "COUNTING --> CONTENT: enough" in seen["diagram"]
    assert seen["document"]
    assert seen["machine_of"] == "toy"


def test_it_trades_on_its_own_account(seen: dict[str, Any]) -> None:
    """With capital its order passes risk manager and order manager, and the fill is booked in its name."""
    assert seen["fills"] == [["TOY-1", "toy-1", "0.001"]]
    assert seen["discrepancies"] == 0
