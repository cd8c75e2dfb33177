"""Sessions of the console: begun by a login, found by a cookie, ended by logout, by the operator, or by time."""

from __future__ import annotations

import base64
import hmac
import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from api.access.prover import Holder
from api.access.state import Session, StateFile, digest_of, is_same, new_secret

_log = logging.getLogger(__name__)

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
TOUCH = timedelta(seconds=60)
"""How far the kept time of the last request may lag behind: not every request writes a file."""

MOST_OF_PERSON = 20
"""Sessions of one person; a further one ends the one that was quiet for the longest."""

_ID_BYTES = 6


class Begun(NamedTuple):
    """A session and its cookie, which nothing keeps."""

    session: Session
    cookie: str

    def __repr__(self) -> str:
        return f"Begun({self.session.session_id})"


class Sessions:
    """Safe for several threads and, by the file's lock, for several programs."""

    def __init__(
        self,
        file: StateFile,
        idle: timedelta = IDLE,
        longest: timedelta = LONGEST,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._file, self._now = file, now
        self._idle, self._longest = idle, longest
        self._seen: dict[str, datetime] = {}
        self._guard = threading.Lock()

    def begin(self, holder: Holder, way: Literal["token", "link"], address: str, code_mark: str = "") -> Begun:
        """Log a person in. Raises AccessError and OSError: it cannot be kept, and there is no session."""
        now = self._now()
        session = Session(
            session_id=secrets.token_hex(_ID_BYTES),
            hash="0" * 64,
            person=holder.person,
            credential_id=holder.credential_id,
            mark=holder.mark,
            scope=holder.scope,
            code_mark=code_mark,
            way=way,
            address=address,
            made_at=now,
            seen_at=now,
            ends_at=now + self._longest,
            idle_s=int(self._idle.total_seconds()),
        )
        return self._keep(session, None)

    def confirm(self, session: Session, code_mark: str) -> Begun:
        """The same session after a code: under a cookie of its own, since it reaches further from now on. Raises
        AccessError and OSError."""
        now = self._now()
        further = {"session_id": secrets.token_hex(_ID_BYTES), "code_mark": code_mark, "seen_at": now}
        return self._keep(session.model_copy(update=further), session.session_id)

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie, None when there is none or it has ended. Raises AccessError and OSError."""
        session_id, _, secret = cookie.partition(".")
        found = next((one for one in self._file.read().sessions if one.session_id == session_id), None)
        if found is None or not is_same(found.hash, secret) or not self._is_live(found):
            return None
        return found

    def touch(self, session: Session) -> None:
        """A request has come: it is not idle. What cannot be written is only noted: the request is served."""
        now = self._now()
        with self._guard:
            self._seen[session.session_id] = now
            if now - session.seen_at < TOUCH:
                return
        try:
            with self._file.changing() as draft:
                draft.value = draft.value.model_copy(
                    update={
                        "sessions": tuple(
                            one.model_copy(update={"seen_at": now}) if one.session_id == session.session_id else one
                            for one in draft.value.sessions
                            if not self._is_over(one)
                        )
                    }
                )
        except OSError as error:
            _log.warning("the time of a session's last request could not be kept: %s", error)

    def all(self) -> Sequence[Session]:
        """Those that have not ended, the oldest first. Raises AccessError and OSError."""
        return [
            one.model_copy(update={"seen_at": self._seen_at(one)})
            for one in self._file.read().sessions
            if self._is_live(one)
        ]

    def end(self, session_id: str) -> Session | None:
        """End one, from its next request on; None when there is none that lives. Raises AccessError and OSError."""
        with self._file.changing() as draft:
            ended = next((one for one in draft.value.sessions if one.session_id == session_id), None)
            left = tuple(one for one in draft.value.sessions if one is not ended and not self._is_over(one))
            draft.value = draft.value.model_copy(update={"sessions": left})
        with self._guard:
            self._seen.pop(session_id, None)
        return ended if ended is not None and self._is_live(ended) else None

    def _keep(self, session: Session, instead_of: str | None) -> Begun:
        secret = new_secret()
        session = session.model_copy(update={"hash": digest_of(secret)})
        with self._file.changing() as draft:
            left = [one for one in draft.value.sessions if one.session_id != instead_of and not self._is_over(one)]
            own = sorted((one for one in left if one.person == session.person), key=self._seen_at)
            surplus = own[: max(0, len(own) - MOST_OF_PERSON + 1)]
            kept = (*(one for one in left if one not in surplus), session)
            draft.value = draft.value.model_copy(update={"sessions": kept})
        return Begun(session, f"{session.session_id}.{secret}")

    def _seen_at(self, session: Session) -> datetime:
        return max(session.seen_at, self._seen.get(session.session_id, session.seen_at))

    def _is_live(self, session: Session) -> bool:
        now = self._now()
        return now < session.ends_at and now - self._seen_at(session) < timedelta(seconds=session.idle_s)

    def _is_over(self, session: Session) -> bool:
        """Whether it may be dropped: by another program's reckoning, too, which may have seen a later request."""
        now = self._now()
        return now >= session.ends_at or now - self._seen_at(session) >= timedelta(seconds=session.idle_s) + 2 * TOUCH


def csrf_of(cookie: str) -> str:
    """What a changing request of this session must carry in a header: only a page of ours can read it (it cannot be
    made without the cookie, which no script sees, and is handed out to pages of the same origin)."""
    digest = hmac.digest(cookie.encode("utf-8", "surrogateescape"), b"eternal csrf", "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def is_csrf(cookie: str, presented: str | None) -> bool:
    """Whether a header carries it."""
    return presented is not None and hmac.compare_digest(csrf_of(cookie).encode(), presented.encode("utf-8", "replace"))
