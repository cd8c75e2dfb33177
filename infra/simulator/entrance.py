"""What every signed request passes on its way to the exchange, by REST or by a socket: keys, quotas, dispatch."""

from __future__ import annotations

import logging
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from infra.simulator.api.context import envelope
from infra.simulator.api.exchange import ApiRequest
from infra.simulator.api.keys import ApiKey
from infra.simulator.api.routes import Route
from infra.simulator.credentials import Credentials, check_request
from infra.simulator.hub import Hub
from infra.simulator.ratelimit import Quota, RateLimiter
from infra.simulator.wall_clock import wall_ms

log = logging.getLogger(__name__)
CATEGORIES = ("spot", "linear", "inverse", "option")


class Entrance:
    """One for all transports, so that an order counts against one quota whichever way it comes.

    ``keys`` are those of the keys file and those made by request, as they are now.
    """

    def __init__(self, hub: Hub, credentials: Credentials, *, rate_limits: bool) -> None:
        self._hub = hub
        self._limiter = RateLimiter(enforced=rate_limits)
        self.keys: Mapping[str, ApiKey] = ChainMap(hub.durable.exchange.keys.issued, dict(credentials.keys))

    def key_of(self, headers: Mapping[str, str], payload: bytes, address: str, now_ms: int) -> ApiKey:
        """The key of a signed request; ``VenueError`` for one that is not accepted (``check_request``)."""
        key = check_request(self.keys, headers, payload, now_ms)
        self.check_usable(key, address)
        return key

    def check_usable(self, key: ApiKey, address: str) -> None:
        """``VenueError`` for a key of a frozen account, one that has ended, and an address it is not bound to."""
        exchange = self._hub.durable.exchange
        exchange.keys.check_usable(exchange.venue, key, address)

    def quota(
        self, route: Route, path: str, key: ApiKey | None, params: Mapping[str, Any], now_ms: int
    ) -> Quota | None:
        """Count the request; None where only the address is limited."""
        if route.limits is None or key is None:
            return None
        given = params.get("category", "")
        category = given if given in CATEGORIES else ""
        legs = params.get("request")
        cost = len(legs) or 1 if route.per_order and isinstance(legs, list) else 1
        limit = route.limits[1 if category == "spot" else 0]
        return self._limiter.ask(key.uid, path, category, limit, cost, now_ms)

    def allows_trade_socket(self, address: str, limit: int, now_ms: int) -> bool:
        """Count a request of the trade sockets of an address; False above so many a second."""
        return self._limiter.ask(0, address, "trade socket", limit, 1, now_ms).allowed

    async def answer(self, request: ApiRequest) -> dict[str, Any]:
        """The exchange's envelope; that of a write is on the disk and its frames are sent."""
        durable = self._hub.durable
        try:
            if request.method == "GET":
                return durable.handle(request)
            return await self._hub.act(lambda: durable.handle(request))
        except Exception:  # the exchange must answer; the defect is logged with its traceback
            log.exception("The request %s %s failed inside the exchange.", request.method, request.path)
            return envelope(10016, "Server error.", {}, {}, wall_ms())
