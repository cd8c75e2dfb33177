"""Passing over points at which nothing can happen changes nothing: the same run as looking at every point."""

from __future__ import annotations

import pytest

from infra.simulator.venue import stepper
from infra.simulator.venue.idle_accounts import is_asleep
from infra.simulator.venue.state import Venue
from tests.kit.journals import first_difference, from_memory
from tests.shared import shared_path
from tests.simulation.whole import recorded, run, synthetic


def _looks_always(_venue: Venue, _account: object, _stage: int) -> bool:
    return False


@pytest.mark.parametrize("seed", [2, pytest.param(5, marks=pytest.mark.soak)])
def test_a_run_is_the_same_as_with_every_point_walked(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[bool] = []

    def counted(venue: Venue, account: object, stage: int) -> bool:
        slept.append(is_asleep(venue, account, stage))  # type: ignore[arg-type]
        return slept[-1]

    monkeypatch.setattr(stepper, "is_asleep", counted)
    store, system = run(synthetic(40, seed))
    assert any(slept) and not all(slept), "neither all nor nothing may sleep, or nothing is proven"
    monkeypatch.setattr(stepper, "is_asleep", _looks_always)
    walked, walking = run(synthetic(40, seed))
    assert first_difference(from_memory(walked), from_memory(store)) == ""
    assert system.exchange.dump() == walking.exchange.dump()


def test_so_is_the_crash_of_march_2020(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shared_path("history")
    _, system = run(recorded(folder, "2020-03-05", "2020-03-20"))
    monkeypatch.setattr(stepper, "is_asleep", _looks_always)
    _, walking = run(recorded(folder, "2020-03-05", "2020-03-20"))
    assert system.exchange.dump() == walking.exchange.dump()
