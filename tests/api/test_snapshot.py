"""The cached status (RAY.md 4): one question at a time, an old answer with its age, never a wait without end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from api.snapshot import SnapshotCache


class Clock:
    """Wall time that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_fresh_answer_is_not_asked_for_again_and_an_old_one_keeps_its_age() -> None:
    clock, asked = Clock(), []

    def fetch() -> Mapping[str, Any]:
        asked.append(clock.now)
        if len(asked) > 1:
            raise LookupError("there is no orchestrator")
        return {"booted": True}

    async def scenario() -> None:
        cache = SnapshotCache(fetch, fresh_s=0.5, monotonic=clock)
        assert (await cache.snapshot()).age_s == 0
        clock.now += 0.4
        assert (await cache.snapshot()).error == ""
        assert len(asked) == 1
        clock.now += 6.6
        old = await cache.snapshot()
        assert (old.status, old.age_s) == ({"booted": True}, 7.0)
        assert old.error == "there is no orchestrator"

    asyncio.run(scenario())


def test_who_hangs_is_asked_once_and_its_late_answer_counts() -> None:
    released, asked = threading.Event(), []

    def fetch() -> Mapping[str, Any]:
        asked.append(1)
        assert released.wait(30)
        return {"booted": True}

    async def scenario() -> None:
        cache = SnapshotCache(fetch, patience_s=0.05)
        found = await asyncio.gather(*(cache.snapshot() for _ in range(20)))
        assert all(one.age_s is None and "no answer within" in one.error for one in found)
        assert len(asked) == 1
        released.set()
        while (await cache.snapshot()).age_s is None:
            await asyncio.sleep(0.01)

    asyncio.run(scenario())
