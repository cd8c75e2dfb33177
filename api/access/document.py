"""A file that only its owner can read and that holds one document: several programs read it whole and change it under
a lock."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from infra.faults import NotFoundError, OperatorError
from infra.files import close_to_others, stamp_of, write_secret

DocumentT = TypeVar("DocumentT", bound=BaseModel)


class AccessError(OperatorError):
    """What is kept about access cannot be read, or the command does not fit it; the sentence says what is allowed."""


class NoSuchAccessError(AccessError, NotFoundError):
    """There is no active credential of this person, or no session of this number."""


@dataclass(slots=True)
class Draft(Generic[DocumentT]):
    """The document that is being changed: what `value` is at the end of the block is written."""

    value: DocumentT


class SecretDocument(Generic[DocumentT]):
    """One frozen document in a file of mode 0600. `empty` is what a file that is not there stands for; `problem` names
    what the model cannot see, "" if there is nothing."""

    def __init__(self, path: Path, empty: DocumentT, problem: Callable[[DocumentT], str] = lambda _: "") -> None:
        self._path, self._empty, self._problem = path, empty, problem
        self._seen: tuple[int, int, int] | None = None
        self._known = empty

    def __repr__(self) -> str:
        return f"SecretDocument({str(self._path)!r})"

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def read(self) -> DocumentT:
        """The document as it is now; the file is parsed only after a change. Raises AccessError and OSError."""
        stamp = stamp_of(self._path)
        if stamp is None:
            return self._empty
        if stamp != self._seen:
            self._known, self._seen = self._parsed(), stamp
        return self._known

    @contextlib.contextmanager
    def changing(self) -> Iterator[Draft[DocumentT]]:
        """The document to change, written whole when the block ends without an error and has changed it. Raises
        AccessError and OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.with_name(f"{self._path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._parsed() if self._path.exists() else self._empty
            draft = Draft(before)
            yield draft
            if draft.value is not before:
                text = json.dumps(draft.value.model_dump(mode="json", by_alias=True), indent=1)
                write_secret(self._path, text + "\n")

    def _parsed(self) -> DocumentT:
        close_to_others(self._path)
        try:
            document = type(self._empty).model_validate_json(self._path.read_bytes())
        except ValidationError as error:
            raise self._unreadable(_first(error.errors()[0])) from None
        if problem := self._problem(document):
            raise self._unreadable(problem)
        return document

    def _unreadable(self, why: str) -> AccessError:
        return AccessError(f"{self._path} cannot be read: {why}. Restore a backup or correct it.")


def _first(error: Any) -> str:
    """The first fault of the file by field; its value may be a hash and is not shown."""
    where = ".".join(str(one) for one in error["loc"]) or "the file"
    return f"{where}: {error['msg'].lower().rstrip('.')}"
