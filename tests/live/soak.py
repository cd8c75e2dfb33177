"""`python -m tests.live.soak --minutes 120`: the profile testnet for hours, with faults from a scenario.

Memory, threads, files and sockets of every process, queues and working rows of the database are sampled; a series that
grows fails the run, as does an alert that the scenario does not explain, and a system that is not well at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import httpx

from infra.simulator.faults.catalogue import Fault
from infra.simulator.faults.scenario import Scenario, read_scenario
from tests.live.series import FEWEST, not_flat, trend
from tests.live.world import World, running_world

SCENARIO = Path(__file__).with_name("soak.toml")
SAMPLE_S = 10.0
WARM_UP = 0.2
"""The first part of the samples is not judged: caches fill, the allocator settles."""

QUIET_S = 400.0
"""At the end no fault begins for so long: five good minutes must pass before all can be well again."""

WORKING_ROWS: Mapping[str, str] = {
    "open exchange calls": "SELECT count(*) FROM exchange_calls WHERE status <> 'ANSWERED'",
    "machine states": "SELECT count(*) FROM machine_states",
    "open alerts": "SELECT count(*) FROM alerts WHERE ended_ms IS NULL AND condition <> ''",
}
GROWING_ROWS = ("outbox", "journal", "exchange_calls", "known_ids", "alerts")
"""Records of what has happened: they grow until retention removes them, and are reported, not judged."""


FREEZE_AT_S, FREEZE_EVERY_S, FREEZE_FOR_S = 330.0, 1_680.0, 20.0
"""The exchange's process stops altogether: no fault of the exchange, but of the machine under it."""


class Coming(NamedTuple):
    """What happens `at_s`: faults of the exchange that last `for_s`; none: the exchange is frozen for so long."""

    at_s: float
    for_s: float
    fault: Fault | None


def planned(scenario: Scenario, until_s: float) -> list[Coming]:
    """Every occurrence, in order, none that could still be felt at the end."""
    found = [
        Coming(one.begin_ms / 1_000, ((one.end_ms or one.begin_ms) - one.begin_ms) / 1_000, one.fault)
        for one in scenario.occurrences(0)
    ]
    at_s = FREEZE_AT_S
    while at_s < until_s:
        found.append(Coming(at_s, FREEZE_FOR_S, None))
        at_s += FREEZE_EVERY_S
    return sorted((one for one in found if one.at_s + one.for_s <= until_s), key=lambda one: one.at_s)


def begin(world: World, coming: Coming) -> None:
    """Let it happen; a fault ends by itself, a frozen process is woken after its time."""
    if coming.fault is not None:
        world.faults.inject(coming.fault.model_dump(mode="json", exclude_none=True), coming.for_s)
        return
    world.exchange.send_signal(signal.SIGSTOP)
    waker = threading.Timer(coming.for_s, lambda: world.exchange.send_signal(signal.SIGCONT))
    waker.daemon = True
    waker.start()


@dataclass
class Samples:
    """Series by (what, kind), one value a sample."""

    series: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    well: list[bool] = field(default_factory=list)

    def take(self, world: World) -> None:
        """One sample; what cannot be asked just now is left out of it."""
        for name, pid in _processes(world).items():
            for kind, value in _of_process(pid).items():
                self.series[name, kind].append(value)
        try:
            for name, row in world.health().items():
                for kind in ("inbox", "pending_requests", "undelivered"):
                    self.series[name, kind].append(float(row[kind] or 0))
        except httpx.HTTPError:
            self.well.append(False)
            return
        for name, query in WORKING_ROWS.items():
            if found := world.rows(query):
                self.series[name, "rows"].append(float(found[0][0]))
        for table in GROWING_ROWS:
            if found := world.rows(f"SELECT count(*) FROM {table}"):
                self.rows[table].append(int(found[0][0]))
        self.well.append(world.system.is_well())

    def findings(self) -> list[str]:
        """A sentence per series that is not flat."""
        judged = {key: values[int(len(values) * WARM_UP) :] for key, values in self.series.items()}
        found = (not_flat(*key, values) for key, values in judged.items() if len(values) >= FEWEST)
        return [sentence for sentence in found if sentence is not None]

    def told(self) -> list[str]:
        """The series as text: first and last value of what is judged, and the robust growth."""
        lines = []
        for (name, kind), values in sorted(self.series.items()):
            judged = values[int(len(values) * WARM_UP) :]
            if judged:
                growth = trend(judged).growth
                lines.append(f"{name:<28} {kind:<17} {judged[0]:8.1f} → {judged[-1]:8.1f}  trend {growth:+.2f}")
        lines += [f"table {name:<22} {counts[0]:>8} → {counts[-1]:>8}" for name, counts in self.rows.items() if counts]
        return lines


def _processes(world: World) -> dict[str, int]:
    """The long-lived processes by a name that says what they are; the exchange too."""
    found: dict[str, int] = {"exchange": world.exchange.pid, "launch": world.system.process.pid}
    for process in world.system.processes():
        command = process.command
        name = next((text for part, text in NAMED if part in command), None)
        if name is not None:
            found[name] = process.pid
    found |= {name: int(row["pid"]) for name, row in world.health().items() if row["pid"]}
    return found


NAMED = (
    ("gcs_server", "ray gcs"),
    ("raylet/raylet", "ray raylet"),
    ("api.launch.ray_driver", "ray driver"),
)


def _of_process(pid: int) -> dict[str, float]:
    """Memory, threads, files and sockets of a process; {} when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        files = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink()]
    except OSError:
        return {}
    values = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {
        "rss_mb": int(values["VmRSS"].split()[0]) / 1024,
        "threads": float(values["Threads"]),
        "files": float(len(files)),
        "sockets": float(sum(one.startswith("socket:") for one in files)),
    }


def soak(world: World, minutes: float, scenario: Scenario, say: Callable[[str], None]) -> list[str]:
    """Run and judge; sentences about what is not as it must be."""
    samples, began, pause = Samples(), time.monotonic(), threading.Event()
    end_s = minutes * 60
    coming = planned(scenario, end_s - QUIET_S)
    next_sample_s = 0.0
    while (now_s := time.monotonic() - began) < end_s:
        while coming and coming[0].at_s <= now_s:
            one = coming.pop(0)
            say(f"{now_s:6.0f} s: {one.fault.kind if one.fault else 'freeze'} for {one.for_s:.0f} s")
            begin(world, one)
        if now_s >= next_sample_s:
            samples.take(world)
            next_sample_s += SAMPLE_S
        pause.wait(0.5)
    found = samples.findings()
    for line in samples.told():
        say(line)
    say(f"well in {sum(samples.well)} of {len(samples.well)} samples")
    if not world.system.is_well():
        found.append(f"The system is not well at the end: {world.system.ask('/health').text}")
    if left := world.alerts("condition <> '' AND ended_ms IS NULL"):
        found.append(f"Alerts are open at the end: {left}")
    restarted = {name: row["restarts"] for name, row in world.health().items() if row["restarts"]}
    if restarted:
        found.append(f"Actors were restarted, which no fault of the scenario demands: {json.dumps(restarted)}")
    say(f"readings: {world.rows('SELECT machine, reason FROM journal WHERE trigger = $$reading$$ ORDER BY id')}")
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.live.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--scenario", type=Path, default=SCENARIO)
    arguments = parser.parse_args()
    scenario = read_scenario(arguments.scenario)

    def say(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    with running_world() as world:
        found = soak(world, arguments.minutes, scenario, say)
    for sentence in found:
        say(f"FAILED: {sentence}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
