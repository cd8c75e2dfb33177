"""Pure parsers: rows of Bybit V5 (REST and streams) into the core's reports (IF-2, DA-1).

Where Bybit sends "" the rule stands in the parser; anything else missing, unreadable or beyond what a market can
produce raises UnparsableError, which names the field and its value. A missing number is never taken for zero. A sound
row of a product that this system does not trade raises ForeignError.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, TypeVar, cast, get_args

from infra.bybit.parsing.fields import (
    MAX_LEVERAGE,
    MAX_PRICE,
    MAX_QUANTITY,
    ForeignError,
    Row,
    UnparsableError,
    shown_text,
)
from statemachines.execution.orders.report_checks import row_problem
from statemachines.facts import BarFact, FundingRateFact
from statemachines.ledger.exact import add
from statemachines.limits.plausibility import (
    MAX_FEE_PART,
    fee_rate_problem,
    instrument_problem,
    quote_problem,
    rate_problem,
)
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


_INTERVALS_MS: dict[str, int] = {
    **{str(minutes): minutes * MINUTE_MS for minutes in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)},
    "D": DAY_MS,
    "W": 7 * DAY_MS,
}

OTHER_PRODUCTS = ("option", "inverse", "spread")
"""Categories that an account may trade by other means; this system does not."""

LATE_MS = 60_000
"""An instant of the exchange may be later than the clock it is held against by this much."""


def interval_ms(interval: str) -> int:
    """Length of a bar; `interval` is Bybit's name: minutes as digits, "D" or "W"."""
    found = _INTERVALS_MS.get(interval)
    if found is None:
        raise UnparsableError(f"bar interval is {interval[:20]!r}; one of {', '.join(_INTERVALS_MS)} is required.")
    return found


def parse_category(value: str, what: str) -> Category:
    """`spot` or `linear`; the system trades nothing else."""
    if value in OTHER_PRODUCTS:
        raise ForeignError(f"{what}: field 'category' is {value!r}; this system trades 'spot' and 'linear' only.")
    if value not in get_args(Category):
        raise UnparsableError(f"{what}: field 'category' is {value[:20]!r}; 'spot' or 'linear' is required.")
    return cast(Category, value)


def _market(row: Row, category: str | None) -> tuple[Category, str]:
    if category is not None:
        row.repeats_if_told("category", category)
    return parse_category(row.text("category") if category is None else category, row.what), row.symbol()


R = TypeVar("R", OrderReport, ExecutionReport, PositionReport)


def traded(report: R) -> R:
    """The report, if it is of a product that this system trades; a contract that settles in another coin is foreign."""
    is_linear = isinstance(report, PositionReport) or report.category == "linear"
    if is_linear and not report.symbol.endswith(SETTLE_COIN):
        raise ForeignError(f"the contract {report.symbol} does not settle in {SETTLE_COIN}.")
    return report


def _settle_coin(symbol: str) -> str:
    """The coin that a linear contract settles in: BTCUSDT in USDT, BTCPERP in USDC."""
    return "USDC" if symbol.endswith(("PERP", "USDC")) else SETTLE_COIN


def parse_order(
    account: Account, data: Any, category: str | None = None, not_after_ms: int | None = None
) -> OrderReport:
    """A row of the order stream, of open orders or of the order history.

    `category` is the list's when the row has none of its own (REST). "" means: no average price yet, no limit or
    trigger price; `EC_NoError` and `UNKNOWN` (nothing to say) become "". No instant may lie after `not_after_ms`.
    """
    row = Row(data, "order row")
    kind, symbol = _market(row, category)
    status = row.text("orderStatus")
    if status not in _STATUSES:
        raise row.error("orderStatus", status, f"one of {sorted(_STATUSES)}")
    reason, cancel = row.text_or_empty("rejectReason"), row.text_or_empty("cancelType")
    report = OrderReport(
        account=account,
        client_order_id=row.text_or_empty("orderLinkId"),
        venue_order_id=row.text("orderId"),
        category=kind,
        symbol=symbol,
        side=_side(row),
        status=_STATUSES[status],
        quantity=row.quantity("qty"),
        filled_quantity=row.quantity("cumExecQty"),
        average_price=row.price_or_none("avgPrice"),
        price=row.price_or_none("price"),
        trigger_price=row.price_or_none("triggerPrice"),
        reduce_only=row.boolean("reduceOnly"),
        reject_reason="" if reason == "EC_NoError" else reason,
        cancel_type="" if cancel == "UNKNOWN" else cancel,
        created_ms=row.instant("createdTime", not_after_ms),
        updated_ms=row.instant("updatedTime", not_after_ms),
    )
    problem = row_problem(report, is_in_coin=not _may_be_in_quote(row, kind))
    if problem:
        names = "orderStatus, qty, cumExecQty, createdTime, updatedTime"
        raise UnparsableError(f"{row.what}: fields {names} contradict each other: {problem}.")
    return report


def _may_be_in_quote(row: Row, category: Category) -> bool:
    """Whether the quantity may be counted in the quote coin: of a spot market order, unless it says otherwise."""
    is_market = not row.has("orderType") or row.raw("orderType") == "Market"
    return category == "spot" and is_market and row.has("marketUnit") and row.raw("marketUnit") != "baseCoin"


def parse_execution(
    account: Account, data: Any, category: str | None = None, not_after_ms: int | None = None
) -> ExecutionReport:
    """A row of the execution stream or list, settlements (`Funding`) included. Whether it can be true beside what was
    ordered is judged where the order is (`statemachines.execution.orders.report_checks`).

    Bybit's list of executions has an empty `feeCurrency` for linear contracts, whose fees are in their settlement coin;
    in the stream, and for spot, the coin is required. Only the stream has the realised profit (`execPnl`); REST has
    no such field, and 0 then stands for "not given": positions are booked from fills.
    """
    row = Row(data, "execution row")
    kind, symbol = _market(row, category)
    is_listed_linear = kind == "linear" and category is not None
    is_untold = is_listed_linear and row.text_or_empty("feeCurrency") == ""
    coin = _settle_coin(symbol) if is_untold else row.coin("feeCurrency")
    quantity, price = row.positive("execQty", MAX_QUANTITY), row.price("execPrice")
    extra = extra_fees(row)
    tax = extra.pop(coin, Decimal(0))
    return ExecutionReport(
        account=account,
        execution_id=row.text("execId"),
        client_order_id=row.text_or_empty("orderLinkId"),
        venue_order_id=row.text_or_empty("orderId"),
        category=kind,
        symbol=symbol,
        side=_side(row),
        quantity=quantity,
        price=price,
        fee=add(row.decimal("execFee"), tax),
        fee_coin=coin,
        fee_rate=row.rate("feeRate"),
        is_maker=row.boolean("isMaker"),
        realized_pnl=row.decimal_or_none("execPnl") if row.has("execPnl") else None,
        execution_type=row.text("execType"),
        executed_ms=row.instant("execTime", not_after_ms),
        closed_quantity=_closed(row),
        tax_in_fee=tax,
        extra_fees=tuple(sorted(extra.items())),
    )


def extra_fees(row: Row) -> dict[str, Decimal]:
    """`extraFees` by coin: what the exchange takes beside the fee (taxes by the account's country). Absent or "" for
    none; a list of objects in the stream, which REST may write as a text."""
    key = "extraFees"
    if not row.has(key) or row.raw(key) == "":
        return {}
    listed = row
    if isinstance(row.raw(key), str):
        try:
            listed = Row({key: json.loads(row.raw(key))}, row.what)
        except ValueError:
            raise row.error(key, row.raw(key), 'a list of objects, or ""') from None
    found: dict[str, Decimal] = {}
    for one in listed.rows(key, f"{row.what}, field {key!r}"):
        coin = one.coin("feeCoin")
        found[coin] = add(found.get(coin, Decimal(0)), one.decimal("fee"))
    return found


def _closed(row: Row) -> Decimal | None:
    if not row.has("closedSize") or row.raw("closedSize") == "":
        return None
    return row.quantity("closedSize")


def parse_position(account: Account, data: Any) -> PositionReport | None:
    """A linear position of one-way mode; None when flat (`side` "" and `size` 0). `size` is unsigned."""
    row = Row(data, "position row")
    _kind, symbol = _market(row, "linear")
    index = row.integer("positionIdx")
    if index != 0:
        raise row.error("positionIdx", index, "0 (one-way mode)")
    size = row.quantity("size")
    if size == 0:
        if row.text_or_empty("side"):
            raise row.error("side", row.raw("side"), "an empty text beside size 0")
        return None
    return PositionReport(
        account=account,
        symbol=symbol,
        quantity=_side(row).sign * size,
        average_price=row.price("entryPrice" if row.has("entryPrice") else "avgPrice"),
        mark_price=row.price("markPrice"),
        liquidation_price=row.price_or_none("liqPrice"),
        leverage=row.positive("leverage", MAX_LEVERAGE),
        unrealized_pnl=row.decimal("unrealisedPnl"),
    )


WALLET_TYPE = "UNIFIED"
_TOTALS = ("totalEquity", "totalWalletBalance")


def wallet_coins(result: Any) -> list[Any]:
    """The coin rows of the unified account, unread. An account is empty only if its totals say so too."""
    wallets = Row(result, "wallet answer").rows("list", "wallet row")
    if len(wallets) != 1:
        raise UnparsableError(f"wallet answer: field 'list' has {len(wallets)} accounts; exactly 1 is required.")
    wallet = wallets[0]
    wallet.repeats("accountType", WALLET_TYPE)
    coins = wallet.items("coin")
    if not coins:
        for total in _TOTALS:
            if wallet.decimal(total) != 0:
                raise wallet.error(total, wallet.raw(total), "0 beside an empty list of coins")
    balance = _TOTALS[1]
    if coins and wallet.has(balance) and _are_empty(coins) and wallet.decimal(balance) != 0:
        raise wallet.error(balance, wallet.raw(balance), "0 beside coins that all are 0")
    return coins


def _are_empty(coins: list[Any]) -> bool:
    """Whether every coin row can be read and says 0."""
    try:
        return not any(parse_balance(coin)[1] for coin in coins)
    except UnparsableError:
        return False


def parse_balance(data: Any) -> tuple[str, Decimal]:
    """Coin and wallet balance of one coin row; what is borrowed makes it negative."""
    row = Row(data, "wallet coin row")
    return row.coin("coin"), row.decimal("walletBalance")


def parse_instrument(category: Category, data: Any, maintenance_margin_rate: Decimal = Decimal(0)) -> Instrument:
    """Filters of one symbol. Spot and linear name them differently (RM-1, FU-4)."""
    row = Row(data, f"{category} instrument row")
    lot = row.row("lotSizeFilter")
    is_spot = category == "spot"
    instrument = Instrument(
        category=category,
        symbol=row.symbol(),
        base_coin=row.coin("baseCoin"),
        quote_coin=row.coin("quoteCoin"),
        tick_size=row.row("priceFilter").positive("tickSize", MAX_PRICE),
        qty_step=lot.positive("basePrecision" if is_spot else "qtyStep", MAX_QUANTITY),
        min_qty=lot.quantity("minOrderQty"),
        min_notional_usdt=lot.quantity("minOrderAmt" if is_spot else "minNotionalValue"),
        max_limit_qty=lot.positive("maxLimitOrderQty" if is_spot else "maxOrderQty"),
        max_market_qty=lot.positive("maxMarketOrderQty" if is_spot else "maxMktOrderQty"),
        maintenance_margin_rate=maintenance_margin_rate,
        max_leverage=Decimal(1) if is_spot else row.row("leverageFilter").positive("maxLeverage", MAX_LEVERAGE),
        funding_interval_min=0 if is_spot else row.integer("fundingInterval", 1, DAY_MS // MINUTE_MS),
    )
    problem = instrument_problem(instrument)
    if problem:
        raise UnparsableError(f"{row.what} of {instrument.symbol}: {problem}.")
    return instrument


TRADING = "Trading"


def status_problem(category: Category, data: Any) -> str:
    """Why an instrument cannot be traded freely now, as a sentence; "" when it can."""
    row = Row(data, f"{category} instrument row of {shown_text(Row(data, 'instrument row').raw('symbol'), 40)}")
    status = row.text("status")
    return "" if status == TRADING else str(row.error("status", status, f"{TRADING!r}"))


def parse_maintenance_rate(result: Any, symbol: str) -> Decimal:
    """Maintenance margin rate (fraction) of the lowest risk tier.

    Payloads are seen both in per cent and as fractions; the initial margin times the tier's highest leverage, which
    must be 100 % of the notional, decides which it is.
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
    fee = FeeRate(
        category=category,
        symbol=row.symbol(),
        taker=row.within("takerFeeRate", -MAX_FEE_PART, MAX_FEE_PART),
        maker=row.within("makerFeeRate", -MAX_FEE_PART, MAX_FEE_PART),
    )
    problem = fee_rate_problem(fee)
    if problem:
        raise UnparsableError(f"{row.what} of {fee.symbol}: {problem}.")
    return fee


def parse_quote(category: Category, data: Any, market_ms: int) -> Quote:
    """A complete ticker (REST, or linear stream after merging). `fundingRate` is what is predicted (F2).

    A quote that no market can have (crossed, absurdly wide, far from its own mark price) raises UnparsableError as a
    missing price does.
    """
    row = Row(data, f"{category} ticker row")
    is_linear = category == "linear"
    quote = Quote(
        category=category,
        symbol=row.symbol(),
        bid=row.price("bid1Price"),
        ask=row.price("ask1Price"),
        last=row.price("lastPrice"),
        mark=row.price("markPrice") if is_linear else None,
        index=row.price("indexPrice") if is_linear else None,
        predicted_funding_rate=row.rate("fundingRate") if is_linear else None,
        next_funding_ms=row.instant("nextFundingTime") if is_linear else None,
        market_ms=market_ms,
    )
    problem = quote_problem(quote)
    if problem:
        raise UnparsableError(f"{category} ticker row of {quote.symbol}: {problem}.")
    return quote


def parse_bar(category: Category, symbol: str, interval: str, data: Any) -> BarFact:
    """A row of the kline query: seven texts `[start, open, high, low, close, volume, turnover]`."""
    what = f"kline row of {category} {symbol} {interval}"
    if not isinstance(data, list) or len(data) != 7:
        raise UnparsableError(f"{what}: a list of 7 texts is required, got {shown_text(data)}.")
    names = ("start", "open", "high", "low", "close", "volume", "turnover")
    row = Row(dict(zip(names, data, strict=True)), what)
    return _bar(category, symbol, interval, row)


def parse_kline(
    category: Category, symbol: str, interval: str, data: Any, not_after_ms: int | None = None
) -> BarFact | None:
    """A row of the kline stream; None while the bar still runs (`confirm` false). A bar that ends after
    `not_after_ms` cannot be closed."""
    row = Row(data, f"kline stream row of {category} {symbol} {interval}")
    if not row.boolean("confirm"):
        return None
    if row.text("interval") != interval:
        raise row.error("interval", row.raw("interval"), f"the topic's {interval}")
    bar = _bar(category, symbol, interval, row)
    end_ms = bar.start_ms + interval_ms(interval)
    if row.instant("end") != end_ms - 1:
        raise row.error("end", row.raw("end"), f"the bar's last millisecond {end_ms - 1}")
    if not_after_ms is not None and end_ms > not_after_ms:
        raise row.error("start", row.raw("start"), f"a bar that ended by {not_after_ms}")
    return bar


def _bar(category: Category, symbol: str, interval: str, row: Row) -> BarFact:
    return BarFact(
        category=category,
        symbol=symbol,
        interval=interval,
        start_ms=row.instant("start"),
        open=row.price("open"),
        high=row.price("high"),
        low=row.price("low"),
        close=row.price("close"),
        volume=row.quantity("volume"),
    )


def parse_funding(data: Any, interval_min: int) -> FundingRateFact:
    """A settled rate; `interval_min` comes from the instrument."""
    row = Row(data, "funding history row")
    rate = row.rate("fundingRate")
    problem = rate_problem(rate)
    if problem:
        raise UnparsableError(f"funding history row of {row.symbol()}: {problem}.")
    return FundingRateFact(
        symbol=row.symbol(),
        settle_ms=row.instant("fundingRateTimestamp"),
        rate=rate,
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
        raise UnparsableError(f"{what}: a list of price and size is required, got {shown_text(data)}.")
    row = Row({"price": data[0], "size": data[1]}, what)
    return row.price("price"), row.quantity("size")


def _side(row: Row) -> Side:
    side = row.text_or_empty("side")
    if side not in _SIDES:
        raise row.error("side", side, "Buy or Sell")
    return _SIDES[side]
