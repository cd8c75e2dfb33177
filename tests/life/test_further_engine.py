"""A further engine, added by its folder and its file alone (tests/house), under Ray with the database and the API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.house import extended

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


def test_it_is_supervised_under_ray(tmp_path: Path) -> None:
    """Started, killed, started again by the orchestrator, journalled in the database and shown by the API."""
    place = extended.build(tmp_path)
    seen = json.loads(extended.run(place, "tests.house.toy_under_ray", timeout_s=540))
    first, second = seen["pids"]
    assert first > 0 < second
    assert first != second
    assert seen["restarts"] == 1
    assert seen["journal"] == [["CONTENT", "2 cycles are counted; 2 are enough"]]
    assert "toy-1" in {actor["name"] for actor in seen["actors"]}
    assert seen["detail"]["machines"][0]["russian"] == "ДОВОЛЕН"
    assert "toy-1" in {engine["name"] for engine in seen["engines"]}
    assert "toy" in {machine["name"] for machine in seen["machines"]}
