"""Who holds a data folder, `stop`, `status`, `doctor`, `reset`, and the server's port."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr
from rich.console import Console
from typer.testing import CliRunner

from api.access.judge import Judge
from api.cli.asking.look import read_launch_overview
from api.cli.asking.way import Asked, Way
from api.cli.doctor import examine
from api.cli.exits import ExitCode
from api.cli.main import app
from api.cli.status import RunningError, overview_from_database, running_pid, stop_running, write_pid
from api.client.errors import UnansweredError
from api.client.running_system import Place
from api.http.app import create_app
from api.http.serving import listen, make_server
from api.launch.system import System
from api.live_table import render
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.tokens import read_or_make_token
from infra.config import EternalConfig
from infra.config.sections import ApiConfig, DatabaseConfig, ExchangeConfig
from infra.database.queries import Queries
from infra.secrets.server import SecretsServer
from tests.api.records import register_command, write_history
from tests.api.test_http import STATUS
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures

ROOT = Path(__file__).parents[2]
HOLDER = """
import signal, sys, threading
from pathlib import Path
from api.cli.status import write_pid
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run started with nohup inherits "ignored"
with write_pid(Path(sys.argv[1])):
    print("held", flush=True)
    threading.Event().wait(60)
"""


@pytest.fixture
def config(tmp_path: Path) -> EternalConfig:
    return EternalConfig(data_folder=tmp_path / "data")


def hold(config: EternalConfig) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, str(config.data_folder)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    return child


def test_one_system_per_folder_and_stop_ends_it(config: EternalConfig) -> None:
    with pytest.raises(RunningError, match="nothing was stopped"):
        stop_running(config.data_folder)
    with hold(config) as child:
        assert running_pid(config.data_folder) == child.pid
        with pytest.raises(RunningError, match=f"process {child.pid}"), write_pid(config.data_folder):
            pass
        assert "has ended" in stop_running(config.data_folder)
        assert child.wait(30) != 0
    with write_pid(config.data_folder):
        pass


def test_a_number_left_behind_never_points_at_a_stranger(config: EternalConfig) -> None:
    """The holder is killed; its number may be anybody's now: `stop` signals nobody and a start is possible."""
    with hold(config) as child:
        child.send_signal(signal.SIGKILL)
        child.wait(30)
    (config.data_folder / "pid").write_text(str(os.getpid()))
    assert running_pid(config.data_folder) is None
    with pytest.raises(RunningError):
        stop_running(config.data_folder)
    with write_pid(config.data_folder):
        assert (config.data_folder / "pid").read_text() == str(os.getpid())


LINGERER = """
import signal, sys, threading
from pathlib import Path
from api.cli.status import write_pid
ended = threading.Event()
signal.signal(signal.SIGINT, lambda *_: ended.set())
with write_pid(Path(sys.argv[1])):
    print("held", flush=True)
    ended.wait(60)
threading.Event().wait(1.5)
"""


def test_stop_waits_for_the_process_itself(config: EternalConfig) -> None:
    """`stop` said "has ended" as soon as the folder was free: the process was still there."""
    command = [sys.executable, "-c", LINGERER, str(config.data_folder)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    assert "has ended" in stop_running(config.data_folder)
    assert child.poll() == 0
    child.stdout.close()


def test_status_with_the_api_away_asks_the_launch_and_is_light(tmp_path: Path, database_url: str) -> None:  # noqa: F811
    """It loaded configuration and database: 1.7 s of processor time, though the launch is there and has it all."""
    write_history(database_url)
    service = OperatorService(Queries(database_url), SnapshotCache(lambda: STATUS), lambda: "synthetic, seed 2", True)
    overview = asyncio.run(service.overview())
    service.close()
    config = EternalConfig(data_folder=tmp_path / "data")
    with hold(config) as child:
        read_or_make_token(config.token_file)
        system = System(config)
        counter = SecretsServer(config.data_folder, system.secrets_for)
        place = Place(config.data_folder, token_file=config.token_file)
        assert read_launch_overview(place, "nobody listens") is None, "before anything was shown"
        system.publish(overview)
        program = (
            "import resource, sys, json\n"
            "from api.cli.main import main\n"
            f"sys.argv = ['eternal', 'status', '--data', {str(config.data_folder)!r}]\n"
            "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
            "used = resource.getrusage(resource.RUSAGE_SELF)\n"
            "print(json.dumps({'cpu_s': used.ru_utime + used.ru_stime, 'loaded': sorted(sys.modules)}))\n"
        )
        try:
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
        finally:
            counter.close()
            child.kill()
    *shown, last = done.stdout.splitlines()
    told = json.loads(last)
    assert {"psycopg", "pydantic_settings", "ray", "sqlalchemy"}.isdisjoint(told["loaded"]), told["cpu_s"]
    assert told["cpu_s"] < 1.0, "measured: 0.4 s; the limit leaves room for a busy machine"
    text = " ".join(" ".join(shown).split())
    assert "The API does not answer (the system is still starting" in text
    assert "15,000.10" in text and "BTC IN_POSITION" in text


def test_status_falls_back_to_the_database_when_the_api_is_away(tmp_path: Path, database_url: str) -> None:  # noqa: F811
    config = EternalConfig(data_folder=tmp_path / "data", database=DatabaseConfig(url=SecretStr(database_url)))
    write_history(database_url)
    with hold(config) as child:
        with pytest.raises(UnansweredError, match="api-port"):
            Way(Asked(data=config.data_folder)).operations.overview()
        overview = overview_from_database(config, "nobody listens")
        child.kill()
    assert not overview["health"]["ok"]
    assert overview["equity_usdt"] == "100000.00"
    assert next(one for one in overview["engines"] if one["name"] == "trend-1")["state"] == "BTC IN_POSITION"


def wrong(config: EternalConfig) -> dict[str, str]:
    return {one.what: one.text for one in examine(config) if not one.ok}


def test_doctor_finds_nothing_wrong_with_a_new_folder(config: EternalConfig) -> None:
    assert wrong(config) == {}
    assert not config.data_folder.exists(), "the doctor only looks"


def test_doctor_names_what_is_wrong_and_how_to_mend_it(tmp_path: Path) -> None:
    config = EternalConfig(
        data_folder=tmp_path, database=DatabaseConfig(url=SecretStr("postgresql://u:hidden@127.0.0.1:1/none"))
    )
    (tmp_path / "api-token").write_text("x")
    (tmp_path / "api-token").chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = config.model_copy(update={"exchange": ExchangeConfig(port=port), "api": ApiConfig(port=port)})
        found = wrong(config)
    assert set(found) == {"token", "database", "port"}
    assert "chmod 600" in found["token"]
    assert "DATABASE_URL" in found["database"] and "hidden" not in found["database"]
    assert f"exchange.port {port}" in found["port"]


def test_doctor_leaves_a_database_as_it_is_and_refuses_a_strangers(
    tmp_path: Path,
    database_url: str,  # noqa: F811
) -> None:
    config = EternalConfig(data_folder=tmp_path, database=DatabaseConfig(url=SecretStr(database_url)))
    assert wrong(config) == {}
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM installation").fetchone() == (0,)
        connection.execute("INSERT INTO installation (installation_id, profile) VALUES ('abcdef', 'live')")
    assert "belongs to profile live" in wrong(config)["database"]


def test_reset_forgets_only_what_is_its_to_forget(config: EternalConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    arguments = ["reset", "--data", str(config.data_folder)]
    with hold(config) as child:
        refused = CliRunner().invoke(app, [*arguments, "--yes"])
        child.kill()
    assert (refused.exit_code, config.data_folder.exists()) == (2, True)
    assert CliRunner().invoke(app, arguments, input="n\n").exit_code == 1
    assert config.data_folder.exists()
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@127.0.0.1:1/none")
    assert CliRunner().invoke(app, [*arguments, "--yes"]).exit_code == 2
    assert config.data_folder.exists()
    monkeypatch.delenv("DATABASE_URL")
    assert CliRunner().invoke(app, [*arguments, "--yes"]).exit_code == 0
    assert not config.data_folder.exists()


def test_live_needs_its_words_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(app, ["run", "--profile", "live"], input="trade with real money\n")
    assert answer.exit_code == 2, "words from a pipe are not typed"
    assert "Nothing was started." in answer.output
    assert not (tmp_path / ".eternal").exists()


def test_the_server_waits_for_its_port_and_its_turns_show_that_it_lives() -> None:
    """OR-8: a killed API comes back on the same port, a stuck one is seen by its turns."""

    async def hello(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    frozen = socket.create_server(("127.0.0.1", 0))
    port = frozen.getsockname()[1]
    with pytest.raises(OSError, match=str(port)):
        listen("127.0.0.1", port, patience_s=0.3)
    threading.Timer(0.5, frozen.close).start()
    listener = listen("127.0.0.1", port, patience_s=30)
    server = make_server(hello)
    thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
    thread.start()
    pause = threading.Event()
    while server.turns < 3:
        pause.wait(0.05)
    assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code == 204
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize("width", [80, 160])
def test_the_live_table_fits_and_speaks_one_language(width: int, database_url: str) -> None:  # noqa: F811
    write_history(database_url)
    service = OperatorService(Queries(database_url), SnapshotCache(lambda: STATUS), lambda: "synthetic, seed 2", True)
    overview = asyncio.run(service.overview())
    service.close()
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(render(overview, {"Page": "http://127.0.0.1:1/"}, ["The database server had died; it runs again."]))
    text = console.export_text()
    for part in ("synthetic, seed 2", "BTC IN_POSITION", "15,000.10", "2025-01-01", "OPEN 1", "died"):
        assert part in text
    assert not re.search("[А-Яа-я]", text)
    assert max(len(line) for line in text.splitlines()) <= width


def test_a_command_asks_first_and_is_sent_with_who_and_why(
    config: EternalConfig,
    monkeypatch: pytest.MonkeyPatch,
    database_url: str,  # noqa: F811
) -> None:
    """RM-5: each command asks for confirmation; the journal gets who gave it and why."""
    calls: list[Any] = []
    service = OperatorService(Queries(database_url), SnapshotCache(lambda: STATUS), lambda: "synthetic", True)
    token = read_or_make_token(config.token_file)
    listener = listen("127.0.0.1", 0)

    def take(*call: Any) -> None:
        calls.append(call)
        register_command(database_url, call[1], call[2])

    server = make_server(create_app(service, Judge(token).judge, take))
    thread = threading.Thread(target=lambda: server.run(sockets=[listener]), daemon=True)
    thread.start()
    (config.data_folder / "api-port").write_text(str(listener.getsockname()[1]))
    monkeypatch.setattr("getpass.getuser", lambda: "katya")
    child = hold(config)
    given = ["control", "pause", "--scope", "trend-1", "--reason", "bank holiday", "--data", str(config.data_folder)]
    try:
        refused = CliRunner().invoke(app, given, input="n\n")
        assert refused.exit_code == 1 and calls == []
        done = CliRunner().invoke(app, given, input="y\n")
        assert done.exit_code == 0, done.output
        assert CliRunner().invoke(app, [*given, "--yes"]).exit_code == 0
        # A command whose answer was lost is given again by the id that the program had printed.
        command_id = re.search(r"command_id (\w+)", done.output)
        assert command_id is not None
        again = CliRunner().invoke(app, [*given, "--yes", "--command-id", command_id[1]])
        assert (again.exit_code, command_id[0] in again.output) == (0, True)
        other = [*given[:4], "--reason", "something else", *given[6:], "--yes", "--command-id", command_id[1]]
        taken = CliRunner().invoke(app, other)
        assert taken.exit_code == 2 and "reason was 'bank holiday' and is 'something else'" in taken.output
        blank = CliRunner().invoke(app, [*given, "--yes", "--command-id", " "])
        assert blank.exit_code == 2 and "command_id" in blank.output and "blank" in blank.output
        nonsense = CliRunner().invoke(app, ["control", "explode", *given[2:], "--yes"])
        assert nonsense.exit_code == 2 and "allowed: pause, resume" in nonsense.output
        flatten = ["control", "flatten", *given[2:]]
        half = CliRunner().invoke(app, flatten, input="y\n")
        assert half.exit_code == 2 and "at market" in half.output, "a flatten is typed out, not waved through"
        history = CliRunner().invoke(app, ["control", "history", "--data", str(config.data_folder)])
        assert history.exit_code == 0, history.output
        first = " ".join(history.output.split())
        assert "pause trend-1 operator (katya, command line) bank holiday" in first
        too_many = CliRunner().invoke(app, ["control", "history", "--limit", "0", "--data", str(config.data_folder)])
        assert too_many.exit_code == 2 and "--limit" in too_many.output
    finally:
        server.should_exit = True
        child.terminate()
        child.wait(10)
        thread.join(10)
        service.close()
    assert len(calls) == 2
    actor, method, (_kind, body, _natural_id) = calls[0]
    assert (actor, method) == ("risk-manager", "command")
    assert (body["who"], body["reason"]) == ("operator (katya, command line)", "bank holiday")


def test_a_lost_answer_is_told_with_the_id_to_repeat_it_with_and_no_class_name(config: EternalConfig) -> None:
    """`eternal control` said "may be given again" but showed no id and took none: a repeat was another command."""
    given = ["control", "halt", "--reason", "a test", "--yes", "--data", str(config.data_folder)]
    child = hold(config)
    token = read_or_make_token(config.token_file)
    assert token.header()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        (config.data_folder / "api-port").write_text(str(port))

        def end_the_call() -> None:
            mute.accept()[0].close()

        closer = threading.Thread(target=end_the_call)
        closer.start()
        lost = CliRunner().invoke(app, given)
        closer.join(10)
    away = CliRunner().invoke(app, given)
    child.terminate()
    child.wait(10)
    assert re.search(r"--command-id [0-9a-f]{32}", lost.output), lost.output
    assert "--command-id" not in away.output, "nothing was sent: there is nothing to be repeated"
    for result in (lost, away):
        assert result.exit_code == ExitCode.UNANSWERED
        assert not re.search(r"\b[A-Z]\w+(Error|Disconnected|Exception)\b", result.output), result.output
