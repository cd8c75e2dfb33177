"""Fetching JSON for the feeds: over HTTP, or from any function with the same shape (in-process exchange)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import requests

from infra.http_limits import ANSWER_S, bound
from infra.proxy import ProxyAddress, proxy_for

GetJson = Callable[[str, Mapping[str, str | int]], Any]
"""`get_json(path, parameters)` → the parsed answer; raises FeedUnavailableError."""


class FeedUnavailableError(Exception):
    """A source does not answer, or its answer cannot be read; its rules are inactive until it does (DA-2)."""


class Reading(NamedTuple):
    """A value with its publication time (ms); both None with the `reason` when there is nothing valid."""

    value: Any
    published_ms: int | None
    reason: str


class HttpJson:
    """Reads JSON from one base address, by the configured proxy if there is one; proxy variables are ignored."""

    def __init__(
        self,
        base_url: str,
        timeout_s: float = 10.0,
        answer_s: float = ANSWER_S,
        proxy: ProxyAddress | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False
        bound(self._session, answer_s)
        way = proxy_for(self._base_url, proxy)
        if way is not None:
            self._session.proxies = {"http": way.url, "https": way.url}

    def __call__(self, path: str, parameters: Mapping[str, str | int]) -> Any:
        try:
            response = self._session.get(self._base_url + path, params=dict(parameters), timeout=self._timeout_s)
        except requests.exceptions.RequestException as error:
            raise FeedUnavailableError(f"{self._base_url} does not answer: {type(error).__name__}") from error
        if response.status_code != 200:
            raise FeedUnavailableError(f"{self._base_url} answered with HTTP status {response.status_code}")
        try:
            return response.json()
        except (ValueError, RecursionError) as error:
            raise FeedUnavailableError(f"{self._base_url} answered with text that is not JSON") from error

    def close(self) -> None:
        self._session.close()
