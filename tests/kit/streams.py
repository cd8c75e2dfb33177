"""Streams without a network: what they subscribe, and frames handed to them as if they had arrived."""

from __future__ import annotations

from typing import Any

import pytest

from infra.bybit.streams.connection import Connection


class Unconnected(Connection):
    """A connection that stays down; `take(frame)` is a frame's arrival, `asked_again` the topics subscribed anew."""

    made: list[Unconnected]

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.take = named["on_topic"]
        self.asked_again: list[str] = []
        self.made.append(self)

    def start(self) -> None:
        pass

    def resubscribe(self, topic: str) -> None:
        self.asked_again.append(topic)


@pytest.fixture
def unconnected(monkeypatch: pytest.MonkeyPatch) -> list[Unconnected]:
    """The connections that streams make from now on."""
    monkeypatch.setattr(Unconnected, "made", [], raising=False)
    monkeypatch.setattr("infra.bybit.streams.subscriptions.Connection", Unconnected)
    return Unconnected.made
