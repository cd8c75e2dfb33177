"""One simulated exchange for tests that leave it usable for the others, and fresh ones on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.played import Played, play
from tests.conformance.process import SimulatorProcess


@pytest.fixture(scope="session")
def played() -> Played:
    """An exchange in-process on which everything has happened once."""
    return play()


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """A running exchange without rate limits, shared by a module."""
    process = SimulatorProcess(tmp_path_factory.mktemp("shared") / "exchange", "--no-rate-limits")
    yield process
    process.stop()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[..., SimulatorProcess]]:
    """Starts an exchange of its own; stopped at the end."""
    started: list[SimulatorProcess] = []

    def start(*options: str) -> SimulatorProcess:
        started.append(SimulatorProcess(tmp_path / f"exchange-{len(started)}", *options))
        return started[-1]

    yield start
    for process in started:
        process.stop()
