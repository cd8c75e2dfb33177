"""Logging in to the console and out of it: by a token, by a one-time link, with a code of a second factor."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from api.access.answers import Granted, Presented, Refused, wait
from api.access.codes import Codes
from api.access.failures import FailureDesk
from api.access.judge import BURST, FOREIGN, Judge, prove
from api.access.links import Links, Redeemed
from api.access.pace import RequestPace
from api.access.prover import Holder, OwnersToken, Prover
from api.access.register import AccessRegister
from api.access.scopes import Scope
from api.access.sessions import IDLE, LONGEST, Begun, Sessions
from api.access.state import Session, StateFile
from infra.addresses import is_loopback

_log = logging.getLogger(__name__)

LOGINS_PER_S = 0.2
LOGINS_AT_ONCE = 10
WRONG_TOKEN = (
    "The token is wrong, revoked or expired. The owner's is in the file api-token of the data folder; `eternal access "
    "rotate NAME` makes a person's anew."
)
NOT_LOCAL = (
    "A one-time link opens the console only on the machine on which the system runs, without a proxy in between; log "
    "in with a token."
)
NO_CODE_NEEDED = "This session needs no code: it has no second factor, or a code was given already."


class Entrance:
    """Safe for several threads."""

    def __init__(
        self,
        prover: Prover,
        sessions: Sessions,
        links: Links,
        codes: Codes,
        failures: FailureDesk,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prover, self._sessions, self._links = prover, sessions, links
        self._codes, self._failures, self._clock_s = codes, failures, clock_s
        self._logins = RequestPace(LOGINS_PER_S, LOGINS_AT_ONCE)
        self._guard = threading.Lock()

    def log_in(self, token: str, code: str | None, presented: Presented) -> Begun | Refused:
        """Begin a session with a token, and a code where there is a second factor: without one the session reads only.
        Raises AccessError and OSError: the session cannot be kept."""
        if presented.is_foreign:
            return Refused(403, FOREIGN)
        holder = prove(self._prover, self._failures, token, presented.address, "login")
        if isinstance(holder, Refused):
            return holder if holder.wait_s else Refused(401, WRONG_TOKEN)
        with self._guard:
            wait_s = self._logins.wait_s(holder.person, self._clock_s())
        if wait_s > 0:
            return wait("Too many logins came with this token", wait_s)
        mark = ""
        if holder.totp_mark and code is not None:
            if refused := self._codes.take(holder, code, presented.address):
                return refused
            mark = holder.totp_mark
        return self._begun(self._sessions.begin(holder, "token", presented.address, mark))

    def redeem(self, link: str, presented: Presented, *, is_forwarded: bool) -> Begun | Refused:
        """Begin the owner's session with a one-time link; it reaches as far as control. Raises AccessError and
        OSError."""
        if presented.is_foreign:
            return Refused(403, FOREIGN)
        if is_forwarded or not is_loopback(presented.address):
            self._failures.failed("link", presented.address)
            return Refused(403, NOT_LOCAL)
        found = self._links.redeem(link)
        if found is not Redeemed.OPENED:
            if found is Redeemed.UNKNOWN:
                self._failures.failed("link", presented.address)
            return Refused(401, found.sentence)
        holder = self._prover.owner(Scope.CONTROL)
        return self._begun(self._sessions.begin(holder, "link", presented.address))

    def confirm(self, session_id: str, code: str, address: str) -> Begun | Refused:
        """Let a session reach further by a code; it continues under another cookie. Raises AccessError and OSError."""
        session = self.find(session_id)
        holder = None if session is None else self._prover.of_session(session)
        if session is None or holder is None or holder.reach(session.code_mark) is holder.scope:
            return Refused(409, NO_CODE_NEEDED)
        if refused := self._codes.take(holder, code, address):
            return refused
        return self._sessions.confirm(session, holder.totp_mark)

    def all(self) -> Sequence[Session]:
        """The sessions that can be used now. Raises AccessError and OSError."""
        return [one for one in self._sessions.all() if self._prover.of_session(one) is not None]

    def end(self, session_id: str, by: str) -> Session | None:
        """End a session; None when there is none. Raises AccessError and OSError."""
        ended = self._sessions.end(session_id)
        if ended is not None:
            _log.info("session %s of %s is ended by %s", ended.session_id, ended.person, by)
        return ended

    def replace(self, cookie: str) -> None:
        """End the session of the cookie that a login came with. Raises AccessError and OSError."""
        former = self._sessions.find(cookie)
        if former is not None:
            self.end(former.session_id, former.person)

    def standing(self, begun: Begun) -> Granted:
        """What a session that has just begun grants."""
        session = begun.session
        holder = self._prover.of_session(session) or Holder(session.person, Scope.READ)
        reach = holder.reach(session.code_mark)
        return Granted(holder.person, reach, session.session_id, None if reach is holder.scope else holder.scope)

    def find(self, session_id: str) -> Session | None:
        """A session that has not ended. Raises AccessError and OSError."""
        return next((one for one in self._sessions.all() if one.session_id == session_id), None)

    def _begun(self, begun: Begun) -> Begun:
        one = begun.session
        _log.info("%s has logged in by %s from %s, session %s", one.person, one.way, one.address, one.session_id)
        return begun


class Access(NamedTuple):
    """What the interface needs to decide who may enter."""

    judge: Judge
    entrance: Entrance
    failures: FailureDesk


class Clocks(NamedTuple):
    """Wall time for what is kept, a monotonic clock for paces."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock_s: Callable[[], float] = time.monotonic


def open_access(
    token: OwnersToken,
    register: AccessRegister,
    file: StateFile,
    idle: timedelta = IDLE,
    longest: timedelta = LONGEST,
    clocks: Clocks = Clocks(),  # noqa: B008 - immutable
    burst: int = BURST,
) -> Access:
    """Credentials, sessions and links over their files."""
    prover = Prover(token, register, clocks.now)
    failures = FailureDesk(clocks.clock_s)
    sessions = Sessions(file, idle, longest, clocks.now)
    codes = Codes(file, prover, failures, lambda: clocks.now().timestamp())
    judge = Judge(
        token,
        register,
        clocks.clock_s,
        clocks.now,
        burst=burst,
        sessions=sessions,
        failures=failures,
        codes=codes,
    )
    links = Links(file, clocks.now)
    return Access(judge, Entrance(prover, sessions, links, codes, failures, clocks.clock_s), failures)
