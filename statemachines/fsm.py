"""The one way a state machine is written here: a literal table on top of `transitions`.

A `Table` is built once per kind of machine; the machines themselves are plain objects that hold a `state`
and fire triggers through the table. Decisions stand in plain methods of the machines, never in callbacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

from transitions import Machine, MachineError

S = TypeVar("S", bound=Enum)


class IllegalTransitionError(Exception):
    """A trigger was fired in a state whose table has no such row; nothing has changed (EX-2)."""


class Row(NamedTuple, Generic[S]):
    """One arrow of the diagram: `trigger` leads from `source` to `dest`; `why` names the rule (its ID)."""

    trigger: str
    source: S
    dest: S
    why: str


class _Probe:
    """The model that the shared `transitions.Machine` moves; it only ever carries a state for one call."""

    state: Any = None


class Table(Generic[S]):
    """The complete transition table of one kind of machine (CH-5, TR-15, FU-10, TA-11, EX-1, RM-2)."""

    def __init__(self, name: str, initial: S, rows: Sequence[Row[S]], russian: Mapping[S, str]) -> None:
        self.name = name
        self.initial = initial
        self.states: type[S] = type(initial)
        self.rows = tuple(rows)
        self.russian = dict(russian)
        missing = [state.name for state in self.states if state not in self.russian]
        if missing:
            raise ValueError(f"machine {name}: no Russian name for the states {missing}")
        self._probe = _Probe()
        self._machine = Machine(
            model=self._probe,
            states=list(self.states),
            initial=initial,
            auto_transitions=False,
            transitions=[{"trigger": r.trigger, "source": r.source, "dest": r.dest} for r in self.rows],
        )

    def fire(self, state: S, trigger: str) -> S:
        """The state that `trigger` leads to from `state`.

        Raises:
            IllegalTransitionError: the table has no such row.
        """
        self._machine.set_state(state, self._probe)
        try:
            self._machine.events[trigger].trigger(self._probe)
        except (MachineError, KeyError) as error:
            raise IllegalTransitionError(
                f"machine {self.name}: trigger {trigger!r} is not allowed in state {state.name}; "
                f"allowed: {sorted(self.triggers(state))}"
            ) from error
        result: S = self.states(self._probe.state)
        return result

    def triggers(self, state: S) -> set[str]:
        """The triggers that are legal in `state`."""
        return {row.trigger for row in self.rows if row.source == state}

    def mermaid(self) -> str:
        """The diagram of this table as Mermaid text, with the specification's Russian names."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial.name}"]
        lines += [f"    {state.name}: {state.name} ({self.russian[state]})" for state in self.states]
        lines += [f"    {r.source.name} --> {r.dest.name}: {r.trigger}" for r in self.rows]
        return "\n".join(lines)
