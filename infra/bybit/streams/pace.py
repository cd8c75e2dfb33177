"""How long a lost connection waits before it is built again. Pure: the time is given.

The exchange takes 500 new connections in five minutes (bybit-v5 1). Two things keep ours below it: each
failed attempt waits longer than the one before it, and every connection has a budget, however often it comes up and
breaks. A connection that had come up begins with the first delay again: a break says nothing about the next attempt.
"""

from __future__ import annotations

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 10.0
"""Longest time that an exchange which is back again waits for us (OR-8)."""

PATIENCE = 1.2
"""Each failed attempt waits this much longer than the one before it: an exchange that is back waits for us at most a
fifth of the time that it was away."""

BUDGET = 15
"""Attempts that a connection may make one after another."""

BUDGET_GROWS_EVERY_S = 7.0
"""With `BUDGET` at most 57 attempts in five minutes: 8 connections stay below the exchange's 500."""


class ReconnectPace:
    """The pauses of one connection."""

    def __init__(self) -> None:
        self._failures = 0
        self._budget = float(BUDGET)
        self._attempt_s = float("-inf")

    def pause_s(self, now_s: float, *, was_up: bool) -> float:
        """Seconds from `now_s` (monotonic) to the next attempt; `was_up`: the last one had succeeded."""
        if was_up:
            self._failures = 0
        growing_s = FIRST_DELAY_S
        for _ in range(self._failures):
            growing_s = min(growing_s * PATIENCE, LONGEST_DELAY_S)
        self._failures += 1
        passed_s = max(now_s - self._attempt_s, 0.0)
        has = min(self._budget + (passed_s + growing_s) / BUDGET_GROWS_EVERY_S, float(BUDGET))
        pause_s = growing_s + max(1.0 - has, 0.0) * BUDGET_GROWS_EVERY_S
        self._budget = max(has, 1.0) - 1.0
        self._attempt_s = now_s + pause_s
        return pause_s
