"""The cost of one firing of a state machine: ours, bare `transitions`, and a lower bound for both.

`python -m benchmarks.machines`: the transitions of one order are fired repeatedly, in several rounds whose order
changes; the best round is reported, since other load on the machine can only add time. "Probe" is the earlier
implementation: a throw-away model that the library moves and whose state is then copied.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from transitions import Machine
from transitions import __version__ as transitions_version

from benchmarks.common import print_machine, print_table
from statemachines.commands import JournalEntry
from statemachines.execution.orders.child_order_machine import TABLE, ChildOrderMachine, OrderState

LIFE = ("validate", "send", "acknowledge", "open", "fill_part", "fill_all")
ROWS = {(row.trigger, row.source): row.dest for row in TABLE.rows}
Lives = Callable[[int], None]


class Model:
    """The model of bare `transitions`."""

    def __init__(self) -> None:
        self.state: Any = OrderState.CREATED


BARE = Machine(
    model=None,
    states=list(OrderState),
    initial=OrderState.CREATED,
    auto_transitions=False,
    transitions=[{"trigger": r.trigger, "source": r.source, "dest": r.dest} for r in TABLE.rows],
)


def ours(lives: int) -> None:
    for _ in range(lives):
        machine = ChildOrderMachine("trend-1-1/1")
        for trigger in LIFE:
            _entry = machine.fire(trigger, "a reason", {})


def bare(lives: int) -> None:
    for _ in range(lives):
        model = Model()
        for trigger in LIFE:
            BARE.events[trigger].trigger(model)


def probe(lives: int) -> None:
    model = Model()
    for _ in range(lives):
        state = OrderState.CREATED
        for trigger in LIFE:
            BARE.set_state(state, model)
            BARE.events[trigger].trigger(model)
            source, state = state, OrderState(model.state)
            _entry = JournalEntry("trend-1-1/1", trigger, source, state, "a reason", {})


def plain(lives: int) -> None:
    for _ in range(lives):
        state = OrderState.CREATED
        for trigger in LIFE:
            source, state = state, ROWS[trigger, state]
            _entry = JournalEntry("trend-1-1/1", trigger, source.value, state.value, "a reason", {}, "order", True)


WAYS: dict[str, Lives] = {
    "StateMachine.fire": ours,
    "probe, as before": probe,
    "bare transitions, no entry": bare,
    "a dictionary and an entry": plain,
}


def microseconds(rounds: int, lives: int) -> dict[str, float]:
    """The best round of each variant, per firing."""
    best = dict.fromkeys(WAYS, float("inf"))
    names = list(WAYS)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            begun = time.perf_counter()
            WAYS[name](lives)
            best[name] = min(best[name], (time.perf_counter() - begun) / (lives * len(LIFE)) * 1e6)
    return best


def bytes_per_machine(number: int = 20_000) -> float:
    """Memory used by one machine."""
    tracemalloc.start()
    held = [ChildOrderMachine("trend-1-1/1") for _ in range(number)]
    size = tracemalloc.get_traced_memory()[0] / len(held)
    tracemalloc.stop()
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--lives", type=int, default=500)
    options = parser.parse_args()
    print_machine(f"One firing of a state machine (transitions {transitions_version})")
    found = microseconds(options.rounds, options.lives)
    ours_us = found["StateMachine.fire"]
    rows = [(name, f"{cost:.2f}", f"{ours_us / cost:.2f}") for name, cost in found.items()]
    print_table(("variant", "µs per firing", "ours as a multiple"), rows)
    print(f"\none machine takes {bytes_per_machine():.0f} bytes; its table holds no reference to it")


if __name__ == "__main__":
    main()
