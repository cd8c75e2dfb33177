"""Proves who stands behind a secret: the owner's token, or the token of a person's credential."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error

from api.access.document import AccessError
from api.access.register import OWNER, AccessRegister, Credential, parts_of
from api.access.scopes import Scope
from api.access.state import Session, digest_of

_log = logging.getLogger(__name__)


class Holder(NamedTuple):
    """Whose secret it is and how far it reaches. `mark` stands for the owner's token, for a person it is "".
    `totp_mark` stands for the second factor, without whose code the reach ends at reading; "" where there is none."""

    person: str
    scope: Scope
    credential_id: str = ""
    mark: str = ""
    totp_mark: str = ""

    def __repr__(self) -> str:
        return f"Holder({self.person}, {self.scope})"

    def reach(self, code_mark: str = "") -> Scope:
        """How far it reaches after a code of the second factor that `code_mark` stands for."""
        return self.scope if code_mark == self.totp_mark or not self.totp_mark else Scope.READ


class OwnersToken(Protocol):
    """The secret of who owns the data folder."""

    def matches(self, presented: str) -> bool:
        """Whether `presented` is it."""
        ...

    def mark(self) -> str:
        """What stands for the present one: another one has another mark. "" while there is none."""
        ...


class Prover:
    """Safe for several threads. A secret that has been proved once is known by its digest, so that argon2 is paid once
    per credential and process; a change of the register counts from the next request on."""

    def __init__(
        self,
        token: OwnersToken,
        register: AccessRegister | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._token, self._register, self._now = token, register, now
        self._hasher = PasswordHasher()
        self._proved: dict[str, bytes] = {}

    def known(self, presented: str) -> Holder | None:
        """What costs nothing to judge: the owner's token, and secrets that have been proved."""
        if self._token.matches(presented):
            return Holder(OWNER, Scope.ADMIN, mark=self._token.mark())
        found = self._active(presented)
        if found is None:
            return None
        credential, secret = found
        proved = self._proved.get(credential.hash)
        is_proved = proved is not None and hmac.compare_digest(proved, _digest(secret))
        return _holder(credential) if is_proved else None

    def proven(self, presented: str) -> Holder | None:
        """What argon2 says."""
        found = self._active(presented)
        if found is None:
            return None
        credential, secret = found
        try:
            self._hasher.verify(credential.hash, secret)
        except Argon2Error:
            return None
        self._proved[credential.hash] = _digest(secret)
        return _holder(credential)

    def owner(self, scope: Scope) -> Holder:
        """The owner, reaching as far as this."""
        return Holder(OWNER, scope, mark=self._token.mark())

    def of_session(self, session: Session) -> Holder | None:
        """Who holds a session now; None once what opened it is revoked, expired or replaced."""
        if not session.credential_id:
            is_ours = session.mark and hmac.compare_digest(session.mark, self._token.mark())
            return Holder(OWNER, session.scope, mark=session.mark) if is_ours else None
        credential = self.credential(session.credential_id)
        if credential is None:
            return None
        holder = _holder(credential)
        return holder if session.scope.covers(holder.scope) else holder._replace(scope=session.scope)

    def credential(self, credential_id: str) -> Credential | None:
        """The credential of this identifier, if it is active and can be read."""
        if self._register is None:
            return None
        try:
            found = self._register.find(credential_id)
        except (AccessError, OSError) as error:
            _log.warning("no credential of a person is taken: %s", error)
            return None
        return found if found is not None and found.state(self._now()) == "active" else None

    def _active(self, presented: str) -> tuple[Credential, str] | None:
        parts = parts_of(presented)
        found = None if parts is None else self.credential(parts[0])
        return None if found is None or parts is None else (found, parts[1])


def _holder(credential: Credential) -> Holder:
    is_guarded = credential.totp is not None and credential.scope is not Scope.READ
    mark = mark_of(credential.totp) if is_guarded and credential.totp else ""
    return Holder(credential.person, credential.scope, credential.credential_id, totp_mark=mark)


def mark_of(totp: str) -> str:
    """What stands for a second factor in what is kept of a session."""
    return digest_of(totp)[:16]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
