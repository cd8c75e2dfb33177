"""Which intents of one engine have been seen (RM-1 duplicates): a sliding window over their counters.

Intent ids are `<engine>-<base36 counter>`. The highest counter and one bit per older counter within `WIDTH` record
exactly which ones arrived; anything older than the window counts as a repeat. So the memory used stays bounded.
"""

from __future__ import annotations

WIDTH = 512
"""How far out of order an intent may arrive, in counters."""


class RepeatWindow:
    """Stores the counters taken. Mutable; `high` and `mask` are its whole state."""

    def __init__(self, high: int = -1, mask: int = 0) -> None:
        self.high = high
        self.mask = mask

    def is_repeat(self, counter: int) -> bool:
        """Whether the counter was taken before (or is too old to be checked)."""
        age = self.high - counter
        if age < 0:
            return False
        return age >= WIDTH or bool(self.mask >> age & 1)

    def take(self, counter: int) -> None:
        """Store the counter."""
        age = self.high - counter
        if age >= 0:
            self.mask |= 1 << age
            return
        self.mask = (self.mask << -age | 1) & ((1 << WIDTH) - 1) if -age < WIDTH else 1
        self.high = counter
