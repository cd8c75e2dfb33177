"""RM-5: while the interface is away, what forbids new risk is in force in the database at once, and is the same command
at either door."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli.door import DoorClosedError, give_directly
from api.cli.exits import ExitCode
from api.cli.main import app
from api.client.running_system import Place
from infra.database.queries import Queries
from infra.database.registers import HeldCommands
from infra.faults import OperatorError
from statemachines.limits.operator_actions import ACTIONS
from statemachines.limits.operator_scopes import RESTRICTS
from tests.api.records import register_command
from tests.api.test_running import HOLDER, ROOT
from tests.browser.place import Place as OpenPlace
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures


@pytest.fixture
def place(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Place:  # noqa: F811
    monkeypatch.setenv("DATABASE_URL", database_url)
    return Place(tmp_path / "data")


def body(action: str = "halt", scope: str = "GLOBAL", name: str = "c-1", reason: str = "a test") -> dict[str, str]:
    return {"action": action, "scope": scope, "reason": reason, "who": "ada, command line", "command_id": name}


def test_it_is_in_force_at_its_commit_and_waits_for_the_risk_manager(place: Place, database_url: str) -> None:  # noqa: F811
    queries, held = Queries(database_url), HeldCommands(database_url)
    assert "committed to the database directly" in give_directly(place, None, body())
    (switch,) = queries.switches()
    assert (switch["scope"], switch["state"], switch["who"]) == ("GLOBAL", "HALTED", "operator (ada, command line)")
    (waiting,) = held.waiting()
    assert (waiting.command_id, waiting.action, waiting.scope) == ("c-1", "halt", "GLOBAL")
    register_command(database_url, "command", ("operator_command", waiting.model_dump(), "operator:c-1"))
    assert held.waiting() == [], "carried out"
    queries.close()
    held.close()


@pytest.mark.parametrize("names", [("b", "a", "c"), ("c", "b", "a"), ("a", "c", "b")])
def test_commands_are_handed_on_in_the_order_in_which_they_were_given(
    place: Place,
    database_url: str,  # noqa: F811
    names: tuple[str, str, str],
) -> None:
    """Market time stands still, and ids are random: neither says which command came first."""
    held = HeldCommands(database_url)
    for name, action in zip(names, ("reduce_only", "flatten", "halt"), strict=True):
        give_directly(place, None, body(action, name=name))
    give_directly(place, None, body("reduce_only", name=names[0]))
    assert [one.action for one in held.waiting()] == ["reduce_only", "flatten", "halt"]
    held.close()


def test_a_repeat_is_the_same_command_at_either_door_and_another_one_under_its_id_is_refused(
    place: Place,
    database_url: str,  # noqa: F811
) -> None:
    held = HeldCommands(database_url)
    for _ in range(2):
        give_directly(place, None, body())
    assert len(held.waiting()) == 1
    with pytest.raises(OperatorError, match="reason was 'a test' and is 'another'"):
        give_directly(place, None, body(reason="another"))
    through_the_interface = {**body(name="c-2"), "who": "operator (ada, command line)"}
    register_command(database_url, "command", ("operator_command", through_the_interface, "operator:c-2"))
    give_directly(place, None, body(name="c-2"))
    assert len(held.waiting()) == 1, "it had been carried out through the interface"
    held.close()


@pytest.mark.parametrize("action", [*ACTIONS, "reset"])
def test_only_what_forbids_new_risk_passes(place: Place, action: str) -> None:
    if action in RESTRICTS:
        assert "committed" in give_directly(place, None, body(action))
        return
    with pytest.raises(DoorClosedError, match="waits for the interface"):
        give_directly(place, None, body(action))


@pytest.mark.parametrize("change", [{"scope": "nonsense"}, {"command_id": " "}, {"reason": "x" * 501}])
def test_a_wrong_command_is_refused_as_the_interface_refuses_it(place: Place, change: dict[str, str]) -> None:
    with pytest.raises(OperatorError):
        give_directly(place, None, {**body(), **change})


def test_without_a_database_it_says_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DoorClosedError, match="no credential"):
        give_directly(Place(tmp_path / "data"), None, body())
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hidden-word@127.0.0.1:1/none")
    with pytest.raises(DoorClosedError) as caught:
        give_directly(Place(tmp_path / "data"), None, body())
    assert "hidden-word" not in str(caught.value)


@pytest.fixture
def running(place: Place) -> Iterator[Place]:
    """A system whose interface is dead: its folder is held, and nothing listens on its port."""
    command = [sys.executable, "-c", HOLDER, str(place.data_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        (place.data_folder / "api-port").write_text("1")
        yield place
        child.kill()


def test_an_interface_without_an_actor_that_takes_the_command_is_away_too(
    running: Place,
    database_url: str,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Risk manager and orchestrator are both dead: the interface can only say so (503)."""
    busy = OpenPlace(tmp_path, database_url)
    busy.is_busy = True
    monkeypatch.setattr("api.cli.asking.way.read_or_make_token", lambda _path: busy.doors.token)
    (running.data_folder / "api-port").write_text(busy.address.rpartition(":")[2])
    given = ["control", "halt", "--reason", "a test", "--yes", "--data", str(running.data_folder)]
    try:
        done = CliRunner().invoke(app, given)
        other = CliRunner().invoke(app, ["control", "normal", *given[2:]])
    finally:
        busy.close()
    assert done.exit_code == 0 and "no risk-manager just now" in done.stdout and "directly" in done.stdout
    assert other.exit_code == ExitCode.UNANSWERED and "--command-id" in other.stderr


def test_the_command_line_takes_this_door_by_itself_and_says_so(running: Place, database_url: str) -> None:  # noqa: F811
    def call(action: str, *more: str) -> tuple[int, str, str]:
        given = ["control", action, "--reason", "a test", "--yes", "--data", str(running.data_folder), *more]
        result = CliRunner().invoke(app, given)
        return result.exit_code, result.stdout, result.stderr

    code, said, _ = call("halt")
    assert code == 0 and "The interface does not answer (nothing listens" in said and "directly" in said
    code, said, _ = call("pause", "--scope", "trend-1", "--json")
    assert (code, json.loads(said)["door"]) == (0, "database")
    code, _, error = call("normal")
    assert code == ExitCode.UNANSWERED and "waits for the interface" in error and "--command-id" not in error
    queries = Queries(database_url)
    assert {one["scope"]: one["state"] for one in queries.switches()} == {"GLOBAL": "HALTED", "trend-1": "PAUSED"}
    queries.close()
