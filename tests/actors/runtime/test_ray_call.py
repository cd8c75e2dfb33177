"""What an answer of Ray says about an actor: dead, away for a moment, or alive with a dead peer (OR-8)."""

from __future__ import annotations

from typing import Any

import pytest
import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError

from actors.runtime.ports import ActorGoneError
from actors.runtime.ray_runtime import RayCall
from statemachines.state_store import UnreadableRowError


def answering(monkeypatch: pytest.MonkeyPatch, error: Exception) -> RayCall:
    def get(reference: Any, timeout: float) -> Any:
        raise error

    monkeypatch.setattr(ray, "get", get)
    return RayCall("a reference")


def test_a_dead_actor_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ActorGoneError):
        answering(monkeypatch, ActorDiedError()).value()


def test_an_actor_with_a_dead_peer_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray gives an exception that an actor raises the class of its cause: the peer's death looked like its own, and a
    healthy actor was killed and restarted."""
    error = RayTaskError("start", "traceback", ActorDiedError()).as_instanceof_cause()
    assert isinstance(error, ActorDiedError), "that is what Ray does"
    with pytest.raises(ActorDiedError):
        answering(monkeypatch, error).value()


def test_an_actor_that_is_away_for_a_moment_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is just coming up: a first start raised alarms of actors that had died."""
    with pytest.raises(ActorUnavailableError):
        answering(monkeypatch, ActorUnavailableError("connecting", None)).value()


def test_what_a_call_raised_comes_without_rays_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alert of a FAULTED engine was once Ray's coloured traceback in place of the sentence of the error."""
    sentence = "row 'BTC' of trend-1: field 'held' is missing"
    error = RayTaskError(
        "start", "\x1b[36mray::Trend.start()\x1b[39m", UnreadableRowError(sentence)
    ).as_instanceof_cause()
    with pytest.raises(UnreadableRowError) as found:
        answering(monkeypatch, error.as_instanceof_cause()).value()
    assert str(found.value) == sentence
