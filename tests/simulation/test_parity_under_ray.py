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

LEAST_LINES_A_DAY = 25
"""A market in which nothing is decided proves no parity."""


def _recorded_history() -> Path | None:
    try:
        return shared_path("history")
    except pytest.skip.Exception:
        return None


@pytest.mark.parametrize(
    ("begin", "end", "synthetic_days"),
    [
        (date(2020, 3, 2), date(2020, 3, 20), 8),
        pytest.param(date(2020, 2, 15), date(2020, 4, 1), 20, marks=pytest.mark.drill),
    ],
)
def test_under_ray_and_in_process_the_same_is_decided(begin: date, end: date, synthetic_days: int) -> None:
    """The weeks around the crash of March 2020 as recorded; without the recording some synthetic days."""
    history = _recorded_history()
    market: Market
    if history is not None:
        market = recorded(history, begin.isoformat(), end.isoformat())
    else:
        market = synthetic(synthetic_days)
        begin, end = date(2025, 1, 1), date(2025, 1, 1 + synthetic_days)
    with drill_folder() as folder, running(make_config(folder, end, begin, history)) as drill:
        drill.to_the_end()
        url = drill.system.database_url
        journals, books, installation = from_database(url), books_in_database(url), drill.installation()
    store, _ = run(market, installation)
    assert first_difference(from_memory(store), journals) == ""
    assert books_in_memory(store).first_difference(books) == ""
    assert books.faults() == []
    assert sum(len(lines) for lines in journals.values()) > LEAST_LINES_A_DAY * (end - begin).days
