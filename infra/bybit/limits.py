"""Our own rate limits per account and endpoint group (EX-6): calls wait before the exchange has to refuse.

The exchange counts per account and endpoint in a rolling second, so a window of the last calls is kept (a token bucket
would let two full bursts into one second). Response headers only ever tighten what is configured. Nothing is dropped: a
call waits, and one that would wait longer than `patience_s` is answered as transient so that its owner decides anew.
"""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Callable, Mapping
from threading import Lock

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from infra.bybit.errors import Fault, GatewayError
from statemachines.values import Account

LONGEST_HEADER_NUMBER = 16
"""Digits; an instant in ms has 13."""


class Quota(BaseModel):
    """At most `calls` in any `seconds`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: PositiveInt
    seconds: PositiveFloat = 1.0


def _bybit_quotas() -> dict[str, Quota]:
    per_second = {
        "create.linear": 10,
        "create.spot": 20,
        "amend.linear": 10,
        "amend.spot": 10,
        "cancel.linear": 10,
        "cancel.spot": 20,
        "create-batch.linear": 10,
        "create-batch.spot": 20,
        "amend-batch.linear": 10,
        "amend-batch.spot": 20,
        "cancel-batch.linear": 10,
        "cancel-batch.spot": 20,
        "orders": 50,
        "history": 50,
        "executions": 50,
        "positions": 50,
        "wallet": 50,
        "transactions": 25,
        "fee-rate": 5,
        "leverage": 10,
        "transfer": 5,
        "transfer-query": 5,
        "earn": 5,
        "account": 50,
        "coin-info": 5,
    }
    return {group: Quota(calls=calls) for group, calls in per_second.items()}


class RateLimits(BaseModel):
    """Configured limits: per account and group (of a batch every order counts), and for all calls of this process (the
    exchange allows 600 per 5 s and IP address; several processes share them). `margin` is the part of a quota that is
    used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: Mapping[str, Quota] = Field(default_factory=_bybit_quotas)
    everything: Quota = Quota(calls=300, seconds=5.0)
    margin: float = Field(default=0.9, gt=0, le=1)
    patience_s: PositiveFloat = 30.0
    ip_ban_s: PositiveFloat = 600.0


class _Window:
    """The instants of the last calls of one group, or the instants for which calls are already planned."""

    def __init__(self, calls: int, seconds: float) -> None:
        self.calls = calls
        self.seconds = seconds
        self.blocked_until = 0.0
        self._at: list[float] = []

    def next_at(self, now: float, count: int = 1) -> float:
        """The earliest instant at which `count` more calls keep the quota; of more than the quota, as if they were
        just that many."""
        while self._at and self._at[0] <= now - self.seconds:
            del self._at[0]
        earliest = max(now, self.blocked_until)
        before = max(self.calls - count, 0) + 1
        if len(self._at) >= before:
            earliest = max(earliest, self._at[-before] + self.seconds)
        return earliest

    def plan(self, at: float, count: int = 1) -> None:
        for _ in range(count):
            insort(self._at, at)


class RateLimiter:
    """Thread-safe; shared by all request queues of a process. `clock` is monotonic wall time in seconds."""

    def __init__(
        self,
        limits: RateLimits,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._wall_ms = wall_ms
        self._lock = Lock()
        self._windows: dict[tuple[Account, str], _Window] = {}
        self._all = _Window(limits.everything.calls, limits.everything.seconds)
        self.delayed_calls = 0
        self.delayed_s = 0.0

    def quota(self, account: Account, group: str) -> int:
        """How many orders of one call are within the group's limit."""
        with self._lock:
            return self._window(account, group).calls

    def acquire(self, account: Account, group: str, orders: int = 1) -> None:
        """Wait until one more call of the group is within all limits; in the group's own it counts as its `orders`.

        Raises:
            GatewayError: transient; the wait would exceed `patience_s` (after an IP ban, say). Nothing was sent.
        """
        with self._lock:
            now = self._clock()
            window = self._window(account, group)
            at = max(self._all.next_at(now), window.next_at(now, orders))
            if at - now > self._limits.patience_s:
                raise GatewayError(
                    10006,
                    f"the rate limit of {account} {group} is free again in {at - now:.0f} s, more than the allowed "
                    f"{self._limits.patience_s:.0f} s; nothing was sent",
                    Fault.TRANSIENT,
                )
            window.plan(at, orders)
            self._all.plan(at)
            if at > now:
                self.delayed_calls += 1
                self.delayed_s += at - now
        if at > now:
            self._sleep(at - now)

    def correct(self, account: Account, group: str, headers: Mapping[str, str]) -> None:
        """Take the exchange's word: a lower quota replaces ours; none left closes the group until the reset."""
        quota, remaining = _number(headers, "X-Bapi-Limit"), _number(headers, "X-Bapi-Limit-Status")
        reset, server = _number(headers, "X-Bapi-Limit-Reset-Timestamp"), _number(headers, "Timenow")
        with self._lock:
            window = self._window(account, group)
            if quota is not None and 0 < quota < window.calls:
                window.calls = quota
            if remaining == 0:
                server = self._wall_ms() if server is None else server
                wait = window.seconds if reset is None else (reset - server) / 1000
                window.blocked_until = self._clock() + min(max(wait, 0.0), window.seconds)

    def refused(self, account: Account, group: str) -> None:
        """The exchange counted more than we did (10006): close the group for one window."""
        with self._lock:
            window = self._window(account, group)
            window.blocked_until = self._clock() + window.seconds

    def banned(self) -> None:
        """HTTP 403: the address has sent too much; the exchange asks for at least ten minutes of silence."""
        with self._lock:
            self._all.blocked_until = self._clock() + self._limits.ip_ban_s

    def _window(self, account: Account, group: str) -> _Window:
        window = self._windows.get((account, group))
        if window is None:
            quota = self._limits.groups.get(group)
            if quota is None:
                quota = self._limits.everything
                window = _Window(quota.calls, quota.seconds)
            else:
                window = _Window(max(1, int(quota.calls * self._limits.margin)), quota.seconds)
            self._windows[(account, group)] = window
        return window


def _number(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name)
    is_number = value is not None and value.isascii() and value.isdigit() and len(value) <= LONGEST_HEADER_NUMBER
    return int(value) if value is not None and is_number else None
