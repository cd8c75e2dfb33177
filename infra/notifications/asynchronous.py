"""Running one send of an asynchronous library to its end, within a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from statemachines.notifications.message import Outcome, TryAgain

# These libraries log every address: a bot's token, and that of a webhook, is part of it.
for _name in ("httpx", "httpcore", "telegram"):
    logging.getLogger(_name).setLevel(logging.WARNING)

LONGEST_S = 30.0
"""From the first byte to the answer, with every address and recipient of one message."""


def finished(send: Coroutine[Any, Any, Outcome], longest_s: float = LONGEST_S) -> Outcome:
    """The outcome; blocks, at most `longest_s`."""

    async def bounded() -> Outcome:
        try:
            return await asyncio.wait_for(send, longest_s)
        except TimeoutError:
            return TryAgain(f"there was no answer within {longest_s:.0f} s; whether it arrived is not known")

    return asyncio.run(bounded())
