"""IF-2: parsing is strict. A missing or unreadable field is an error that names it, never a zero."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from infra.bybit.parsing.fields import Row, UnparsableError, plain
from infra.bybit.parsing.rows import (
    interval_ms,
    parse_balance,
    parse_execution,
    parse_order,
    parse_position,
    wallet_coins,
)
from infra.bybit.parsing.transactions import parse_transaction
from statemachines.values import DAY_MS, HOUR_MS, Account

ACCOUNT = Account.FUNDING
T = 1_700_000_000_000 // DAY_MS * DAY_MS


def order_row(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "orderId": "1",
        "orderLinkId": "abc-1",
        "symbol": "BTCUSDT",
        "category": "linear",
        "side": "Buy",
        "orderStatus": "New",
        "qty": "0.5",
        "cumExecQty": "0",
        "avgPrice": "",
        "price": "100",
        "triggerPrice": "",
        "reduceOnly": False,
        "rejectReason": "EC_NoError",
        "cancelType": "UNKNOWN",
        "createdTime": str(T),
        "updatedTime": str(T + 2),
    }
    return row | changes


def execution_row(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "category": "spot",
        "symbol": "BTCUSDT",
        "orderId": "1",
        "orderLinkId": "abc-1",
        "side": "Buy",
        "execId": "e1",
        "execPrice": "100",
        "execQty": "1",
        "execFee": "0.001",
        "execType": "Trade",
        "execTime": str(T + 5),
        "feeCurrency": "BTC",
        "feeRate": "0.001",
        "isMaker": False,
    }
    return row | changes


@pytest.mark.parametrize("field", [name for name in order_row() if name != "category"])
def test_every_order_field_is_required(field: str) -> None:
    row = order_row()
    del row[field]
    with pytest.raises(UnparsableError, match=f"field '{field}' is missing"):
        parse_order(ACCOUNT, row)


@pytest.mark.parametrize("field", list(execution_row()))
def test_every_execution_field_is_required(field: str) -> None:
    row = execution_row()
    del row[field]
    with pytest.raises(UnparsableError, match=f"field '{field}' is missing"):
        parse_execution(ACCOUNT, row)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("qty", ""),
        ("qty", "abc"),
        ("qty", "NaN"),
        ("qty", "Infinity"),
        ("qty", None),
        ("qty", 0.5),
        ("cumExecQty", ""),
        ("orderStatus", "Sleeping"),
        ("side", ""),
        ("reduceOnly", "false"),
        ("updatedTime", "-1"),
        ("updatedTime", True),
        ("category", "inverse"),
    ],
)
def test_unreadable_values_are_named(field: str, value: Any) -> None:
    with pytest.raises(UnparsableError, match=f"'{field}'"):
        parse_order(ACCOUNT, order_row(**{field: value}))


def test_empty_texts_where_bybit_sends_them() -> None:
    report = parse_order(ACCOUNT, order_row(price="0", triggerPrice="0.00", avgPrice="0", orderLinkId=""))
    assert (report.price, report.trigger_price, report.average_price, report.client_order_id) == (None, None, None, "")


def test_a_linear_fee_without_coin_is_in_usdt_and_a_spot_fee_is_refused() -> None:
    """Bybit's list of executions leaves the coin of linear fees empty; the stream tells it."""
    listed = execution_row(feeCurrency="")
    del listed["category"]
    assert parse_execution(ACCOUNT, listed, "linear").fee_coin == "USDT"
    with pytest.raises(UnparsableError, match="feeCurrency"):
        parse_execution(ACCOUNT, execution_row(category="linear", feeCurrency=""))
    with pytest.raises(UnparsableError, match="feeCurrency"):
        parse_execution(ACCOUNT, execution_row(feeCurrency=""))


def test_a_funding_settlement_keeps_its_sign_and_type() -> None:
    row = execution_row(category="linear", execType="Funding", execFee="-0.42", feeCurrency="USDT", orderLinkId="")
    report = parse_execution(ACCOUNT, row)
    assert (report.execution_type, report.fee) == ("Funding", Decimal("-0.42"))


def test_hedge_mode_positions_are_refused() -> None:
    with pytest.raises(UnparsableError, match="positionIdx"):
        parse_position(ACCOUNT, {"symbol": "BTCUSDT", "positionIdx": 1, "size": "1"})


def test_a_wallet_without_accounts_is_not_an_empty_wallet() -> None:
    with pytest.raises(UnparsableError, match="exactly 1"):
        wallet_coins({"list": []})
    with pytest.raises(UnparsableError, match="walletBalance"):
        parse_balance({"coin": "USDT", "walletBalance": ""})


def test_numbers_go_out_plain() -> None:
    assert [plain(Decimal(text)) for text in ("0.0010", "1E-5", "1E+3", "0.000", "-2.50")] == [
        "0.001",
        "0.00001",
        "1000",
        "0",
        "-2.5",
    ]


def test_intervals() -> None:
    assert (interval_ms("60"), interval_ms("D")) == (HOUR_MS, DAY_MS)
    with pytest.raises(UnparsableError, match="'M'"):
        interval_ms("M")


def test_rows_must_be_objects() -> None:
    with pytest.raises(UnparsableError, match="JSON object"):
        Row(["x"], "order row")


def test_closed_size_tells_what_was_closed_and_absence_is_not_zero() -> None:
    """EX-2: REST tells no realised profit; only `closedSize` says whether there was one."""
    assert parse_execution(ACCOUNT, execution_row()).closed_quantity is None
    assert parse_execution(ACCOUNT, execution_row(closedSize="")).closed_quantity is None
    assert parse_execution(ACCOUNT, execution_row(closedSize="0")).closed_quantity == 0
    assert parse_execution(ACCOUNT, execution_row(closedSize="0.25")).closed_quantity == Decimal("0.25")
    with pytest.raises(UnparsableError, match="closedSize"):
        parse_execution(ACCOUNT, execution_row(closedSize="much"))


@pytest.mark.parametrize(("told", "expected"), [({}, None), ({"execPnl": ""}, None), ({"execPnl": "0"}, Decimal(0))])
def test_a_profit_that_is_not_told_is_no_profit_of_nothing(told: dict[str, str], expected: Decimal | None) -> None:
    report = parse_execution(ACCOUNT, execution_row(**told))
    assert report is not None and report.realized_pnl == expected


GST = {"feeCoin": "BTC", "feeType": "GST", "subFeeType": "IND_GST", "feeRate": "0.00018", "fee": "0.00018"}


@pytest.mark.parametrize("listed", [[GST], json.dumps([GST])], ids=["stream", "as a text"])
def test_taxes_beside_the_fee_are_part_of_it(listed: Any) -> None:
    """OR-6: they were left out, so that the wallet had less than the ledger after every trade, and FUNDING hedged coins
    that it never received (F9)."""
    report = parse_execution(ACCOUNT, execution_row(extraFees=listed))
    assert (report.fee, report.fee_coin, report.extra_fees) == (Decimal("0.00118"), "BTC", ())
    assert report.tax_in_fee == Decimal("0.00018")


def test_taxes_in_other_coins_stand_beside_the_fee() -> None:
    both = [GST, {**GST, "feeCoin": "USDT", "fee": "0.5"}, {**GST, "feeCoin": "USDT", "fee": "0.25"}]
    report = parse_execution(ACCOUNT, execution_row(extraFees=both))
    assert (report.fee, report.extra_fees) == (Decimal("0.00118"), (("USDT", Decimal("0.75")),))


@pytest.mark.parametrize("nothing", ["", [], "[]"])
def test_no_taxes(nothing: Any) -> None:
    report = parse_execution(ACCOUNT, execution_row(extraFees=nothing))
    assert (report.fee, report.tax_in_fee, report.extra_fees) == (Decimal("0.001"), 0, ())


@pytest.mark.parametrize(
    ("listed", "named"),
    [
        ("none", "extraFees"),
        (None, "extraFees"),
        ({}, "extraFees"),
        ('{"fee": 1}', "extraFees"),
        ("[1]", "extraFees"),
        ([{**GST, "fee": ""}], "fee"),
        ([{**GST, "feeCoin": ""}], "feeCoin"),
    ],
)
def test_taxes_that_cannot_be_read_are_never_zero(listed: Any, named: str) -> None:
    with pytest.raises(UnparsableError, match=named):
        parse_execution(ACCOUNT, execution_row(extraFees=listed))


@pytest.mark.parametrize(
    ("change", "fee", "is_sound"),
    [("-1.18", "1.18", True), ("-1", "1", True), ("-1.1", "1", False)],
    ids=["in the change", "not in it", "a contradiction"],
)
def test_a_row_of_the_log_counts_the_tax_that_its_change_contains(change: str, fee: str, is_sound: bool) -> None:
    tax = {**GST, "feeCoin": "USDT", "fee": "0.18"}
    row = parse_transaction(
        ACCOUNT,
        {"id": "1", "type": "TRADE", "currency": "USDT", "change": change, "cashFlow": "0", "funding": "", "fee": "1",
         "transactionTime": str(T), "extraFees": [tax]},
    )  # fmt: skip
    assert (row.fee, not row.problem) == (Decimal(fee), is_sound)
