"""Memory of the whole system by role: proportional set size (PSS), which counts shared pages once over all processes.

The peer in the same run: the memory of Ray itself without our actors (its head and dashboard), and of the launch
process.
"""

from __future__ import annotations

import argparse
import threading
from collections import Counter, defaultdict
from pathlib import Path

from benchmarks.common import make_config, print_machine, print_table, running, spread, temporary_folder, wait
from benchmarks.processes import roles
from statemachines.values import DAY_MS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--days", type=int, default=5, help="market days to run before measuring")
    options = parser.parse_args()
    print_machine(f"Memory after {options.days} market days, PSS in MiB")
    sizes: dict[str, list[float]] = defaultdict(list)
    numbers: Counter[str] = Counter()
    for _ in range(options.runs):
        found, numbers = measure(options.days)
        for role, size in found.items():
            sizes[role].append(size)
        sizes["all"].append(sum(found.values()))
        sizes["of it Ray's own"].append(sum(size for role, size in found.items() if role.startswith("Ray")))
    ordered = sorted(sizes.items(), key=lambda item: -max(item[1]))
    rows = [[role, str(numbers[role] or ""), *spread(values, 0)] for role, values in ordered]
    print_table([f"role ({options.runs} run{'s' if options.runs > 1 else ''})", "processes", *LABELS], rows)


LABELS = ("min", "median", "max")


def measure(days: int) -> tuple[dict[str, float], Counter[str]]:
    """PSS by role and the number of processes of each, after some market days."""
    with temporary_folder() as folder, running(make_config(folder)) as system:
        first = int(system.ask_status()["lockstep"]["market_ms"])
        wait(
            "the market days",
            lambda: system.ask_status()["lockstep"]["market_ms"] >= first + days * DAY_MS,
            every_s=0.2,
        )
        threading.Event().wait(1.0)  # idle workers from the start remain and are counted
        sizes: dict[str, float] = defaultdict(float)
        numbers: Counter[str] = Counter()
        for pid, role in roles(system).items():
            size = _pss_mib(pid)
            if size:
                sizes[role] += size
                numbers[role] += 1
    return sizes, numbers


def _pss_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    main()
