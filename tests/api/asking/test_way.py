"""How a command finds the interface and its credential."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.cli.asking.way import Asked, Way, WayError, checked_url, read_credentials
from api.cli.status import NothingRunsError
from tests.api.access.doors import OWNERS
from tests.api.asking.conftest import Line


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_credential_file_is_enough(line: Line, tmp_path: Path) -> None:
    path = write(tmp_path / "away.toml", f'url = "{line.place.address}/"\ntoken = "{OWNERS}"\n')
    for asked, environment in ((Asked(credentials=path), {}), (Asked(), {"ETERNAL_CREDENTIALS": str(path)})):
        assert Way(asked, environment).operations.standing()["person"] == "operator"
    token = Way(Asked(credentials=path, token=line.reader), {}).operations.standing()["person"]
    assert token == "alice", "an option counts before the file"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o700])
def test_a_credential_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(WayError, match=f"mode {mode:04o}.*chmod 600"):
        read_credentials(write(tmp_path / "open.toml", 'url = "https://x"\ntoken = "secret-token"\n', mode))


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_one_that_only_its_owner_may_use_is_taken(tmp_path: Path, mode: int) -> None:
    found = read_credentials(write(tmp_path / "own.toml", 'url = "https://x"\ntoken = "t"\n', mode))
    assert found == {"url": "https://x", "token": "t"}


@pytest.mark.parametrize(
    "text",
    ["not toml secret-token", 'url = "https://x"\n', 'token = "secret-token"\n', 'url = 5\ntoken = "secret-token"\n',
     'url = "https://x"\ntoken = "secret-token"\nother = "1"\n', 'url = ""\ntoken = "secret-token"\n', "\x00"],
)  # fmt: skip
def test_a_spoilt_credential_file_is_a_sentence_without_its_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(WayError) as caught:
        read_credentials(write(tmp_path / "bad.toml", text))
    assert "secret-token" not in str(caught.value) and "bad.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "is_taken"),
    [("https://example.com", True), ("https://example.com:8443/eternal/", True), ("http://127.0.0.1:8000", True),
     ("http://[::1]:8000", True), ("http://localhost", True), ("http://192.0.2.1", False), ("ftp://x", False),
     ("https://", False), ("https://x?token=1", False), ("https://x#y", False), ("https://x:99999", False),
     ("https://a@x", False), ("", False)],
)  # fmt: skip
def test_an_address_is_encrypted_or_on_this_machine(text: str, is_taken: bool) -> None:
    if is_taken:
        assert checked_url(text) == text.rstrip("/")
        return
    with pytest.raises(WayError):
        checked_url(text)


def test_a_data_folder_on_the_command_line_counts_before_an_address_in_the_environment(tmp_path: Path) -> None:
    environment = {"ETERNAL_URL": "https://example.com", "ETERNAL_TOKEN": "t"}
    assert Way(Asked(), environment).place is None
    way = Way(Asked(data=tmp_path), environment)
    assert way.place is not None and way.place.data_folder == tmp_path
    with pytest.raises(NothingRunsError):
        _ = way.operations


def test_a_token_is_in_no_repr() -> None:
    way = Way(Asked(url="https://example.com", token="secret-token", code="123456"), {})
    shown = f"{way.asked!r} {way.operations!r} {way!r}"
    assert "secret-token" not in shown and "123456" not in shown
