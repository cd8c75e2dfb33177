"""The launch's simulated exchange: how it is found frozen and replaced."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from api.launch.simulator_process import SimulatorError, SimulatorProcess
from infra.config import EternalConfig
from infra.config.sections import ExchangeConfig
from infra.processes.table import is_stopped
from tests.waiting import until


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[SimulatorProcess]:
    section = ExchangeConfig(from_day=date(2025, 1, 1), to_day=date(2025, 1, 3))
    process = SimulatorProcess(EternalConfig(data_folder=tmp_path / "data", exchange=section))
    process.start()
    yield process
    process.stop()


def test_a_frozen_exchange_is_replaced_at_the_second_look_and_never_asked_for_the_time(
    exchange: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make chaos-orders`: it took nine seconds from the freeze to the exchange running again, since the first look,
    which had seen that the process was stopped, asked it for the time all the same and waited five seconds."""
    asked: list[str] = []

    def answers() -> bool:
        asked.append("the time")
        return True

    monkeypatch.setattr(exchange, "_answers", answers)
    pid, url = exchange.pid, exchange.url
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    until(lambda: is_stopped(pid))
    assert exchange.ensure_running() == ""
    assert exchange.ensure_running() == "was frozen"
    assert asked == []
    assert exchange.pid not in (None, pid) and exchange.url == url


def test_one_that_is_begun_while_the_launch_ends_is_left_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under heavy load a start on the launch's thread had not come to its child yet when the end came: `stop` saw none,
    and the exchange that answered afterwards was ended by nothing."""
    process = SimulatorProcess(EternalConfig(data_folder=tmp_path / "data"))
    begun = tmp_path / "begun"
    answer = f"import time, pathlib; pathlib.Path({str(begun)!r}).touch(); print('{{}}', flush=True); time.sleep(60)"
    monkeypatch.setattr(process, "_command", lambda _port: [sys.executable, "-c", answer])
    process.stop()
    with pytest.raises(SimulatorError, match="is being ended"):
        process.start()
    assert process.pid is None and not begun.exists()
