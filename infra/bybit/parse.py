"""Pure parsers: rows of Bybit V5 (REST and streams) into the core's reports (IF-2, DA-1).

Where Bybit sends "" the rule stands in the parser; anything else missing or unreadable raises UnparsableError,
which names the field and its value. A missing number is never taken for zero.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast, get_args

from infra.bybit.fields import Row, UnparsableError, to_decimal
from statemachines.facts import BarFact, FundingRateFact
from statemachines.requests import (
    ExecutionReport,
    FeeRate,
    OrderReport,
    PositionReport,
    Quote,
    TransferState,
    VenueOrderStatus,
)
from statemachines.values import DAY_MS, MINUTE_MS, Account, Category, Instrument, Side

SETTLE_COIN = "USDT"

_STATUSES: dict[str, VenueOrderStatus] = {status.value: status for status in VenueOrderStatus}
_SIDES: dict[str, Side] = {side.value: side for side in Side}


def interval_ms(interval: str) -> int:
    """Length of a bar; `interval` is Bybit's name: minutes as digits, "D" or "W"."""
    if interval.isdigit() and int(interval) > 0:
        return int(interval) * MINUTE_MS
    if interval in ("D", "W"):
        return DAY_MS if interval == "D" else 7 * DAY_MS
    raise UnparsableError(f"bar interval is {interval!r}; minutes, 'D' or 'W' are allowed.")


def parse_category(value: str, what: str) -> Category:
    """`spot` or `linear`; the system trades nothing else."""
    if value not in get_args(Category):
        raise UnparsableError(f"{what}: field 'category' is {value!r}; 'spot' or 'linear' is required.")
    return cast(Category, value)


def parse_order(account: Account, data: Any, category: str | None = None) -> OrderReport:
    """A row of the order stream, of open orders or of the order history.

    `category` is the list's when the row has none of its own (REST). "" means: no average price yet, no limit or
    trigger price; `EC_NoError` and `UNKNOWN` (nothing to tell) become "".
    """
    row = Row(data, "order row")
    status = row.text("orderStatus")
    if status not in _STATUSES:
        raise row.error("orderStatus", status, f"one of {sorted(_STATUSES)}")
    reason, cancel = row.text_or_empty("rejectReason"), row.text_or_empty("cancelType")
    return OrderReport(
        account=account,
        link_id=row.text_or_empty("orderLinkId"),
        exchange_id=row.text("orderId"),
        category=parse_category(row.text("category") if category is None else category, row.what),
        symbol=row.text("symbol"),
        side=_side(row),
        status=_STATUSES[status],
        quantity=row.decimal("qty"),
        executed_quantity=row.decimal("cumExecQty"),
        average_price=row.price_or_none("avgPrice"),
        price=row.price_or_none("price"),
        trigger_price=row.price_or_none("triggerPrice"),
        reduce_only=row.boolean("reduceOnly"),
        reject_reason="" if reason == "EC_NoError" else reason,
        cancel_type="" if cancel == "UNKNOWN" else cancel,
        created_ms=row.integer("createdTime"),
        updated_ms=row.integer("updatedTime"),
    )


def parse_execution(account: Account, data: Any, category: str | None = None) -> ExecutionReport:
    """A row of the execution stream or list, settlements (`Funding`) included.

    A linear contract's fee is in its settlement coin when `feeCurrency` is "". Only the stream tells the realised
    profit (`execPnl`); REST has no such field, and 0 then stands for "not told": positions are booked from fills.
    """
    row = Row(data, "execution row")
    kind = parse_category(row.text("category") if category is None else category, row.what)
    coin = row.text_or_empty("feeCurrency")
    if not coin:
        if kind == "spot":
            raise row.error("feeCurrency", coin, "the coin of the fee (spot)")
        coin = SETTLE_COIN
    return ExecutionReport(
        account=account,
        execution_id=row.text("execId"),
        link_id=row.text_or_empty("orderLinkId"),
        exchange_id=row.text_or_empty("orderId"),
        category=kind,
        symbol=row.text("symbol"),
        side=_side(row),
        quantity=row.decimal("execQty"),
        price=row.decimal("execPrice"),
        fee=row.decimal("execFee"),
        fee_coin=coin,
        fee_rate=row.decimal("feeRate"),
        is_maker=row.boolean("isMaker"),
        realized_pnl=(row.decimal_or_none("execPnl") if row.has("execPnl") else None) or Decimal(0),
        execution_type=row.text("execType"),
        executed_ms=row.integer("execTime"),
        closed_quantity=row.decimal_or_none("closedSize") if row.has("closedSize") else None,
    )


def parse_position(account: Account, data: Any) -> PositionReport | None:
    """A linear position of one-way mode; None when flat (`side` "" and `size` 0)."""
    row = Row(data, "position row")
    index = row.integer("positionIdx")
    if index != 0:
        raise row.error("positionIdx", index, "0 (one-way mode)")
    size = row.decimal("size")
    if size == 0:
        return None
    return PositionReport(
        account=account,
        symbol=row.text("symbol"),
        quantity=_side(row).sign * size,
        average_price=row.positive("entryPrice" if row.has("entryPrice") else "avgPrice"),
        mark_price=row.positive("markPrice"),
        liquidation_price=row.price_or_none("liqPrice"),
        leverage=row.positive("leverage"),
        unrealized_pnl=row.decimal("unrealisedPnl"),
    )


def parse_balances(result: Any) -> dict[str, Decimal]:
    """Wallet balance per coin of the unified account; coins that are not held are absent."""
    wallets = Row(result, "wallet answer").rows("list", "wallet row")
    if len(wallets) != 1:
        raise UnparsableError(f"wallet answer: field 'list' has {len(wallets)} accounts; exactly 1 is required.")
    coins = wallets[0].rows("coin", "wallet coin row")
    return {coin.text("coin"): coin.decimal("walletBalance") for coin in coins}


def parse_instrument(category: Category, data: Any, maintenance_margin_rate: Decimal = Decimal(0)) -> Instrument:
    """Filters of one symbol. Spot and linear name them differently (RM-1, FU-4)."""
    row = Row(data, f"{category} instrument row")
    lot = row.row("lotSizeFilter")
    is_spot = category == "spot"
    return Instrument(
        category=category,
        symbol=row.text("symbol"),
        base_coin=row.text("baseCoin"),
        quote_coin=row.text("quoteCoin"),
        tick_size=row.row("priceFilter").positive("tickSize"),
        qty_step=lot.positive("basePrecision" if is_spot else "qtyStep"),
        min_qty=lot.decimal("minOrderQty"),
        min_notional_usdt=lot.decimal("minOrderAmt" if is_spot else "minNotionalValue"),
        max_limit_qty=lot.positive("maxLimitOrderQty" if is_spot else "maxOrderQty"),
        max_market_qty=lot.positive("maxMarketOrderQty" if is_spot else "maxMktOrderQty"),
        maintenance_margin_rate=maintenance_margin_rate,
        max_leverage=Decimal(1) if is_spot else row.row("leverageFilter").positive("maxLeverage"),
        funding_interval_min=0 if is_spot else row.integer("fundingInterval"),
    )


def is_trading(data: Any) -> bool:
    """Whether the instrument can be traded now."""
    return Row(data, "instrument row").text("status") == "Trading"


def parse_maintenance_rate(result: Any, symbol: str) -> Decimal:
    """Maintenance margin rate (fraction) of the lowest risk tier.

    Payloads are seen both in per cent and as fractions; the initial margin times the tier's highest leverage, which
    must be 100 % of the notional, tells which it is.
    """
    for row in Row(result, "risk limit answer").rows("list", "risk limit row"):
        if row.text("symbol") != symbol or row.integer("isLowestRisk") != 1:
            continue
        whole = row.positive("initialMargin") * row.positive("maxLeverage")
        if Decimal("0.9") <= whole <= Decimal("1.1"):
            return row.positive("maintenanceMargin")
        if Decimal(90) <= whole <= Decimal(110):
            return row.positive("maintenanceMargin") / 100
        raise UnparsableError(
            f"risk limit row of {symbol}: initialMargin x maxLeverage is {whole}; 1 or 100 is required."
        )
    raise UnparsableError(f"risk limit answer: field 'list' has no lowest tier of {symbol}.")


def parse_fee_rate(category: Category, data: Any) -> FeeRate:
    row = Row(data, "fee rate row")
    return FeeRate(
        category=category,
        symbol=row.text("symbol"),
        taker=row.decimal("takerFeeRate"),
        maker=row.decimal("makerFeeRate"),
    )


def parse_quote(category: Category, data: Any, market_ms: int) -> Quote:
    """A complete ticker (REST, or linear stream after merging). `fundingRate` is what is predicted (F2)."""
    row = Row(data, f"{category} ticker row")
    is_linear = category == "linear"
    return Quote(
        category=category,
        symbol=row.text("symbol"),
        bid=row.positive("bid1Price"),
        ask=row.positive("ask1Price"),
        last=row.positive("lastPrice"),
        mark=row.positive("markPrice") if is_linear else None,
        index=row.positive("indexPrice") if is_linear else None,
        predicted_funding_rate=row.decimal("fundingRate") if is_linear else None,
        next_funding_ms=row.integer("nextFundingTime") if is_linear else None,
        market_ms=market_ms,
    )


def parse_bar(category: Category, symbol: str, interval: str, data: Any) -> BarFact:
    """A row of the kline query: seven texts `[start, open, high, low, close, volume, turnover]`."""
    what = f"kline row of {category} {symbol} {interval}"
    if not isinstance(data, list) or len(data) != 7:
        raise UnparsableError(f"{what}: a list of 7 texts is required, got {data!r}.")
    names = ("start", "open", "high", "low", "close", "volume", "turnover")
    row = Row(dict(zip(names, data, strict=True)), what)
    return _bar(category, symbol, interval, row)


def parse_kline(category: Category, symbol: str, data: Any) -> BarFact | None:
    """A row of the kline stream; None while the bar still runs (`confirm` false)."""
    row = Row(data, f"kline stream row of {category} {symbol}")
    return _bar(category, symbol, row.text("interval"), row) if row.boolean("confirm") else None


def _bar(category: Category, symbol: str, interval: str, row: Row) -> BarFact:
    return BarFact(
        category=category,
        symbol=symbol,
        interval=interval,
        start_ms=row.integer("start"),
        open=row.decimal("open"),
        high=row.decimal("high"),
        low=row.decimal("low"),
        close=row.decimal("close"),
        volume=row.decimal("volume"),
    )


def parse_funding(data: Any, interval_min: int) -> FundingRateFact:
    """A settled rate; `interval_min` comes from the instrument."""
    row = Row(data, "funding history row")
    return FundingRateFact(
        symbol=row.text("symbol"),
        settle_ms=row.integer("fundingRateTimestamp"),
        rate=row.decimal("fundingRate"),
        interval_min=interval_min,
    )


def parse_transfer_status(value: str, what: str) -> TransferState:
    """SUCCESS, PENDING or FAILED."""
    match value:
        case "SUCCESS" | "PENDING" | "FAILED":
            return TransferState(status=value)
    raise UnparsableError(f"{what}: field 'status' is {value!r}; SUCCESS, PENDING or FAILED is required.")


def parse_level(data: Any, what: str) -> tuple[Decimal, Decimal]:
    """A price level of the book: `[price, size]`; size 0 deletes it."""
    if not isinstance(data, list) or len(data) != 2:
        raise UnparsableError(f"{what}: a list of price and size is required, got {data!r}.")
    return to_decimal(data[0], "price", what), to_decimal(data[1], "size", what)


def _side(row: Row) -> Side:
    side = row.text_or_empty("side")
    if side not in _SIDES:
        raise row.error("side", side, "Buy or Sell")
    return _SIDES[side]
