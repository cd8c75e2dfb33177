"""State time lines from the journal: which machine stood where, from when to when."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from infra.backtest.records import RunRecord

_SHORT_LIVED = ("order-manager", "market-data", "api")
"""Actors whose machines are single orders or the component itself; their lines would be thousands."""

_NOT_A_MACHINE = ("transfer", "daily-cycle")
"""Many movements at once under one key, and the cycle that comes and goes within an instant: no time lines."""


@dataclass(frozen=True, slots=True)
class Stay:
    """One machine in one state from `from_ms` to `to_ms`."""

    actor: str
    machine: str
    state: str
    from_ms: int
    to_ms: int


def stays_of(record: RunRecord) -> list[Stay]:
    """Every stay that lasted, per actor and machine in the order of time; what came and went at one instant is left
    out. A machine stands in its first known state since its first line (one-per-run machines: since the start)."""
    moved = record.transitions.filter(
        (pl.col("source") != pl.col("target"))
        & ~pl.col("actor").is_in(_SHORT_LIVED)
        & ~pl.col("machine").is_in(_NOT_A_MACHINE)
    ).sort("ts_ms", maintain_order=True)
    found: list[Stay] = []
    for (actor, machine), rows in moved.group_by(["actor", "machine"], maintain_order=True):
        since_ms = _begin_ms(record, str(actor), int(rows["ts_ms"][0]))
        state = str(rows["source"][0])
        for ts_ms, target in rows.select("ts_ms", "target").iter_rows():
            if ts_ms > since_ms:
                found.append(Stay(str(actor), str(machine), state, since_ms, ts_ms))
            since_ms, state = ts_ms, str(target)
        if record.facts.to_ms > since_ms:
            found.append(Stay(str(actor), str(machine), state, since_ms, _end_ms(record)))
    return _joined(found)


def _begin_ms(record: RunRecord, actor: str, first_ms: int) -> int:
    """TACTICAL begins a new machine per deployment; all others stand from the start."""
    return first_ms if actor.lower() == "tactical" else min(record.facts.from_ms, first_ms)


def _end_ms(record: RunRecord) -> int:
    return min(record.facts.to_ms, record.facts.ended_ms) if record.facts.ended_ms else record.facts.to_ms


def _joined(stays: list[Stay]) -> list[Stay]:
    """Neighbours in the same state become one."""
    joined: list[Stay] = []
    for stay in stays:
        last = joined[-1] if joined else None
        if (
            last is not None
            and (last.actor, last.machine, last.state) == (stay.actor, stay.machine, stay.state)
            and last.to_ms == stay.from_ms
        ):
            joined[-1] = Stay(stay.actor, stay.machine, stay.state, last.from_ms, stay.to_ms)
        else:
            joined.append(stay)
    return joined


def time_in_state(stays: list[Stay]) -> list[tuple[str, str, str, int, float]]:
    """Actor, machine, state, number of stays and share of that machine's time."""
    whole: dict[tuple[str, str], int] = {}
    parts: dict[tuple[str, str, str], tuple[int, int]] = {}
    for stay in stays:
        length = stay.to_ms - stay.from_ms
        whole[stay.actor, stay.machine] = whole.get((stay.actor, stay.machine), 0) + length
        count, total = parts.get((stay.actor, stay.machine, stay.state), (0, 0))
        parts[stay.actor, stay.machine, stay.state] = (count + 1, total + length)
    return [(*key, count, total / whole[key[0], key[1]]) for key, (count, total) in sorted(parts.items())]
