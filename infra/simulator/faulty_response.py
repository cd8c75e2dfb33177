"""The HTTP response of one request: the exchange's answer, or what a fault makes of it."""

from __future__ import annotations

import asyncio
import json
import secrets

from aiohttp import web

from infra.simulator.faults.plans import Answered, Outcome, Page, Silence, Torn


async def faulty_response(
    request: web.Request, outcome: Outcome, stamp_ms: int, headers: dict[str, str]
) -> web.Response:
    """Answer with the outcome; ``stamp_ms`` is the exchange's clock, ``headers`` those of the rate limit."""
    match outcome:
        case Silence(hang_ms):
            await asyncio.sleep(hang_ms / 1000)
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)  # not sent: its connection is gone
        case Page():
            return web.Response(status=outcome.status, text=outcome.html, content_type="text/html")
        case Torn(body):
            text = json.dumps(body)
            return web.Response(text=text[: len(text) // 2], content_type="application/json")
        case Answered(body, wait_ms):
            body = body if body["time"] else {**body, "time": stamp_ms}
            headers = headers | {
                "Timenow": str(stamp_ms),
                "Traceid": secrets.token_hex(16),
                "Ret_code": str(body["retCode"]),
            }
            if wait_ms is not None:
                headers |= {
                    "X-Bapi-Limit": "10",
                    "X-Bapi-Limit-Status": "0",
                    "X-Bapi-Limit-Reset-Timestamp": str(stamp_ms + wait_ms),
                }
            return web.json_response(body, headers=headers)
