"""Two systems in one Ray cluster: actors have the same names in both; the second leaves the first one's alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from multiprocessing import Pipe
from typing import Any

import pytest
import ray

from actors.runtime import ray_runtime
from api.launch import ray_driver
from api.launch.ray_driver import RayDriver, occupant
from api.launch.ray_protocol import Begin, EndActors, Occupied, Ready, SpawnOrchestrator

OURS, OTHER = "abc123", "xyz789"


class _Handle:
    """The orchestrator of a cluster; its references are the answers themselves."""

    def __init__(self, answer: Mapping[str, Any] | Exception) -> None:
        self.status = self
        self._answer = answer

    def remote(self) -> Any:
        return self._answer


class _Assembly:
    installation_id = OURS


def _get(reference: Any, timeout: float) -> Any:
    if isinstance(reference, Exception):
        raise reference
    return reference


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> list[_Handle]:
    """What Ray finds under the orchestrator's name, the newest last."""
    found: list[_Handle] = []
    monkeypatch.setattr(ray_runtime, "find", lambda _name: found[-1] if found else None)
    monkeypatch.setattr(ray, "get", _get)
    return found


@pytest.mark.parametrize(
    ("answer", "is_occupied"),
    [
        (None, False),
        ({"installation": OURS}, False),
        ({"booted": True}, False),
        (ray.exceptions.ActorDiedError(), False),
        ({"installation": OTHER}, True),
    ],
)
def test_only_a_working_orchestrator_of_another_installation_occupies_a_cluster(
    answer: Mapping[str, Any] | Exception | None, is_occupied: bool, there: list[_Handle]
) -> None:
    if answer is not None:
        there.append(_Handle(answer))
    sentence = occupant(OURS)
    assert bool(sentence) is is_occupied
    if is_occupied:
        assert OTHER in sentence and OURS in sentence and "ray.address" in sentence


@pytest.mark.parametrize("installation", [OURS, OTHER])
def test_a_system_neither_replaces_nor_ends_the_actors_of_another_one(
    installation: str, there: list[_Handle], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second `eternal run` on a cluster took the first one's orchestrator for its own; its Ctrl-C ended all actors
    of the first one, also while it only waited for the lease."""
    done: list[str] = []
    there.append(_Handle({"installation": installation}))
    monkeypatch.setattr(ray_driver, "_spawn", lambda _assembly, replace: done.append("spawned"))
    monkeypatch.setattr(ray_driver, "_end_actors", lambda is_own_head: done.append("ended"))
    monkeypatch.setattr(ray_driver, "_start", lambda _begin: Ready("cluster", ""))
    ours, theirs = Pipe()
    ours.send(Begin("127.0.0.1:1", "", 0, tuple(sys.path), "eternal"))
    ours.send(SpawnOrchestrator(_Assembly(), replace=True))
    ours.send(EndActors())
    RayDriver(theirs).run()
    heard = []
    while ours.poll():
        heard.append(ours.recv())
    assert done == (["spawned", "ended"] if installation == OURS else [])
    assert any(isinstance(one, Occupied) for one in heard) is (installation == OTHER)


def test_a_system_that_only_waits_for_the_lease_ends_no_actors(
    there: list[_Handle], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    there.append(_Handle({"installation": OURS}))
    monkeypatch.setattr(ray_driver, "_end_actors", lambda is_own_head: done.append("ended"))
    monkeypatch.setattr(ray_driver, "_start", lambda _begin: Ready("cluster", ""))
    ours, theirs = Pipe()
    ours.send(Begin("127.0.0.1:1", "", 0, tuple(sys.path), "eternal"))
    ours.send(EndActors())
    RayDriver(theirs).run()
    assert done == []
