"""Fetching JSON for the feeds: over HTTP, or from any function with the same shape (in-process exchange)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import httpx

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
    """Reads JSON from one base address. Proxy variables are ignored for loopback's sake."""

    def __init__(self, base_url: str, timeout_s: float = 10.0, transport: httpx.BaseTransport | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._client = httpx.Client(timeout=timeout_s, trust_env=False, follow_redirects=True, transport=transport)

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
