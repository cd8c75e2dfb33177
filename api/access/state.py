"""What is kept of the console's doors: sessions, one-time links, used codes. Hashes only; a restart of the interface
logs no one out, and `eternal access` and the interface see each other's changes at once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.access.document import SecretDocument
from api.access.scopes import Scope

STATE = "sessions.json"
SECRET_BYTES = 32
Digest = Annotated[str, Field(repr=False, pattern=r"^[0-9a-f]{64}$")]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9]{6,20}$")]


class Session(BaseModel):
    """A person who is logged in to the console. `hash` is that of the cookie's secret.

    `credential_id` is the credential that opened it, "" for the owner's; then `mark` stands for the token of that time.
    `code_mark` stands for the second factor whose code was given in this session, "" before one was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: Identifier
    hash: Digest
    person: str
    credential_id: str
    mark: Annotated[str, Field(repr=False)] = ""
    scope: Scope
    code_mark: Annotated[str, Field(repr=False)] = ""
    way: Literal["token", "link"]
    address: str
    made_at: AwareDatetime
    seen_at: AwareDatetime
    ends_at: AwareDatetime
    idle_s: Annotated[int, Field(ge=1)]


class Link(BaseModel):
    """A one-time link, by the hash of its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hash: Digest
    ends_at: AwareDatetime
    is_used: bool = False


class State(BaseModel):
    """The document. `used_codes` holds the newest step of time whose code was taken, by credential."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)

    schema_number: Annotated[int, Field(alias="schema", ge=1, le=1)] = 1
    sessions: tuple[Session, ...] = ()
    links: tuple[Link, ...] = ()
    used_codes: dict[str, int] = {}


StateFile = SecretDocument[State]


def state_file(path: Path) -> StateFile:
    """The document in its file."""
    return SecretDocument(path, State())


def new_secret() -> str:
    """A secret that cannot be guessed, so that a plain hash of it is enough."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> str:
    """The hash that is kept of such a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def is_same(kept: str, secret: str) -> bool:
    """Whether `kept` is the hash of this secret; takes the same time wherever they differ."""
    return hmac.compare_digest(kept, digest_of(secret))
