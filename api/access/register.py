"""The credentials of persons: made, listed, revoked and rotated, kept in a file that only its owner can read.

The file holds argon2 hashes, never a credential's secret; that is shown once, when it is made. A file, because the
interface must know its operator also while the database is away.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from argon2 import PasswordHasher
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from api.access.scopes import Scope
from infra.faults import OperatorError
from infra.files import close_to_others, stamp_of, write_secret

REGISTER = "access.json"
PREFIX = "eternal"
PERSON = re.compile(r"[a-z0-9][a-z0-9-]{0,29}")
OWNER = "operator"
"""The name of who holds the file `api-token`; no credential may have it."""

MAX_DAYS = 3_650
_SECRET_BYTES = 32
_ID_BYTES = 6


class AccessError(OperatorError):
    """The register cannot be read, or the command does not fit it; the sentence says what is allowed."""


class Credential(BaseModel):
    """What is kept of a person's credential. `hash` is that of its secret (argon2id)."""

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
        self._path = path
        self._hasher = hasher or PasswordHasher()
        self._now = now or (lambda: datetime.now(UTC))
        self._seen: tuple[int, int, int] | None = None
        self._known: tuple[Credential, ...] = ()

    def __repr__(self) -> str:
        return f"AccessRegister({str(self._path)!r})"

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def all(self) -> Sequence[Credential]:
        """Every credential that was ever made, in that order. Raises AccessError and OSError."""
        stamp = stamp_of(self._path)
        if stamp is None:
            return ()
        if stamp != self._seen:
            self._known, self._seen = _read(self._path), stamp
        return self._known

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
            made = self._make(person, ended.scope, by, days)
            credentials.append(made.credential)
        return made

    def _make(self, person: str, scope: Scope, by: str, days: int | None) -> Made:
        now, secret = self._now(), secrets.token_urlsafe(_SECRET_BYTES)
        credential = Credential(
            credential_id=secrets.token_hex(_ID_BYTES),
            person=person,
            scope=scope,
            hash=self._hasher.hash(secret),
            made_at=now,
            made_by=by,
            expires_at=None if days is None else now + timedelta(days=days),
        )
        return Made(credential, f"{PREFIX}.{credential.credential_id}.{secret}")

    def _end(self, credentials: list[Credential], person: str, by: str) -> Credential:
        now = self._now()
        for place, one in enumerate(credentials):
            if one.person == person and one.state(now) == "active":
                credentials[place] = one.model_copy(update={"revoked_at": now, "revoked_by": by})
                return credentials[place]
        active = sorted({one.person for one in credentials if one.state(now) == "active"})
        raise AccessError(
            f"{person} has no credential that is active. Those who have one: {', '.join(active) or 'nobody'}."
        )

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Credential]]:
        """The credentials to change; written whole when the block ends without an error."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.with_name(f"{self._path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            credentials = list(_read(self._path)) if self._path.exists() else []
            yield credentials
            document = _Document(credentials=tuple(credentials))
            write_secret(self._path, json.dumps(document.model_dump(mode="json", by_alias=True), indent=1) + "\n")


def _check_days(days: int | None) -> None:
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise AccessError(f"--days {days} is not allowed: a number from 1 to {MAX_DAYS:,}, or none.")


def _read(path: Path) -> tuple[Credential, ...]:
    close_to_others(path)
    try:
        document = _Document.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise AccessError(
            f"{path} cannot be read: {_first(error.errors()[0])}. Restore a backup or correct it."
        ) from None
    doubled = len(document.credentials) - len({one.credential_id for one in document.credentials})
    if doubled:
        raise AccessError(f"{path} cannot be read: a credential_id stands there twice. Restore a backup or correct it.")
    return document.credentials


def _first(error: Any) -> str:
    """The first fault of the file by field; its value may be a hash and is not shown."""
    where = ".".join(str(one) for one in error["loc"]) or "the file"
    return f"{where}: {error['msg'].lower().rstrip('.')}"
