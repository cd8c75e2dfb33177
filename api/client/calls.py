"""Carries the operations over HTTP with the standard library alone."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from api.client.errors import RefusedError, StrangeAnswerError, UnansweredError, UnreachedError

T = TypeVar("T")

ANSWER_TIMEOUT_S = 10.0
LONGEST_ANSWER = 64 << 20
CODE_HEADER = "X-TOTP-Code"

Query = Mapping[str, str | int | None]
Headers = Callable[[], Mapping[str, str]]
"""The credential's headers, read anew for every call. May raise OSError and ValueError."""


class Calls(Protocol):
    """What the generated operations need."""

    def call(
        self,
        kind: type[T],
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        accepts: tuple[int, ...] = (200,),
    ) -> T:
        """The answer, checked against `kind`. Raises UnansweredError, RefusedError, StrangeAnswerError."""
        ...


def in_path(value: str) -> str:
    """A value as one part of a path."""
    return quote(value, safe="")


@dataclass(frozen=True)
class HttpCalls:
    """Implements `Calls` at one address (`https://HOST:PORT`). `certificate`: exactly this one is taken, whatever name
    it was made for; without it the machine's authorities judge."""

    url: str
    headers: Headers = field(repr=False)
    certificate: Path | None = None
    timeout_s: float = ANSWER_TIMEOUT_S

    def call(
        self,
        kind: type[T],
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        accepts: tuple[int, ...] = (200,),
    ) -> T:
        """See `Calls`."""
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        status, text = self._exchange(method, f"{path}?{urlencode(asked)}" if asked else path, body)
        if status in accepts:
            return _checked(kind, text)
        raise _refusal(status, text)

    def _exchange(self, method: str, target: str, body: object) -> tuple[int, bytes]:
        try:
            connection = self._connection()
        except (OSError, ValueError) as error:
            raise UnreachedError(f"the certificate {self.certificate} cannot be read ({error})") from error
        try:
            headers = {**self.headers(), "Content-Type": "application/json", "Connection": "close"}
            base = urlsplit(self.url).path.rstrip("/")
            connection.request(method, base + target, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read(LONGEST_ANSWER)
        except ConnectionRefusedError as error:
            raise UnreachedError(
                "nothing listens there now: the system is still starting, or the API is restarted"
            ) from error
        except TimeoutError as error:
            raise UnansweredError(f"there was no answer within {self.timeout_s:.0f} s") from error
        except http.client.HTTPException as error:
            raise UnansweredError("the connection ended in the middle of the answer") from error
        except OSError as error:
            raise UnansweredError(error.strerror or " ".join(str(error).split()) or "the connection failed") from error
        except ValueError as error:  # a token that no header carries, a host that is none
            raise UnansweredError(" ".join(str(error).split())) from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme != "https":
            return http.client.HTTPConnection(host, parts.port, timeout=self.timeout_s)
        context = ssl.create_default_context() if self.certificate is None else trusting(self.certificate)
        return http.client.HTTPSConnection(host, parts.port, timeout=self.timeout_s, context=context)


def trusting(certificate: Path) -> ssl.SSLContext:
    """A client's context that takes this certificate. Raises OSError and ssl.SSLError: it cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    return context


def _checked(kind: type[T], text: bytes) -> T:
    """The answer as it was sent, with what this client does not know; checked against what it does."""
    from pydantic import TypeAdapter, ValidationError

    if kind is str:
        return text.decode("utf-8", "replace")  # type: ignore[return-value]
    try:
        found: T = json.loads(text)
        TypeAdapter(kind).validate_python(found)
    except (ValueError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        where = "" if first is None else f": {'.'.join(map(str, first['loc'])) or 'it'}: {first['msg'].lower()}"
        raise StrangeAnswerError(f"it is not this interface, or one of another version{where}") from error
    return found


def _refusal(status: int, text: bytes) -> RefusedError | StrangeAnswerError:
    try:
        body: Any = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("error"), str):
        return StrangeAnswerError(f"status {status} without a sentence: it is not this interface")
    at = body.get("field")
    return RefusedError(status, body["error"], at if isinstance(at, str) else None)
