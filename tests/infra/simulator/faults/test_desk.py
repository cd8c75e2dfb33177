"""The desk decides what strikes: by what the fault names, by its chances (from its seed alone), by its count."""

from __future__ import annotations

from typing import Any

from infra.simulator.faults.catalogue import (
    DoubledMessages,
    LateMessages,
    Latency,
    LostAnswer,
    LostRequest,
    Maintenance,
    MissingMessages,
    Refusal,
    ReorderedMessages,
)
from infra.simulator.faults.desk import Connection, FaultDesk, asked_of
from infra.simulator.faults.frames import FrameDealer
from infra.simulator.faults.plans import Answered, Page, Silence

PRIVATE = Connection("private", "TREND-1")
CREATE = "/v5/order/create"


def asked(path: str = CREATE, account: str | None = "TREND-1", method: str = "POST", **params: Any) -> Any:
    return asked_of(method, path, {"symbol": "BTCUSDT", **params}, account)


def test_a_fault_strikes_what_it_names_and_nothing_else() -> None:
    desk = FaultDesk()
    desk.inject(LostRequest(endpoint="/v5/order/*", method="POST", account="TREND-1", symbol="BTCUSDT"), 0)
    assert desk.plan(asked()).outcome(None) == Silence(0)
    for other in (
        asked("/v5/asset/x"),
        asked(account="TREND-2"),
        asked(account=None),
        asked(method="GET"),
        asked(symbol="ETHUSDT"),
    ):
        assert desk.plan(other).params == other.params
    assert desk.plan(asked("/v5/order/create-batch", symbol="", request=[{"symbol": "BTCUSDT"}])).params is None


def test_chances_come_from_the_seed_alone() -> None:
    def struck(seed: int) -> list[bool]:
        desk = FaultDesk()
        desk.inject(LostAnswer(probability=0.5), 0, seed=seed)
        return [desk.plan(asked()).instead is not None for _ in range(60)]

    assert struck(1) == struck(1) != struck(2)
    assert 15 < sum(struck(1)) < 45


def test_a_count_ends_it_and_delays_add_up() -> None:
    desk = FaultDesk()
    desk.inject(LostAnswer(count=2), 0)
    desk.inject(Latency(delay_ms=100), 0)
    desk.inject(Latency(delay_ms=50, jitter_ms=10), 0)
    plans = [desk.plan(asked()) for _ in range(3)]
    assert [plan.instead is not None for plan in plans] == [True, True, False]
    assert all(150 <= plan.delay_ms <= 160 for plan in plans)
    assert [one.hits for one in desk.active()] == [2, 3, 3]


def test_of_a_batch_each_order_is_refused_by_itself() -> None:
    desk = FaultDesk()
    desk.inject(Refusal(symbol="ETHUSDT", code=110094, message="too small"), 0)
    legs = [{"symbol": name, "orderLinkId": f"id-{name}"} for name in ("ETHUSDT", "BTCUSDT", "ETHUSDT")]
    plan = desk.plan(asked("/v5/order/create-batch", category="linear", request=legs))
    assert plan.params is not None and plan.params["request"] == legs[1:2]
    done = {"retCode": 0, "result": {"list": [{"orderId": "7"}]}, "retExtInfo": {"list": [{"code": 0, "msg": "OK"}]}}
    outcome = plan.outcome(done)
    assert isinstance(outcome, Answered)
    assert [row["orderId"] for row in outcome.body["result"]["list"]] == ["", "7", ""]
    assert [row["code"] for row in outcome.body["retExtInfo"]["list"]] == [110094, 0, 110094]


def test_in_maintenance_only_time_and_status_answer() -> None:
    desk = FaultDesk()
    desk.inject(Maintenance(), 0)
    page = desk.plan(asked("/v5/market/tickers", None, "GET")).outcome(None)
    assert isinstance(page, Page) and page.status == 503 and page.html.startswith("<html>")
    assert desk.plan(asked("/v5/system/status", None, "GET")).params is not None
    assert desk.refuses("linear") and desk.broken({"c1": PRIVATE}) == ["c1"]


def dealt(*faults: Any) -> tuple[FrameDealer[str], FaultDesk]:
    desk = FaultDesk()
    for fault in faults:
        desk.inject(fault, 0)
    return FrameDealer(desk), desk


def test_messages_are_doubled_withheld_late_and_overtaken() -> None:
    dealer, _ = dealt(DoubledMessages(topic="order"), MissingMessages(topic="wallet"))
    assert dealer.deal("c", PRIVATE, "order", "a", 0) == ["a", "a"]
    assert dealer.deal("c", PRIVATE, "wallet", "b", 0) == []
    assert dealer.deal("c", Connection("private", "FUNDING"), "execution", "c", 0) == ["c"]

    dealer, _ = dealt(LateMessages(delay_ms=500, count=1))
    assert dealer.deal("c", PRIVATE, "order", "a", 1_000) == []
    assert dealer.deal("c", PRIVATE, "order", "b", 1_000) == ["b"]
    assert dealer.next_ms() == 1_500 and dealer.release(1_499) == []
    assert dealer.release(1_500) == [("c", "a")] and dealer.next_ms() is None

    dealer, _ = dealt(ReorderedMessages(count=1))
    assert dealer.deal("c", PRIVATE, "execution", "a", 0) == []
    assert dealer.deal("d", PRIVATE, "order", "x", 0) == ["x"], "another connection"
    assert dealer.deal("c", PRIVATE, "order", "b", 0) == ["b", "a"]


def test_nothing_is_lost_with_a_fault_that_is_cleared() -> None:
    dealer, desk = dealt(ReorderedMessages(), LateMessages(topic="order", delay_ms=100))
    assert dealer.deal("c", PRIVATE, "execution", "a", 0) == []
    assert dealer.deal("c", PRIVATE, "order", "b", 0) == []
    desk.clear_all()
    assert dealer.release(200) == [("c", "a"), ("c", "b")]
    dealer.forget("c")
    assert dealer.release(300) == []
