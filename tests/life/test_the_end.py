"""The end comes when it is asked for, whatever is broken (DESIGN 6).

The last file of this folder by its name: it ends the one system that the tests before it have shared, since a start of
its own would take longer than all that it shows.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.life.system import ROOT, Started, started

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


def stop(system: Started, *frozen: str) -> None:
    """`eternal stop` beside these frozen processes; nothing is left after 15 s."""
    for part in frozen:
        process = system.process_named(part)
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
    begun = time.monotonic()
    command = [sys.executable, "-c", "from api.cli.main import main; main()", "stop"]
    done = subprocess.run(
        [*command, "--data", str(system.config.data_folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    took_s = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    assert took_s < 15
    assert [process.command for process in system.processes()] == []
    system.process.wait(5)


@pytest.mark.drill
@pytest.mark.parametrize("frozen", [(), ("gcs_server",)], ids=["nothing", "Ray"])
def test_stop_ends_everything_within_15_s_whatever_is_broken(frozen: tuple[str, ...]) -> None:
    with started() as system:
        stop(system, *frozen)


def test_stop_ends_everything_within_15_s_when_ray_and_the_database_are_frozen(system: Started) -> None:
    """`eternal stop` hung for a minute when Ray did not obey, and left PostgreSQL behind."""
    system.wait_until_well()
    stop(system, "gcs_server", "postgres -D")
