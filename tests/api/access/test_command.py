"""`eternal access`: made, listed, rotated, revoked; second factors, sessions, links; secrets are shown once."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from api.access.answers import Presented
from api.access.entrance import open_access
from api.access.links import Links, Redeemed
from api.access.register import REGISTER, AccessRegister
from api.access.sessions import Begun
from api.access.state import STATE, state_file
from api.cli.main import app
from api.tokens import TokenFile
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
    wanted = 6 if "has no credential" in sentence else 2  # that person could have one
    assert code == wanted and sentence in " ".join(text.replace("│", " ").split()), text
    assert "Traceback" not in text


def test_a_folder_that_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    code, _ = eternal(tmp_path, "add", "alice", "--scope", "read")
    assert code == 2 and [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


# --- second factors, sessions, links ---


def test_a_second_factor_is_shown_once_replaced_and_taken_away(folder: Path) -> None:
    eternal(folder, "add", "alice", "--scope", "control")
    code, text = eternal(folder, "totp", "alice")
    assert code == 0 and "shown this once" in text
    uris = [line for line in text.splitlines() if line.startswith("otpauth://totp/")]
    secret = parse_qs(urlsplit(uris[0]).query)["secret"][0]
    for words in (("list",), ("list", "--json"), ("rotate", "alice", "--json")):
        _, listed = eternal(folder, *words)
        assert secret not in listed
    assert "with a second factor" in eternal(folder, "list")[1]
    assert json.loads(eternal(folder, "totp", "alice", "--json")[1])["uri"] not in (None, uris[0])
    assert "needs no code any more" in eternal(folder, "totp", "alice", "--off")[1]
    assert AccessRegister(folder / REGISTER).all()[-1].totp is None


def log_in(folder: Path, token: str) -> Begun:
    access = open_access(TokenFile(folder / "api-token"), AccessRegister(folder / REGISTER), state_file(folder / STATE))
    begun = access.entrance.log_in(token, None, Presented("192.0.2.1"))
    assert isinstance(begun, Begun)
    return begun


def test_sessions_are_listed_and_ended(folder: Path) -> None:
    assert "There is no session." in eternal(folder, "sessions")[1]
    token = json.loads(eternal(folder, "add", "alice", "--scope", "control", "--json")[1])["token"]
    eternal(folder, "totp", "alice")
    begun = log_in(folder, token)
    _, text = eternal(folder, "sessions")
    assert begun.session.session_id in text and "alice" in text and "192.0.2.1" in text
    assert "reads only, no code was given" in text
    (row,) = json.loads(eternal(folder, "sessions", "--json")[1])
    assert set(row) & {"hash", "mark", "code_mark"} == set() and row["is_confirmed"] is False
    assert begun.cookie.split(".")[1] not in text + json.dumps(row)
    code, text = eternal(folder, "end", begun.session.session_id)
    assert code == 0 and "session of alice" in text
    code, text = eternal(folder, "end", begun.session.session_id)
    assert code == 6 and "is no session. Those that there are: none." in text


def test_a_revoked_credential_has_no_session_left(folder: Path) -> None:
    token = json.loads(eternal(folder, "add", "alice", "--scope", "read", "--json")[1])["token"]
    begun = log_in(folder, token)
    eternal(folder, "revoke", "alice")
    assert "There is no session." in eternal(folder, "sessions")[1]
    assert eternal(folder, "end", begun.session.session_id)[0] == 6


def test_a_link_needs_a_running_system_that_loopback_reaches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = eternal(folder, "link")
    assert code == 3 and "No system runs on" in text and not (folder / STATE).exists()
    monkeypatch.setattr("api.cli.status.running_pid", lambda _folder: 1)
    (folder / "api-port").write_text("8080")
    code, text = eternal(folder, "link")
    assert code == 0 and "within 60 s" in text
    url = text.splitlines()[0]
    assert url.startswith("http://127.0.0.1:8080/#link=")
    assert Links(state_file(folder / STATE)).redeem(url.partition("#link=")[2]) is Redeemed.OPENED
    monkeypatch.setenv("ETERNAL__API__HOST", "10.0.0.5")
    code, text = eternal(folder, "link")
    assert code == 2 and "api.host = 10.0.0.5 is another one" in " ".join(text.split())
    assert len(state_file(folder / STATE).read().links) == 1, "no link is made that cannot be used"
