"""The recipes of docs/exchange.md for clients, each run as it is written against a running exchange."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.process import SimulatorProcess

PAGE = Path(__file__).resolve().parents[2] / "docs" / "exchange.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "127.0.0.1:18080"
RECIPES = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
CLIENTS = ("import HTTP", "import WebSocket, WebSocketTrading", "import ccxt\n", "import ccxt.pro\n")


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """An exchange by the wall clock: its streams move by themselves."""
    process = SimulatorProcess(tmp_path_factory.mktemp("document") / "exchange", "--clock", "wall")
    yield process
    process.stop()


def test_every_client_has_its_recipe() -> None:
    assert [sum(client in one for one in RECIPES) for client in CLIENTS] == [1, 1, 1, 1] and len(RECIPES) == 4


@pytest.mark.parametrize("client", CLIENTS, ids=["pybit", "pybit-sockets", "ccxt", "ccxt-pro"])
def test_a_recipe_trades_as_it_is_written(wall: SimulatorProcess, client: str) -> None:
    """A flat table of addresses once made every stream of ccxt.pro a TypeError."""
    recipe = next(one for one in RECIPES if client in one)
    key, secret = wall.key_of("TREND-1")
    source = f"KEY, SECRET = {key!r}, {secret!r}\n" + recipe.replace(ADDRESS, wall.url.removeprefix("http://"))
    session = wall.http("TREND-1")
    before = len(session.get_executions(category="linear")["result"]["list"])
    # What the machine's own proxy settings are is not the document's matter.
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=90, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    assert len(session.get_executions(category="linear")["result"]["list"]) == before + 1
