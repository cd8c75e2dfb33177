"""How fast a client may ask: requests of a credential, and attempts with a wrong token (a token bucket each). Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MAX_ADDRESSES = 1_000
"""How many addresses with wrong tokens are remembered; the ones that were quiet for the longest are dropped first."""

FREE_FAILURES = 5
LONGEST_WAIT_S = 60.0
CALM_S = 600.0
"""After this long without a wrong token an address begins anew."""


class RequestPace:
    """At most `per_s` requests a second in the long run, and `burst` at once, for each holder."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s, self._burst = per_s, burst
        self._left: dict[str, tuple[float, float]] = {}

    def wait_s(self, holder: str, now_s: float) -> float:
        """0: the request may pass, and is counted; otherwise how long until the next may."""
        left, since_s = self._left.get(holder, (float(self._burst), now_s))
        left = min(float(self._burst), left + (now_s - since_s) * self._per_s)
        if left < 1:
            self._left[holder] = (left, now_s)
            return (1 - left) / self._per_s
        self._left[holder] = (left - 1, now_s)
        return 0.0


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last_s: float = 0.0


class FailurePace:
    """Wrong tokens by address: some are free, then each one doubles the wait before the next is looked at."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, _Failures] = OrderedDict()

    def __len__(self) -> int:
        """How many addresses are remembered."""
        return len(self._of)

    def wait_s(self, address: str, now_s: float) -> float:
        """How long nothing that this address presents is looked at."""
        found = self._of.get(address)
        if found is None or found.count < FREE_FAILURES:
            return 0.0
        pause_s = min(2.0 ** (found.count - FREE_FAILURES), LONGEST_WAIT_S)
        return max(0.0, found.last_s + pause_s - now_s)

    def failed(self, address: str, now_s: float) -> int:
        """Count a wrong token; returns how many there were since the address was last calm."""
        found = self._of.pop(address, None)
        if found is None or now_s - found.last_s > CALM_S:
            found = _Failures()
        found.count, found.last_s = found.count + 1, now_s
        self._of[address] = found
        if len(self._of) > MAX_ADDRESSES:
            self._of.popitem(last=False)
        return found.count

    def succeeded(self, address: str) -> None:
        """A right token ends the count."""
        self._of.pop(address, None)
