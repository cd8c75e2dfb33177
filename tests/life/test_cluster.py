"""A running Ray cluster, the README's way: its token is found, its control store's death is survived."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.processes.environment import Run, child_environment
from infra.processes.ports import free_port
from infra.processes.table import marked
from tests.life.system import started

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

RAY = Path(sys.executable).parent / "ray"


class Head:
    """A Ray head as an operator starts one, on loopback, in a folder of its own."""

    def __init__(self, *, has_token: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="eternal-ray-"))
        self.port = free_port(0)
        self._run = Run(self.folder)
        self.home = self.folder / "home"
        self.home.mkdir()
        self._mode = "token" if has_token else "disabled"
        self._process: subprocess.Popen[bytes] | None = None
        if has_token:
            command = [str(RAY), "get-auth-token", "--generate"]
            subprocess.run(command, env=self.environment(), check=True, capture_output=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        own = {"HOME": str(self.home), "RAY_AUTH_MODE": self._mode, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
        return child_environment(self._run, "head", own)

    def start(self) -> None:
        """`ray start --head --block`, as systemd would."""
        shutil.rmtree(self.folder / "t", ignore_errors=True)
        command = [str(RAY), "start", "--head", "--block", f"--port={self.port}", "--node-ip-address=127.0.0.1"]
        options = ["--dashboard-host=127.0.0.1", f"--dashboard-port={free_port(0)}", "--num-cpus=2"]
        with open(self.folder / "head.txt", "ab") as log:
            self._process = subprocess.Popen(
                [*command, *options, f"--temp-dir={self.folder / 't'}", "--disable-usage-stats"],
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until, pause = time.monotonic() + 120, threading.Event()
        while "--block" not in (self.folder / "head.txt").read_text():
            assert time.monotonic() < until and self._process.poll() is None
            pause.wait(0.2)

    def pids(self) -> dict[int, str]:
        """Its processes and their command lines, the actors that run on it included."""
        return {process.pid: process.command for process in marked(self._run.prefix)}

    def kill_control_store(self) -> None:
        (pid,) = (pid for pid, command in self.pids().items() if "gcs_server" in command.partition(" ")[0])
        os.kill(pid, signal.SIGKILL)

    def end(self) -> None:
        """End all of it, as the machine's restart would."""
        until = time.monotonic() + 20
        while (left := self.pids()) and time.monotonic() < until:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if self._process is not None:
                self._process.poll()
            time.sleep(0.1)


@contextmanager
def head(*, has_token: bool) -> Iterator[Head]:
    found = Head(has_token=has_token)
    try:
        found.start()
        yield found
    finally:
        found.end()
        shutil.rmtree(found.folder)


def _refusal(address: str, environment: Mapping[str, str]) -> str:
    with started("--address", address, is_awaited=False, environment=environment) as system:
        assert system.process.wait(120) == 2
        assert "Traceback" not in system.screen
        return system.screen


@pytest.mark.drill
def test_the_cluster_is_joined_with_its_token_and_its_control_stores_death_is_survived() -> None:
    """Ray ended `eternal run` a minute after the control store's death, and nobody guarded the system any more. The
    launch is no part of Ray: it waits for the cluster, joins it again and tells the operator."""
    with head(has_token=True) as ray, started("--address", ray.address, environment={"HOME": str(ray.home)}) as system:
        assert system.alerts() == [] or not any("failed" in alert for alert in system.alerts())
        ray.kill_control_store()
        system.wait(
            "the loss being seen", lambda: "joined anew" in (system.config.data_folder / "eternal.log").read_text()
        )
        ray.end()
        ray.start()
        system.wait(
            "all being well", lambda: any("joined again" in one for one in system.alerts()) and system.is_well()
        )


def test_a_cluster_whose_token_is_not_ours_is_told_in_a_sentence(tmp_path: Path) -> None:
    """InvalidAuthToken lines for a minute, then a traceback."""
    with head(has_token=True) as ray:
        without = _refusal(ray.address, {"HOME": str(tmp_path)})
        assert "there is no token for the Ray cluster" in without and "ray get-auth-token --generate" in without
        wrong = _refusal(ray.address, {"HOME": str(tmp_path), "RAY_AUTH_TOKEN": "0" * 64})
        assert "refuses our token" in wrong and "RAY_AUTH_TOKEN" in wrong


def test_a_cluster_without_a_token_is_refused(tmp_path: Path) -> None:
    """Its job interface would execute anybody's code as our user."""
    with head(has_token=False) as ray:
        text = _refusal(ray.address, {"HOME": str(tmp_path), "RAY_AUTH_TOKEN": "0" * 64})
    assert "runs without a token" in text


def test_no_cluster_there_is_a_sentence(tmp_path: Path) -> None:
    text = _refusal(f"127.0.0.1:{free_port(0)}", {"HOME": str(tmp_path), "RAY_AUTH_TOKEN": "0" * 64})
    assert "cannot be joined" in text and "does not answer" in text
