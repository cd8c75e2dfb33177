"""IF-2, DA-1: the gateway reads recorded payloads of Bybit V5; what is not ours or is incomplete is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.bybit.parsing.fields import UnparsableError
from infra.bybit.parsing.rows import (
    parse_balance,
    parse_bar,
    parse_execution,
    parse_fee_rate,
    parse_funding,
    parse_instrument,
    parse_maintenance_rate,
    parse_order,
    parse_position,
    parse_quote,
    parse_transfer_status,
    wallet_coins,
)
from infra.bybit.streams.book import OrderBook
from infra.bybit.streams.frames import PublicFrames, parse_private_frame, parse_public_frame
from statemachines.messages.market import QuoteFrame, RowsSetAside
from statemachines.messages.orders import ExecutionFrame, OrderFrame
from statemachines.requests import VenueOrderStatus
from statemachines.values import Account, Side
from tests.shared import shared_path

ACCOUNT = Account.TREND_1


def load(name: str) -> Any:
    path: Path = shared_path("bybit", "recorded", name)
    return json.loads(path.read_text(encoding="utf-8"))


def rows(name: str) -> list[Any]:
    found = load(name)["result"]["list"]
    assert found, "an empty recording proves nothing"
    return list(found)


@pytest.mark.parametrize(
    ("name", "parse"),
    [
        ("order-realtime/docs-order-open-order.json", lambda row: parse_order(ACCOUNT, row, "linear")),
        ("order-realtime/xchange-getOrder.json", lambda row: parse_order(ACCOUNT, row, "linear")),
        ("order-realtime/naut-order_partially_filled_rejected.json", lambda row: parse_order(ACCOUNT, row, "linear")),
        ("order-history/docs-order-order-list.json", lambda row: parse_order(ACCOUNT, row, "linear")),
        ("execution-list/docs-order-execution.json", lambda row: parse_execution(ACCOUNT, row, "linear")),
        ("execution-list/naut-executions.json", lambda row: parse_execution(ACCOUNT, row, "linear")),
        ("market-instruments-info/docs-market-instrument-1-a.json", lambda row: parse_instrument("linear", row)),
        ("market-instruments-info/docs-market-instrument-3.json", lambda row: parse_instrument("spot", row)),
        ("market-kline/docs-market-kline.json", lambda row: parse_bar("linear", "BTCUSD", "60", row)),
        ("market-tickers/docs-market-tickers-3.json", lambda row: parse_quote("spot", row, 0)),
        ("market-funding-history/docs-market-history-fund-rate.json", lambda row: parse_funding(row, 480)),
        ("account-fee-rate/docs-account-fee-rate.json", lambda row: parse_fee_rate("linear", row)),
    ],
)
def test_recorded_rows_are_read(name: str, parse: Callable[[Any], Any]) -> None:
    for row in rows(name):
        assert parse(row) is not None


def test_the_values_of_an_open_order_are_read_exactly() -> None:
    report = parse_order(ACCOUNT, rows("order-realtime/docs-order-open-order.json")[0], "linear")
    assert (report.client_order_id, report.symbol, report.side) == ("test-000005", "ETHUSDT", Side.BUY)
    assert (report.quantity, report.price, report.filled_quantity) == (
        Decimal("0.10"),
        Decimal("1600.00"),
        Decimal(0),
    )
    assert report.status is VenueOrderStatus.NEW
    assert report.average_price is None and report.trigger_price is None
    assert (report.reject_reason, report.cancel_type) == ("", "")
    assert (report.created_ms, report.updated_ms) == (1684738540559, 1684738540561)


def test_an_execution_of_the_stream_is_read_exactly() -> None:
    ((body, natural_id),) = parse_private_frame(ACCOUNT, load("ws-execution/docs-websocket-private-execution.json"))
    assert isinstance(body, ExecutionFrame)
    report = body.report
    assert natural_id == "execution:TREND-1:0ab1bdf7-4219-438b-b30a-32ec863018f7"
    fee = Decimal("26.3725275") + Decimal("0.006403779")  # `execFee`, and the tax beside it in `extraFees`
    assert (report.quantity, report.price, report.fee) == (Decimal("0.5"), Decimal("95900.1"), fee)
    assert (report.fee_coin, report.realized_pnl, report.execution_type) == ("USDT", Decimal("0.05"), "Trade")


def test_order_frames_of_the_stream_carry_natural_ids() -> None:
    for name in ("naut-account_order.json", "naut-account_order_stop_market.json", "gct-wsAuth-5.json"):
        for body, natural_id in parse_private_frame(ACCOUNT, load(f"ws-order/{name}")):
            assert isinstance(body, OrderFrame)
            assert body.report.venue_order_id in natural_id and body.report.status.value in natural_id


def test_an_option_order_is_passed_over_not_booked() -> None:
    ((body, natural_id),) = parse_private_frame(ACCOUNT, load("ws-order/docs-websocket-private-order.json"))
    assert isinstance(body, RowsSetAside) and body.rows[0].is_foreign
    assert "'category' is 'option'" in body.rows[0].problem
    assert natural_id == "set-aside:private TREND-1:foreign:order:option:ETH-30DEC22-1400-C"


def test_positions_and_flat_positions() -> None:
    positions = [parse_position(ACCOUNT, row) for row in rows("position-list/naut-positions.json")]
    assert [p.quantity if p else None for p in positions] == [Decimal("0.5"), Decimal("-5.0"), None]


def test_wallet_balances() -> None:
    coins = wallet_coins(load("account-wallet-balance/naut-wallet_balance.json")["result"])
    balances = dict(parse_balance(coin) for coin in coins)
    assert balances["USDT"] == Decimal("1000.50")


def test_linear_ticker_snapshot_becomes_a_quote_with_the_running_rate() -> None:
    ((body, natural_id),) = PublicFrames().take("linear", load("ws-tickers/docs-websocket-public-ticker-1-a.json"))
    assert isinstance(body, QuoteFrame) and natural_id == ""
    (quote,) = body.quotes
    assert (quote.bid, quote.ask) == (Decimal("66666.60"), Decimal("66666.70"))
    assert (quote.predicted_funding_rate, quote.next_funding_ms) == (Decimal("-0.005"), 1760342400000)


def test_a_running_bar_is_not_delivered() -> None:
    assert parse_public_frame("linear", load("ws-kline/docs-websocket-public-kline.json")) == []


def test_the_genuine_book_sequence_stays_sorted_and_gapless() -> None:
    """DA-1: pybit's book had a wrong best price in 42 of these 50 genuine messages; ours in none."""
    messages = load("ws-orderbook-sequence/real-ob500-XRPUSDT-50-messages.json")
    book = OrderBook("orderbook.500.XRPUSDT")
    sizes: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}
    for message in messages:
        book.take(message)
        for side in ("b", "a"):
            if message["type"] == "snapshot":
                sizes[side].clear()
            for price, size in message["data"][side]:
                sizes[side][Decimal(price)] = Decimal(size)
        bids = {price for price, size in sizes["b"].items() if size}
        asks = {price for price, size in sizes["a"].items() if size}
        assert book.touch() == (max(bids), min(asks))
    assert [price for price, _size in book.bids()] == sorted(bids, reverse=True)


def test_risk_limits_are_read_in_per_cent_and_as_fractions() -> None:
    result = load("market-risk-limit/docs-market-risk-limit.json")["result"]
    assert parse_maintenance_rate(result, "BTCUSD") == Decimal("0.005")
    result["list"][0] |= {"maintenanceMargin": "0.005", "initialMargin": "0.01"}
    assert parse_maintenance_rate(result, "BTCUSD") == Decimal("0.005")
    result["list"][0]["initialMargin"] = "0.3"
    with pytest.raises(UnparsableError, match="1 or 100"):
        parse_maintenance_rate(result, "BTCUSD")


def test_transfer_status() -> None:
    row = rows("asset-transfer-query-universal-transfer-list/docs-asset-transfer-unitransfer-list.json")[0]
    assert parse_transfer_status(row["status"], "row").status == "SUCCESS"
