"""Books of record: the only place where a wallet changes, and with it its transaction-log row.

``change = cashFlow + funding - fee`` exactly, so that a wallet is the sum of its rows' changes to the last unit.
"""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.venue.model import Account, Order, Row
from infra.simulator.venue.money import ZERO, text
from infra.simulator.venue.state import Venue


def order_id(category: str, uid: int, seq: int) -> str:
    """A deterministic id in the form Bybit uses: a long number for spot, a UUID form for derivatives."""
    if category == "spot":
        return str(1_700_000_000_000_000_000 + seq)
    return f"{seq:08x}-e7e4-4a11-8c00-{uid:012x}"


def execution_id(uid: int, seq: int) -> str:
    """A deterministic execution id in UUID form."""
    return f"{seq:08x}-0f18-5866-9415-{uid:012x}"


def post(
    venue: Venue,
    account: Account,
    coin: str,
    kind: str,
    *,
    cash_flow: Decimal = ZERO,
    funding: Decimal | None = None,
    fee: Decimal = ZERO,
    order: Order | None = None,
    symbol: str = "",
    category: str = "",
    side: str = "None",
    qty: Decimal = ZERO,
    size: Decimal = ZERO,
    price: Decimal = ZERO,
    fee_rate: Decimal | None = None,
    trade_id: str = "",
    reference: str = "",
) -> None:
    """Change one coin of the unified wallet and write the row. Amounts must already be in the coin's unit."""
    change = cash_flow + (funding or ZERO) - fee
    balance = account.balance(coin) + change
    account.wallet[coin] = balance
    account.updated_ms = venue.now_ms
    seq = venue.next_seq()
    data = {
        "id": f"{account.uid}_{symbol or coin}_{seq}",
        "symbol": symbol,
        "category": category,
        "side": side,
        "transactionTime": str(venue.now_ms),
        "type": kind,
        "transSubType": "",
        "qty": text(qty),
        "size": text(size),
        "currency": coin,
        "tradePrice": text(price) if price else "",
        "funding": "" if funding is None else text(funding),
        "fee": text(fee),
        "cashFlow": text(cash_flow),
        "change": text(change),
        "cashBalance": text(balance),
        "feeRate": "" if fee_rate is None else text(fee_rate),
        "bonusChange": "",
        "tradeId": trade_id,
        "orderId": order.id if order else reference,
        "orderLinkId": order.link_id if order else "",
        "extraFees": "",
    }
    account.log.append(Row(seq, venue.now_ms, data))
    venue.changed(account).wallet = True


def record_execution(
    venue: Venue,
    account: Account,
    order: Order,
    *,
    price: Decimal,
    qty: Decimal,
    fee: Decimal,
    fee_coin: str,
    fee_rate: Decimal,
    maker: bool,
    exec_type: str,
    closed: Decimal = ZERO,
    pnl: Decimal = ZERO,
) -> Row:
    """Write the execution row of a trade (after the order's filled quantity was raised)."""
    seq = venue.next_seq()
    linear = order.category == "linear"
    data = {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderLinkId": order.link_id,
        "side": order.side,
        "orderPrice": text(order.price),
        "orderQty": text(order.qty),
        "leavesQty": text(max(order.leaves, ZERO)),
        "createType": order.create_type,
        "orderType": order.order_type,
        "stopOrderType": order.stop_type or "UNKNOWN",
        "execFee": text(fee),
        "execFeeV2": "",
        "execId": execution_id(account.uid, seq),
        "execPrice": text(price),
        "execQty": text(qty),
        "execType": exec_type,
        "execValue": text(price * qty),
        "execTime": str(venue.now_ms),
        "feeCurrency": fee_coin,
        "isMaker": maker,
        "feeRate": text(fee_rate),
        "tradeIv": "",
        "markIv": "",
        "markPrice": text(venue.prices.mark(order.symbol)) if linear else "",
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": text(closed) if linear else "",
        "seq": seq,
        "extraFees": "",
        "category": order.category,
        "execPnl": text(pnl),
        "marketUnit": order.market_unit,
    }
    row = Row(seq, venue.now_ms, data)
    account.executions.append(row)
    venue.own_volume.count(data)
    venue.changed(account).executions.append(row)
    return row
