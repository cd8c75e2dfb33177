"""`eternal exchange` with scenarios: listed, refused by name before anything starts, and run by the wall clock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from api.cli.main import app
from infra.simulator.faults.scenario import shipped
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[4]


def test_the_scenarios_are_listed_with_what_they_teach() -> None:
    result = CliRunner().invoke(app, ["exchange", "scenarios"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped())
    assert all(scenario.teaches in result.output for scenario in shipped().values())


def test_an_unknown_scenario_is_refused_with_the_list_and_nothing_is_started(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    result = CliRunner().invoke(app, ["exchange", "--scenario", "lost-answer", "--data", str(folder)])
    assert result.exit_code == 2
    sentence = " ".join(result.output.split())
    assert "--scenario is 'lost-answer'; it must be" in sentence and "lost-answers, lost-requests" in sentence
    assert not folder.exists()


@pytest.mark.slow
def test_the_command_runs_a_scenario_by_the_wall_clock(tmp_path: Path) -> None:
    scenario = tmp_path / "mine.toml"
    scenario.write_text(
        'name = "mine"\nteaches = "a fault that begins after a second"\n'
        '[[step]]\nat_s = 1\nfault = { kind = "http-error", endpoint = "/v5/market/time", status = 504 }\n'
    )
    options = ["--clock", "wall", "--data", str(tmp_path / "data"), "--scenario", str(scenario)]
    process = subprocess.Popen(
        [sys.executable, "-c", "from api.cli.main import main; main()", "exchange", *options],
        stdout=subprocess.PIPE, cwd=ROOT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        url = next(word.rstrip(";") for word in process.stdout.readline().split() if word.startswith("http"))
        until(lambda: httpx.get(f"{url}/v5/market/time", trust_env=False).status_code == 504)
        token = json.loads((tmp_path / "data" / "exchange" / "keys.json").read_text())["sim_token"]
        headers = {"X-Sim-Token": token}
        assert httpx.delete(f"{url}/sim/faults", headers=headers, trust_env=False).json() == {"cleared": ["mine/1/1"]}
        assert httpx.get(f"{url}/v5/market/time", trust_env=False).status_code == 200
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
