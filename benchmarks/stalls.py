"""Where the slow orders of a run were: the episodes above a limit, with the stage that took the longest in each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from benchmarks.order_probe import STAGES, Stamps

APART_S = 0.3
"""Slow orders signalled closer together than this belong to one episode."""

SHOWN = 12


class Episode(NamedTuple):
    """Orders in a row that were slower than the limit; instants in seconds since the first signal."""

    begin_s: float
    end_s: float
    orders: int
    worst_ms: float
    stage: str
    stage_ms: float


def episodes(stamps: Stamps, limit_ms: float) -> list[Episode]:
    """The episodes of a part, the one with the most orders first."""
    signals, ended = stamps[STAGES[0]], stamps[STAGES[-1]]
    if not ended:
        return []
    first = min(signals.values())
    slow = sorted((signals[name], name) for name, at in ended.items() if (at - signals[name]) * 1000 > limit_ms)
    groups: list[list[tuple[float, str]]] = []
    for at, name in slow:
        if groups and at - groups[-1][-1][0] < APART_S:
            groups[-1].append((at, name))
        else:
            groups.append([(at, name)])
    found = []
    for group in groups:
        worst = max((name for _, name in group), key=lambda name: ended[name] - signals[name])
        stages = [
            (stamps[b][worst] - stamps[a][worst], f"{a} → {b}") for a, b in pairwise(STAGES) if worst in stamps[a]
        ]
        longest_s, stage = max(stages)
        worst_ms = (ended[worst] - signals[worst]) * 1000
        found.append(Episode(group[0][0] - first, group[-1][0] - first, len(group), worst_ms, stage, longest_s * 1000))
    return sorted(found, key=lambda one: -one.orders)


def lines(found: list[Episode], orders: int, limit_ms: float) -> list[str]:
    """The episodes, to be read."""
    total = sum(one.orders for one in found)
    text = [
        f"slower than {limit_ms:g} ms: {total} of {orders} orders ({total / max(orders, 1):.2%}), {len(found)} episodes"
    ]
    text += [
        f"  {one.begin_s:8.2f} to {one.end_s:8.2f} s: {one.orders:5d} orders, worst {one.worst_ms:7.0f} ms, of it "
        f"{one.stage} {one.stage_ms:.0f} ms"
        for one in found[:SHOWN]
    ]
    return text + ([f"  and {len(found) - SHOWN} smaller ones"] if len(found) > SHOWN else [])


class Machine(NamedTuple):
    """Processor seconds of the whole machine so far: used by any process, taken by the host, waited for a disk."""

    used_s: float
    stolen_s: float
    disk_s: float

    @classmethod
    def now(cls) -> Machine:
        """As the kernel has counted."""
        user, nice, system, _idle, disk, irq, soft, steal, *_ = map(
            int, Path("/proc/stat").read_text().splitlines()[0].split()[1:]
        )
        tick = os.sysconf("SC_CLK_TCK")
        return cls((user + nice + system + irq + soft) / tick, steal / tick, disk / tick)


def beside(before: Machine, after: Machine, ours: Mapping[str, float]) -> dict[str, float]:
    """What else the machine did meanwhile: `ours` are the processor seconds of the system's own processes, by role."""
    return {
        "processor time of everything else on the machine, s": after.used_s - before.used_s - sum(ours.values()),
        "processor time taken by the host, s": after.stolen_s - before.stolen_s,
        "processors idle for the disk, s": after.disk_s - before.disk_s,
    }
