"""The one proxy that may stand between us and the outside: it is configured, never taken from the environment.

A proxy variable of the durable actor must neither capture loopback nor see what is signed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from infra import addresses

SCHEMES = ("http",)


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """An HTTP proxy (used by CONNECT for https and wss). `user` and `password` are never shown."""

    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """With credentials: for a client, never for a log."""
        plain_host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{self._login()}{plain_host}:{self.port}"

    def _login(self) -> str:
        return f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.user else ""


def proxy_address(url: str) -> ProxyAddress:
    """`http://[USER:PASSWORD@]HOST:PORT`.

    Raises:
        ValueError: another form; the text does not repeat the value, which may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in SCHEMES or not parts.hostname or not port or parts.path not in ("", "/"):
        raise ValueError("http://HOST:PORT is required, with USER:PASSWORD@ before HOST if it asks for them")
    return ProxyAddress(parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or ""))


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine: no proxy ever stands before it."""
    return addresses.is_loopback(urlsplit(url).hostname or "")


def proxy_for(url: str, proxy: ProxyAddress | None) -> ProxyAddress | None:
    """The proxy to use for an address; None for loopback."""
    return None if is_loopback(url) else proxy
