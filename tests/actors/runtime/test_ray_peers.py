"""Peers by name under Ray: what was recreated is found again."""

from __future__ import annotations

from typing import Any

import pytest
import ray

from actors.runtime import ray_runtime
from actors.runtime.ports import Report
from actors.runtime.ray_runtime import RayPeers

REPORT = Report(incarnation=1, idle=True)


class _Remote:
    """A method of an actor; a reference is what becomes of the call."""

    def __init__(self, calls: list[str], outcome: object) -> None:
        self._calls, self._outcome = calls, outcome

    def remote(self, name: str, _report: Report) -> object:
        self._calls.append(name)
        return self._outcome


class _Actor:
    def __init__(self, outcome: object) -> None:
        self.calls: list[str] = []
        self.report = _Remote(self.calls, outcome)


def _get(reference: Any) -> Any:
    if isinstance(reference, Exception):
        raise reference
    return reference


@pytest.mark.parametrize("is_pending", [False, True])
def test_reports_reach_an_orchestrator_that_was_recreated_with_its_node(
    is_pending: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head was lost and returned; market data, which had nothing to deliver, reported to the dead orchestrator for
    ever, and market time stood still ("market-data has not reported")."""
    dead, successor = _Actor(ray.exceptions.ActorDiedError()), _Actor("taken")
    there, pending = [dead], is_pending
    monkeypatch.setattr(ray, "get_actor", lambda _name, namespace: there[-1])
    monkeypatch.setattr(ray, "wait", lambda refs, timeout: ([], refs) if pending else (refs, []))
    monkeypatch.setattr(ray, "get", _get)
    monkeypatch.setattr(ray_runtime, "REPORTS_LOOK_S", 0.0)
    peers = RayPeers()
    peers.report("market-data", REPORT)
    there.append(successor)
    if is_pending:  # Ray has not noticed the death yet
        peers.report("market-data", REPORT)
        assert (len(dead.calls), len(successor.calls)) == (2, 0)
        pending = False
    peers.report("market-data", REPORT)
    assert len(successor.calls) == 1
    peers.report("market-data", REPORT)
    assert len(successor.calls) == 2 and len(dead.calls) == 1 + is_pending
