"""The only form of state machine in this project: a literal table and objects that move along it, on `transitions`.

A `Table` is built once per kind of machine. A `StateMachine` owns its state, which only a firing along the library's
arrows can change. Decisions are made in plain methods of the machines, never in callbacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from transitions import Machine

from statemachines.commands import JournalEntry, Remark

S = TypeVar("S", bound=Enum)


class IllegalTransitionError(Exception):
    """A trigger was fired in a state for which the table has no such row; nothing has changed (EX-2)."""


class UnknownStateError(ValueError):
    """A durable row names a state that the machine's table does not have."""


class Row(NamedTuple, Generic[S]):
    """One arrow of the diagram: `trigger` leads from `source` to `dest`; `why` cites the rule by its ID."""

    trigger: str
    source: S
    dest: S
    why: str


class Table(Generic[S]):
    """The complete transition table of one kind of machine (CH-5, TR-15, FU-10, TA-11, EX-1, RM-2).

    One `transitions.Machine` serves all objects of the kind. It keeps no list of them, so that an order that has ended
    is not held in memory by its table.

    Raises:
        ValueError: a state has no Russian name or cannot be reached, or two rows have the same trigger and source.
    """

    def __init__(self, name: str, initial: S, rows: Sequence[Row[S]], russian: Mapping[S, str]) -> None:
        self.name = name
        self.initial = initial
        self.states: type[S] = type(initial)
        self.rows = tuple(rows)
        self.russian = dict(russian)
        missing = [state.name for state in self.states if state not in self.russian]
        if missing:
            raise ValueError(f"machine {name}: no Russian name for the states {missing}")
        arrows = [(row.trigger, row.source.name) for row in self.rows]
        twice = sorted({arrow for arrow in arrows if arrows.count(arrow) > 1})
        if twice:
            raise ValueError(f"machine {name}: more than one row for trigger and state {twice}")
        reached = {self.initial, *(row.dest for row in self.rows)}
        lost = [state.name for state in self.states if state not in reached]
        if lost:
            raise ValueError(f"machine {name}: no row leads to the states {lost}")
        self.machine = Machine(
            model=None,
            states=list(self.states),
            initial=initial,
            auto_transitions=False,
            transitions=[{"trigger": r.trigger, "source": r.source, "dest": r.dest} for r in self.rows],
        )
        self._moves: dict[str, dict[S, S]] = {
            trigger: {
                self.states[source]: self.states[str(arrows[0].dest)] for source, arrows in event.transitions.items()
            }
            for trigger, event in self.machine.events.items()
        }

    def after(self, trigger: str, source: S) -> S | None:
        """Where the machine of the library leads; None where it has no such arrow. It is asked once, when the table is
        built: without callbacks and conditions its answer never changes, and asking it at each firing was a third of
        the order manager's work."""
        return self._moves.get(trigger, {}).get(source)

    def triggers(self, state: S) -> set[str]:
        """The triggers that are legal in `state`."""
        return {row.trigger for row in self.rows if row.source == state}

    def mermaid(self) -> str:
        """The diagram of this table as Mermaid text, with the specification's Russian names."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial.name}"]
        lines += [f"    {state.name}: {state.name} ({self.russian[state]})" for state in self.states]
        lines += [f"    {r.source.name} --> {r.dest.name}: {r.trigger}" for r in self.rows]
        return "\n".join(lines)


class StateMachine(Generic[S]):
    """One object that follows a table: `key` is its name in the journal, e.g. "BTC". It starts in the table's initial
    state.

    A kind of machine is a subclass with its `TABLE`; `IS_BOOKKEEPING` marks kinds whose movements depend on the network
    rather than on a rule, so that they are left out when two runs are compared.
    """

    __slots__ = ("__weakref__", "_state", "key")

    TABLE: ClassVar[Table[Any]]
    IS_BOOKKEEPING: ClassVar[bool] = False

    def __init__(self, key: str) -> None:
        self.key = key
        self._state: S = self.TABLE.initial

    @classmethod
    def restored(cls, key: str, state: str) -> Self:
        """The machine restored from a durable row.

        Raises:
            UnknownStateError: the table has no such state.
        """
        made = cls(key)
        made._state = made._known(state)
        return made

    def _known(self, state: str) -> S:
        try:
            found: S = self.TABLE.states(state)
        except ValueError:
            allowed = [one.value for one in self.TABLE.states]
            raise UnknownStateError(
                f"machine {self.TABLE.name} {self.key!r}: the state {state!r} is not one of its table; "
                f"allowed: {allowed}"
            ) from None
        return found

    @property
    def state(self) -> S:
        """The current state. Only `fire` changes it."""
        return self._state

    def fire(self, trigger: str, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """Move along one row of the table and return the journal entry.

        `reason` is a sentence with the numbers that led to it, `data` carries the same numbers by name.

        Raises:
            IllegalTransitionError: the table has no such row; nothing has changed.
        """
        source = self._state
        dest: S | None = self.TABLE.after(trigger, source)
        if dest is None:
            raise IllegalTransitionError(
                f"machine {self.TABLE.name}: trigger {trigger!r} is not allowed in state {source.name}; "
                f"allowed: {sorted(self.TABLE.triggers(source))}"
            )
        self._state = dest
        return JournalEntry(
            self.key, trigger, source.value, self._state.value, reason, data, self.TABLE.name, self.IS_BOOKKEEPING
        )

    def remark(self, trigger: str, reason: str, data: Mapping[str, Any]) -> Remark:
        """A journal line for a decision that changes no state (a stop moved, a position cut)."""
        return Remark(self.key, trigger, reason, data, self._state.value, self.IS_BOOKKEEPING)
