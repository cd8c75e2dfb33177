"""The switch of one durable actor to another version of the policy (RM-6).

The logic is made anew on the path of a restart: rows, restore, warm, begin. It happens in a step of its own, when the
step before has committed everything and no request to the exchange is under way, so a crash at any point leaves the
version before with the new one waiting, or the new one: never parts of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from actors.runtime.policies.ports import PolicyPort, UnusablePolicyError
from actors.runtime.ports import ClosedBars, Store
from statemachines.actor_logic import ActorLogic, HistoryNeed, StateRow
from statemachines.commands import Commands, JournalLine
from statemachines.conditions import KEY as CONDITIONS_KEY
from statemachines.facts import BarFact, Fact, PerformanceFact
from statemachines.messages.envelope import Envelope
from statemachines.policy.held import KEY, HeldPolicy
from statemachines.state_store import UnreadableRowError, cause_of, restore
from statemachines.values import ActorName

OF_THE_SHELL = (CONDITIONS_KEY, KEY)
"""Keys of rows that belong to the durable actor itself, not to its logic."""


def bring_back(logic: ActorLogic, states: Mapping[str, StateRow], store: ClosedBars, last_start_ms: int) -> None:
    """Restore a new logic from its rows and load the bars that it requires.

    Raises:
        UnreadableRowError: the rows are not ones of this logic.
        StoreUnavailableError: the bars cannot be read now.
    """
    own = {key: row for key, row in states.items() if key not in OF_THE_SHELL}
    restore(logic.name, logic, own, logic.dialect)
    warm(logic, store, last_start_ms)


def warm(logic: ActorLogic, store: ClosedBars, last_start_ms: int) -> None:
    """Load the closed bars that the logic requires, none later than `last_start_ms` (market time)."""
    needs = logic.history_needed()
    bars: dict[HistoryNeed, Sequence[BarFact]] = {}
    for need in needs:
        bars[need] = store.closed_bars(need.category, need.symbol, need.interval, last_start_ms, need.bars)
    if needs:
        logic.warm(bars)


class PolicySwitch:
    """The version that a durable actor decides by. Without a port there is none: nothing is kept or quoted."""

    def __init__(self, actor: ActorName, port: PolicyPort | None) -> None:
        self._actor = actor
        self._port = port
        self._held = HeldPolicy(actor, 0 if port is None else port.version)

    @property
    def version(self) -> int:
        """The number in force; 0 without policies."""
        return self._held.current.number

    def started(self, row: StateRow | None) -> ActorLogic | None:
        """Take up the version of the last incarnation; returns the logic to start with, None for the one that was made
        for the system's start. Raises UnreadableRowError and UnusablePolicyError."""
        if self._port is None:
            return None
        if row is not None:
            self._held.restore(row)
        document = self._held.current.policy
        return None if document is None else self._port.logic(self._actor, document)

    def is_due(self, *, is_at_rest: bool) -> bool:
        """Whether a version waits and can come into force: no request to the exchange is under way."""
        return is_at_rest and self._port is not None and self._held.is_waiting

    def take(self, message: Envelope) -> Commands:
        """Keep a version that has arrived."""
        return [] if self._port is None else self._held.take(message)

    def change(self, store: Store, epoch: int, market_ms: int) -> tuple[ActorLogic | None, Commands]:
        """The version that waits comes into force, or is refused: the logic to decide with from now on (None: the
        present one) and what is to be committed.

        Raises:
            StoreUnavailableError, FencedError: nothing has changed.
        """
        held, port = self._held, self._port
        assert port is not None and held.next is not None
        try:
            if not port.concerns(self._actor, held.current.policy, held.next.policy):
                return None, held.apply()
            logic = port.logic(self._actor, held.next.policy)
            bring_back(logic, store.load(self._actor, epoch).states, store, market_ms)
        except UnusablePolicyError as error:
            return None, held.refuse(str(error))
        except UnreadableRowError as error:
            return None, held.refuse(cause_of(error))
        return logic, [*held.apply(), *logic.begin(market_ms)]

    @property
    def origin(self) -> tuple[str, str]:
        """Cause and trace of what the next change commits: those of the message that brought the version."""
        waiting = self._held.next
        assert waiting is not None
        return waiting.cause, waiting.trace

    def quoted(self, line: JournalLine) -> JournalLine:
        """The journal line with the version that the decision was made under."""
        if self._port is None or line.is_bookkeeping:
            return line
        return replace(line, data={**line.data, "policy_version": self.version})

    def stamped(self, fact: Fact) -> Fact:
        """A record of what was achieved, with the version that was in force (P4); others as they are."""
        if self._port is None or not isinstance(fact, PerformanceFact):
            return fact
        return fact.model_copy(update={"policy_version": self.version})

    def dirty(self) -> Sequence[StateRow]:
        """Its row, if it has changed since the last call."""
        if self._port is None or not self._held.is_dirty:
            return ()
        self._held.is_dirty = False
        return (self._held.row(),)
