"""The launch's side of the dead-man switch (RM-4): its process, its keys, and who has to have them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from actors.runtime.granted_time import GrantedTime
from api.cli.deadman import DeadManError, watch_from_elsewhere
from api.cli.status import RunningError, stop_running
from api.launch.deadman.guard import DeadManGuard, keys_problem
from api.launch.deadman.process import RETRY, DeadManProcess
from api.launch.notices import Notices
from infra.bybit.credentials import AccountKey, Credentials, CredentialsError
from infra.config import EternalConfig, Profile
from infra.config.sections import DatabaseConfig
from infra.data_folder import claim_data_folder
from infra.deadman.beats import file_source
from infra.deadman.left_over import NAME, end_left_over
from infra.processes.environment import Run, folder_mark
from infra.processes.table import is_alive, is_stopped, marked
from infra.secrets.server import SecretsServer
from statemachines.deadman.beats import BeatState
from statemachines.deadman.parameters import DeadManParameters
from statemachines.values import ACCOUNT_OF, Account
from tests.conformance.process import wait_for

SECRET = "a-secret-of-the-switch"
KEYS = {account.value: {"api_key": "k", "api_secret": SECRET, "uid": None} for account in ACCOUNT_OF.values()}
NOWHERE = "postgresql://nobody:a-password@127.0.0.1:1/none"


def until(condition: Callable[[], bool]) -> None:
    """A process begins in seconds on an idle machine; on a busy one it is waited for."""
    wait_for(condition, "what the process does", 90)


class Launch:
    """What of a launch the process needs: a data folder and a place that hands out secrets."""

    def __init__(self, folder: Path) -> None:
        self.config = EternalConfig(data_folder=folder)
        claim_data_folder(folder)
        self.run = Run(folder)
        self.asked: list[str] = []
        self.server = SecretsServer(folder, self._give)
        self.process = DeadManProcess(self.config, self.run, self.server.path, GrantedTime())

    def _give(self, name: str) -> dict[str, Any]:
        self.asked.append(name)
        return {"database_url": NOWHERE, "keys": KEYS, "rest": "http://127.0.0.1:1", "proxy": None}

    def log(self) -> str:
        return (self.config.data_folder / "dead-man.log").read_text()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    found = Launch(tmp_path / "data")
    yield found
    found.process.stop()
    found.server.close()
    assert not marked(folder_mark(found.config.data_folder))


@pytest.mark.slow
def test_it_is_started_replaced_when_it_dies_or_freezes_and_ended(launch: Launch) -> None:
    process = launch.process
    process.start()
    until(lambda: "watches file and database" in launch.log())
    assert launch.asked == [NAME]
    first = process.pid
    assert first is not None and os.getsid(first) == first, "neither Ctrl-C nor the terminal's end reaches it"
    for number in (signal.SIGHUP, signal.SIGINT):
        os.kill(first, number)
    text = Path(f"/proc/{first}/environ").read_text() + Path(f"/proc/{first}/cmdline").read_text()
    assert SECRET not in text and "a-password" not in text and "BYBIT" not in text
    assert process.ensure_running() == "" and is_alive(first)
    os.kill(first, signal.SIGKILL)
    until(lambda: not is_alive(first))
    assert process.ensure_running() == "had died (exit code -9)"
    second = process.pid
    assert second not in (None, first)
    until(lambda: launch.log().count("watches file and database") == 2)
    os.kill(second, signal.SIGSTOP)
    until(lambda: is_stopped(second))
    assert process.ensure_running() == ""
    until(lambda: process.ensure_running() == "was frozen")  # after the delay of one that died soon after its start
    process.stop()
    assert process.pid is None and SECRET not in launch.log() and "a-password" not in launch.log()


@pytest.mark.slow
def test_one_that_dies_at_once_is_started_with_growing_delay(launch: Launch) -> None:
    launch.server.close()
    process = launch.process
    process.start()
    for number in range(1, 4):
        pid = process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: not is_alive(pid))  # type: ignore[misc]
        found = [process.ensure_running() for _look in range(3)]
        if number == 1:
            assert found[0].startswith("had died") and process.restarts == 1
        else:
            assert found == ["", "", ""] and process.restarts == 1, f"{RETRY.steps_s[0]} s have not passed"
            return


@pytest.mark.slow
def test_it_outlives_a_launch_that_is_killed_and_eternal_stop_ends_it(tmp_path: Path) -> None:
    """The launch is a process of its own here; SIGKILL leaves it no time to end anything."""
    folder = tmp_path / "data"
    program = f"""
import sys
from pathlib import Path
from tests.api.launch.test_deadman import Launch
launch = Launch(Path({str(folder)!r}))
launch.process.start()
print(launch.process.pid, flush=True)
sys.stdin.read()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert child.stdout is not None and child.stdin is not None
    pid = int(child.stdout.readline())
    until(lambda: (folder / "dead-man.log").exists() and "watches" in (folder / "dead-man.log").read_text())
    child.kill()
    child.wait()
    child.stdout.close()
    child.stdin.close()
    assert is_alive(pid)
    assert "dead-man switch of a run that had ended without order" in stop_running(folder)
    assert not is_alive(pid)
    with pytest.raises(RunningError, match="nothing was stopped"):
        stop_running(folder)
    assert end_left_over(folder) == 0


# --- keys ---


def credentials(*accounts: Account) -> Credentials:
    return Credentials({one: AccountKey(SecretStr("k"), SecretStr("s")) for one in accounts})


TRADING = tuple(ACCOUNT_OF.values())


@pytest.mark.parametrize(
    ("found", "profile", "is_refused"),
    [
        (credentials(*TRADING), Profile.LIVE, False),
        (credentials(*TRADING[1:]), Profile.LIVE, True),
        (credentials(), Profile.LIVE, True),
        (credentials(*TRADING), Profile.TESTNET, False),
        (credentials(*TRADING[1:]), Profile.TESTNET, True),
        (credentials(), Profile.TESTNET, False),
        (credentials(), Profile.DEMO, False),
    ],
)
def test_real_money_needs_a_key_for_every_account_and_half_of_them_is_refused_anywhere(
    found: Credentials, profile: Profile, is_refused: bool
) -> None:
    problem = keys_problem(found, profile)
    assert bool(problem) is is_refused
    if is_refused:
        assert "CORE-HODL" in problem and "BYBIT_DEAD_MAN_<ACCOUNT>_API_KEY" in problem and "eternal deadman" in problem


def guard(folder: Path, notices: Notices, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> DeadManGuard:
    for name in [name for name in os.environ if name.startswith("BYBIT_")]:
        monkeypatch.delenv(name)
    config = EternalConfig(data_folder=folder, **changes)
    return DeadManGuard(config, Run(folder), GrantedTime(), notices)


def test_live_does_not_start_without_its_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CredentialsError, match=r"dead_man\.started_by_run"):
        guard(tmp_path, Notices(), monkeypatch, profile=Profile.LIVE).prepare("http://127.0.0.1:1", {}, None)


def test_live_starts_without_them_where_it_stands_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = DeadManParameters(started_by_run=False)
    made = guard(tmp_path, Notices(), monkeypatch, profile=Profile.LIVE, dead_man=elsewhere)
    made.prepare("http://127.0.0.1:1", {}, None)
    with pytest.raises(KeyError):
        made.secrets(NOWHERE)


def test_a_rehearsal_without_them_says_so_and_is_begun_and_ended_in_the_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices = Notices()
    made = guard(tmp_path, notices, monkeypatch, profile=Profile.TESTNET)
    made.prepare("http://127.0.0.1:1", {}, None)
    assert "There is no dead-man switch (RM-4)" in notices.shown()[0]
    read = file_source(tmp_path)
    made.begin(NOWHERE, tmp_path / "secrets.sock")
    begun = read()
    made.stop()
    ended = read()
    assert begun is not None and begun.state is BeatState.STARTING
    assert ended is not None and ended.state is BeatState.STOPPED and ended.beat_id != begun.beat_id


def test_a_start_that_was_broken_off_before_it_began_leaves_no_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard(tmp_path, Notices(), monkeypatch).stop()
    assert file_source(tmp_path)() is None


# --- on another machine ---


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "profile paper has its own dead-man switch"),
        ({"profile": Profile.LIVE}, "DATABASE_URL"),
        (
            {"profile": Profile.LIVE, "database": DatabaseConfig(url=SecretStr(NOWHERE))},
            "there is no key for CORE-HODL",
        ),
    ],
)
def test_what_another_machine_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], told: str
) -> None:
    for name in [name for name in os.environ if name.startswith("BYBIT_")]:
        monkeypatch.delenv(name)
    with pytest.raises(DeadManError, match=told):
        watch_from_elsewhere(EternalConfig(data_folder=tmp_path, **changes))


def test_it_stands_on_nothing_of_the_running_system() -> None:
    """Neither Ray nor the launch is imported: what breaks them does not break it."""
    program = "import sys, infra.deadman.__main__; print({name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    assert "infra" in done.stdout
    assert not {"'ray'", "'api'", "'fastapi'", "'orchestrator.actor'"} & set(done.stdout.strip("{}\n").split(", "))
