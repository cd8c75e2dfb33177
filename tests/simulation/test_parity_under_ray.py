"""Parity (DESIGN 1, P3): the same market under Ray and in process leads to the same decisions, line by line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from infra.simulator.market.port import Market
from tests.chaos.rig import drill_folder, make_config, running
from tests.kit.journals import first_difference, from_database, from_memory
from tests.shared import shared_path
from tests.simulation.books import books_in_database, books_in_memory
from tests.simulation.whole import recorded, run, synthetic

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


def _recorded_history() -> Path | None:
    try:
        return shared_path("history")
    except pytest.skip.Exception:
        return None


def test_six_weeks_under_ray_and_in_process_decide_the_same() -> None:
    """The six weeks around the crash of March 2020 as recorded; without the recording twenty synthetic days."""
    history = _recorded_history()
    market: Market
    if history is not None:
        market = recorded(history, "2020-02-15", "2020-04-01")
        start, end, least = date(2020, 2, 15), date(2020, 4, 1), 1_500
    else:
        market = synthetic(20)
        start, end, least = date(2025, 1, 1), date(2025, 1, 21), 500
    with drill_folder() as folder, running(make_config(folder, end, start, history)) as drill:
        drill.to_the_end()
        url = drill.system.database_url
        journals, books, installation = from_database(url), books_in_database(url), drill.installation()
    store, _ = run(market, installation)
    assert first_difference(from_memory(store), journals) == ""
    assert books_in_memory(store).first_difference(books) == ""
    assert books.faults() == []
    assert sum(len(lines) for lines in journals.values()) > least
