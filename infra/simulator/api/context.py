"""What a handler is given and what it answers; the envelope around the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from infra.simulator.api.keys import ApiKey, KeyRing
from infra.simulator.api.params import Params
from infra.simulator.api.shapes.quotes import Statistics
from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.model import Account
from infra.simulator.venue.state import Venue


@dataclass(frozen=True, slots=True)
class Answer:
    """A handler's result; ``ext`` becomes retExtInfo (per-leg codes of a batch)."""

    result: dict[str, Any]
    message: str = "OK"
    ext: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """One request on its way through a handler. ``granted``: how many orders of a batch the rate limit allows (None:
    all of them). ``keys`` are those made by request."""

    venue: Venue
    statistics: Statistics
    params: Params
    wall_ms: int
    signed_account: Account | None
    signed_key: ApiKey | None
    keys: KeyRing
    granted: int | None = None

    @property
    def account(self) -> Account:
        """The account that signed; 10003 for an unsigned request."""
        if self.signed_account is None:
            raise VenueError(10003, "API key is invalid.")
        return self.signed_account

    @property
    def key(self) -> ApiKey:
        """The key that signed; 10003 for an unsigned request."""
        if self.signed_key is None:
            raise VenueError(10003, "API key is invalid.")
        return self.signed_key


Handler = Callable[[Context], Answer]


def envelope(code: int, message: str, result: dict[str, Any], ext: dict[str, Any], wall_ms: int) -> dict[str, Any]:
    """Bybit's envelope; ``time`` is wall time."""
    return {"retCode": code, "retMsg": message, "result": result, "retExtInfo": ext, "time": wall_ms}
