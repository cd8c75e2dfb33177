"""The database's behaviour in memory: for the backtest and for simulations that crash and resume.

It outlives the shells that use it, so that a crash loses exactly what was not committed. The same suite of
tests judges it and the PostgreSQL store.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.runtime.ports import (
    Claimant,
    Commit,
    EnvelopeDict,
    ExchangeCallRow,
    Fence,
    FencedError,
    JournalRow,
    LeaseHeldError,
    Loaded,
)
from statemachines.actor_logic import StateRow
from statemachines.facts import BarFact, Fact, HeldCommandFact, OperatorCommandFact, SwitchFact
from statemachines.limits.entry_gate import scopes_of
from statemachines.values import ActorName

BLOCKING = frozenset({"PAUSED", "REDUCE_ONLY", "HALTED"})
"""Switch states in which a gated request must not leave (RM-2, RM-5)."""


@dataclass(slots=True)
class _ActorRows:
    epoch: int = 0
    number: int = 0
    market_ms: int = 0
    next_seq: int = 1
    states: dict[str, StateRow] = field(default_factory=dict)
    cursors: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[str, int] = field(default_factory=dict)
    last_sent: dict[str, int] = field(default_factory=dict)
    outbox: list[EnvelopeDict] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    pending: dict[str, ExchangeCallRow] = field(default_factory=dict)
    journal: list[JournalRow] = field(default_factory=list)
    writer: int = 0
    """The epoch of the newest commit."""

    blocked: frozenset[str] = frozenset()
    """What a switch blocked of the newest commit, for its repetition."""


@dataclass(slots=True)
class _LeaseRow:
    run: str = ""
    place: str = ""
    shown: str = ""
    epoch: int = 0
    expires_s: float = 0.0


class MemoryStore:
    """Implements `ports.Store` and `ports.LeaseRegister`. `journal(actor)` and `facts(table)` read back what was
    committed.

    `bars_kept`: closed bars remembered per series, oldest dropped first; None keeps all. No logic needs more than the
    longest warm-up, and bars are most of what years of history would fill the memory with. `now_s` is the clock of the
    lease.
    """

    def __init__(self, bars_kept: int | None = None, now_s: Callable[[], float] = time.monotonic) -> None:
        self._actors: dict[str, _ActorRows] = defaultdict(_ActorRows)
        self._facts: dict[str, dict[tuple[Any, ...], Fact]] = defaultdict(dict)
        self._bars: dict[tuple[str, str, str], dict[int, BarFact]] = defaultdict(dict)
        self._bars_kept = bars_kept
        self._now_s = now_s
        self._lease = _LeaseRow()

    def grant(self, actor: str, holder: str, under: int | None = None) -> int:
        if under is not None and self._lease.epoch != under:
            raise FencedError(f"orchestrator {under} has not the lease any more: {actor} gets no epoch from it")
        rows = self._actors[actor]
        rows.epoch += 1
        return rows.epoch

    def load(self, actor: str, epoch: int) -> Loaded:
        rows = self._owned(actor, epoch)
        return Loaded(
            number=rows.number,
            market_ms=rows.market_ms,
            next_seq=rows.next_seq,
            states=dict(rows.states),
            cursors=dict(rows.cursors),
            acknowledged=dict(rows.acknowledged),
            last_sent=dict(rows.last_sent),
            outbox=list(rows.outbox),
            pending=list(rows.pending.values()),
        )

    def commit(self, commit: Commit) -> frozenset[str]:
        rows = self._owned(commit.actor, commit.epoch)
        if commit.number == rows.number and commit.epoch == rows.writer:
            return rows.blocked  # it had landed and its outcome was lost
        if commit.number != rows.number + 1:
            raise FencedError(
                f"commit {commit.number} of {commit.actor} does not follow {rows.number}: another one wrote"
            )
        rows.number, rows.market_ms, rows.next_seq = commit.number, commit.market_ms, commit.next_seq
        for state in commit.states:
            rows.states[state.key] = state
        rows.cursors.update(commit.cursors)
        rows.known.update(commit.known)
        rows.acknowledged.update(commit.acknowledged)
        for envelope in commit.outbox:
            rows.last_sent.update(dict.fromkeys(envelope["to"], envelope["seq"]))
            rows.outbox.append(envelope)
        if commit.acknowledged:
            rows.outbox = [envelope for envelope in rows.outbox if not _has_arrived(envelope, rows.acknowledged)]
        for key in commit.answered:
            rows.pending.pop(key, None)
        for call in commit.calls:
            rows.pending[call.call.key] = call
        if commit.journal:
            self._keep_journal(commit.actor, commit.journal)
        for fact in commit.facts:
            self._write(fact)
        rows.writer = commit.epoch
        rows.blocked = frozenset(row.call.key for row in commit.calls if self._is_blocked(row))
        return rows.blocked

    def holds(self, actor: str, epoch: int) -> bool:
        return self._actors[actor].epoch == epoch

    def fence(self, actor: str, epoch: int, gates: Collection[str] = ()) -> Fence:
        return Fence(self.holds(actor, epoch), self._forbidding({scope for gate in gates for scope in scopes_of(gate)}))

    def is_known(self, actor: str, natural_ids: Sequence[str]) -> frozenset[str]:
        return frozenset(natural_ids) & self._actors[actor].known

    def closed_bars(
        self, category: str, symbol: str, interval: str, last_start_ms: int, count: int
    ) -> Sequence[BarFact]:
        bars = self._bars[(category, symbol, interval)].values()
        return sorted((bar for bar in bars if bar.start_ms <= last_start_ms), key=lambda bar: bar.start_ms)[-count:]

    # --- ports.LeaseRegister ---

    def claim(self, claimant: Claimant, seconds: float) -> None:
        lease = self._lease
        if lease.run != claimant.run:
            if lease.run and lease.expires_s > self._now_s() and lease.place != claimant.place:
                raise LeaseHeldError(lease.shown, seconds)
            for rows in self._actors.values():
                rows.epoch += 1
            lease.run, lease.place, lease.shown, lease.epoch = claimant.run, claimant.place, claimant.shown, 0
        lease.expires_s = self._now_s() + seconds

    def succeed(self, run: str, seconds: float) -> int:
        lease = self._lease
        if lease.run != run:
            raise LeaseHeldError(lease.shown, seconds)
        lease.epoch = self.grant(ActorName.ORCHESTRATOR, lease.shown)
        lease.expires_s = self._now_s() + seconds
        return lease.epoch

    def renew(self, epoch: int, seconds: float) -> None:
        if self._lease.epoch != epoch:
            raise FencedError(f"the lease of orchestrator {epoch} is over: {self._lease.shown} has it now")
        self._lease.expires_s = self._now_s() + seconds

    def release(self, run: str) -> None:
        if self._lease.run == run:
            self._lease = _LeaseRow()

    def journal(self, actor: str) -> Sequence[JournalRow]:
        return tuple(self._actors[actor].journal)

    def facts(self, table: str) -> Sequence[Fact]:
        return tuple(self._facts[table].values())

    def _keep_journal(self, actor: str, lines: Sequence[JournalRow]) -> None:
        self._actors[actor].journal.extend(lines)

    def _owned(self, actor: str, epoch: int) -> _ActorRows:
        rows = self._actors[actor]
        if rows.epoch != epoch:
            raise FencedError(f"epoch {epoch} of {actor} is over; {rows.epoch} holds it now")
        return rows

    def _write(self, fact: Fact) -> None:
        if isinstance(fact, BarFact):
            self._keep_bar(fact)
            return
        key = tuple(getattr(fact, name) for name in fact.KEY)
        table = self._facts[fact.TABLE]
        if fact.ONCE and key in table:
            return
        table[key] = fact

    def _keep_bar(self, bar: BarFact) -> None:
        series = self._bars[(bar.category, bar.symbol, bar.interval)]
        series.setdefault(bar.start_ms, bar)
        if self._bars_kept is not None and len(series) > self._bars_kept:
            del series[next(iter(series))]

    def _is_blocked(self, row: ExchangeCallRow) -> bool:
        return row.call.gate is not None and bool(self._forbidding(scopes_of(row.call.gate)))

    def _forbidding(self, scopes: Collection[str]) -> dict[str, str]:
        """Those of the scopes whose switch forbids new risk, with its state."""
        carried_out = self._facts[OperatorCommandFact.TABLE]
        switches = [one for one in self._facts[SwitchFact.TABLE].values() if isinstance(one, SwitchFact)]
        held = [one for one in self._facts[HeldCommandFact.TABLE].values() if isinstance(one, HeldCommandFact)]
        waiting = [one for one in held if (one.command_id,) not in carried_out]
        states = [(one.scope, str(one.state)) for one in switches] + [(one.scope, str(one.state)) for one in waiting]
        return {scope: state for scope, state in states if scope in scopes and state in BLOCKING}


def _has_arrived(envelope: EnvelopeDict, acknowledged: dict[str, int]) -> bool:
    return all(acknowledged.get(name, 0) >= envelope["seq"] for name in envelope["to"])
