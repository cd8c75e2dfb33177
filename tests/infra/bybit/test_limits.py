"""EX-6: limits per account and endpoint group are kept before the exchange has to refuse; calls wait, none is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest

from infra.bybit.errors import Fault, GatewayError
from infra.bybit.limits import Quota, RateLimiter, RateLimits
from statemachines.values import Account

A, B = Account.TREND_1, Account.TREND_2


class Time:
    """Monotonic seconds that pass only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds


def limiter(time: Time, **changes: object) -> RateLimiter:
    settings: dict[str, object] = {
        "groups": {"create.linear": Quota(calls=10), "wallet": Quota(calls=50)},
        "everything": Quota(calls=1000, seconds=5),
        "margin": 1.0,
    }
    limits = RateLimits.model_validate(settings | changes)
    return RateLimiter(limits, time.clock, time.sleep, lambda: round(time.now * 1000))


def test_no_rolling_second_ever_holds_more_than_the_quota() -> None:
    time = Time()
    subject = limiter(time)
    sent: list[float] = []
    for _ in range(57):
        subject.acquire(A, "create.linear")
        sent.append(time.now)
    assert len(sent) == 57, "delayed, never dropped"
    for first, eleventh in zip(sent, sent[10:], strict=False):
        assert eleventh - first >= 1.0 - 1e-9
    assert all(later >= earlier for earlier, later in pairwise(sent))
    assert subject.delayed_calls == len(time.slept) > 0


def test_accounts_and_groups_do_not_share_a_quota() -> None:
    time = Time()
    subject = limiter(time)
    for _ in range(10):
        subject.acquire(A, "create.linear")
    subject.acquire(B, "create.linear")
    subject.acquire(A, "wallet")
    assert time.slept == []
    subject.acquire(A, "create.linear")
    assert time.slept == [1.0]


def test_the_address_quota_bounds_all_accounts_together() -> None:
    time = Time()
    subject = limiter(time, everything=Quota(calls=4, seconds=5))
    for account in (A, B, A, B, A):
        subject.acquire(account, "wallet")
    assert time.slept == [5.0]


def test_headers_tighten_the_quota_and_close_an_exhausted_group() -> None:
    time = Time()
    subject = limiter(time)
    subject.correct(A, "create.linear", {"X-Bapi-Limit": "2", "X-Bapi-Limit-Status": "1"})
    for _ in range(3):
        subject.acquire(A, "create.linear")
    assert time.slept == [1.0]
    headers = {"X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": "5300", "Timenow": "5000"}
    subject.correct(B, "create.linear", headers)
    subject.acquire(B, "create.linear")
    assert time.slept[-1] == pytest.approx(0.3)


def test_a_header_never_loosens_what_is_configured() -> None:
    time = Time()
    subject = limiter(time)
    subject.correct(A, "create.linear", {"X-Bapi-Limit": "500", "X-Bapi-Limit-Status": "499"})
    for _ in range(11):
        subject.acquire(A, "create.linear")
    assert time.slept == [1.0]


def test_a_reset_time_in_the_past_is_harmless() -> None:
    time = Time()
    subject = limiter(time)
    subject.correct(A, "wallet", {"X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": "1", "Timenow": "5000"})
    subject.acquire(A, "wallet")
    assert time.slept == []


def test_a_refusal_of_the_exchange_closes_the_group_for_its_window() -> None:
    time = Time()
    subject = limiter(time)
    subject.refused(A, "wallet")
    subject.acquire(A, "wallet")
    assert time.slept == [1.0]


def test_after_a_ban_the_caller_decides_anew_instead_of_waiting_ten_minutes() -> None:
    time = Time()
    subject = limiter(time)
    subject.banned()
    with pytest.raises(GatewayError, match="600 s") as caught:
        subject.acquire(A, "wallet")
    assert caught.value.fault is Fault.TRANSIENT
    time.now += 600
    subject.acquire(A, "wallet")
