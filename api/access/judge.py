"""Judges what a request presents: who it is, how far that reaches, or why it is refused."""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error

from api.access.pace import FailurePace, RequestPace
from api.access.register import OWNER, AccessError, AccessRegister, Credential, parts_of
from api.access.scopes import Scope

_log = logging.getLogger(__name__)

REQUESTS_PER_S = 50.0
BURST = 200
UNAUTHORISED = (
    "The header 'Authorization: Bearer TOKEN' is missing or wrong; the token is in the data folder's api-token, or was "
    "made by `eternal access add`."
)


class Granted(NamedTuple):
    """Who asks, and how far the credential reaches."""

    person: str
    scope: Scope


class Refused(NamedTuple):
    """Why nothing is granted: HTTP status, sentence, seconds to wait (0: no use in waiting)."""

    status: int
    sentence: str
    wait_s: int = 0


class OwnersToken(Protocol):
    """The secret of who owns the data folder."""

    def matches(self, presented: str) -> bool:
        """Whether `presented` is it."""
        ...


class Judge:
    """Safe for several threads. A secret that has been proved once is known by its digest, so that argon2 is paid once
    per credential and process; a change of the register counts from the next request on."""

    def __init__(
        self,
        token: OwnersToken,
        register: AccessRegister | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        per_s: float = REQUESTS_PER_S,
        burst: int = BURST,
    ) -> None:
        self._token, self._register = token, register
        self._clock_s, self._now = clock_s, now
        self._hasher = PasswordHasher()
        self._proved: dict[str, bytes] = {}
        self._requests = RequestPace(per_s, burst)
        self._failures = FailurePace()
        self._guard = threading.Lock()

    def judge(self, presented: str | None, address: str, is_command: bool) -> Granted | Refused:
        """Judge what stands behind "Bearer " (None: nothing does), from the address of the client. Commands have a pace
        of their own: a page that reads too much must not hold back a halt."""
        granted = None if presented is None else self._known(presented)
        with self._guard:
            now_s = self._clock_s()
            if granted is None and (wait_s := self._failures.wait_s(address, now_s)) > 0:
                return _wait("Too many wrong tokens came from this address", wait_s)
        if granted is None and presented is not None:
            granted = self._proven(presented)
        with self._guard:
            if granted is None:
                if presented is not None:
                    self._failed(address, now_s)
                return Refused(401, UNAUTHORISED)
            self._failures.succeeded(address)
            wait_s = self._requests.wait_s(f"{granted.person} commands" if is_command else granted.person, now_s)
        return _wait("Too many requests came with this credential", wait_s) if wait_s > 0 else granted

    def _known(self, presented: str) -> Granted | None:
        """What costs nothing to judge: the owner's token, and secrets that have been proved."""
        if self._token.matches(presented):
            return Granted(OWNER, Scope.ADMIN)
        found = self._active(presented)
        if found is None:
            return None
        credential, secret = found
        proved = self._proved.get(credential.hash)
        is_same = proved is not None and hmac.compare_digest(proved, _digest(secret))
        return Granted(credential.person, credential.scope) if is_same else None

    def _proven(self, presented: str) -> Granted | None:
        found = self._active(presented)
        if found is None:
            return None
        credential, secret = found
        try:
            self._hasher.verify(credential.hash, secret)
        except Argon2Error:
            return None
        self._proved[credential.hash] = _digest(secret)
        return Granted(credential.person, credential.scope)

    def _active(self, presented: str) -> tuple[Credential, str] | None:
        parts = parts_of(presented)
        if parts is None or self._register is None:
            return None
        try:
            found = self._register.find(parts[0])
        except (AccessError, OSError) as error:
            _log.warning("no credential of a person is taken: %s", error)
            return None
        return (found, parts[1]) if found is not None and found.state(self._now()) == "active" else None

    def _failed(self, address: str, now_s: float) -> None:
        count = self._failures.failed(address, now_s)
        if count & (count - 1) == 0:  # 1, 2, 4, 8, ...: a flood must not fill the log
            _log.warning("a wrong token came from %s (%d so far)", address, count)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _wait(why: str, wait_s: float) -> Refused:
    seconds = max(1, math.ceil(wait_s))
    return Refused(429, f"{why}: wait {seconds} s.", seconds)
