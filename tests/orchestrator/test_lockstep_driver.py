"""The thread that moves market time (DESIGN 3): it asks the exchange only when the exchange can have changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.runtime.ports import Report, Step
from orchestrator.lockstep_driver import LockstepDriver
from orchestrator.quiescence import QuiescenceTracker
from statemachines.actor_logic import Lookahead
from statemachines.values import ActorName
from tests.waiting import until

RISK, ORDERS = ActorName.RISK_MANAGER, ActorName.ORDER_MANAGER


class _Exchange:
    """Stands at 100 until it is asked to go to a later instant; then its market ends."""

    def __init__(self, queued: int = 0) -> None:
        self.asked: list[int | None] = []
        self._queued = queued

    def status(self) -> Step:
        return Step(1, 100, True, False)

    def advance(self, step: int, until_ms: int | None, lookahead: Lookahead, handled: Mapping[str, int]) -> Step:
        self.asked.append(until_ms)
        if until_ms == 100:
            return Step(step + 1, 100, True, False, queued=self._queued)
        return Step(step + 1, 200, True, True)


class _Rig:
    """Two actors due at 100. What an actor reports after its tick is up to the test."""

    def __init__(self, exchange: _Exchange, calls: Mapping[ActorName, int]) -> None:
        self.ticks: list[ActorName] = []
        self._calls = calls
        self.driver = LockstepDriver(QuiescenceTracker((RISK, ORDERS)), exchange, self._tick, lambda: None, 0.0)

    def run(self) -> None:
        for name in (RISK, ORDERS):
            self.report(name, ticks=0, deadline_ms=100)
        self.driver.start()
        self.driver.open()
        until(lambda: self.driver.state == "ENDED")

    def _tick(self, name: ActorName, now_ms: int) -> None:
        assert now_ms == 100
        self.ticks.append(name)
        self.report(name, ticks=1, calls=self._calls.get(name, 0))

    def report(self, name: ActorName, **fields: Any) -> None:
        self.driver.report(name, Report(incarnation=1, idle=True, **fields))


def test_actors_due_at_one_instant_are_ticked_after_one_look_at_the_exchange() -> None:
    exchange = _Exchange()
    rig = _Rig(exchange, {})
    rig.run()
    assert rig.ticks == [ORDERS, RISK]
    assert exchange.asked == [100, None]


def test_a_request_between_two_ticks_makes_it_look_again() -> None:
    exchange = _Exchange()
    rig = _Rig(exchange, {ORDERS: 1})
    rig.run()
    assert rig.ticks == [ORDERS, RISK]
    assert exchange.asked == [100, 100, None], "the request may have led to frames that nobody has counted yet"


def test_frames_still_queued_are_fetched_before_the_next_tick() -> None:
    exchange = _Exchange(queued=1)
    rig = _Rig(exchange, {})
    rig.run()
    assert exchange.asked == [100, 100, None]


def test_a_lockstep_driver_that_has_failed_reports_it() -> None:
    """Its thread ended with the exception, its state still said RUNNING, and the market stood still for ever: now the
    launch reads FAILED and replaces the orchestrator."""

    class _Odd(_Exchange):
        def advance(self, step: int, until_ms: int | None, lookahead: Lookahead, handled: Mapping[str, int]) -> Step:
            raise ValueError("an answer that nobody can read")

    rig = _Rig(_Odd(), {})
    for name in (RISK, ORDERS):
        rig.report(name, ticks=0, deadline_ms=None)
    rig.driver.start()
    rig.driver.open()
    until(lambda: rig.driver.state == "FAILED")
    assert "an answer that nobody can read" in rig.driver.why


def test_without_the_lease_market_time_stands_still() -> None:
    """An orchestrator that was frozen moved the exchange beside its successor's driver."""
    exchange, is_held = _Exchange(), False
    driver = LockstepDriver(QuiescenceTracker((RISK,)), exchange, lambda *_: None, lambda: None, 0.0, lambda: is_held)
    driver.report(RISK, Report(incarnation=1, idle=True, deadline_ms=150))
    driver.start()
    driver.open()
    until(lambda: "lease" in driver.why)
    assert exchange.asked == []
    is_held = True
    driver.report(RISK, Report(incarnation=1, idle=True, deadline_ms=150))
    until(lambda: exchange.asked != [])
    driver.stop()
