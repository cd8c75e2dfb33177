"""Judges what a request presents: who it is, how far that reaches, or why it is refused."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from api.access.answers import Granted, Presented, Refused, wait
from api.access.codes import Codes
from api.access.document import AccessError
from api.access.failures import FailureDesk
from api.access.pace import RequestPace
from api.access.prover import Holder, OwnersToken, Prover
from api.access.register import AccessRegister
from api.access.sessions import Sessions, is_csrf

_log = logging.getLogger(__name__)

REQUESTS_PER_S = 50.0
BURST = 200
CSRF_HEADER = "X-CSRF-Token"
CODE_HEADER = "X-TOTP-Code"

UNAUTHORISED = (
    "Nothing opens this: log in on the page at /, or send the header 'Authorization: Bearer TOKEN'. The token is in "
    "the data folder's api-token, or was made by `eternal access add`."
)
SESSION_ENDED = "This session has ended: log in again on the page at /."
FOREIGN = "The request comes from a page of another origin; nothing was done."
NO_CSRF = (
    f"The header {CSRF_HEADER} is missing or wrong; a request that changes something must carry the csrf value of "
    "the session. Nothing was done."
)
UNKEPT = "The code cannot be marked as used now, and does not count before it is; try again."
UNREADABLE = (
    "Sessions cannot be read now: see eternal.log, and the file sessions.json. A token as bearer is still taken."
)


class Judge:
    """Safe for several threads."""

    def __init__(
        self,
        token: OwnersToken,
        register: AccessRegister | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        per_s: float = REQUESTS_PER_S,
        burst: int = BURST,
        *,
        sessions: Sessions | None = None,
        failures: FailureDesk | None = None,
        codes: Codes | None = None,
    ) -> None:
        self._prover = Prover(token, register, now)
        self._sessions, self._codes = sessions, codes
        self._failures = failures or FailureDesk(clock_s)
        self._clock_s = clock_s
        self._requests = RequestPace(per_s, burst)
        self._guard = threading.Lock()

    def judge(self, presented: Presented) -> Granted | Refused:
        """Judge a request. What it presents as a token counts before a cookie. Commands have a pace of their own: a
        page that reads too much must not hold back a halt."""
        try:
            if presented.bearer is None and presented.cookie is not None and self._sessions is not None:
                found = self._session(presented, presented.cookie, self._sessions)
            else:
                found = self._bearer(presented)
        except (AccessError, OSError) as error:
            _log.warning("nothing is granted: %s", error)
            return Refused(503, UNKEPT if presented.code is not None else UNREADABLE)
        if isinstance(found, Refused):
            return found
        with self._guard:
            who = f"{found.person} commands" if presented.is_change else found.person
            wait_s = self._requests.wait_s(who, self._clock_s())
        return wait("Too many requests came with this credential", wait_s) if wait_s > 0 else found

    def _bearer(self, presented: Presented) -> Granted | Refused:
        holder = prove(self._prover, self._failures, presented.bearer, presented.address, "token")
        if isinstance(holder, Refused):
            return holder
        if not holder.totp_mark:
            return Granted(holder.person, holder.scope)
        if presented.code is None or self._codes is None:
            return Granted(holder.person, holder.reach(), withheld=holder.scope)
        refused = self._codes.take(holder, presented.code, presented.address)
        return refused or Granted(holder.person, holder.scope)

    def _session(self, presented: Presented, cookie: str, sessions: Sessions) -> Granted | Refused:
        session = sessions.find(cookie)
        holder = None if session is None else self._prover.of_session(session)
        if session is None or holder is None:
            return Refused(401, SESSION_ENDED)
        if presented.is_change and presented.is_foreign:
            return Refused(403, FOREIGN)
        if presented.is_change and not is_csrf(cookie, presented.csrf):
            return Refused(403, NO_CSRF)
        sessions.touch(session)
        reach = holder.reach(session.code_mark)
        withheld = None if reach is holder.scope else holder.scope
        return Granted(holder.person, reach, session.session_id, withheld)


def prove(prover: Prover, failures: FailureDesk, secret: str | None, address: str, kind: str) -> Holder | Refused:
    """Who a token belongs to. None is no guess; a wrong one slows its address; one that has been proved before is never
    slowed."""
    holder = None if secret is None else prover.known(secret)
    if holder is not None:
        return holder
    if (wait_s := failures.wait_s(address)) > 0:
        return wait("Too many failed attempts came from this address", wait_s)
    if secret is None:
        return Refused(401, UNAUTHORISED)
    holder = prover.proven(secret)
    if holder is None:
        failures.failed(kind, address)
        return Refused(401, UNAUTHORISED)
    failures.succeeded(address)
    return holder
