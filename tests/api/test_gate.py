"""The door of the HTTP interface (IF-4, DE-3; cases 2 and 20): requests are judged before they are read, idle
connections end, a rotated token counts at once."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from api.access.judge import Judge
from api.http import serving
from api.http.app import create_app
from api.http.gate import MAX_BODY_BYTES
from api.http.serving import listen, make_server
from api.launch.system import System
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.tokens import TokenFile, WeakTokenError, read_or_make_token, read_token
from infra.config import EternalConfig
from infra.database.queries import Queries
from statemachines.values import ActorName
from tests.waiting import until

NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"


class Register(Queries):
    """The commands that were carried out; there is no database."""

    def __init__(self) -> None:
        super().__init__(NO_DATABASE)
        self.commands: dict[str, Mapping[str, Any]] = {}

    def operator_command(self, command_id: str) -> dict[str, Any] | None:
        found = self.commands.get(command_id)
        return None if found is None else dict(found)


class Door:
    """A running server with its token file; `taken` are the commands that reached an actor."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "api-token"
        self.taken: list[tuple[object, ...]] = []
        self._register = Register()
        service = OperatorService(self._register, SnapshotCache(lambda: {}), lambda: "synthetic", True)
        self._listener = listen("127.0.0.1", 0)
        self.port = self._listener.getsockname()[1]
        self.server = make_server(create_app(service, Judge(TokenFile(self.path)).judge, self._send))
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self._listener]}, daemon=True)
        self._thread.start()
        until(lambda: self.server.started)

    def _send(self, actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
        self._register.commands[arguments[1]["command_id"]] = arguments[1]
        self.taken.append((actor, method, *arguments))

    def close(self) -> None:
        self.server.should_exit = True
        self._thread.join(10)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def say(self, head: str, body: bytes = b"") -> bytes:
        """Everything that the server answers to one request, until it ends the connection."""
        with self.connect() as line:
            line.sendall(head.encode() + body)
            return answer_of(line)

    def token(self) -> str:
        return read_token(self.path).header()["Authorization"]

    def control(self, body: bytes, *headers: str) -> tuple[int, dict[str, object]]:
        head = "".join(
            f"{line}\r\n"
            for line in (
                "POST /api/v1/control HTTP/1.1",
                "Host: x",
                "Connection: close",
                f"Authorization: {self.token()}",
                "Content-Type: application/json",
                *(headers or (f"Content-Length: {len(body)}",)),
                "",
            )
        )
        answer = self.say(head, body)
        return int(answer.split(b" ", 2)[1]), json.loads(answer.partition(b"\r\n\r\n")[2])


def answer_of(line: socket.socket) -> bytes:
    found = b""
    while part := line.recv(65_536):
        found += part
    return found


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    found = Door(tmp_path)
    yield found
    found.close()


def test_a_stranger_is_refused_before_the_body_is_read(door: Door) -> None:
    """Three bodies of 60 MB without a token kept the process busy for 13 s. Here nothing of the body is ever sent: the
    answer comes all the same, and the connection ends."""
    head = (
        "POST /api/v1/control HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000000\r\n\r\n"
    )
    for authorization in ("", "Authorization: Bearer wrong\r\n"):
        answer = door.say(head.replace("\r\n\r\n", f"\r\n{authorization}\r\n"))
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"www-authenticate: Bearer" in answer and b"x-content-type-options: nosniff" in answer
    assert door.taken == []


@pytest.mark.parametrize("authorization", ["Basic word", "Bearer", "Bearer ", "Bearer {0}x", "bearer{0}", "{0}"])
def test_only_the_token_opens(door: Door, authorization: str) -> None:
    word = door.token().split()[1]
    head = f"GET /api/v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization.format(word)}\r\n\r\n"
    assert door.say(head).startswith(b"HTTP/1.1 401 ")


def test_a_large_body_is_refused_by_its_announced_and_by_its_real_size(door: Door) -> None:
    status, answer = door.control(b"", f"Content-Length: {MAX_BODY_BYTES + 1}")
    assert (status, answer["error"]) == (413, "The body is too large; at most 65,536 bytes are allowed.")
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    status, _ = door.control(chunk * 3, "Transfer-Encoding: chunked")
    assert status == 413
    assert door.taken == []


@pytest.mark.parametrize(
    ("field", "value", "character"),
    [
        ("reason", "pasted \x00 text", "U+0000 at position 8"),
        ("reason", "surrogate \ud800 text", "U+D800 at position 11"),
        ("reason", "bell \x07", "U+0007"),
        ("reason", "escape \x1b[31m", "U+001B"),
        ("reason", "two\nlines", "U+000A"),
        ("reason", "turned \u202e round", "U+202E"),
        ("who", "op\x00", "U+0000 at position 3"),
        ("command_id", "a\udfffb", "U+DFFF at position 2"),
        ("scope", "GLOBAL\x00", "U+0000"),
        ("action", "halt\u0085", "U+0085"),
    ],
)
def test_text_that_would_harm_is_refused_by_field_and_character(
    door: Door, field: str, value: str, character: str
) -> None:
    """Case 2: a NUL was accepted with 200, killed the risk manager and the command was lost; half a pair was a 500."""
    body = {"action": "pause", "scope": "trend-1", "reason": "a test", "who": "operator", field: value}
    status, answer = door.control(json.dumps(body).encode())
    assert status == 422, answer
    assert answer["field"] == field
    assert character in str(answer["error"]) and str(answer["error"]).isprintable()
    assert door.taken == []


@pytest.mark.parametrize(
    ("command_id", "is_taken"),
    [
        ("telegram-99-7", False),
        ("acknowledge:risk-manager:7:1", False),
        ("telegraph-1", True),
        ("acknowledged-1", True),
        ("from-telegram-99-7", True),
    ],
)
def test_ids_that_the_system_gives_are_not_free(door: Door, command_id: str, is_taken: bool) -> None:
    """Under the id of an alert's acknowledgement, a halt would be in the register in its place."""
    body = {"action": "halt", "scope": "GLOBAL", "reason": "a test", "command_id": command_id}
    status, answer = door.control(json.dumps(body).encode())
    assert status == (200 if is_taken else 422), answer
    assert bool(door.taken) is is_taken
    assert is_taken or (answer["field"] == "command_id" and "given by the system" in str(answer["error"])), answer


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"text"', b"{", b"\xff\xfe", b"[" * 60_000, b'{"action": ' + b"9" * 5_000 + b"}",
     b'{"action":"pause","scope":"GLOBAL","reason":"a test","more":1}', b'{"action":{},"reason":[1]}'],
)  # fmt: skip
def test_no_body_makes_the_server_stumble(door: Door, body: bytes) -> None:
    status, answer = door.control(body)
    assert status in (400, 422), answer
    assert str(answer["error"]).endswith(".")


def test_printable_text_of_any_language_is_taken(door: Door) -> None:
    body = {"action": "halt", "scope": "GLOBAL", "reason": "биржа на ремонте → «стоп» 🛑", "command_id": "c-1"}
    status, answer = door.control(json.dumps(body).encode())
    assert status == 200, answer
    assert [one[0] for one in door.taken] == [ActorName.RISK_MANAGER]


def test_a_rotated_token_counts_at_once_and_the_old_one_no_more(door: Door) -> None:
    head = "GET /api/v1/machines HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {0}\r\n\r\n"
    old = door.token()
    assert door.say(head.format(old)).startswith(b"HTTP/1.1 200 ")
    door.path.unlink()
    assert door.say(head.format(old)).startswith(b"HTTP/1.1 401 ")
    made = door.token()
    assert made != old and door.path.stat().st_mode & 0o077 == 0
    assert door.say(head.format(made)).startswith(b"HTTP/1.1 200 ")
    by_hand = "Given-by-hand_0123456789.abcdef~+/="
    door.path.write_text(f"{by_hand}\n")
    assert door.say(head.format(f"Bearer {by_hand}")).startswith(b"HTTP/1.1 200 ")
    assert door.say(head.format(made)).startswith(b"HTTP/1.1 401 ")
    door.path.write_text("")
    for word in (made, "Bearer ", f"Bearer {by_hand}"):
        assert door.say(head.format(word)).startswith(b"HTTP/1.1 401 "), "an empty file opens to nobody"
    assert door.say(head.format(door.token())).startswith(b"HTTP/1.1 200 "), "a new one was made in its place"


WEAK = ("x", "a" * 31, "a" * 64, "ab" * 40, "with a blank 0123456789 abcdefghij", "слово-из-тридцати-двух-знаков-и-ещё")


@pytest.mark.parametrize("weak", WEAK)
def test_a_token_that_could_be_guessed_opens_nothing_and_is_told(door: Door, weak: str) -> None:
    """A file with the letter x opened everything to whoever said x."""
    door.path.write_text(f"{weak}\n", encoding="utf-8")
    head = b"GET /api/v1/machines HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n"
    assert door.say((head % weak.encode()).decode("latin-1")).startswith(b"HTTP/1.1 401 ")
    assert door.path.read_text(encoding="utf-8") == f"{weak}\n", "what somebody has written there is not replaced"
    for read in (read_token, read_or_make_token, TokenFile):
        with pytest.raises(WeakTokenError, match="at least 32 characters") as caught:
            read(door.path)
        assert weak not in str(caught.value).replace(str(door.path), "") or weak == "x"


def test_a_start_with_a_weak_token_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    config = EternalConfig(data_folder=tmp_path / "data")
    config.data_folder.mkdir()
    config.token_file.write_text("secret\n")
    with pytest.raises(WeakTokenError, match="remove the file"):
        System(config).start()


@pytest.mark.parametrize("left", [b"", b"\n", b"\xff\xfe\x00"])
def test_a_token_file_that_a_loss_of_power_left_empty_is_made_anew(tmp_path: Path, left: bytes) -> None:
    """The API never came up: it was restarted five times, then FAULTED, while trading continued without control."""
    path = tmp_path / "api-token"
    path.write_bytes(left)
    word = read_or_make_token(path).header()["Authorization"].split()[1]
    assert len(word) > 30 and path.stat().st_mode & 0o077 == 0
    assert TokenFile(path).matches(word)


@pytest.mark.parametrize("said", [b"", b"GET /hea", b"POST /api/v1/control HTTP/1.1\r\nHost: x\r\n"])
def test_a_connection_without_a_request_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(serving, "IDLE_S", 0.4)
    monkeypatch.setattr(serving, "LOOK_S", 0.1)
    door = Door(tmp_path)
    try:
        with door.connect() as line:
            begun = time.monotonic()
            line.sendall(said)
            with contextlib.suppress(ConnectionResetError):  # ended all the same
                assert line.recv(1) == b""
            assert time.monotonic() - begun < 10
        assert door.say("GET /api/v1/machines HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(
            b"HTTP/1.1 401 "
        )
    finally:
        door.close()
