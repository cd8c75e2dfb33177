"""What a request presents, read from its head."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from starlette.requests import cookie_parser

from api.access.answers import Presented
from api.access.judge import CODE_HEADER, CSRF_HEADER
from api.text import shown
from infra.addresses import is_loopback

Scope = MutableMapping[str, Any]

PREFIX = "bearer "
READING = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_ADDRESS = 60
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")


def presented_of(scope: Scope) -> Presented:
    """What this request presents. A header that stands there twice is none."""
    headers = headers_of(scope)
    authorization = headers.get("authorization", "")
    is_bearer = authorization[: len(PREFIX)].lower() == PREFIX
    return Presented(
        address=address_of(scope),
        bearer=authorization[len(PREFIX) :].strip() if is_bearer else None,
        cookie=cookie_parser(headers.get("cookie", "")).get(cookie_name(scope)),
        csrf=headers.get(CSRF_HEADER.lower()),
        code=headers.get(CODE_HEADER.lower()),
        is_change=scope["method"] not in READING,
        is_foreign=_is_foreign(scope, headers),
    )


def headers_of(scope: Scope) -> dict[str, str]:
    """The request's headers by their small names, without those that stand there twice (cookies may)."""
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return {name: "; ".join(values) for name, values in found.items() if len(values) == 1 or name == "cookie"}


def address_of(scope: Scope) -> str:
    """The client's address; behind a declared proxy what that has written down of it."""
    return shown((scope.get("client") or ("unknown", 0))[0])[:LONGEST_ADDRESS]


def is_forwarded(scope: Scope) -> bool:
    """Whether a proxy, declared or not, has handed the request on."""
    names = {name.decode("latin-1").lower() for name, _ in scope["headers"]}
    return any(one in names for one in FORWARDED)


def is_encrypted(scope: Scope) -> bool:
    """Whether the client's connection is encrypted."""
    return scope.get("scheme") == "https"


def is_local(scope: Scope) -> bool:
    """Whether the client is on this machine: its address is a loopback one, or the very one that it has reached."""
    address = address_of(scope)
    return is_loopback(address) or (bool(address) and address == (scope.get("server") or ("",))[0])


def cookie_name(scope: Scope) -> str:
    """Cookies hold for all ports of a host: two systems on one machine must not log each other out. The prefix makes
    the browser refuse a cookie of this name that another host or an unencrypted page has set."""
    port = (scope.get("server") or ("", 0))[1]
    return f"__Host-eternal-{port}" if is_encrypted(scope) else f"eternal-{port}"


def _is_foreign(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether a page of another origin sent it. A browser reports it, and no script can change its report; a
    program that is no browser says nothing."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site != "same-origin"
    origin = headers.get("origin")
    return origin is not None and origin != f"{scope.get('scheme', 'http')}://{headers.get('host', '')}"
