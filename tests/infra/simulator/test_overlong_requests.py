"""A request that no server reads (an address above 8,190 bytes, no HTTP) is refused shortly, without a traceback."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from infra.simulator.config import SimConfig
from infra.simulator.credentials import load_or_create
from infra.simulator.disk.durable import DurableExchange
from infra.simulator.server import make_app, start
from tests.infra.simulator.venue.world import WAVE, TinyMarket


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /v5/market/time?a=" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v5/market/time HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 9_000 + b"\r\n\r\n",
        b"GET /v5/market/time HTTP/1.1\r\nHost : a\r\n\r\n",
        b"hello\r\n\r\n",
    ],
    ids=["address", "header", "bad header", "no HTTP"],
)
def test_an_unreadable_request_gets_400_and_one_line_without_a_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, request_bytes: bytes
) -> None:
    keys = load_or_create(tmp_path)
    durable = DurableExchange(tmp_path, TinyMarket(WAVE), SimConfig(), keys)

    async def talk() -> bytes:
        runner, url = await start(make_app(durable, keys, SimConfig()), 0)
        try:
            return await _send(url, request_bytes)
        finally:
            await runner.cleanup()

    with caplog.at_level(logging.INFO):
        answer = asyncio.run(talk())
    assert answer.split()[1] in (b"400", b"414", b"431")
    assert len(answer) < 1_000, answer
    assert not [one for one in caplog.records if one.exc_info or one.levelno >= logging.ERROR]
    assert "x" * 100 not in caplog.text


async def _send(url: str, data: bytes) -> bytes:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer
