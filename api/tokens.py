"""The API's token: made at the first start, kept in a file that only its owner can read, never shown."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from pathlib import Path

from infra.faults import OperatorError
from infra.files import close_to_others, stamp_of, write_secret

_log = logging.getLogger(__name__)

TOKEN_BYTES = 32
MIN_CHARACTERS = 32
MIN_DIFFERENT = 8
_ALLOWED = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""What a bearer token is made of (RFC 6750)."""


class EmptyTokenError(ValueError):
    """The file holds no token, as a loss of power may leave it; it may be made anew."""


class WeakTokenError(OperatorError, ValueError):
    """The file holds a token that could be guessed or cannot be sent; the sentence says what is allowed."""


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

    def mark(self) -> str:
        """What stands for the token: another token has another mark, and none leads back to its token."""
        return hmac.new(self._text.encode(), b"eternal mark", "sha256").hexdigest()

    def header(self) -> dict[str, str]:
        """The header that opens the API, for our own command line."""
        return {"Authorization": f"Bearer {self._text}"}


class TokenFile:
    """The token that a file holds now: a rotated one counts from the next request on, without a restart. To rotate,
    replace the file or remove it (a new token is made). It is the owner's; persons have credentials
    (`api.access.register`)."""

    def __init__(self, path: Path) -> None:
        """Raises what `read_or_make_token` raises."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._token = read_or_make_token(path)

    def __repr__(self) -> str:
        return f"TokenFile({str(self._path)!r})"

    def matches(self, presented: str) -> bool:
        """Whether `presented` is the file's token; nothing matches while it can neither be read nor made."""
        token = self._present()
        return token is not None and token.matches(presented)

    def mark(self) -> str:
        """`Token.mark` of the file's token; "" while it can neither be read nor made."""
        token = self._present()
        return "" if token is None else token.mark()

    def _present(self) -> Token | None:
        try:
            seen = stamp_of(self._path)
            if seen is None or seen != self._seen:
                self._token = read_or_make_token(self._path)
                self._seen = stamp_of(self._path)
        except (OSError, ValueError) as error:
            _log.warning("no token is taken: %s", error)
            return None
        return self._token


def read_or_make_token(path: Path) -> Token:
    """The token in `path`; made (mode 0600) when the file is not there or holds none, as a loss of power may leave it
    (case 14). Two starters at once agree on one.

    Raises:
        OSError: the file can neither be read nor made.
        WeakTokenError: the file holds a token that could be guessed.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = secrets.token_urlsafe(TOKEN_BYTES) + "\n"
    if not path.exists():
        # When another starter was faster, its token is the one.
        write_secret(path, made, replace=False)
    try:
        return read_token(path)
    except EmptyTokenError:
        write_secret(path, made)
        return read_token(path)


def read_token(path: Path) -> Token:
    """The token in `path`; a file that others may read is closed to them.

    Raises:
        OSError: the file cannot be read.
        EmptyTokenError: the file is empty or no text.
        WeakTokenError: its token is too short, too uniform, or has characters that no header carries.
    """
    close_to_others(path)
    try:
        text = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise EmptyTokenError(f"the token file {path} is empty; the API makes a new one at its next request or start")
    if len(text) < MIN_CHARACTERS or len(set(text)) < MIN_DIFFERENT or not _ALLOWED.fullmatch(text):
        raise WeakTokenError(
            f"The API's token in {path} could be guessed or not be sent: at least {MIN_CHARACTERS} characters of "
            f"A-Z a-z 0-9 - . _ ~ + / = are required, {MIN_DIFFERENT} of them different. Write another one there, or "
            "remove the file: a new one is made."
        )
    return Token(text)
