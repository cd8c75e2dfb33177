"""RM-5 on the real system: a halt is in force at every actor within a second of its commit, also while one is dead.

The exchange's own list of orders is the judge: none was created there later.
"""

from __future__ import annotations

import os
import signal

import pytest

from statemachines.values import ActorName
from tests.chaos.orders.books import Books
from tests.chaos.orders.feeder import Feeder, Shape
from tests.chaos.orders.system import BurstAssembly, BurstSystem, make_config
from tests.chaos.rig import Drill, drill_folder, running

pytestmark = [pytest.mark.ray, pytest.mark.drill, pytest.mark.timeout(600)]

IN_FORCE_MS = 1_000
"""RM-5: within one second of the commit."""
SHAPE = Shape(waves=12, count=10, pause_s=0.25)
ENOUGH = 40
"""Orders at the exchange after which the burst is in full flow."""


def test_rm5_after_a_halt_no_order_reaches_the_exchange_also_while_the_order_manager_is_dead(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """First with everything alive, in the middle of a burst. Then the order manager is killed in one, GLOBAL is halted
    while it is dead, and what it finds at its return (requests under way, approvals that waited for it) stays here."""
    with drill_folder() as folder, running(make_config(folder, 7), BurstAssembly, BurstSystem) as drill:
        feeder, books = Feeder(drill.system), Books(drill)
        try:
            late_ms = _halt_alive(drill, feeder, books)
            drill.control("normal", "GLOBAL", "the next part")
            kept = _halt_while_dead(drill, feeder, books)
            drill.control("normal", "GLOBAL", "the last part")
            _halt_without_the_risk_manager(drill, feeder, books)
        finally:
            feeder.end()
    with capsys.disabled():
        print(f"\nnewest order {late_ms} ms after the halt's commit was answered; {kept} approved orders kept back")  # noqa: T201


def _halt_alive(drill: Drill, feeder: Feeder, books: Books) -> int:
    """The age of the newest order at the exchange when the halt had been answered, negative: ms it came later."""
    since_ms = books.exchange_ms()
    feeder.begin(SHAPE)
    drill.wait("orders at the exchange", lambda: len(books.created_ms(since_ms)) >= ENOUGH)
    drill.control("halt", "GLOBAL", "a drill")
    answered_ms = books.exchange_ms()
    drill.wait("the end of the burst", lambda: feeder.is_done and _is_done(books))
    created = books.created_ms(since_ms)
    late_ms = max(created) - answered_ms
    assert late_ms <= IN_FORCE_MS, f"an order was created {late_ms} ms after the halt was answered"
    assert len(created) < SHAPE.orders, "all orders were sent before the halt: nothing is proven"
    return late_ms


def _halt_while_dead(drill: Drill, feeder: Feeder, books: Books) -> int:
    """How many orders were approved before the halt, waited for the order manager and never left."""
    since_ms, before = books.exchange_ms(), books.approved()
    feeder.begin(SHAPE)
    drill.wait("orders at the exchange", lambda: len(books.created_ms(since_ms)) >= ENOUGH)
    pid = drill.pid(ActorName.ORDER_MANAGER)
    os.kill(pid, signal.SIGKILL)
    drill.control("halt", "GLOBAL", "the order manager is dead")
    answered_ms = books.exchange_ms()
    name = ActorName.ORDER_MANAGER
    drill.wait("its return", lambda: drill.is_running(name) and drill.pid(name) not in (0, pid))
    drill.wait("the end of the burst", lambda: feeder.is_done and _is_done(books))
    created = books.created_ms(since_ms)
    assert max(created) <= answered_ms, f"an order was created {max(created) - answered_ms} ms after the halt"
    kept = books.approved() - before - len(created)
    assert kept > 0, "nothing waited for the order manager: nothing is proven"
    return kept


def _halt_without_the_risk_manager(drill: Drill, feeder: Feeder, books: Books) -> None:
    """The actor that owns the switches is the dead one: the orchestrator accepts the halt, and hands it over later."""
    since_ms, name = books.exchange_ms(), ActorName.RISK_MANAGER
    feeder.begin(SHAPE)
    drill.wait("orders at the exchange", lambda: len(books.created_ms(since_ms)) >= ENOUGH)
    pid = drill.pid(name)
    os.kill(pid, signal.SIGKILL)
    drill.control("halt", "GLOBAL", "the risk manager is dead")
    answered_ms = books.exchange_ms()
    drill.wait("its return", lambda: drill.is_running(name) and drill.pid(name) not in (0, pid))
    drill.wait("the end of the burst", lambda: feeder.is_done and _is_done(books))
    late_ms = max(books.created_ms(since_ms)) - answered_ms
    assert late_ms <= IN_FORCE_MS, f"an order was created {late_ms} ms after the halt was answered"
    drill.wait("the handing over", lambda: books.commands()[-1:] == [("halt", "the risk manager is dead")])
    assert books.held() == ["the risk manager is dead"], "it did not go to the orchestrator: nothing is proven"


def _is_done(books: Books) -> bool:
    """Whether every intent signalled has its end on record."""
    intents, ended = books.counts()
    return intents == ended
