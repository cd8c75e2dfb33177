"""A courier: one batch in flight, repeated until its recipient has it; quotes are never repeated."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import pytest

from actors.runtime import outbox_dispatcher as courier_module
from actors.runtime.outbox_dispatcher import RETRY_DELAYS_S, OutboxDispatcher, is_quote
from actors.runtime.ports import EnvelopeDict, Report
from statemachines.values import ActorName
from tests.waiting import until


def envelope(sequence: int) -> EnvelopeDict:
    return {"seq": sequence, "kind": "quotes_seen" if sequence == 0 else "fill"}


class Peers:
    """Is away for the first `failures` calls."""

    def __init__(self, failures: int = 0) -> None:
        self.tried: list[list[int]] = []
        self.notified = 0
        self.is_open = threading.Event()
        self.is_open.set()
        self._failures = failures

    def deliver(self, recipient: str, batch: Sequence[EnvelopeDict]) -> Mapping[str, int]:
        self.tried.append([int(one["seq"]) for one in batch])
        if self._failures:
            self._failures -= 1
            raise ConnectionError(recipient)
        return {"cursor": int(batch[-1]["seq"]), "epoch": 3, "quotes": 1}

    def notify(self, recipient: str, one: EnvelopeDict) -> Mapping[str, int]:
        self.notified += 1
        if self._failures:
            self._failures -= 1
            raise ConnectionError(recipient)
        return {"epoch": 3, "quotes": 7}

    def report(self, name: str, report: Report) -> None:
        raise AssertionError("a courier reports nothing")


class Rig:
    def __init__(self, peers: Peers) -> None:
        self.cursors: list[tuple[str, int]] = []
        self.quotes: list[tuple[int, Mapping[str, int] | None]] = []
        self.dispatcher = OutboxDispatcher(
            ActorName.MARKET_DATA,
            "funding",
            peers,
            lambda name, cursor: self.cursors.append((name, cursor)),
            lambda _name, count, taken: self.quotes.append((count, taken)),
        )


def test_a_batch_is_repeated_whole_until_it_is_taken_and_its_cursor_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier_module, "RETRY_DELAYS_S", (0.001,))
    peers = Peers(failures=3)
    rig = Rig(peers)
    rig.dispatcher.deliver([envelope(4), envelope(5)])
    until(lambda: bool(rig.cursors))
    rig.dispatcher.stop()
    assert peers.tried == [[4, 5]] * 4 and rig.cursors == [("funding", 5)]
    assert rig.quotes == []


def test_quotes_of_a_lost_delivery_end_at_once_and_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier_module, "RETRY_DELAYS_S", (0.001,))
    peers = Peers(failures=2)
    rig = Rig(peers)
    rig.dispatcher.deliver([envelope(0), envelope(5)])
    until(lambda: bool(rig.cursors))
    rig.dispatcher.stop()
    assert peers.tried == [[0, 5], [5], [5]]
    assert rig.quotes == [(1, None)], "they are counted as ended once"


def test_quotes_that_arrive_are_counted_with_what_the_recipient_says() -> None:
    peers = Peers()
    rig = Rig(peers)
    rig.dispatcher.deliver([envelope(0), envelope(5)])
    rig.dispatcher.notify(envelope(0))
    until(lambda: len(rig.cursors) == 2)
    rig.dispatcher.stop()
    assert [count for count, _ in rig.quotes] == [1, 1]
    assert rig.quotes[0][1] == {"cursor": 5, "epoch": 3, "quotes": 1} and rig.quotes[1][1] == {"epoch": 3, "quotes": 7}
    assert rig.cursors == [("funding", 5), ("funding", 0)], "a quote moves no cursor"


def test_a_quote_for_a_peer_that_is_away_is_dropped_and_the_courier_goes_on() -> None:
    peers = Peers(failures=1)
    rig = Rig(peers)
    rig.dispatcher.notify(envelope(0))
    rig.dispatcher.deliver([envelope(1)])
    until(lambda: len(rig.cursors) == 2)
    rig.dispatcher.stop()
    assert rig.quotes == [(1, None)] and peers.notified == 1 and rig.cursors[-1] == ("funding", 1)


def test_it_is_busy_until_all_that_it_carries_is_back() -> None:
    rig = Rig(Peers())
    assert not rig.dispatcher.is_busy
    rig.dispatcher.deliver([envelope(1)])
    rig.dispatcher.notify(envelope(0))
    until(lambda: len(rig.cursors) == 2)
    assert rig.dispatcher.is_busy
    rig.dispatcher.is_back()
    assert rig.dispatcher.is_busy
    rig.dispatcher.is_back()
    assert not rig.dispatcher.is_busy
    rig.dispatcher.stop()


def test_pauses_grow_and_only_what_has_no_sequence_is_a_quote() -> None:
    assert list(RETRY_DELAYS_S) == sorted(RETRY_DELAYS_S) and RETRY_DELAYS_S[0] > 0 and RETRY_DELAYS_S[-1] <= 1
    assert is_quote(envelope(0)) and not is_quote(envelope(1))
