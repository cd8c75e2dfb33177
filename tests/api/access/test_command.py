"""`eternal access`: made, listed, rotated, revoked; nonsense; the token is shown once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.access.register import REGISTER, AccessRegister
from api.cli.main import app
from infra.data_folder import claim_data_folder

RUNNER = CliRunner()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    claim_data_folder(tmp_path / "data")
    return tmp_path / "data"


def eternal(folder: Path, *words: str) -> tuple[int, str]:
    found = RUNNER.invoke(app, ["access", *words, "--data", str(folder)])
    return found.exit_code, found.output


def test_a_credential_from_its_making_to_its_end(folder: Path) -> None:
    code, text = eternal(folder, "add", "alice", "--scope", "control", "--days", "30")
    assert code == 0 and "shown this once" in text
    token = next(line.removeprefix("Token: ") for line in text.splitlines() if line.startswith("Token: "))
    _, listed = eternal(folder, "list")
    assert "alice" in listed and "active" in listed and token not in listed and "argon2" not in listed
    code, rotated = eternal(folder, "rotate", "alice", "--json")
    assert code == 0 and json.loads(rotated)["token"] != token and "hash" not in json.loads(rotated)
    assert eternal(folder, "revoke", "alice")[0] == 0
    _, listed = eternal(folder, "list", "--json")
    assert [one["state"] for one in json.loads(listed)] == ["revoked", "revoked"]
    assert AccessRegister(folder / REGISTER).all()[0].made_by.endswith("command line")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("add", "Alice", "--scope", "read"), "small letters"),
        (("add", "alice", "--scope", "all"), "'all' is not one of"),
        (("add", "alice"), "--scope"),
        (("add", "alice", "--scope", "read", "--days", "0"), "--days 0 is not allowed"),
        (("revoke", "alice"), "alice has no credential that is active. Those who have one: nobody."),
        (("rotate", "alice"), "alice has no credential"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(folder: Path, words: tuple[str, ...], sentence: str) -> None:
    code, text = eternal(folder, *words)
    assert code == 2 and sentence in " ".join(text.replace("│", " ").split()), text
    assert "Traceback" not in text


def test_a_folder_that_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    code, _ = eternal(tmp_path, "add", "alice", "--scope", "read")
    assert code == 2 and [path.name for path in tmp_path.iterdir()] == ["letters.txt"]
