"""pybit HTTP sessions as we use them: one per account and thread, quiet, never retrying by themselves (IF-2).

Two kinds with one interface: `GatewaySession` uses HTTP to a real or simulated exchange, `DirectSession` calls the
in-process exchange's handler without sockets. Everything above them is the same code.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pybit.unified_trading import HTTP

from infra.bybit.credentials import Credentials
from infra.bybit.parsing.envelope import checked
from infra.bybit.parsing.fields import UnparsableError, shown_text
from infra.bybit.parsing.reading import read_json
from infra.http_limits import ANSWER_S, bound
from infra.proxy import ProxyAddress, proxy_for
from statemachines.values import Account

Handle = Callable[[str, str, Mapping[str, Any], Account | None], Mapping[str, Any]]
"""`handle(method, path, params, account)` → the V5 envelope; `account` is None for public endpoints."""

_NO_CODES = frozenset({-1})
"""pybit takes its own retry codes when the set is empty; no return code is -1, so this one turns its retries off."""


def silence_libraries() -> None:
    """Keep pybit and its WebSocket library from printing: they log bodies, and we log what matters ourselves."""
    for name in ("pybit", "websocket"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("pybit."):
            logging.getLogger(name).handlers.clear()


class GatewaySession(HTTP):  # type: ignore[misc, unused-ignore]
    """One account's HTTP session in one thread. `headers_seen` are those of the newest answer."""

    def __init__(
        self,
        account: Account,
        credentials: Credentials,
        base_url: str,
        timeout_s: int = 10,
        proxy: ProxyAddress | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        key = credentials.keys.get(account)
        super().__init__(
            api_key=key.api_key.get_secret_value() if key else None,
            api_secret=key.api_secret.get_secret_value() if key else None,
            timeout=timeout_s,
            force_retry=False,
            retry_codes=set(_NO_CODES),
            max_retries=1,
            log_requests=False,
            logging_level=logging.CRITICAL,
        )
        silence_libraries()
        self.endpoint = base_url.rstrip("/")
        self.client.trust_env = False
        # The exchange never redirects: following would hand our signed headers to another origin, and could take its
        # answer for the exchange's. With 0 any redirect raises, and the outcome is unknown.
        self.client.max_redirects = 0
        bound(self.client, answer_s)
        way = proxy_for(self.endpoint, proxy)
        if way is not None:
            self.client.proxies = {"http": way.url, "https": way.url}
        self.account = account
        self.headers_seen: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"GatewaySession({self.account}, {self.endpoint})"

    def _handle_response(self, response: Any, method: Any, path: Any, *_further: Any) -> Any:
        # pybit takes every answer without a truthy retCode for a success, and fails on what is no object.
        self.headers_seen = response.headers
        request = f"{method} {str(path).removeprefix(self.endpoint)}"
        length = response.headers.get("Content-Length")
        if length is not None and not (length.isascii() and length.isdigit()):
            # The library takes such a length for none, and then a cut answer for a whole one.
            raise UnparsableError(
                f"answer to {request}: Content-Length is {shown_text(length, 40)}; digits are required."
            )
        try:
            answer = read_json(response.content)
        except UnparsableError as error:
            raise UnparsableError(f"answer to {request}: {error}") from None
        except (ValueError, RecursionError):
            # Not JSON, or JSON that Python does not read (an integer of thousands of digits, lists without end).
            raise UnparsableError(f"answer to {request}: it is not JSON that can be read.") from None
        return checked(answer, request)


class DirectSession(HTTP):  # type: ignore[misc, unused-ignore]
    """pybit's methods over a plain function: the in-process exchange, without sockets, keys or signatures."""

    def __init__(self, account: Account, handle: Handle) -> None:
        # pybit's own constructor opens a requests.Session and a log handler; neither is wanted here.
        self.endpoint = ""
        self.account = account
        self.headers_seen: Mapping[str, str] = {}
        self._handle = handle

    def __repr__(self) -> str:
        return f"DirectSession({self.account})"

    def _submit_request(self, method: Any = None, path: Any = None, query: Any = None, auth: bool = False) -> Any:
        params = self._clean_query(query)
        if method == "GET":
            params = {name: str(value) for name, value in params.items()}
        return checked(self._handle(method, path, params, self.account if auth else None), f"{method} {path}")


class Sessions(Protocol):
    """Where the exchange adapter gets its sessions."""

    def session(self, account: Account) -> HTTP:
        """The account's session for the calling thread."""
        ...


class HttpSessions:
    """One pybit session per account and thread: a `requests.Session` is not safe to share."""

    def __init__(
        self,
        credentials: Credentials,
        base_url: str,
        timeout_s: int = 10,
        proxy: ProxyAddress | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._credentials = credentials
        self._proxy = proxy
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._answer_s = answer_s
        self._local = threading.local()

    def session(self, account: Account) -> HTTP:
        mine: dict[Account, GatewaySession] = self._local.__dict__.setdefault("sessions", {})
        found = mine.get(account)
        if found is None:
            found = mine[account] = GatewaySession(
                account, self._credentials, self._base_url, self._timeout_s, self._proxy, self._answer_s
            )
        return found


class DirectSessions:
    """Sessions of the in-process runtime."""

    def __init__(self, handle: Handle) -> None:
        self._sessions = {account: DirectSession(account, handle) for account in Account}

    def session(self, account: Account) -> HTTP:
        return self._sessions[account]
