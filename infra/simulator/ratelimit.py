"""Request limits per UID and endpoint over a rolling second of wall time, and the headers that report them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_MS = 1_000
RESET_HEADER = "X-Bapi-Limit-Reset-Timestamp"


@dataclass(frozen=True, slots=True)
class Quota:
    """The answer to one request: limit, what is left of it, when it is free again (wall ms), and how many of the
    request's orders it covers (0: the request is refused)."""

    limit: int
    left: int
    reset_ms: int
    granted: int

    @property
    def allowed(self) -> bool:
        """Whether anything of the request may be done."""
        return self.granted > 0

    def headers(self) -> dict[str, str]:
        """Bybit's rate-limit headers."""
        return {
            "X-Bapi-Limit": str(self.limit),
            "X-Bapi-Limit-Status": str(self.left),
            RESET_HEADER: str(self.reset_ms),
        }


class RateLimiter:
    """Counts requests (orders, in a batch) by (UID, endpoint, category)."""

    def __init__(self, *, enforced: bool) -> None:
        self._enforced = enforced
        self._seen: dict[tuple[int, str, str], deque[int]] = {}

    def ask(self, uid: int, path: str, category: str, limit: int, cost: int, wall_ms: int) -> Quota:
        """Count a request (``cost`` orders of a batch) and say how much of it is allowed; what is refused costs
        nothing. A batch beyond the limit is done up to it, and its tail is refused order by order."""
        seen = self._seen.setdefault((uid, path, category), deque())
        while seen and seen[0] <= wall_ms - WINDOW_MS:
            seen.popleft()
        granted = min(cost, max(limit - len(seen), 0)) if self._enforced else cost
        seen.extend([wall_ms] * min(granted, limit))
        left = max(limit - len(seen), 0)
        # Always in the future when something was refused: clients sleep until this instant.
        reset_ms = wall_ms if granted == cost else max(seen[0] + WINDOW_MS, wall_ms + 1)
        return Quota(limit, left, reset_ms, granted)


IP_REQUESTS = 600
IP_WINDOW_MS = 5_000
IP_BAN_MS = 600_000


class IpLimiter:
    """All HTTP requests of one address: above 600 in 5 s it is shut out for ten minutes (bybit-v5 3)."""

    def __init__(self, *, enforced: bool) -> None:
        self._enforced = enforced
        self._seen: dict[str, deque[int]] = {}
        self._banned_until: dict[str, int] = {}

    def allows(self, address: str, wall_ms: int) -> bool:
        """Count a request; False when the address is, or has just been, shut out."""
        if not self._enforced:
            return True
        if wall_ms < self._banned_until.get(address, 0):
            return False
        seen = self._seen.setdefault(address, deque())
        while seen and seen[0] <= wall_ms - IP_WINDOW_MS:
            seen.popleft()
        seen.append(wall_ms)
        if len(seen) <= IP_REQUESTS:
            return True
        self._banned_until[address] = wall_ms + IP_BAN_MS
        return False
