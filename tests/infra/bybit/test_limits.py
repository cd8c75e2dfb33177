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
    assert subject.delayed_s == pytest.approx(sum(time.slept))


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


def test_the_margin_is_kept_of_a_group_and_a_group_without_quota_has_that_of_the_address() -> None:
    time = Time()
    subject = limiter(time, margin=0.55, everything=Quota(calls=30, seconds=5), groups={"wallet": Quota(calls=10)})
    for _ in range(6):
        subject.acquire(A, "wallet")
    assert time.slept == [1.0], "5 of the 10 are used"
    other = Time()
    subject = limiter(other, everything=Quota(calls=3, seconds=5), groups={})
    for _ in range(4):
        subject.acquire(A, "strange")
    assert other.slept == [5.0]


def test_a_margin_never_leaves_a_group_without_any_call() -> None:
    time = Time()
    subject = limiter(time, margin=0.1, groups={"transfer": Quota(calls=5)})
    subject.acquire(A, "transfer")
    subject.acquire(A, "transfer")
    assert time.slept == [1.0]


@pytest.mark.parametrize("told", ["0", "-1", "x", "", "12345678901234567", "²"])
def test_a_header_that_is_no_number_above_zero_changes_no_quota(told: str) -> None:
    time = Time()
    subject = limiter(time)
    subject.correct(A, "create.linear", {"X-Bapi-Limit": told, "X-Bapi-Limit-Status": "5"})
    for _ in range(10):
        subject.acquire(A, "create.linear")
    assert time.slept == []


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({}, 1.0),
        ({"X-Bapi-Limit-Reset-Timestamp": "9000", "Timenow": "5000"}, 1.0),
        ({"X-Bapi-Limit-Reset-Timestamp": "1000250"}, 0.25),
    ],
)
def test_an_exhausted_group_opens_at_its_reset_and_at_the_latest_after_its_window(
    headers: dict[str, str], waited: float
) -> None:
    """Without the server's time our own clock stands in; a reset far ahead is not believed."""
    time = Time()
    subject = limiter(time)
    subject.correct(A, "wallet", {"X-Bapi-Limit-Status": "0"} | headers)
    subject.acquire(A, "create.linear")
    assert time.slept == [], "only this group is closed"
    subject.acquire(A, "wallet")
    assert time.slept == [pytest.approx(waited)]


def test_the_configured_quotas_are_those_of_the_exchange() -> None:
    calls = {group: quota.calls for group, quota in RateLimits().groups.items()}
    assert calls == {
        **{"create.linear": 10, "create.spot": 20, "amend.linear": 10, "amend.spot": 10},
        **{"cancel.linear": 10, "cancel.spot": 20, "fee-rate": 5, "leverage": 10, "transfer": 5, "transfer-query": 5},
        **{"create-batch.linear": 10, "amend-batch.linear": 10, "cancel-batch.linear": 10},
        **{"create-batch.spot": 20, "amend-batch.spot": 20, "cancel-batch.spot": 20},
        **dict.fromkeys(("orders", "history", "executions", "positions", "wallet", "account"), 50),
        "transactions": 25,
        "coin-info": 5,
        "earn": 5,  # not in the exchange's table (bybit-v5 4.6)
    }
    assert {quota.seconds for quota in RateLimits().groups.values()} == {1.0}
    assert (RateLimits().everything, RateLimits().margin, RateLimits().ip_ban_s) == (
        Quota(calls=300, seconds=5),
        0.9,
        600,
    )
