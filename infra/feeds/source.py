"""Fetching JSON for the feeds: over HTTP, or from any function with the same shape (in-process exchange)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import httpx

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
        transport: httpx.BaseTransport | None = None,
        proxy: ProxyAddress | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        way = proxy_for(self._base_url, proxy)
        self._client = httpx.Client(
            timeout=timeout_s,
            trust_env=False,
            follow_redirects=True,
            transport=transport,
            proxy=None if way is None else way.url,
        )

    def __call__(self, path: str, parameters: Mapping[str, str | int]) -> Any:
        try:
            response = self._client.get(self._base_url + path, params=dict(parameters))
        except httpx.HTTPError as error:
            raise FeedUnavailableError(f"{self._base_url} does not answer: {type(error).__name__}") from error
        if response.status_code != 200:
            raise FeedUnavailableError(f"{self._base_url} answered with HTTP status {response.status_code}")
        try:
            return response.json()
        except ValueError as error:
            raise FeedUnavailableError(f"{self._base_url} answered with text that is not JSON") from error

    def close(self) -> None:
        self._client.close()
