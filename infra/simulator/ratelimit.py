"""Request limits per UID and endpoint over a rolling second of wall time, and the headers that report them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_MS = 1_000


@dataclass(frozen=True, slots=True)
class Quota:
    """The answer to one request: limit, what is left of it, and when it is free again (wall ms)."""

    limit: int
    left: int
    reset_ms: int
    allowed: bool

    def headers(self) -> dict[str, str]:
        """Bybit's rate-limit headers."""
        return {
            "X-Bapi-Limit": str(self.limit),
            "X-Bapi-Limit-Status": str(self.left),
            "X-Bapi-Limit-Reset-Timestamp": str(self.reset_ms),
        }


class RateLimiter:
    """Counts requests (orders, in a batch) by (UID, endpoint, category)."""

    def __init__(self, *, enforced: bool) -> None:
        self._enforced = enforced
        self._seen: dict[tuple[int, str, str], deque[int]] = {}

    def ask(self, uid: int, path: str, category: str, limit: int, cost: int, wall_ms: int) -> Quota:
        """Count a request and say whether it is allowed. A refused one costs nothing."""
        seen = self._seen.setdefault((uid, path, category), deque())
        while seen and seen[0] <= wall_ms - WINDOW_MS:
            seen.popleft()
        if self._enforced and len(seen) + cost > limit and seen:
            # Always in the future: clients sleep until this instant.
            return Quota(limit, max(limit - len(seen), 0), max(seen[0] + WINDOW_MS, wall_ms + 1), False)
        seen.extend([wall_ms] * min(cost, limit))
        return Quota(limit, max(limit - len(seen), 0), wall_ms, True)
