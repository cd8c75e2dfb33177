"""The door is shut (DESIGN 8): what listens, what answers a stranger, and who sees which secret; the dashboard is
optional."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from actors.runtime.metrics import table
from actors.runtime.metrics.table import METRICS
from actors.runtime.registry import START_ORDER
from infra.database.server.files import reachable_home, server_user
from infra.processes.environment import Run, child_environment
from statemachines.values import ActorName
from tests.life.system import PLANTED, Started

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")
"""127.0.0.1, ::1 and ::ffff:127.0.0.1 as /proc/net writes them."""

ASK_GCS = """
import sys
from ray._raylet import GcsClient
print("reached", GcsClient(address=sys.argv[1]).internal_kv_keys(b"", None, timeout=10))
"""
JOIN = """
import sys, ray
ray.init(address=sys.argv[1], namespace="stranger", log_to_driver=False)
print("reached", ray.nodes())
"""


STRANGERS_PATIENCE_S = 8.0
"""Whoever is let in is in within two seconds."""


def listening(system: Started) -> dict[int, tuple[str, str]]:
    """Listening ports of every process of the system: address and command line."""
    sockets: dict[str, tuple[str, int]] = {}
    for family in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{family}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                address, _, port = fields[1].rpartition(":")
                sockets[fields[9]] = (address, int(port, 16))
    found: dict[int, tuple[str, str]] = {}
    pids = {process.pid: process.command for process in system.processes()}
    for pid, command in {**pids, system.process.pid: "launch"}.items():
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inode = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor))
            except OSError:
                continue  # closed meanwhile
            if inode and inode[1] in sockets:
                host, number = sockets[inode[1]]
                found[number] = (host, command)
    return found


def test_nothing_listens_beyond_loopback(system: Started) -> None:
    """Ray's agent listened on the machine's own network address, and anybody there could run code as our user."""
    if not Path("/proc/net/tcp").exists():
        pytest.skip("needs /proc")
    system.wait("the dashboard", lambda: any("dashboard.py" in command for _, command in listening(system).values()))
    found = listening(system)
    assert len(found) > 15, "the look itself must have found the system's sockets"
    commands = " ".join(command for _, command in found.values())
    for part in ("gcs_server", "raylet", "DashboardAgent", "dashboard.py", "postgres", "infra.simulator", "ray::Api"):
        assert part in commands
    assert {port: where for port, where in found.items() if where[0] not in LOOPBACK} == {}


def test_the_job_and_agent_interfaces_refuse_a_stranger(system: Started) -> None:
    """A job is code that runs as our user: without Ray's token nobody submits one."""
    job = {"entrypoint": "id > /tmp/was-here"}
    answers: dict[str, int] = {}
    for port, (_, command) in listening(system).items():
        if not any(part in command for part in ("DashboardAgent", "dashboard.py", "RuntimeEnvAgent", "monitor.py")):
            continue
        for path in ("/api/jobs/", "/api/job_agent/jobs/"):
            try:
                answer = httpx.post(f"http://127.0.0.1:{port}{path}", json=job, timeout=5, trust_env=False)
            except httpx.HTTPError:
                continue  # no HTTP there (gRPC), see below
            answers[f"{port}{path}"] = answer.status_code
    assert 401 in answers.values(), answers
    assert set(answers.values()) <= {401, 403, 404, 405}, answers


@pytest.mark.parametrize("program", [ASK_GCS, JOIN], ids=["control store", "driver"])
@pytest.mark.parametrize("token", ["", "0" * 64], ids=["without a token", "with a wrong one"])
def test_rays_control_store_refuses_a_stranger(system: Started, program: str, token: str, tmp_path: Path) -> None:
    gcs = next(port for port, (_, command) in listening(system).items() if "gcs_server" in command)
    own = {"HOME": str(tmp_path), "RAY_AUTH_MODE": "token" if token else "disabled"}
    environment = child_environment(None, "stranger", own | ({"RAY_AUTH_TOKEN": token} if token else {}))
    command = [sys.executable, "-c", program, f"127.0.0.1:{gcs}"]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=STRANGERS_PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired as waited:
        assert b"reached" not in (waited.stdout or b"")
    else:
        assert done.returncode != 0
        assert "reached" not in done.stdout


def test_the_dashboard_opens_from_the_page(system: Started) -> None:
    """The page's button asks the API; the cookie that comes with the answer opens the dashboard on the same host."""
    dashboard = system.line("Ray dashboard")
    system.wait("the dashboard", lambda: _status(f"{dashboard}/api/version"))
    assert _status(f"{dashboard}/api/jobs/") == 401
    token_file = Path(system.line("Ray token"))
    assert token_file.stat().st_mode & 0o777 == 0o600
    token = token_file.read_text().strip()
    assert _status(f"{dashboard}/api/jobs/", {"Authorization": f"Bearer {token}"}) == 200
    answer = system.ask("/api/v1/ray-dashboard", "POST")
    assert answer.status_code == 200 and token not in answer.text
    assert answer.json()["port"] == int(dashboard.rpartition(":")[2])
    assert _status(f"{dashboard}/api/jobs/", {"Cookie": answer.headers["set-cookie"].partition(";")[0]}) == 200
    assert token not in system.screen


def test_the_actors_show_themselves_in_rays_dashboard(system: Started) -> None:
    """Every actor names itself there, and what the table of metrics promises is at Ray's endpoint, on this machine."""
    dashboard, token = system.line("Ray dashboard"), Path(system.line("Ray token")).read_text().strip()
    header = {"Authorization": f"Bearer {token}"}
    system.wait("the dashboard", lambda: _status(f"{dashboard}/api/version"))
    actors = httpx.get(f"{dashboard}/logical/actors", headers=header, timeout=20, trust_env=False).json()["data"]
    alive = [one for one in actors["actors"].values() if one["state"] == "ALIVE"]
    assert {str(name) for name in ActorName} <= {one["reprName"].partition(" (")[0] for one in alive}
    promised = {metric.name for metric in METRICS} - {table.COMPONENT_RECOVERY.name}  # that needs a failure
    found = system.wait("every metric", lambda: promised <= (shown := _metrics(system)).keys() and shown)
    assert {"trend-1", "total"} <= {labels["engine"] for labels in found[table.EQUITY.name]}
    assert {labels["actor"] for labels in found[table.INBOX.name]} == {str(name) for name in START_ORDER}


def _metrics(system: Started) -> dict[str, list[dict[str, str]]]:
    """Our metrics at Ray's endpoint: the labels of every series, by the table's names."""
    agents = [port for port, (_, command) in listening(system).items() if "DashboardAgent" in command]
    found: dict[str, list[dict[str, str]]] = {}
    for port in agents:
        try:
            text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5, trust_env=False).text
        except httpx.HTTPError:
            continue  # no HTTP there (gRPC)
        for name, labels in re.findall(
            r"^ray_(eternal_\w+?)(?:_total|_bucket|_sum|_count)?\{(.*)\}", text, re.MULTILINE
        ):
            found.setdefault(name, []).append(dict(re.findall(r'(\w+)="([^"]*)"', labels)))
    return found


def _status(url: str, headers: dict[str, str] | None = None) -> int:
    try:
        return httpx.get(url, headers=headers, timeout=5, trust_env=False).status_code
    except httpx.HTTPError:
        return 0


def test_rays_files_lie_where_no_other_user_can_enter(system: Started) -> None:
    """Ray makes its folders writable for everybody, and its workers load code from them."""
    raylet = system.process_named("raylet/raylet")
    assert raylet is not None
    socket = re.search(r"--raylet_socket_name=(\S+)", raylet.command)
    assert socket is not None
    session = Path(socket[1]).parents[1]
    closed = [folder for folder in session.parents if folder.stat().st_mode & 0o077 == 0]
    assert closed and closed[0].stat().st_uid == os.geteuid()


def test_no_process_carries_a_secret_that_is_not_its_own(system: Started) -> None:
    """Keys, passwords and proxies of the operator's shell, the database's URL and Ray's token stand in no child's
    environment and on no command line; the launch alone has what the durable actor gave it."""
    token = Path(system.line("Ray token")).read_text().strip()
    secrets = {*PLANTED.values(), *_database_passwords(system), token, *_exchange_keys(system)}
    children = system.processes()
    roles = {process.role for process in children}
    assert roles == {"database", "exchange", "ray", "dead-man-switch"}
    assert sum("ray::" in process.command for process in children) >= 10, "every actor is looked at"
    for process in children:
        seen = Path(f"/proc/{process.pid}/environ").read_bytes() + Path(f"/proc/{process.pid}/cmdline").read_bytes()
        text = seen.decode(errors="replace")
        assert [secret for secret in secrets if secret in text] == [], process.command
        assert "BYBIT_" not in text and "DATABASE_URL" not in text, process.command


def _database_passwords(system: Started) -> set[str]:
    home = reachable_home(system.config.database_folder, server_user())
    found = {path.read_text().strip() for path in home.glob("password*")}
    assert len(found) >= 3, "owner, application, reader and retention have one each"
    return found


def _exchange_keys(system: Started) -> set[str]:
    text = (system.config.exchange_folder / "keys.json").read_text()
    return set(re.findall(r'"(?:api_key|api_secret|sim_token)": *"([^"]+)"', text))


def test_no_secret_is_in_a_log(system: Started) -> None:
    secrets = {*_database_passwords(system), *_exchange_keys(system), *PLANTED.values()}
    logs = [*system.config.data_folder.glob("*.log"), system.config.exchange_folder / "exchange.log"]
    assert len(logs) >= 3
    for log in logs:
        text = log.read_text(errors="replace")
        assert [secret for secret in secrets if secret in text] == [], log.name


def test_an_environment_holds_what_is_named_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", "postgresql://planted")
    monkeypatch.setenv("LC_TIME", "C.UTF-8")
    found = child_environment(Run(tmp_path), "exchange", {"OWN": "its own"})
    assert set(found) & {*PLANTED, "DATABASE_URL"} == set()
    assert (found["LC_TIME"], found["OWN"], found["PATH"]) == ("C.UTF-8", "its own", os.environ["PATH"])


def test_the_dashboard_does_not_decide_anything(system: Started) -> None:
    """Optional: killed, everything goes on without it."""
    dashboard = system.wait("the dashboard", lambda: system.process_named("dashboard/dashboard.py"))
    raylet = system.process_named("raylet/raylet")
    os.kill(dashboard.pid, signal.SIGKILL)
    system.wait_until_well()
    assert system.process_named("raylet/raylet") == raylet
