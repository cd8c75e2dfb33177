"""From the launch to a working system, by part; the limit in the same run is a bare `ray.init()` with ten actors.

The program is installed (imports are in the disk cache after the first run); the data folder is new in every run, so
the work of a first start is included: creating the database, reading and recording the history.
`--again` measures the second start on the same folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from api.launch.ray_process import RayProcess
from api.launch.simulator_process import SimulatorProcess
from benchmarks.common import MeasuredSystem, make_config, print_machine, print_runs, temporary_folder, wait
from infra.database.launch import open_database

PACE_S = "3"
"""`make run`'s pace: a market day in three seconds."""

BARE_RAY = """
import time; begun = time.monotonic()
import ray, logging
ray.init(include_dashboard=True, num_cpus=2, log_to_driver=False, logging_level=logging.ERROR)
started = time.monotonic() - begun
class Plain:
    def hello(self): return 1
actors = [ray.remote(num_cpus=0)(Plain).remote() for _ in range(10)]
ray.get([actor.hello.remote() for actor in actors])
print(started, time.monotonic() - begun)
ray.shutdown()
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--again", action="store_true", help="measure the second start on the same folder")
    options = parser.parse_args()
    print_machine("Start: from the launch to the first healthy response, seconds")
    runs = []
    for _ in range(options.runs):
        with temporary_folder() as folder:
            run = measure(folder)
            runs.append(measure(folder) if options.again else run)
    print_runs("second start" if options.again else "first start", runs)
    print_runs("limit", [measure_bare_ray() for _ in range(options.runs)])


def measure(folder: Path) -> dict[str, float]:
    """One start and stop."""
    found: dict[str, float] = {}
    with _stopwatches(found):
        begun = time.monotonic()
        system = MeasuredSystem(make_config(folder, PACE_S))

        def passed() -> float:
            return time.monotonic() - begun

        try:
            system.start()
            found["launch done (foundations running)"] = passed()
            wait("the orchestrator's first report", lambda: "booted" in system.status)
            found["orchestrator's first report"] = passed()
            for state in ("booted", "all_up"):
                wait(state, lambda state=state: bool(system.ask_status()[state]), every_s=0.05)  # type: ignore[misc]
                found["orchestrator has begun" if state == "booted" else "all components RUNNING"] = passed()
            token = (folder / "api-token").read_text().strip()
            wait("the first healthy response", lambda: _is_healthy(system.api_url, token), every_s=0.05)
            found["first healthy /health"] = passed()
            found |= {f"  {name} RUNNING": passed() - since for name, since in _running_since(system).items()}
        finally:
            stopping = time.monotonic()
            system.stop()
            found["stop: all processes ended"] = time.monotonic() - stopping
    return found


def _is_healthy(url: str, token: str) -> bool:
    try:
        answer = httpx.get(f"{url}/health", headers={"Authorization": f"Bearer {token}"}, timeout=2, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


def _running_since(system: MeasuredSystem) -> dict[str, float]:
    """Per component the seconds since it started running."""
    return {row["name"]: float(row["since_s"]) for row in system.ask_status()["components"]}


@contextmanager
def _stopwatches(found: dict[str, float]) -> Iterator[None]:
    """Measure the parts of the launch: database, exchange, Ray."""

    def timed(label: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            begun = time.monotonic()
            try:
                return inner(*arguments, **named)
            finally:
                found[label] = time.monotonic() - begun

        return run

    with (
        patch("api.launch.system.open_database", timed("  database: started and migrated", open_database)),
        patch.object(SimulatorProcess, "start", timed("  simulated exchange listens", SimulatorProcess.start)),
        patch.object(RayProcess, "start", timed("  Ray's head started", RayProcess.start)),
    ):
        yield


def measure_bare_ray() -> dict[str, float]:
    """Ray alone with ten empty actors: no system on Ray starts faster."""
    done = subprocess.run([sys.executable, "-c", BARE_RAY], capture_output=True, text=True, check=True, timeout=120)
    first, second = (float(word) for word in done.stdout.split()[-2:])
    return {"bare Ray with dashboard: ray.init()": first, "bare Ray: ten empty actors respond": second}


if __name__ == "__main__":
    main()
