"""The API's token: made at the first start, kept in a file that only its owner can read, never shown."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

TOKEN_BYTES = 32
MODE = 0o600


class Token:
    """A secret that can be compared but not printed."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Token(hidden)"

    __str__ = __repr__

    def matches(self, presented: str) -> bool:
        """Whether `presented` is the token; takes the same time wherever they differ."""
        return hmac.compare_digest(self._text.encode(), presented.encode("utf-8", "surrogateescape"))

    def header(self) -> dict[str, str]:
        """The header that opens the API, for our own command line."""
        return {"Authorization": f"Bearer {self._text}"}


def read_or_make_token(path: Path) -> Token:
    """The token in `path`; made (mode 0600) when the file is not there. Two starters at once agree on one.

    Raises:
        OSError: the file can neither be read nor made.
        ValueError: the file is empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        with os.fdopen(file, "w", encoding="ascii") as writer:
            writer.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
        try:
            os.link(draft, path)  # fails when another starter was faster: its token is the one
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return read_token(path)


def read_token(path: Path) -> Token:
    """The token in `path`; a file that others may read is closed to them.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is empty.
    """
    if path.stat().st_mode & 0o077:
        path.chmod(MODE)
    text = path.read_text(encoding="utf-8").strip()
    if not text:
        raise ValueError(f"The token file {path} is empty; remove it and a new token is made at the next start.")
    return Token(text)
