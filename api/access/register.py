"""The credentials of persons: made, listed, revoked and rotated, kept in a file that only its owner can read.

The file holds argon2 hashes, never a credential's secret; that is shown once, when it is made. A file, because the
interface must know its operator also while the database is away.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

from argon2 import PasswordHasher
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.access.document import AccessError, NoSuchAccessError, SecretDocument
from api.access.scopes import Scope
from api.access.totp import new_secret

REGISTER = "access.json"
PREFIX = "eternal"
PERSON = re.compile(r"[a-z0-9][a-z0-9-]{0,29}")
OWNER = "operator"
"""The name of who holds the file `api-token`; no credential may have it."""

MAX_DAYS = 3_650
_SECRET_BYTES = 32
_ID_BYTES = 6


class Credential(BaseModel):
    """What is kept of a person's credential. `hash` is that of its secret (argon2id). `totp` is the secret of a second
    factor, which cannot be kept as a hash, since codes are made of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    credential_id: Annotated[str, Field(pattern=r"^[a-z0-9]{6,20}$")]
    person: Annotated[str, Field(pattern=f"^{PERSON.pattern}$")]
    scope: Scope
    hash: Annotated[str, Field(repr=False, pattern=r"^\$argon2id\$")]
    made_at: AwareDatetime
    made_by: str
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    revoked_by: str = ""
    totp: str | None = Field(default=None, repr=False, pattern=r"^[A-Z2-7]{32}$")

    def state(self, now: datetime) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)

    schema_number: Annotated[int, Field(alias="schema", ge=1, le=1)] = 1
    credentials: tuple[Credential, ...] = ()


class Made(NamedTuple):
    """A new credential and its token, which nothing keeps."""

    credential: Credential
    token: str


def parts_of(token: str) -> tuple[str, str] | None:
    """Identifier and secret of a person's token, `eternal.ID.SECRET`; None if it has another form."""
    prefix, _, rest = token.partition(".")
    credential_id, _, secret = rest.partition(".")
    return (credential_id, secret) if prefix == PREFIX and credential_id and secret else None


class AccessRegister:
    """The register in one file. Several programs may use it at once: a change holds a lock, readers see whole files."""

    def __init__(
        self, path: Path, hasher: PasswordHasher | None = None, now: Callable[[], datetime] | None = None
    ) -> None:
        self._file = SecretDocument(path, _Document(), _problem)
        self._hasher = hasher or PasswordHasher()
        self._now = now or (lambda: datetime.now(UTC))

    def __repr__(self) -> str:
        return f"AccessRegister({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def all(self) -> Sequence[Credential]:
        """Every credential that was ever made, in that order. Raises AccessError and OSError."""
        return self._file.read().credentials

    def find(self, credential_id: str) -> Credential | None:
        """The credential of this identifier, whatever its state. Raises AccessError and OSError."""
        return next((one for one in self.all() if one.credential_id == credential_id), None)

    def add(self, person: str, scope: Scope, by: str, days: int | None = None) -> Made:
        """Make a person's credential; it ends after `days`, if given.

        Raises:
            AccessError: the name or the number of days is not allowed, or the person has a credential already.
            OSError: the file cannot be read or written.
        """
        if not PERSON.fullmatch(person) or person == OWNER:
            raise AccessError(
                f"NAME '{person}' is not allowed: small letters, digits and hyphens are required, at most 30, and not "
                f"'{OWNER}', who holds the file api-token."
            )
        _check_days(days)
        with self._changing() as credentials:
            if any(one.person == person and one.state(self._now()) == "active" for one in credentials):
                raise AccessError(
                    f"{person} has a credential already: `eternal access rotate {person}` replaces it, "
                    f"`eternal access revoke {person}` ends it."
                )
            made = self._make(person, scope, by, days)
            credentials.append(made.credential)
        return made

    def revoke(self, person: str, by: str) -> Credential:
        """End a person's access. Raises AccessError (the person has none) and OSError."""
        with self._changing() as credentials:
            return self._end(credentials, person, by)

    def rotate(self, person: str, by: str, days: int | None = None) -> Made:
        """End a person's credential and make one of the same scope. Raises what `add` and `revoke` raise."""
        _check_days(days)
        with self._changing() as credentials:
            ended = self._end(credentials, person, by)
            made = self._make(person, ended.scope, by, days, ended.totp)
            credentials.append(made.credential)
        return made

    def set_totp(self, person: str, *, is_on: bool) -> Credential:
        """Give a person a second factor, a new one if there was one, or take it away. Raises AccessError (the person
        has no credential, or one that only reads) and OSError."""
        if person == OWNER:
            raise AccessError(
                f"'{OWNER}', who holds the file api-token, has no second factor: reading that file is to own the data "
                "folder. Give yourself a credential with `eternal access add` for use from elsewhere."
            )
        with self._changing() as credentials:
            place = self._active_place(credentials, person)
            one = credentials[place]
            if is_on and one.scope is Scope.READ:
                raise AccessError(
                    f"{person}'s scope is read, and a second factor guards what reaches further: {Scope.CONTROL} or "
                    f"{Scope.ADMIN}."
                )
            credentials[place] = one.model_copy(update={"totp": new_secret() if is_on else None})
            return credentials[place]

    def _make(self, person: str, scope: Scope, by: str, days: int | None, totp: str | None = None) -> Made:
        now, secret = self._now(), secrets.token_urlsafe(_SECRET_BYTES)
        credential = Credential(
            credential_id=secrets.token_hex(_ID_BYTES),
            person=person,
            scope=scope,
            hash=self._hasher.hash(secret),
            made_at=now,
            made_by=by,
            expires_at=None if days is None else now + timedelta(days=days),
            totp=totp,
        )
        return Made(credential, f"{PREFIX}.{credential.credential_id}.{secret}")

    def _end(self, credentials: list[Credential], person: str, by: str) -> Credential:
        place = self._active_place(credentials, person)
        credentials[place] = credentials[place].model_copy(update={"revoked_at": self._now(), "revoked_by": by})
        return credentials[place]

    def _active_place(self, credentials: list[Credential], person: str) -> int:
        now = self._now()
        for place, one in enumerate(credentials):
            if one.person == person and one.state(now) == "active":
                return place
        active = sorted({one.person for one in credentials if one.state(now) == "active"})
        raise NoSuchAccessError(
            f"{person} has no credential that is active. Those who have one: {', '.join(active) or 'nobody'}."
        )

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Credential]]:
        """The credentials to change; written whole when the block ends without an error."""
        with self._file.changing() as draft:
            credentials = list(draft.value.credentials)
            yield credentials
            draft.value = draft.value.model_copy(update={"credentials": tuple(credentials)})


def _check_days(days: int | None) -> None:
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise AccessError(f"--days {days} is not allowed: a number from 1 to {MAX_DAYS:,}, or none.")


def _problem(document: _Document) -> str:
    doubled = len(document.credentials) - len({one.credential_id for one in document.credentials})
    return "a credential_id stands there twice" if doubled else ""
