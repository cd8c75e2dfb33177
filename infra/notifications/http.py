"""Posting JSON to a receiver of messages: what its answer says about the message (IF-4)."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import orjson

from infra.notifications.asynchronous import finished
from infra.proxy import ProxyAddress, proxy_for
from statemachines.notifications.message import Delivered, Outcome, RefusedForGood, TryAgain
from statemachines.notifications.plain import one_line, shortened

TIMEOUT_S = 10.0
MAX_ANSWER = 65_536
LEAST_SECRET = 6
"""A shorter piece of an address is no secret, and may be a word of any sentence."""

REFUSALS = frozenset({400, 413, 415, 422})
"""What says that this very message cannot be taken; other answers may be due to a setting, or pass by themselves."""


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    receiver: str,
    secrets: Collection[str],
    proxy: ProxyAddress | None = None,
) -> tuple[Outcome, Any]:
    """What came of it, and the answer if it is JSON. No redirect is followed: it could lead to another receiver.

    `secrets` are not quoted, whatever the receiver says.
    """
    answers: list[Any] = []
    way = client_proxy(url, proxy)

    async def send() -> Outcome:
        try:
            async with (
                httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, follow_redirects=False, proxy=way) as client,
                client.stream("POST", url, content=body, headers=dict(headers)) as response,
            ):
                content = bytearray()
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > MAX_ANSWER:
                        break
                answers.append(_json(bytes(content)))
                return judged(response.status_code, response.headers.get("retry-after"), receiver, answers[0], secrets)
        except httpx.ProxyError:
            return TryAgain(f"{receiver} cannot be reached: the proxy refuses the connection")
        except httpx.TimeoutException:
            return TryAgain(f"{receiver} did not answer in time; whether the message arrived is not known")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return TryAgain(f"{receiver} cannot be reached ({type(error).__name__})")

    outcome = finished(send())
    return outcome, answers[0] if answers else None


def client_proxy(url: str, proxy: ProxyAddress | None) -> str | None:
    """The proxy as httpx takes it, with its login; None where none is used: to this machine."""
    way = proxy_for(url, proxy)
    return None if way is None else way.url


def judged(status: int, retry_after: str | None, receiver: str, answer: Any, secrets: Collection[str] = ()) -> Outcome:
    """What a status says."""
    if 200 <= status < 300:
        return Delivered()
    said = _said(answer, secrets)
    told = f"{receiver} answered with HTTP status {status}{said}"
    if status == 429:
        return TryAgain(f"{receiver} asks for a slower pace", seconds_of(retry_after) or 60.0, is_pace=True)
    if status in REFUSALS:
        return RefusedForGood(told)
    if status in (401, 403):
        return TryAgain(f"{told}: it refuses the credential")
    return TryAgain(told, seconds_of(retry_after))


def seconds_of(retry_after: str | None) -> float | None:
    """What a Retry-After header says: a number of seconds, or an instant; None for anything else."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        instant = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return max((instant - datetime.now(UTC)).total_seconds(), 0.0)


def secrets_of(url: str) -> list[str]:
    """What of an address may be a secret: it, its credential, path and query, and what these consist of."""
    parts = urlsplit(url)
    around = [url, f"{parts.path}?{parts.query}" if parts.query else "", parts.path, parts.query]
    inside = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query)), parts.username, parts.password]
    named = [one for one in inside if one is not None and len(one) >= LEAST_SECRET]
    found = [one for one in (*around, *named) if len(one.strip("/")) > 1]
    return [*found, *(unquote(one) for one in found)]


def hidden(text: str, secrets: Collection[str]) -> str:
    """The text with *** for each secret, in whatever capitals."""
    longest_first = sorted({one for one in secrets if one}, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), "***", text, flags=re.IGNORECASE) if longest_first else text


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _said(answer: Any, secrets: Collection[str]) -> str:
    """The sentence of an answer that has one."""
    if not isinstance(answer, dict):
        return ""
    texts = [str(answer[name]) for name in ("message", "error") if isinstance(answer.get(name), str)]
    errors = answer.get("errors")
    texts += [str(one) for one in errors if isinstance(one, str)] if isinstance(errors, list) else []
    return f" ({shortened(hidden(one_line('; '.join(texts)), secrets), 150)})" if texts else ""
