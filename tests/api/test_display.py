"""`eternal run` on the screen: whatever fails in what is shown, the guard of the system goes on."""

from __future__ import annotations

import io
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from rich.console import Console

from api.access.links import Links
from api.access.state import state_file
from api.cli import run as run_command
from api.launch import display
from api.launch.system import System
from infra.config import EternalConfig
from infra.config.sections import ApiConfig
from infra.data_folder import claim_data_folder
from infra.database.outage import DatabaseUnreachableError, told_as_sentence
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.waiting import until

PATIENCE_S = 20.0


class Played:
    """A system whose market ends when the test says so."""

    def __init__(self, config: EternalConfig, url: str) -> None:
        self.config, self.database_url = config, url
        self.database = SimpleNamespace(warnings=())
        self.ray = SimpleNamespace(token_file=config.data_folder / "ray-token")
        self.notices = SimpleNamespace(shown=lambda: [])
        self.api_url = self.dashboard_url = "http://127.0.0.1:1"
        self.api_port = 1
        self.market_label = "played"
        self.published: list[Mapping[str, Any]] = []
        self.looks = 0
        self.end_after_looks = 0
        self.stopped = False
        self.until = time.monotonic() + PATIENCE_S

    @property
    def status(self) -> dict[str, Any]:
        return {"booted": True, "components": [], "age_s": 0.1}

    @property
    def has_ended(self) -> bool:
        self.looks += 1
        enough = len(self.published) >= 3 or 0 < self.end_after_looks <= self.looks
        return enough or time.monotonic() > self.until

    def start(self) -> None:
        pass

    def publish(self, overview: Mapping[str, Any]) -> None:
        self.published.append(overview)

    def stop(self) -> None:
        self.stopped = True


class Gone(io.StringIO):
    """A terminal that is gone."""

    def write(self, _text: str) -> int:
        raise OSError(5, "Input/output error")


class Unread(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    def fileno(self) -> int:
        raise OSError("none")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(display, "TURN_S", 0.05)
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


def run(
    monkeypatch: pytest.MonkeyPatch, folder: Path, url: str, console: Console, end_after_looks: int = 0
) -> tuple[Played, bool]:
    system = Played(EternalConfig(data_folder=folder / "data"), url)
    system.end_after_looks = end_after_looks
    monkeypatch.setattr(run_command, "System", lambda _config: system)
    monkeypatch.setattr(run_command, "Console", lambda: console)
    monkeypatch.setattr(display, "_log", SimpleNamespace(warning=lambda *_a, **_k: None))
    return system, run_command.show_run(system.config, until_end=True)


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_table_that_is_away_does_not_end_the_system(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    database_url: str,  # noqa: F811
    is_terminal: bool,
) -> None:
    """The journal renamed for a moment: `UndefinedTable` came out of the live table, and all processes were ended."""
    with psycopg.connect(database_url, autocommit=True) as operator:
        operator.execute("ALTER TABLE journal RENAME TO journal_x")
    output = io.StringIO()
    console = Console(file=output, force_terminal=is_terminal, width=200)
    system, is_sound = run(monkeypatch, tmp_path, database_url, console)
    assert len(system.published) >= 3, "it went on showing"
    assert "lacks tables of this program" in " ".join(system.published[0]["health"]["reasons"])
    assert not is_sound and "The summary cannot be made" in output.getvalue()
    assert system.stopped


@pytest.mark.parametrize("file", [Gone(), Unread()])
def test_a_terminal_that_is_gone_does_not_end_the_system(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    database_url: str,  # noqa: F811
    file: io.StringIO,
) -> None:
    """rich raises SystemExit for a pipe that nobody reads: not even the processes would have been ended."""
    system, _ = run(monkeypatch, tmp_path, database_url, Console(file=file, force_terminal=True), end_after_looks=20)
    assert system.looks >= 20 or len(system.published) >= 3
    assert system.stopped


@pytest.mark.parametrize("what", ["render", "_line", "OperatorService", "limits_for"])
def test_a_fault_of_the_display_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    database_url: str,  # noqa: F811
    what: str,
) -> None:
    """Whatever it is: the first two tries fail, the next ones show."""
    real, calls = getattr(display, what), []

    def faulty(*arguments: Any, **named: Any) -> Any:
        calls.append(what)
        if len(calls) <= 2:
            raise ValueError("a figure that cannot be shown")
        return real(*arguments, **named)

    monkeypatch.setattr(display, what, faulty)
    monkeypatch.setattr(display, "PLAIN_EVERY", 1)
    output = io.StringIO()
    console = Console(file=output, force_terminal=what == "render", width=200)
    system, _ = run(monkeypatch, tmp_path, database_url, console)
    assert len(system.published) >= 3 and len(calls) >= 3
    if what in ("render", "_line"):
        assert "a figure that cannot be shown" in output.getvalue()
    assert system.stopped


def test_the_operator_ends_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:  # noqa: F811
    """The signal comes once the guard looks: one that comes before its handlers are there means something else."""
    signalled = threading.Event()

    def looked(self: Played) -> bool:
        if not signalled.is_set():
            signalled.set()
            signal.raise_signal(signal.SIGTERM)
        return time.monotonic() > self.until

    monkeypatch.setattr(Played, "has_ended", property(looked))
    system, is_sound = run(monkeypatch, tmp_path, database_url, Console(file=io.StringIO()))
    assert is_sound and system.stopped and time.monotonic() < system.until


def test_what_cannot_be_ended_in_order_keeps_nothing_else_from_its_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An error in the end of Ray left exchange and database running."""
    ended: list[str] = []

    def fail(*_: object) -> None:
        raise RuntimeError("no start and no end")

    broken = SimpleNamespace(start=fail, stop=fail)
    server = SimpleNamespace(stop=lambda: ended.append("database"))
    monkeypatch.setattr("api.launch.system.RayProcess", lambda *_: broken)
    monkeypatch.setattr("api.launch.system.SimulatorProcess", lambda *_: broken)
    monkeypatch.setattr("api.launch.system.EmbeddedPostgres", lambda *_, **__: server)
    monkeypatch.setattr("api.launch.system.open_database", fail)
    system = System(EternalConfig(data_folder=tmp_path / "data"))
    with pytest.raises(RuntimeError, match="no start"):
        system.start()
    system.stop()
    assert ended == ["database"]


def test_a_database_that_is_locked_in_the_start_is_a_sentence() -> None:
    with pytest.raises(DatabaseUnreachableError, match="is locked by another session: held"), told_as_sentence():
        raise psycopg.errors.LockNotAvailable("held")
    with pytest.raises(psycopg.errors.UndefinedColumn), told_as_sentence():
        raise psycopg.errors.UndefinedColumn("a fault of our own")


def _overview(state: str) -> dict[str, Any]:
    return {"components": [{"name": "market-data", "state": "RUNNING"}, {"name": "api", "state": state}]}


@pytest.mark.parametrize(("is_terminal", "host"), [(True, "127.0.0.1"), (False, "127.0.0.1"), (True, "10.0.0.5")])
def test_a_link_to_the_console_is_shown_once_and_to_a_terminal_alone(
    tmp_path: Path, is_terminal: bool, host: str
) -> None:
    """Whatever else takes the output may keep it: a log would hold what opens the console."""
    claim_data_folder(tmp_path / "data")
    config = EternalConfig(data_folder=tmp_path / "data", api=ApiConfig(host=host, trusted_proxies=("10.0.0.1",)))
    output = io.StringIO()
    console = Console(file=output, force_terminal=is_terminal, width=200, no_color=True, highlight=False)
    shown = display.Display(Played(config, ""), console, threading.Event())  # type: ignore[arg-type]
    for state in ("STARTING", "RUNNING", "RUNNING"):
        shown._offer_link(_overview(state))  # noqa: SLF001 - the thread that calls it needs a database
        assert "link" not in output.getvalue() or state == "RUNNING"
    text = output.getvalue()
    links = state_file(config.sessions_file).read().links
    if is_terminal and host == "127.0.0.1":
        secret = re.findall(r"http://127\.0\.0\.1:1/#link=([\w-]+)", text)
        assert len(secret) == len(links) == 1 and Links(state_file(config.sessions_file)).redeem(secret[0]) == "opened"
    else:
        assert links == () and "#link=" not in text
        assert "eternal access link" in text or "10.0.0.5" in text


@pytest.mark.parametrize(
    ("environment", "platform", "opens"),
    [({"DISPLAY": ":0"}, "linux", True), ({"WAYLAND_DISPLAY": "w"}, "linux", True), ({}, "darwin", True),
     ({}, "linux", False), ({"DISPLAY": "", "SSH_TTY": "/dev/pts/1"}, "linux", False)],
)  # fmt: skip
def test_the_browser_is_opened_with_the_link_where_there_is_a_screen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], platform: str, opens: bool
) -> None:
    assert display.has_screen(environment, platform) is opens
    opened: list[str] = []
    monkeypatch.setattr(display, "has_screen", lambda _environment: opens)
    monkeypatch.setattr("api.launch.display.webbrowser.open", opened.append)
    claim_data_folder(tmp_path / "data")
    config = EternalConfig(data_folder=tmp_path / "data", api=ApiConfig(host="127.0.0.1"))
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    shown = display.Display(Played(config, ""), console, threading.Event())  # type: ignore[arg-type]
    shown._offer_link(_overview("RUNNING"))  # noqa: SLF001 - the thread that calls it needs a database
    until(lambda: len(opened) == opens)
    assert all(one.startswith("http://127.0.0.1:1/#link=") for one in opened)
