"""Parity (DESIGN 1, P3): the same market under Ray and in process leads to the same decisions, line by line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from infra.backtest.journals import first_difference, from_database, from_memory
from statemachines.values import DAY_MS
from tests.chaos.rig import make_config, running
from tests.shared import shared_path
from tests.simulation.whole import instant, recorded, run

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(1000)]


def test_february_and_march_2020_under_ray_and_in_process_decide_the_same(tmp_path: Path) -> None:
    history = shared_path("history")
    config = make_config(tmp_path / "data", date(2020, 4, 1), date(2020, 2, 1), history)
    with running(config) as drill:
        drill.to_the_end()
        journals, installation = from_database(drill.system.database_url), drill.installation()
    store, _ = run(recorded(history, "2020-02-01", "2020-04-01"), installation)
    assert first_difference(from_memory(store), journals, instant("2020-04-01") + DAY_MS) == ""
    assert sum(len(lines) for lines in journals.values()) > 2_000
