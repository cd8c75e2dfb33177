"""Granted time, the watch over the orchestrator, Ray's token and the secrets' counter: without any process."""

from __future__ import annotations

import json
import os
import pickle
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from actors.runtime.granted_time import GrantedTime
from api.assembly import secrets_of
from api.launch.orchestrator_watch import (
    DELAYS_S,
    FIRST_ANSWER_S,
    GONE_S,
    LEASE_S,
    STUCK_S,
    UNANSWERED_LIMIT,
    OrchestratorWatch,
)
from api.launch.ray_process import is_on_loopback
from api.launch.ray_token import RayError, cluster_token, own_token_file
from infra.bybit.credentials import Credentials, from_environment, from_plain
from infra.config import EternalConfig
from infra.processes.environment import MARK
from infra.processes.ports import PortTakenError, require_free
from infra.processes.table import is_stopped_kin
from infra.secrets.server import SecretsServer, SecretsUnavailableError, fetch
from statemachines.values import Account, ActorName


class Machine:
    """A clock and a number of processes that want to run."""

    def __init__(self, runnable: float) -> None:
        self.now = 100.0
        self.runnable = runnable

    def granted(self) -> GrantedTime:
        return GrantedTime(lambda: self.runnable, cores=2, monotonic=lambda: self.now)

    def pass_s(self, granted: GrantedTime, seconds: float) -> float:
        begun = granted.now_s()
        for _ in range(int(seconds * 10)):
            self.now += 0.1
            granted.now_s()
        return granted.now_s() - begun


@pytest.mark.parametrize(("runnable", "expected"), [(1, 60.0), (6, 60.0), (30, 12.0), (60, 6.0)])
def test_on_a_starving_machine_time_is_granted_more_slowly(runnable: float, expected: float) -> None:
    """Load 30 on two cores: a limit of 12 s is reached after a minute."""
    machine = Machine(runnable)
    assert machine.pass_s(machine.granted(), 60) == pytest.approx(expected, rel=0.01)


def test_a_gap_in_our_own_life_is_not_held_against_others() -> None:
    machine = Machine(1)
    granted = machine.granted()
    before = granted.now_s()
    machine.now += 3_600  # the whole machine was suspended
    assert granted.now_s() - before < 5


def status(state: str = "RUNNING", progress: int = 1, busy: bool = False, lockstep: str = "RUNNING") -> dict[str, Any]:
    health = {"state": state, "progress": progress, "is_busy": busy, "epoch": 1, "last_error": "why"}
    return {"orchestrator": health, "lockstep": {"state": lockstep, "why": "why"}}


@pytest.mark.parametrize("state", ["FAILED", "FENCED", "STOPPED"])
def test_an_orchestrator_that_has_failed_is_replaced_whatever_the_failure(state: str) -> None:
    """It answered every ping, with the state FAILED, and stayed so for ever."""
    watch = OrchestratorWatch()
    watch.created(0.0, is_replacement=False)
    watch.heard(status(), 1.0)
    assert watch.trouble(1.0) == ""
    watch.heard(status(state), 2.0)
    assert state in watch.trouble(2.0)


def test_a_failed_lockstep_driver_and_a_stuck_worker_are_failures_too() -> None:
    watch = OrchestratorWatch()
    watch.created(0.0, is_replacement=False)
    watch.heard(status(lockstep="FAILED"), 1.0)
    assert "lockstep driver" in watch.trouble(1.0)
    watch.created(2.0, is_replacement=False)
    watch.heard(status(progress=7, busy=True), 3.0)
    watch.heard(status(progress=7, busy=True), 3.0 + STUCK_S)
    assert watch.trouble(3.0 + STUCK_S) == ""
    watch.heard(status(progress=7, busy=True), 4.0 + STUCK_S)
    assert "stood still" in watch.trouble(4.0 + STUCK_S)


def test_silence_is_measured_from_the_last_answer_and_a_start_is_given_longer() -> None:
    """28 replacements in 7 minutes: each orchestrator was replaced while it was still starting."""
    watch = OrchestratorWatch()
    watch.created(0.0, is_replacement=False)
    assert watch.trouble(FIRST_ANSWER_S - 1) == ""
    assert watch.trouble(FIRST_ANSWER_S + 1) != ""
    watch.created(200.0, is_replacement=True)
    watch.heard(status(), 210.0)
    assert watch.trouble(210.0 + LEASE_S) == ""
    assert "silent" in watch.trouble(211.0 + LEASE_S)


def test_gone_means_that_ray_says_so_for_a_while() -> None:
    watch = OrchestratorWatch()
    watch.created(0.0, is_replacement=False)
    watch.silent(1.0, is_gone=True)
    assert watch.trouble(1.0 + GONE_S) == ""
    watch.silent(1.5, is_gone=False)
    watch.silent(2.0, is_gone=True)
    assert watch.trouble(1.5 + GONE_S) == ""
    assert "gone" in watch.trouble(2.1 + GONE_S)


def test_replacements_come_with_growing_delay_and_end_in_a_new_ray() -> None:
    watch = OrchestratorWatch()
    watch.created(0.0, is_replacement=False)
    for number in range(1, 5):
        now_s = 1_000.0 * number
        watch.created(now_s, is_replacement=True)
        watch.heard(status("FAILED"), now_s)
        assert watch.trouble(now_s + DELAYS_S[number] * 0.9) == ""
        assert watch.trouble(now_s + DELAYS_S[number]) != ""
    assert not watch.is_hopeless, "it answers: the fault is its own"
    for _ in range(UNANSWERED_LIMIT):
        watch.created(9_000.0, is_replacement=True)
    assert watch.is_hopeless


def test_our_own_token_is_private_kept_and_remade_when_damaged(tmp_path: Path) -> None:
    path = own_token_file(tmp_path)
    token = path.read_text()
    assert len(token) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert own_token_file(tmp_path).read_text() == token
    path.write_text("")
    assert len(own_token_file(tmp_path).read_text()) == 64


def test_a_clusters_token_is_found_or_a_sentence_says_what_to_set(tmp_path: Path) -> None:
    """`ray start --head` turns its token on by itself; without it the join failed after a minute with a traceback."""
    with pytest.raises(RayError, match="RAY_AUTH_TOKEN"):
        cluster_token({}, tmp_path)
    with pytest.raises(RayError, match="nowhere"):
        cluster_token({"RAY_AUTH_TOKEN_PATH": str(tmp_path / "nowhere")}, tmp_path)
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("a-token")
    assert cluster_token({}, tmp_path) == {"RAY_AUTH_TOKEN_PATH": str(tmp_path / ".ray" / "auth_token")}
    assert cluster_token({"RAY_AUTH_TOKEN": "given"}, tmp_path) == {"RAY_AUTH_TOKEN": "given"}


def test_a_head_on_loopback_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray replaces loopback by the machine's network address, where a head as in ray_cluster.yaml does not listen."""
    assert is_on_loopback("127.0.0.1:6379") and is_on_loopback("localhost:6379") and is_on_loopback("[::1]:6379")
    assert not is_on_loopback("10.0.0.5:6379")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert not is_on_loopback("auto")
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:6379")
    assert is_on_loopback("auto")
    (tmp_path / "ray" / "ray_current_cluster").write_text("10.0.0.5:6379")
    assert not is_on_loopback("auto")


LIVE = {
    f"BYBIT_{account.value.replace('-', '_')}_{part}": f"{account.value}-{part}"
    for account in Account
    for part in ("API_KEY", "API_SECRET")
}


def test_each_actor_gets_its_own_secrets_and_no_others() -> None:
    credentials, config = from_environment(LIVE), EternalConfig()
    assert credentials.keys, "the planted keys must be read"
    given = {name: secrets_of(str(name), config, "postgresql://all", credentials) for name in ActorName}
    for name, secrets in given.items():
        if name not in (ActorName.ORDER_MANAGER, ActorName.MARKET_DATA):
            assert dict(secrets) == {"database_url": "postgresql://all"}, name
    assert set(given[ActorName.ORDER_MANAGER]["keys"]) == {account.value for account in credentials.keys}
    assert set(given[ActorName.MARKET_DATA]["keys"]) == {config.market_data.account.value}
    with pytest.raises(KeyError):
        secrets_of("stranger", config, "postgresql://all", credentials)


CHANNELS: dict[str, dict[str, Any]] = {
    "telegram": {"bot_token": "123456789:AAExampleExampleExampleExample_12345", "chat_ids": ["5"]},
    "pagerduty": {"routing_key": "0123456789abcdef0123456789abcdef"},
    "webhook": {"url": "https://example.org/path-secret", "signing_secret": "a-signing-secret-of-tests"},
    "email": {"host": "m.example.org", "sender": "a@b.c", "to": ["d@e.f"], "user": "u", "password": "a-password"},
}


def test_channels_to_people_are_the_notifiers_and_the_bot_is_also_the_interfaces() -> None:
    config = EternalConfig.model_validate({"notifications": CHANNELS})
    given = {name: secrets_of(str(name), config, "postgresql://all", Credentials({})) for name in ActorName}
    users = {name: set(secrets["notifications"]) for name, secrets in given.items() if "notifications" in secrets}
    assert users == {ActorName.NOTIFIER: set(CHANNELS), ActorName.API: {"telegram"}}
    values = [str(value) for one in CHANNELS.values() for name, value in one.items() if name not in ("chat_ids", "to")]
    secret = [value for value in values if "." not in value and value != "u"] + ["path-secret"]
    for shown in (
        repr(config),
        json.dumps(config.public()),
        repr(pickle.loads(pickle.dumps(config.without_secrets()))),
    ):
        assert not [one for one in secret if one in shown]
    travels = pickle.dumps(config.without_secrets())
    assert not [one for one in values if len(one) > 2 and one.encode() in travels], "Ray's tables hold the assembly"


def test_keys_survive_the_way_to_the_actor_and_are_never_shown() -> None:
    credentials = from_environment(LIVE)
    plain = credentials.to_plain([Account.MASTER])
    back = from_plain(plain, "a-token")
    assert back.key(Account.MASTER) == credentials.key(Account.MASTER)
    assert "MASTER-API_SECRET" not in repr(back) and "a-token" not in repr(back)


def test_the_counter_hands_out_over_a_socket_that_only_we_can_open(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 100) / ("b" * 100)
    deep.mkdir(parents=True)

    def give(name: str) -> dict[str, str]:
        return {"trend-1": {"database_url": "x" * 100_000}}[name]

    counter = SecretsServer(deep, give)
    try:
        assert stat.S_IMODE(counter.path.stat().st_mode) == 0o600
        assert fetch(counter.path, "trend-1") == {"database_url": "x" * 100_000}
        with pytest.raises(SecretsUnavailableError, match="stranger"):
            fetch(counter.path, "stranger")
    finally:
        counter.close()
    with pytest.raises(SecretsUnavailableError):
        fetch(counter.path, "trend-1", patience_s=0.2)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_the_counter_refuses_another_user(tmp_path: Path) -> None:
    counter = SecretsServer(tmp_path, lambda name: {"secret": "value"})
    counter.path.chmod(0o666)
    tmp_path.chmod(0o777)
    for parent in (*tmp_path.parents,):
        if parent.stat().st_uid == 0 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    child = os.fork()
    if child == 0:
        os.setuid(65_534)
        try:
            fetch(counter.path, "trend-1", patience_s=0.0)
        except SecretsUnavailableError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    counter.close()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_only_a_frozen_process_of_our_own_run_counts_as_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that an actor has reported may be anybody's process on this machine: the actor may live on another."""
    monkeypatch.setenv(MARK, "folder:run:ray")
    ours = subprocess.Popen(["sleep", "60"], env=os.environ | {MARK: "folder:run:ray"})
    other = subprocess.Popen(["sleep", "60"], env=os.environ | {MARK: "folder:other:ray"})
    try:
        assert not is_stopped_kin(ours.pid)
        for process in (ours, other):
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        assert is_stopped_kin(ours.pid)
        assert not is_stopped_kin(other.pid)
        monkeypatch.delenv(MARK)
        assert not is_stopped_kin(ours.pid)
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


def test_a_configured_port_must_be_usable() -> None:
    with pytest.raises(PortTakenError, match=r"api\.port=80 cannot be used on 203\.0\.113\.1"):
        require_free("api.port", "203.0.113.1", 80)


def test_nobody_without_keys_has_keys() -> None:
    assert secrets_of("order-manager", EternalConfig(), "url", Credentials({}))["keys"] == {}
