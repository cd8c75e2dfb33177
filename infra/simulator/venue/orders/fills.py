"""What one fill does: wallet, position, realised P&L, records. Spot pays its fee in the coin received."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from infra.simulator.venue.instruments import instrument
from infra.simulator.venue.model import Account, Order, Position, Row
from infra.simulator.venue.money import ZERO, text, to_unit, usdt
from infra.simulator.venue.records import execution_id, post, record_execution
from infra.simulator.venue.state import Venue

_LOG_TYPES = {"BustTrade": "LIQUIDATION", "AdlTrade": "ADL", "Delivery": "DELIVERY"}
"""The type of a forced fill's row in the transaction log; any other fill is a TRADE."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution: price in USDT, quantity in base coin; ``fee_free`` for a bust trade covered by insurance."""

    price: Decimal
    qty: Decimal
    maker: bool = False
    exec_type: str = "Trade"
    fee_free: bool = False


def apply_fill(venue: Venue, account: Account, order: Order, fill: Fill) -> None:
    """Book one fill of the order; the caller decides the order's status and shows it."""
    order.updated_ms = venue.now_ms
    if order.category == "spot":
        _spot(venue, account, order, fill)
    else:
        _linear(venue, account, order, fill)


def _count(order: Order, fill: Fill, fee: Decimal, coin: str) -> None:
    order.filled += fill.qty
    order.value += fill.price * fill.qty
    order.fees[coin] = order.fees.get(coin, ZERO) + fee


def _spot(venue: Venue, account: Account, order: Order, fill: Fill) -> None:
    spec = instrument("spot", order.symbol)
    rate = venue.config.fees.rate("spot", maker=fill.maker)
    value = usdt(fill.price * fill.qty)
    buy = order.side == "Buy"
    fee_coin = spec.base if buy else spec.quote
    fee = to_unit(fee_coin, (fill.qty if buy else value) * rate)
    _count(order, fill, fee, fee_coin)
    row = record_execution(
        venue, account, order, price=fill.price, qty=fill.qty, fee=fee, fee_coin=fee_coin, fee_rate=rate,
        maker=fill.maker, exec_type=fill.exec_type,
    )  # fmt: skip
    for coin, flow in ((spec.quote, -value if buy else value), (spec.base, fill.qty if buy else -fill.qty)):
        post(
            venue, account, coin, "TRADE", cash_flow=flow, fee=fee if coin == fee_coin else ZERO, order=order,
            symbol=order.symbol, category="spot", side=order.side, qty=fill.qty if buy else -fill.qty,
            price=fill.price, fee_rate=rate if coin == fee_coin else ZERO, trade_id=row.data["execId"],
        )  # fmt: skip


def _linear(venue: Venue, account: Account, order: Order, fill: Fill) -> None:
    position = venue.position(account, order.symbol)
    rate = ZERO if fill.fee_free else venue.config.fees.rate("linear", maker=fill.maker)
    fee = usdt(fill.price * fill.qty * rate)
    held = abs(position.size)
    against = position.size * order.sign < 0
    closing = min(fill.qty, held) if against else ZERO
    opening = fill.qty - closing
    close_fee = usdt(fee * closing / fill.qty)
    _count(order, fill, fee, "USDT")
    pnl = ZERO
    if closing:
        pnl = _close(venue, account, order, position, fill, closing, close_fee)
    if opening:
        if not position.size:
            position.opened_ms = venue.now_ms
            position.realised = ZERO
        position.size += order.sign * opening
        position.cost += usdt(fill.price * opening)
        position.open_fee += fee - close_fee
    position.realised += pnl - fee
    position.cum_realised += pnl - fee
    position.updated_ms = venue.now_ms
    position.seq = venue.next_seq()
    account.cum_realised += pnl - fee
    row = record_execution(
        venue, account, order, price=fill.price, qty=fill.qty, fee=fee, fee_coin="USDT", fee_rate=rate,
        maker=fill.maker, exec_type=fill.exec_type, closed=closing, pnl=pnl,
    )  # fmt: skip
    venue.changed(account).positions[order.symbol] = None
    post(
        venue, account, "USDT", _LOG_TYPES.get(fill.exec_type, "TRADE"), cash_flow=pnl, fee=fee,
        order=order, symbol=order.symbol, category="linear", side=order.side, qty=fill.qty, size=position.size,
        price=fill.price, fee_rate=rate, trade_id=row.data["execId"],
    )  # fmt: skip


def _close(
    venue: Venue, account: Account, order: Order, position: Position, fill: Fill, closing: Decimal, close_fee: Decimal
) -> Decimal:
    """Take ``closing`` off the position; returns the realised P&L before fees. Entry value is split without loss."""
    held = abs(position.size)
    whole = closing == held
    entry = position.cost if whole else usdt(position.cost * closing / held)
    open_fee = position.open_fee if whole else usdt(position.open_fee * closing / held)
    exit_value = usdt(fill.price * closing)
    pnl = exit_value - entry if position.size > 0 else entry - exit_value
    position.size += order.sign * closing
    position.cost -= entry
    position.open_fee -= open_fee
    order.closed_pnl += pnl - open_fee - close_fee
    _record_closed(venue, account, order, position, fill, closing, entry, exit_value, open_fee, close_fee, pnl)
    return pnl


def _record_closed(
    venue: Venue,
    account: Account,
    order: Order,
    position: Position,
    fill: Fill,
    closing: Decimal,
    entry: Decimal,
    exit_value: Decimal,
    open_fee: Decimal,
    close_fee: Decimal,
    pnl: Decimal,
) -> None:
    """One closed-P&L row per closing order: further fills of the same order are added to its row."""
    rows = account.closed_pnl
    earlier = rows[-1] if rows and rows[-1].data["orderId"] == order.id else None
    if earlier is not None:
        rows.pop()
        closing += Decimal(earlier.data["closedSize"])
        entry += Decimal(earlier.data["cumEntryValue"])
        exit_value += Decimal(earlier.data["cumExitValue"])
        open_fee += Decimal(earlier.data["openFee"])
        close_fee += Decimal(earlier.data["closeFee"])
        pnl = exit_value - entry if order.side == "Sell" else entry - exit_value
    data = {
        "symbol": order.symbol,
        "orderId": order.id,
        "side": order.side,
        "qty": text(order.qty),
        "orderPrice": text(order.price),
        "orderType": order.order_type,
        "execType": fill.exec_type,
        "closedSize": text(closing),
        "cumEntryValue": text(entry),
        "avgEntryPrice": text(usdt(entry / closing)),
        "cumExitValue": text(exit_value),
        "avgExitPrice": text(usdt(exit_value / closing)),
        "closedPnl": text(pnl - open_fee - close_fee),
        "fillCount": str(int(earlier.data["fillCount"]) + 1 if earlier else 1),
        "leverage": text(position.leverage),
        "openFee": text(open_fee),
        "closeFee": text(close_fee),
        "createdTime": earlier.data["createdTime"] if earlier else str(venue.now_ms),
        "updatedTime": str(venue.now_ms),
    }
    rows.append(Row(venue.next_seq(), venue.now_ms, data))


def settle_funding(venue: Venue, account: Account, symbol: str, rate: Decimal) -> None:
    """Pay or receive funding on the open position: |size| x mark x rate; a positive rate: longs pay shorts.

    The execution row's ``execFee`` is positive when paid; the transaction log's ``funding`` is negative when paid.
    """
    position = account.positions[symbol]
    mark = venue.prices.mark(symbol)
    size = abs(position.size)
    side = position.side
    signed_rate = rate if position.size > 0 else -rate
    paid = usdt(size * mark * signed_rate)
    position.realised -= paid
    position.cum_realised -= paid
    position.updated_ms = venue.now_ms
    account.cum_realised -= paid
    seq = venue.next_seq()
    exec_id = execution_id(account.uid, seq)
    reference = f"{venue.now_ms // 1000}-8-{account.uid}-{1 if position.size > 0 else 2}-{symbol}"
    data = {
        "symbol": symbol, "orderId": reference, "orderLinkId": "", "side": side, "orderPrice": "0", "orderQty": "0",
        "leavesQty": "0", "createType": "", "orderType": "UNKNOWN", "stopOrderType": "UNKNOWN",
        "execFee": text(paid), "execFeeV2": "", "execId": exec_id, "execPrice": text(mark), "execQty": text(size),
        "execType": "Funding", "execValue": text(size * mark), "execTime": str(venue.now_ms), "feeCurrency": "USDT",
        "isMaker": False, "feeRate": text(rate), "tradeIv": "", "markIv": "", "markPrice": text(mark),
        "indexPrice": "", "underlyingPrice": "", "blockTradeId": "", "closedSize": "0", "seq": seq, "extraFees": "",
        "category": "linear", "execPnl": "0", "marketUnit": "",
    }  # fmt: skip
    row = Row(seq, venue.now_ms, data)
    account.executions.append(row)
    changes = venue.changed(account)
    changes.executions.append(row)
    changes.positions[symbol] = None
    post(
        venue, account, "USDT", "SETTLEMENT", funding=-paid, symbol=symbol, category="linear", side=side, qty=size,
        size=position.size, price=mark, fee_rate=signed_rate, trade_id=exec_id, reference=reference,
    )  # fmt: skip
