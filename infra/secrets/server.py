"""The launch hands every actor its own secrets over a Unix socket, and no others."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)

SOCKET = "secrets.sock"
LONGEST_NAME = 100
LONGEST_ANSWER = 1 << 20
CALL_TIMEOUT_S = 10.0
PATIENCE_S = 30.0
"""How long an actor waits for a launch that is itself just being restarted."""
POLL_S = 0.1

Give = Callable[[str], Mapping[str, Any]]
"""Answers an actor's name with its secrets; raises KeyError for a name without any."""


class SecretsUnavailableError(Exception):
    """The launch does not hand out secrets now; the actor's start fails and is tried again."""


class SecretsServer:
    """Serves `give` in `folder` until `close`. The folder's mode and the caller's user id keep strangers out."""

    def __init__(self, folder: Path, give: Give) -> None:
        self.path = folder / SOCKET
        self._give = give
        self.path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _short(self.path) as name:
            before = os.umask(0o177)
            try:
                self._socket.bind(name)
            finally:
                os.umask(before)
        self._socket.listen(32)
        threading.Thread(target=self._serve, name="secrets", daemon=True).start()

    def close(self) -> None:
        """Hand out nothing any more."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return  # closed
            with caller:
                try:
                    self._answer(caller)
                except (OSError, ValueError) as error:
                    _log.info("a caller for secrets went away: %s", type(error).__name__)

    def _answer(self, caller: socket.socket) -> None:
        caller.settimeout(CALL_TIMEOUT_S)
        if _user_of(caller) not in (None, os.geteuid()):
            return
        name = caller.recv(LONGEST_NAME).decode()
        try:
            answer: Mapping[str, Any] = {"secrets": dict(self._give(name))}
        except KeyError:
            answer = {"error": f"there are no secrets for {name!r}"}
        caller.sendall(json.dumps(answer).encode())


def fetch(path: Path, name: str, patience_s: float = PATIENCE_S) -> Mapping[str, Any]:
    """The secrets of the actor `name`.

    Raises:
        SecretsUnavailableError: no process hands them out, or there are none for this name.
    """
    until = time.monotonic() + patience_s
    while True:
        try:
            answer = _ask(path, name)
            break
        except (OSError, ValueError) as error:
            if time.monotonic() > until:
                raise SecretsUnavailableError(
                    f"the launch does not hand out secrets at {path}: {type(error).__name__}"
                ) from None
        time.sleep(POLL_S)
    if "secrets" not in answer:
        raise SecretsUnavailableError(str(answer.get("error")))
    secrets: Mapping[str, Any] = answer["secrets"]
    return secrets


def _ask(path: Path, name: str) -> Mapping[str, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(CALL_TIMEOUT_S)
        with _short(path) as short:
            connection.connect(short)
        connection.sendall(name.encode())
        connection.shutdown(socket.SHUT_WR)
        received = bytearray()
        while (part := connection.recv(65_536)) and len(received) < LONGEST_ANSWER:
            received += part
    answer: Mapping[str, Any] = json.loads(received)
    return answer


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for the socket within the 107 bytes that the system allows, however deep its folder lies."""
    if sys.platform != "linux":
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _user_of(caller: socket.socket) -> int | None:
    """The user id of the process at the other end; None where the system lacks it (the folder's mode decides)."""
    if sys.platform != "linux":
        return None
    found = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", found)[1])
