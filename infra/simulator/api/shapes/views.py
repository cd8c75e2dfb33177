"""Orders, positions and wallets as Bybit shows them: REST rows and the entries of private frames."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from infra.simulator.venue.instruments import instrument
from infra.simulator.venue.margin import (
    Margin,
    liquidation_price,
    locked,
    margin,
    position_im,
    position_mm,
    unrealised,
)
from infra.simulator.venue.model import Account, Order, Position, Row
from infra.simulator.venue.money import USDT_UNIT, ZERO, floor_to, text
from infra.simulator.venue.state import Venue

_WS_ONLY_EXECUTION = ("category", "execPnl", "marketUnit")


def shown(value: Decimal) -> str:
    """A computed USDT figure with 8 decimals at most."""
    return text(value.quantize(USDT_UNIT))


def _or_empty(value: Decimal) -> str:
    return text(value) if value else ""


def order_row(order: Order) -> dict[str, Any]:
    """An order as in /v5/order/realtime and /v5/order/history."""
    is_open = order.is_open
    leaves = max(order.leaves, ZERO) if is_open else ZERO
    average = order.value / order.filled if order.filled else None
    linear = order.category == "linear"
    stop = bool(order.trigger_price)
    return {
        "orderId": order.id,
        "orderLinkId": order.link_id,
        "parentOrderLinkId": "",
        "blockTradeId": "",
        "symbol": order.symbol,
        "price": text(order.price),
        "qty": text(order.qty),
        "side": order.side,
        "isLeverage": "" if linear else "0",
        "positionIdx": 0,
        "orderStatus": order.status,
        "createType": order.create_type,
        "cancelType": order.cancel_type,
        "rejectReason": order.reject_reason,
        "avgPrice": "" if average is None else shown(average),
        "leavesQty": text(leaves),
        "leavesValue": shown(leaves if order.quote_qty else leaves * order.price),
        "cumExecQty": text(order.filled),
        "cumExecValue": text(order.value),
        "cumExecFee": text(sum(order.fees.values(), ZERO)),
        "timeInForce": order.time_in_force,
        "orderType": order.order_type,
        "stopOrderType": order.stop_type,
        "ocoTriggerBy": "",
        "orderIv": "",
        "marketUnit": order.market_unit,
        "slippageToleranceType": order.slippage_type,
        "slippageTolerance": _or_empty(order.slippage),
        "triggerPrice": _or_empty(order.trigger_price),
        "takeProfit": _or_empty(order.take_profit),
        "stopLoss": _or_empty(order.stop_loss),
        "tpslMode": "Full" if order.stop_type in ("StopLoss", "TakeProfit") else "",
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "tpTriggerBy": "",
        "slTriggerBy": "",
        "triggerDirection": order.trigger_direction if stop else 0,
        "triggerBy": order.trigger_by,
        "lastPriceOnCreated": text(order.last_price),
        "basePrice": "",
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": order.close_on_trigger,
        "placeType": "",
        "smpType": order.smp_type,
        "smpGroup": 0,
        "smpOrderId": "",
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
        "extraFees": "",
        "cumFeeDetail": {coin: text(fee) for coin, fee in order.fees.items()},
        "rpiTakerAccess": False,
        "rpiMatchedQty": "0",
    }


_REST_ONLY_ORDER = ("basePrice", "extraFees")


def order_entry(order: Order) -> dict[str, Any]:
    """An order as in the ``order`` topic."""
    entry = order_row(order)
    for key in _REST_ONLY_ORDER:
        del entry[key]
    entry["category"] = order.category
    entry["brokerOrderPrice"] = ""
    entry["closedPnl"] = text(order.closed_pnl)
    entry["feeCurrency"] = next(iter(order.fees), "")
    return entry


def execution_row(row: Row) -> dict[str, Any]:
    """An execution as in /v5/execution/list."""
    return {key: value for key, value in row.data.items() if key not in _WS_ONLY_EXECUTION}


def execution_entry(row: Row) -> dict[str, Any]:
    """An execution as in the ``execution`` topic."""
    entry = {key: value for key, value in row.data.items() if key != "execFeeV2"}
    entry["isLeverage"] = "0"
    entry["extraFees"] = []
    return entry


_FAST = ("category", "symbol", "execId", "execPrice", "execQty", "orderId", "isMaker", "side", "execTime", "seq")


def fast_execution_entry(row: Row) -> dict[str, Any]:
    """An execution as in the ``execution.fast`` topic: fewer fields, no client's id of a maker's order."""
    link_id = "" if row.data["isMaker"] else row.data["orderLinkId"]
    return {name: row.data[name] for name in _FAST} | {"orderLinkId": link_id}


def position_row(venue: Venue, account: Account, position: Position, figures: Margin) -> dict[str, Any]:
    """A position as in /v5/position/list; also of a flat one."""
    spec = instrument("linear", position.symbol)
    liquidation = liquidation_price(venue, account, position, figures)
    im, mm = shown(position_im(venue, position)), shown(position_mm(venue, position))
    return {
        "positionIdx": 0,
        "riskId": 1,
        "riskLimitValue": text(spec.risk_limit_usdt),
        "symbol": position.symbol,
        "side": position.side,
        "size": text(abs(position.size)),
        "avgPrice": shown(position.average),
        "positionValue": text(position.cost) if position.size else "",
        "tradeMode": 0,
        "autoAddMargin": 0,
        "positionStatus": "Normal",
        "leverage": text(position.leverage),
        "breakEvenPrice": _break_even(venue, position),
        "markPrice": text(venue.prices.mark(position.symbol)),
        "liqPrice": "" if liquidation is None else text(floor_to(liquidation, spec.tick)),
        "bustPrice": "",
        "positionBalance": "0",
        "positionIM": im,
        "positionIMByMp": im,
        "positionMM": mm,
        "positionMMByMp": mm,
        "takeProfit": _or_empty(position.take_profit),
        "stopLoss": _or_empty(position.stop_loss),
        "trailingStop": "0",
        "tpslMode": "Full",
        "sessionAvgPrice": "",
        "delta": "",
        "gamma": "",
        "vega": "",
        "theta": "",
        "unrealisedPnl": shown(unrealised(venue, position)) if position.size else "",
        "curRealisedPnl": text(position.realised),
        "cumRealisedPnl": text(position.cum_realised),
        "adlRankIndicator": 0,
        "createdTime": str(position.created_ms),
        "updatedTime": str(position.updated_ms),
        "openTime": position.opened_ms,
        "seq": position.seq if position.seq else -1,
        "isReduceOnly": False,
        "mmrSysUpdatedTime": "",
        "mmrSysUpdateTime": "",
        "leverageSysUpdatedTime": "",
    }


def _break_even(venue: Venue, position: Position) -> str:
    if not position.size:
        return ""
    rate = max(venue.config.fees.linear_taker, Decimal("0.00055"))
    if position.size > 0:
        return shown((position.cost - position.realised) / (position.size * (1 - rate)))
    return shown((position.cost + position.realised) / (-position.size * (1 + rate)))


def position_entry(venue: Venue, account: Account, position: Position, figures: Margin) -> dict[str, Any]:
    """A position as in the ``position`` topic: ``entryPrice`` instead of ``avgPrice``."""
    entry = position_row(venue, account, position, figures)
    entry["entryPrice"] = entry.pop("avgPrice")
    del entry["mmrSysUpdateTime"]
    entry["category"] = "linear"
    entry["positionValue"] = entry["positionValue"] or "0"
    entry["unrealisedPnl"] = entry["unrealisedPnl"] or "0"
    return entry


def wallet_row(venue: Venue, account: Account, coins: list[str] | None = None) -> dict[str, Any]:
    """The unified wallet as in /v5/account/wallet-balance and the ``wallet`` topic. Zero coins are left out."""
    figures = margin(venue, account)
    balance = figures.balance
    im_rate = text((figures.im / balance).quantize(Decimal("0.0001"))) if balance > 0 else "0"
    mm_rate = text((figures.mm / balance).quantize(Decimal("0.0001"))) if balance > 0 else "0"
    names = coins if coins is not None else [coin for coin, amount in account.wallet.items() if amount]
    if coins is None and account.has_position and "USDT" not in names:
        names.append("USDT")
    im, mm = shown(figures.im), shown(figures.mm)
    return {
        "accountType": "UNIFIED",
        "accountIMRate": im_rate,
        "accountIMRateByMp": im_rate,
        "accountMMRate": mm_rate,
        "accountMMRateByMp": mm_rate,
        "accountLTV": "0",
        "totalEquity": shown(figures.equity),
        "totalWalletBalance": shown(figures.collateral),
        "totalMarginBalance": shown(balance),
        "totalAvailableBalance": shown(figures.available),
        "totalPerpUPL": shown(figures.upl),
        "totalInitialMargin": im,
        "totalInitialMarginByMp": im,
        "totalMaintenanceMargin": mm,
        "totalMaintenanceMarginByMp": mm,
        "coin": [_coin(venue, account, coin, figures) for coin in names],
    }


def _coin(venue: Venue, account: Account, coin: str, figures: Margin) -> dict[str, Any]:
    amount = account.balance(coin)
    is_quote = coin == "USDT"
    equity = amount + figures.upl if is_quote else amount
    debt = text(max(-amount, ZERO))
    return {
        "coin": coin,
        "equity": shown(equity) if is_quote else text(equity),
        "usdValue": shown(equity * (venue.prices.usd(coin) or ZERO)),
        "walletBalance": text(amount),
        "free": "",
        "locked": text(locked(account, coin)),
        "borrowAmount": debt,
        "spotBorrow": "0",
        "accruedInterest": "0",
        "availableToBorrow": "",
        "availableToWithdraw": "",
        "totalOrderIM": shown(figures.order_im) if is_quote else "0",
        "totalPositionIM": shown(figures.position_im) if is_quote else "0",
        "totalPositionMM": shown(figures.mm) if is_quote else "0",
        "unrealisedPnl": shown(figures.upl) if is_quote else "0",
        "cumRealisedPnl": text(account.cum_realised) if is_quote else "0",
        "bonus": "0",
        "marginCollateral": True,
        "collateralSwitch": True,
        "spotHedgingQty": "0",
        "colRes": "",
    }
