"""``make drill-load``: starts on an overloaded machine. Each must come up by itself and raise no false alarm.

Beside each start run two busy loops per core and compilers: with what the start itself does, the load is about thirty
on two cores.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.life.system import started

LOOPS_PER_CORE = 2
COMPILERS_PER_CORE = 5
PATIENCE_S = 1_200.0
LOOP = "while True: pass"
COMPILE = """
import pathlib, sys
while True:
    for path in pathlib.Path(sys.argv[1]).rglob("*.py"):
        compile(path.read_bytes(), str(path), "exec")
"""
C_SOURCE = "#include <stdio.h>\n" + "\n".join(
    f"double f{i}(double x) {{ double s = x; for (int k = 0; k < 99; k++) s = s * {i} + k / (s + {i}.5); return s; }}"
    for i in range(3_000)
)


@contextmanager
def overload() -> Iterator[None]:
    """Two busy loops per core and compilers beside them (the C compiler where there is one, Python's everywhere)."""
    cores = os.cpu_count() or 1
    folder = Path(tempfile.mkdtemp(prefix="eternal-load-"))
    commands = [[sys.executable, "-c", LOOP]] * (cores * LOOPS_PER_CORE)
    compilers = [[sys.executable, "-c", COMPILE, str(Path(__file__).parents[2] / "statemachines")]] * (
        cores * COMPILERS_PER_CORE
    )
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is not None:
        (folder / "big.c").write_text(C_SOURCE)
        loop = f"while :; do {compiler} -O2 -c {folder}/big.c -o {folder}/big-$$.o; done"
        compilers[0] = ["/bin/sh", "-c", loop]
    running = [subprocess.Popen(command, start_new_session=True) for command in commands + compilers]
    try:
        yield
    finally:
        for process in running:
            os.killpg(process.pid, 9)
            process.wait()
        shutil.rmtree(folder)


def one_start() -> tuple[float, float, list[str]]:
    """Seconds until all was well, the load then, and the alerts of the start."""
    with overload():
        begun = time.monotonic()
        with started(is_awaited=False) as system:
            system.wait("all being well", lambda: system.line("Page and API") and system.is_well(), PATIENCE_S)
            return time.monotonic() - begun, os.getloadavg()[0], system.alerts()


def main() -> None:
    """Start again and again; ends with an error at the first alarm."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.load", description=__doc__)
    parser.add_argument("--starts", type=int, default=10)
    options = parser.parse_args()
    for number in range(1, options.starts + 1):
        seconds, load, alerts = one_start()
        false = [alert for alert in alerts if "failed" in alert or "died" in alert or "FAULTED" in alert]
        sys.stdout.write(f"start {number}: all well after {seconds:.0f} s at load {load:.0f}; alarms: {len(false)}\n")
        sys.stdout.flush()
        if false:
            sys.exit("\n".join(false))


if __name__ == "__main__":
    main()
