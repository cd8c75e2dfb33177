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


@pytest.mark.parametrize(("seed", "days"), [(2, 16), pytest.param(5, 40, marks=pytest.mark.soak)])
def test_a_run_is_the_same_as_with_every_point_walked(seed: int, days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[bool] = []

    def counted(venue: Venue, account: object, stage: int) -> bool:
        slept.append(is_asleep(venue, account, stage))  # type: ignore[arg-type]
        return slept[-1]

    monkeypatch.setattr(stepper, "is_asleep", counted)
    store, system = run(synthetic(days, seed))
    assert any(slept) and not all(slept), "neither all nor nothing may sleep, or nothing is proven"
    monkeypatch.setattr(stepper, "is_asleep", _looks_always)
    walked, walking = run(synthetic(days, seed))
    assert first_difference(from_memory(walked), from_memory(store)) == ""
    assert system.exchange.dump() == walking.exchange.dump()


@pytest.mark.soak
def test_so_is_the_crash_of_march_2020(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shared_path("history")
    _, system = run(recorded(folder, "2020-03-09", "2020-03-16"))
    monkeypatch.setattr(stepper, "is_asleep", _looks_always)
    _, walking = run(recorded(folder, "2020-03-09", "2020-03-16"))
    assert system.exchange.dump() == walking.exchange.dump()
