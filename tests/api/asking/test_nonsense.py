"""One rule for the exit codes of all commands (docs/operations.md, "Exit codes"): every command and every option that
takes a value, with nonsense of each kind. `eternal decisions --actor nobody` ended with 6, `eternal orders --engine
foo` with 2.

| Nonsense | Exit code |
|---|---|
| a value that cannot be read, is out of its bounds, or is not among the values that are allowed at all | 2 |
| a file or folder of the command line that does not exist or cannot be used | 2 |
| a data folder on which nothing runs, or on which nothing has run yet | 3 |
| an id, name or number of one thing that could exist and does not | 6 |
| a filter that nothing matches | 0, and an empty list |
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from api.cli.exits import ExitCode
from api.cli.main import app
from infra.config import load_config
from infra.config.policy import policy_of
from infra.data_folder import claim_data_folder
from infra.database import registers
from tests.api.asking.conftest import Line

BAD, NONE, MISSING, EMPTY = ExitCode.BAD_ARGUMENT, ExitCode.NOTHING_RUNS, ExitCode.NOT_FOUND, ExitCode.DONE
WHERE = {"data", "config_file", "url", "token", "credentials", "code", "help"}
"""Parameters that every command takes alike: `COMMON` below."""

LIST = {"--from": BAD, "--to": BAD, "--limit": BAD, "--before": BAD}
ALERTS = {**LIST, "--severity": BAD, "--state": BAD}
ASKED: dict[str, dict[str, ExitCode]] = {
    "alerts": ALERTS,
    "alerts list": ALERTS,
    "alerts ack": {"ID": MISSING},
    "control": {"ID": BAD},
    "decisions": {**LIST, "--actor": BAD, "--machine": EMPTY, "--text": EMPTY, "--trace": EMPTY},
    "equity": {"--engine": BAD, "--range": BAD, "--from": BAD, "--to": BAD, "--rows": BAD},
    "fills": {**LIST, "--engine": BAD, "--order": EMPTY, "--symbol": EMPTY},
    "ledger show": {**LIST, "--account": BAD, "--kind": BAD},
    "orders": {**LIST, "--engine": BAD, "--state": BAD, "--symbol": EMPTY},
    "top": {"--every": BAD},
    "why": {"ID": MISSING},
}
"""Commands that ask the interface. `ID`: the argument itself."""

OWN: dict[str, dict[str, ExitCode]] = {
    "access add": {"--scope": BAD, "--days": BAD, "ID": BAD},
    "access end": {"ID": MISSING},
    "access revoke": {"ID": MISSING},
    "access rotate": {"ID": MISSING, "--days": BAD},
    "access totp": {"ID": MISSING},
    "backtest": dict.fromkeys(
        ("--history", "--from", "--to", "--engines", "--capital", "--deposit", "--fees", "--slippage-bps", "--seed",
         "--set"), BAD),
    "deadman": {"--profile": BAD, "--set": BAD},
    "doctor": {"--profile": BAD},
    "exchange": dict.fromkeys(
        ("--port", "--clock", "--speed", "--history", "--from", "--seed", "--scenario", "--scenario-stretch",
         "--impact", "--set"), BAD),
    "history check": {"ID": BAD},
    "history download": {"--from": BAD, "--to": BAD, "--fear-greed-url": BAD},
    "ledger check": {"--from": BAD, "--set": BAD},
    "ledger export": {"--format": BAD, "--from": BAD, "--to": BAD, "--set": BAD},
    "notify report": {"--set": BAD},
    "notify test": {"--channel": BAD, "--set": BAD},
    "policy diff": {"--from": BAD, "--to": BAD, "ID": NONE},
    "policy rollback": {"ID": BAD},
    "policy set": {"ID": NONE},
    "policy show": {"--version": BAD},
    "run": dict.fromkeys(("--profile", "--history", "--from", "--to", "--pace", "--seed", "--set"), BAD),
}  # fmt: skip
"""Commands that work on this machine; they must refuse before anything is started or written."""

REQUIRED = {
    "access add": {"--scope": ["--scope", "read"], "ID": ["alice"]},
    "access rotate": {"ID": ["alice"]},
    "alerts ack": {},
    "ledger export": {"--format": ["--format", "csv"], "--out": ["--out", "out.csv"]},
    "history download": {"ID": ["prices"]},
    "policy rollback": {"--reason": ["--reason", "a test"]},
    "policy set": {"--reason": ["--reason", "a test"]},
}
FREE = {
    "--reason", "--text", "--out", "--target", "--open", "--address", "--scope", "--command-id", "--symbols",
    "--progress",
}  # fmt: skip
"""Texts and files to be written, of which any is allowed, and what belongs to an action of `control`
(test_commands)."""

SPECIAL = {("access add", "ID"): "No One"}
"""What is nonsense there, where the word itself would be allowed."""

LEFT = {"access.json.lock", "api-token"}
"""The lock of a file that is read, and the owner's token, which every look at the data folder makes anew."""

NO_VALUE = {"config example", "config schema", "diagrams", "exchange document"}


def commands() -> Iterator[tuple[str, Any]]:
    def below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if not inner or (path and command.invoke_without_command):
            yield " ".join(path), command
        for name, one in sorted((inner or {}).items()):
            yield from below(one, (*path, name))

    yield from below(typer.main.get_command(app), ())


def valued(command: Any) -> set[str]:
    """The options of a command that take a value; `ID` for an argument."""
    return {
        one.opts[0] if one.opts[0].startswith("--") else "ID"
        for one in command.params
        if one.name not in WHERE and not getattr(one, "is_flag", False)
    }


def test_every_command_and_option_is_in_the_table() -> None:
    table = {**ASKED, **OWN}
    for name, command in commands():
        missing = valued(command) - FREE - set(table.get(name, {})) - ({"ID"} if name in REQUIRED else set())
        if name == "control":
            missing -= {"--limit"}
        assert not missing or name in NO_VALUE, f"{name}: {sorted(missing)}"


def line_of(name: str, option: str, value: str) -> list[str]:
    needed = [word for part, words in REQUIRED.get(name, {}).items() if part != option for word in words]
    value = SPECIAL.get((name, option), value)
    return [*name.split(), *needed, *([value] if option == "ID" else [option, value])]


@pytest.mark.parametrize(("name", "option"), [(name, option) for name, row in ASKED.items() for option in row])
def test_nonsense_to_a_command_that_asks(line: Line, name: str, option: str) -> None:
    result = line(*line_of(name, option, "nonsense"))
    assert result.exit_code == ASKED[name][option], result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("name", "option"), [(name, option) for name, row in OWN.items() for option in row])
def test_nonsense_to_a_command_of_this_machine(
    name: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    claim_data_folder(tmp_path / ".eternal")
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(app, line_of(name, option, "nonsense"))
    assert result.exit_code == OWN[name][option], result.output
    assert "Traceback" not in result.output
    assert [one for one in sorted(tmp_path.rglob("*")) if one.name not in LEFT] == before, "nothing was done"


ON_A_FOLDER = [
    ["access", "list"], ["access", "revoke", "alice"], ["access", "sessions"], ["access", "end", "x"],
    ["access", "link"], ["alerts"], ["alerts", "ack", "x"], ["control", "history"], ["decisions"], ["equity"],
    ["fills"], ["ledger", "show"], ["ledger", "check"], ["ledger", "export", "--format", "csv", "--out", "x.csv"],
    ["notify", "status"], ["notify", "report"], ["orders"], ["policy", "show"], ["policy", "history"],
    ["policy", "diff"], ["policy", "set", "risk.max_leverage=1", "--reason", "a test"],
    ["policy", "rollback", "1", "--reason", "a test"], ["positions"], ["status"], ["stop"], ["top"], ["why", "x"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", ON_A_FOLDER, ids=" ".join)
def test_a_folder_on_which_nothing_has_run(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [*arguments, "--data", "none"])
    assert result.exit_code == NONE, result.output


FILES = [
    ["status", "--config", "none.toml"], ["orders", "--config", "none.toml"],
    ["policy", "show", "--config", "none.toml"],
    ["notify", "test", "--config", "none.toml"], ["run", "--config", "none.toml"], ["stop", "--config", "none.toml"],
    ["access", "list", "--config", "none.toml"], ["orders", "--credentials", "none.toml"],
    ["backtest", "--history", "none"], ["history", "check", "none"], ["exchange", "--scenario", "none.toml"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", FILES, ids=" ".join)
def test_a_file_that_does_not_exist(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == BAD and "none" in result.output, result.output


VERSIONS: list[tuple[list[str], ExitCode]] = [
    (["policy", "show", "--version", "999"], MISSING),
    (["policy", "diff", "--from", "999"], MISSING),
    (["policy", "diff", "--to", "999"], MISSING),
    (["policy", "rollback", "999", "--reason", "a test"], MISSING),
    (["policy", "set", "nonsense", "--reason", "a test"], BAD),
    (["policy", "set", "risk.nonsense=1", "--reason", "a test"], BAD),
    (["policy", "diff", "risk.nonsense=1"], BAD),
]


@pytest.mark.parametrize(
    ("arguments", "code"), VERSIONS, ids=lambda one: " ".join(one) if isinstance(one, list) else ""
)
def test_a_version_or_a_setting_that_there_is_not(line: Line, arguments: list[str], code: ExitCode) -> None:
    if registers.newest_policy(line.place.url) is None:
        policy = policy_of(load_config({}))
        registers.record_policy(line.place.url, 0, policy, "a test", "a test", "configuration")
    result = CliRunner().invoke(app, arguments, env={"DATABASE_URL": line.place.url})
    assert result.exit_code == code, result.output
    assert ".." not in result.output.replace("…", "") and "Traceback" not in result.output
