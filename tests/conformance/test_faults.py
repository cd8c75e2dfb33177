"""Faults of requests, orders and the exchange act as named on an unmodified pybit client, and end when cleared."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from pybit.exceptions import FailedRequestError, InvalidRequestError

from infra.simulator.faults.catalogue import CATALOGUE
from tests.conformance.faulty import Stream, advance, injected
from tests.conformance.process import SimulatorProcess

BTC = {"category": "linear", "symbol": "BTCUSDT"}


def last(simulator: SimulatorProcess) -> Decimal:
    return Decimal(simulator.http("TREND-1").get_tickers(**BTC)["result"]["list"][0]["lastPrice"])


def rest_far_below(simulator: SimulatorProcess, account: str, link: str, **more: Any) -> str:
    """A limit order that nothing reaches; its order id."""
    price = str((last(simulator) * Decimal("0.995")).quantize(Decimal(1)))
    made = simulator.http(account).place_order(
        **BTC, side="Buy", orderType="Limit", qty="0.01", price=price, orderLinkId=link, **more
    )
    return str(made["result"]["orderId"])


def order(simulator: SimulatorProcess, account: str, link: str) -> dict[str, Any] | None:
    rows = simulator.http(account).get_open_orders(**BTC, orderLinkId=link)["result"]["list"]
    return rows[0] if rows else None


# --- requests ---


@pytest.mark.parametrize(
    ("kind", "fields", "raised", "has_effect"),
    [
        ("lost-request", {}, requests.exceptions.ConnectionError, False),
        ("lost-request", {"hang_ms": 300}, requests.exceptions.ConnectionError, False),
        ("lost-answer", {}, requests.exceptions.ConnectionError, True),
        ("http-error", {"status": 502}, FailedRequestError, False),
        ("http-error", {"status": 504, "effect": "after"}, FailedRequestError, True),
        ("server-error", {}, InvalidRequestError, False),
        ("server-error", {"code": 10000, "effect": "after"}, InvalidRequestError, True),
        ("broken-json", {}, FailedRequestError, True),
        ("refusal", {"code": 110094, "message": "Order does not meet minimum"}, InvalidRequestError, False),
    ],
)
def test_a_write_fails_as_named_with_or_without_effect(
    simulator: SimulatorProcess, kind: str, fields: dict[str, Any], raised: type[Exception], has_effect: bool
) -> None:
    link = f"f-{kind}-{len(fields)}-{has_effect}"
    with injected(simulator, kind, endpoint="/v5/order/create", **fields), pytest.raises(raised) as failed:
        rest_far_below(simulator, "TREND-1", link)
    if isinstance(failed.value, FailedRequestError) and kind == "http-error":
        assert failed.value.status_code == fields["status"]
    if "code" in fields:
        assert failed.value.status_code == fields["code"]  # type: ignore[attr-defined]
    assert (order(simulator, "TREND-1", link) is not None) is has_effect
    assert rest_far_below(simulator, "TREND-1", f"{link}-again"), "it is gone"
    simulator.http("TREND-1").cancel_all_orders(**BTC)


def test_an_http_error_has_a_page_and_no_json(simulator: SimulatorProcess) -> None:
    with injected(simulator, "http-error", status=503):
        answer = requests.get(simulator.url + "/v5/market/time", timeout=10)
    assert answer.status_code == 503 and answer.headers["Content-Type"].startswith("text/html")
    assert "<title>503 Service Unavailable</title>" in answer.text


def test_a_rate_limit_names_an_instant_ahead(simulator: SimulatorProcess) -> None:
    with injected(simulator, "rate-limit", wait_ms=700, count=1):
        before = time.time()
        session = simulator.http("TREND-1", return_response_headers=True)
        session.get_positions(**BTC)  # pybit waits until the instant and asks again
        assert time.time() - before >= 0.6


def test_latency_delays_what_it_names(simulator: SimulatorProcess) -> None:
    session = simulator.http("TREND-1")
    with injected(simulator, "latency", delay_ms=300, endpoint="/v5/position/list", account="TREND-1"):
        before = time.monotonic()
        session.get_positions(**BTC)
        assert time.monotonic() - before >= 0.3
        before = time.monotonic()
        simulator.http("TREND-2").get_positions(**BTC)
        assert time.monotonic() - before < 0.3


def test_orders_of_a_batch_are_refused_one_by_one(simulator: SimulatorProcess) -> None:
    price = str((last(simulator) * Decimal("0.995")).quantize(Decimal(1)))
    resting = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": price}
    legs = [{**resting, "orderLinkId": f"b{n}"} for n in range(3)]
    with injected(simulator, "refusal", count=1):
        answer = simulator.http("TREND-1").place_batch_order(category="linear", request=legs)
    assert [one["code"] for one in answer["retExtInfo"]["list"]] == [110007, 0, 0]
    assert order(simulator, "TREND-1", "b0") is None and order(simulator, "TREND-1", "b2") is not None
    simulator.http("TREND-1").cancel_all_orders(**BTC)


# --- orders and positions ---


def test_a_resting_order_is_filled_in_part_once(simulator: SimulatorProcess) -> None:
    rest_far_below(simulator, "TREND-1", "part")
    with injected(simulator, "partial-fill", share=0.4, account="TREND-1"):
        row = order(simulator, "TREND-1", "part")
        assert row is not None and (row["orderStatus"], row["cumExecQty"]) == ("PartiallyFilled", "0.004")
        rest_far_below(simulator, "TREND-1", "part-2")
        again = [order(simulator, "TREND-1", link) for link in ("part", "part-2")]
        assert [one and one["cumExecQty"] for one in again] == ["0.004", "0.004"], "each once, later ones too"
    rest_far_below(simulator, "TREND-1", "part-3")
    row = order(simulator, "TREND-1", "part-3")
    assert row is not None and row["cumExecQty"] == "0"
    simulator.http("TREND-1").cancel_all_orders(**BTC)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("order-cancelled", "EC_CancelByAdmin"), ("post-only-cancel", "EC_PostOnlyWillTakeLiquidity")],
)
def test_the_exchange_cancels_an_order(simulator: SimulatorProcess, kind: str, reason: str) -> None:
    with injected(simulator, kind):
        rest_far_below(simulator, "TREND-1", f"{kind}-1", timeInForce="PostOnly")
        row = order(simulator, "TREND-1", f"{kind}-1")
        assert row is not None and (row["orderStatus"], row["rejectReason"]) == ("Cancelled", reason)
        if kind == "post-only-cancel":
            rest_far_below(simulator, "TREND-1", f"{kind}-gtc")
            assert (order(simulator, "TREND-1", f"{kind}-gtc") or {})["orderStatus"] == "New"
    rest_far_below(simulator, "TREND-1", f"{kind}-2", timeInForce="PostOnly")
    assert (order(simulator, "TREND-1", f"{kind}-2") or {})["orderStatus"] == "New"
    simulator.http("TREND-1").cancel_all_orders(**BTC)


@pytest.mark.parametrize(
    ("kind", "exec_type", "left"), [("auto-deleveraging", "AdlTrade", "0.01"), ("liquidation", "BustTrade", "0")]
)
def test_the_exchange_takes_a_position(simulator: SimulatorProcess, kind: str, exec_type: str, left: str) -> None:
    session = simulator.http("TACTICAL")
    session.place_order(**BTC, side="Sell", orderType="Market", qty="0.02")
    with injected(simulator, kind, account="TACTICAL", symbol="BTCUSDT"):
        assert Decimal(session.get_positions(**BTC)["result"]["list"][0]["size"]) == Decimal(left)
        assert session.get_executions(**BTC)["result"]["list"][0]["execType"] == exec_type
    if left != "0":
        session.place_order(**BTC, side="Buy", orderType="Market", qty=left, reduceOnly=True)


# --- the exchange ---


def test_maintenance_closes_everything_but_time_and_status(simulator: SimulatorProcess) -> None:
    stream, session = Stream(simulator, "TREND-2"), simulator.http("TREND-1")
    with injected(simulator, "maintenance", title="Planned"):
        with pytest.raises(FailedRequestError) as failed:
            session.get_positions(**BTC)
        assert failed.value.status_code == 503 and stream.is_broken()
        (row,) = requests.get(simulator.url + "/v5/system/status", timeout=5).json()["result"]["list"]
        assert (row["title"], row["state"]) == ("Planned", "ongoing")
        assert session.get_server_time()["retCode"] == 0
    assert session.get_positions(**BTC)["retCode"] == 0
    assert requests.get(simulator.url + "/v5/system/status", timeout=5).json()["result"]["list"] == []


def test_the_clock_is_off(simulator: SimulatorProcess) -> None:
    session = simulator.http("TREND-1", retry_delay=0)
    with injected(simulator, "clock-skew", offset_ms=60_000):
        assert session.get_server_time()["time"] - time.time() * 1000 > 55_000
        with pytest.raises(FailedRequestError, match="retries exceeded"):
            session.get_positions(**BTC)
    assert abs(session.get_server_time()["time"] - time.time() * 1000) < 5_000
    assert session.get_positions(**BTC)["retCode"] == 0


def test_withdrawals_and_the_insurance_fund(simulator: SimulatorProcess) -> None:
    session = simulator.http("MASTER")

    def chains() -> dict[str, str]:
        rows = session.get_coin_info()["result"]["rows"]
        return {row["coin"]: row["chains"][0]["chainWithdraw"] for row in rows}

    def insurance() -> Decimal:
        return Decimal(session.get_insurance(coin="USDT")["result"]["list"][0]["balance"])

    calm = insurance()
    with injected(simulator, "withdrawal-suspension", coin="BTC"):
        assert chains()["BTC"] == "0" and chains()["USDT"] == "1"
    assert chains()["BTC"] == "1"
    with injected(simulator, "insurance-fund-fall", share="0.25"):
        assert insurance() == calm * Decimal("0.75")
    assert insurance() == calm


def test_filters_change(simulator: SimulatorProcess) -> None:
    session = simulator.http("TREND-1")
    with injected(simulator, "filter-change", qty_step="0.1", min_qty="0.1"):
        (row,) = session.get_instruments_info(**BTC)["result"]["list"]
        assert (row["lotSizeFilter"]["qtyStep"], row["lotSizeFilter"]["minOrderQty"]) == ("0.1", "0.1")
        with pytest.raises(InvalidRequestError, match="Qty invalid"):
            rest_far_below(simulator, "TREND-1", "filter")
    (row,) = session.get_instruments_info(**BTC)["result"]["list"]
    assert row["lotSizeFilter"]["qtyStep"] == "0.001"


def test_a_delisted_instrument_is_settled_and_gone(simulator: SimulatorProcess) -> None:
    session = simulator.http("TACTICAL")
    sol = {"category": "linear", "symbol": "SOLUSDT"}
    session.place_order(**sol, side="Buy", orderType="Market", qty="1")
    with injected(simulator, "delisting", symbol="SOLUSDT"):
        assert session.get_executions(**sol)["result"]["list"][0]["execType"] == "Delivery"
        names = [row["symbol"] for row in session.get_instruments_info(category="linear")["result"]["list"]]
        assert names == ["BTCUSDT", "ETHUSDT"]
        with pytest.raises(InvalidRequestError, match="symbol invalid"):
            session.place_order(**sol, side="Buy", orderType="Market", qty="1")
    session.place_order(**sol, side="Buy", orderType="Market", qty="1")
    session.place_order(**sol, side="Sell", orderType="Market", qty="1", reduceOnly=True)


def test_prices_jump_and_return_and_the_bars_show_it(simulator: SimulatorProcess) -> None:
    session = simulator.http("TREND-1")

    def next_hour() -> int:
        end = (simulator.control("GET", "/sim/status")["market_time"] // 3_600_000 + 1) * 3_600_000
        while advance(simulator, end + 1) <= end:
            pass
        return int(end)

    before = last(simulator)
    with injected(simulator, "price-gap", symbol="BTCUSDT", change="-0.3"):
        from_ms = next_hour()
        assert Decimal("0.65") < last(simulator) / before < Decimal("0.75")
        calm = session.get_tickers(category="linear", symbol="ETHUSDT")["result"]["list"][0]
        assert abs(Decimal(calm["price24hPcnt"])) < Decimal("0.2")
    next_hour()
    assert Decimal("0.9") < last(simulator) / before < Decimal("1.1")
    rows = session.get_kline(**BTC, interval="60", start=from_ms - 3_600_000, limit=3)["result"]["list"]
    closes = [Decimal(row[4]) / before for row in reversed(rows)]
    assert closes[0] > Decimal("0.9") > closes[1] and closes[1] < Decimal("0.8") < closes[2]


# --- the control interface ---


def test_what_cannot_be_injected_is_refused_with_a_sentence(simulator: SimulatorProcess) -> None:
    refused: Callable[[Any], str] = lambda body: simulator.control("POST", "/sim/faults", body)["error"]  # noqa: E731
    assert "fault is missing" in refused({})
    assert "fault.kind is 'x'; it must be one of latency" in refused({"fault": {"kind": "x"}})
    assert "for_s is 0; it must be greater than 0" in refused({"fault": {"kind": "no-pong"}, "for_s": 0})
    assert "no such fault is active. Active are: none" in simulator.control("DELETE", "/sim/faults/99")["error"]
    bare = requests.get(simulator.url + "/sim/faults", timeout=5)
    assert bare.status_code == 403
    assert set(simulator.control("GET", "/sim/faults/catalogue")) == set(CATALOGUE)


def test_a_fault_ends_by_itself(simulator: SimulatorProcess) -> None:
    made = simulator.control("POST", "/sim/faults", {"fault": {"kind": "clock-skew"}, "for_s": 1})
    assert made["end_ms"] == made["begin_ms"] + 1_000
    while advance(simulator) < made["end_ms"]:
        pass
    assert simulator.control("GET", "/sim/faults")["faults"] == []


def test_faults_of_the_exchange_survive_its_death_in_a_scenario(tmp_path: Path) -> None:
    """The scenario goes on where it was; what was injected by hand is over after a restart."""
    scenario = tmp_path / "mine.toml"
    scenario.write_text(
        'name = "mine"\nteaches = "what a restart leaves"\n'
        '[[step]]\nat_s = 0\nfault = { kind = "filter-change", tick = 5 }\n'
        '[[step]]\nat_s = 0\nfault = { kind = "lost-answer", endpoint = "/v5/order/create" }\n'
    )
    exchange = SimulatorProcess(tmp_path / "exchange", "--no-rate-limits", "--scenario", str(scenario))
    try:
        exchange.control("POST", "/sim/faults", {"fault": {"kind": "insurance-fund-fall"}})
        before = [one["fault"]["kind"] for one in exchange.control("GET", "/sim/faults")["faults"]]
        assert before == ["filter-change", "lost-answer", "insurance-fund-fall"]
        exchange.kill()
        exchange.start()
        after = exchange.control("GET", "/sim/faults")["faults"]
        assert [(one["id"], one["fault"]["kind"]) for one in after] == [
            ("mine/1/1", "filter-change"),
            ("mine/2/1", "lost-answer"),
        ]
        session = exchange.http("MASTER")
        assert session.get_instruments_info(**BTC)["result"]["list"][0]["priceFilter"]["tickSize"] == "5"
        assert session.get_insurance(coin="USDT")["result"]["list"][0]["balance"] == "500000000"
    finally:
        exchange.stop()


def test_every_fault_of_the_catalogue_is_tried_here() -> None:
    """A fault without a test is a promise only."""
    texts = (Path(__file__).with_name(name).read_text("utf-8") for name in ("test_faults.py", "test_stream_faults.py"))
    named = {kind for text in texts for kind in re.findall(r'"([a-z-]+)"', text)}
    assert set(CATALOGUE) - named == set()
