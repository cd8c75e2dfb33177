"""The end comes also during the start; and a start that cannot be is told (DESIGN 6)."""

from __future__ import annotations

import signal
import socket
import time

import pytest

from tests.life.system import started

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


@pytest.mark.parametrize("after_s", [0.5, 5.0])
def test_ctrl_c_is_answered_within_two_seconds_also_during_the_start(after_s: float) -> None:
    """Whatever is being started just then is broken off, and nothing of it is left."""
    with started(is_awaited=False) as system:
        system.wait("the first line", lambda: "Starting" in system.screen)
        time.sleep(after_s)  # the moment of the signal is the parameter
        system.process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        while "Ending all processes" not in system.screen:
            assert time.monotonic() - begun < 2
            time.sleep(0.05)
        assert system.process.wait(15) == 0
        assert "Traceback" not in system.screen
        assert [process.command for process in system.processes()] == []


def test_a_configured_port_that_is_taken_is_told_and_not_replaced() -> None:
    """Who configures a port has told others of it: another one would serve nobody."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started("--set", f"api.port={port}", is_awaited=False) as system:
            assert system.process.wait(60) == 2
            assert f"api.port={port} is taken by another program" in system.screen
            assert "Traceback" not in system.screen


def test_a_remembered_port_that_is_taken_is_replaced() -> None:
    """Nobody has asked for it: the run before took any free one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started(is_awaited=False, prepare=lambda data: (data / "api-port").write_text(str(port))) as system:
            file = system.config.data_folder / "api-port"
            system.wait("its own choice", lambda: file.read_text() != str(port))
            assert 0 < int(file.read_text()) != port


def test_a_damaged_port_file_is_remade() -> None:
    """After a power loss it may be empty; the start ended with a traceback."""
    with started(is_awaited=False, prepare=lambda data: (data / "api-port").write_text("")) as system:
        file = system.config.data_folder / "api-port"
        system.wait("a port", lambda: file.read_text().isdigit())
