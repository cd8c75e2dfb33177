"""Pre-trade checks of an order's effect on the account: size, position, leverage, concentration, cash (RM-1)."""

from __future__ import annotations

from decimal import Decimal

from statemachines.limits.leverage import liquidation_buffer
from statemachines.risk.order_view import (
    OrderView,
    Refusal,
    percent,
    usdt,
)
from statemachines.values import ACCOUNT_OF, LINEAR, SPOT, Side

ZERO = Decimal(0)


def check_equity(order: OrderView) -> Refusal | None:
    """RM-1 sub-account equity: new risk needs equity above zero."""
    account = order.account
    if account is None or account.equity_usdt > ZERO:
        return None
    text = f"equity of {account.account} is {account.equity_usdt:f} USDT; it must be above 0"
    return Refusal("equity", ZERO, account.equity_usdt, text)


def check_size(order: OrderView) -> Refusal | None:
    """RM-1 size: one order against the engine's equity."""
    account = order.account
    if account is None:
        return None
    most = order.limits.max_order_of_equity * account.equity_usdt
    if _is_within(order, order.notional_usdt, most):
        return None
    return Refusal(
        "size",
        most,
        order.notional_usdt,
        f"order of {usdt(order.notional_usdt)} is above {usdt(most)} "
        f"({order.limits.max_order_of_equity} of the equity {usdt(account.equity_usdt)})",
    )


def check_capital_limit(order: OrderView) -> Refusal | None:
    """The canary limit of profile live: the holdings of all engines, their pending purchases and this order must be
    within the operator's limit. A hedged pair counts with both legs."""
    most = order.parameters.capital_limit_usdt
    if most is None or order.held_in_all is None:
        return None
    held = order.held_in_all.gross_usdt
    pending = order.pending.notional_usdt()
    after = held + pending + order.notional_usdt
    if after <= most:
        return None
    return Refusal(
        "capital_limit",
        most,
        after,
        f"all engines would hold {usdt(after)} ({usdt(held)} now, {usdt(pending)} under way), above the limit of "
        f"{usdt(most)}; the operator raises it with live.canary_limit_usdt",
    )


def check_position(order: OrderView) -> Refusal | None:
    """RM-1 position: no sale of coins that are not held; the resulting position within the engine's share (FU-7)."""
    account, intent, instrument = order.account, order.intent, order.instrument
    if account is None or instrument is None or order.held is None:
        return None
    if intent.category == SPOT and intent.side is Side.SELL:
        selling = order.pending.quantity(intent.account, SPOT, intent.symbol, Side.SELL)
        return Refusal(
            "position",
            order.held,
            intent.quantity + selling,
            f"sale of {intent.quantity} {instrument.base_coin} with {order.held} held and {selling} being sold",
        )
    share = order.limits.max_asset_of_equity
    if share is None:
        return None
    if intent.category == LINEAR:
        after = order.linear_exposures_after[intent.symbol].notional_usdt
    else:
        buying = order.pending.quantity(intent.account, SPOT, intent.symbol, Side.BUY)
        after = (order.held + buying + intent.quantity) * intent.reference_price
    most = share * account.equity_usdt
    if _is_within(order, after, most):
        return None
    return Refusal(
        "position",
        most,
        after,
        f"{intent.category} {intent.symbol} would be {usdt(after)}, above {usdt(most)} "
        f"({share} of the equity {usdt(account.equity_usdt)})",
    )


def check_asset_leverage(order: OrderView) -> Refusal | None:
    """RM-1 leverage, TR-9: an asset's notional at most 1.0 × the sub-account's equity; refused, not shrunk (T8)."""
    if order.intent.category != LINEAR or order.account is None:
        return None
    notional, limits = order.linear_exposures_after[order.intent.symbol].notional_usdt, order.limits.exposure_limits
    if limits.allows_asset(notional, order.account.equity_usdt):
        return None
    return Refusal(
        "leverage",
        limits.max_asset * order.account.equity_usdt,
        notional,
        f"{order.intent.symbol} would be {usdt(notional)}, above {limits.max_asset} × "
        f"the equity {usdt(order.account.equity_usdt)}",
    )


def check_total_leverage(order: OrderView) -> Refusal | None:
    """RM-1 leverage, TR-9: the sub-account's whole exposure at most 1.9 × its equity (T8)."""
    if order.intent.category != LINEAR or order.account is None:
        return None
    notional = sum((one.notional_usdt for one in order.linear_exposures_after.values()), ZERO)
    limits = order.limits.exposure_limits
    if limits.allows_total(notional, order.account.equity_usdt):
        return None
    return Refusal(
        "leverage",
        limits.max_total * order.account.equity_usdt,
        notional,
        f"the whole exposure would be {usdt(notional)}, above {limits.max_total} × "
        f"the equity {usdt(order.account.equity_usdt)}",
    )


def check_liquidation_buffer(order: OrderView) -> Refusal | None:
    """RM-1 leverage, TR-9, T8: distance to liquidation above 50 % of the mark, at the whole exposure."""
    if order.intent.category != LINEAR or order.account is None:
        return None
    exposures = order.linear_exposures_after
    unknown = sorted(symbol for symbol in exposures if symbol not in order.maintenance_margin)
    if unknown:
        text = f"the maintenance margin rates of {unknown} are not known"
        return Refusal("leverage", "known maintenance margin rates", ", ".join(unknown), text)
    buffer, limits = liquidation_buffer(order.account.equity_usdt, exposures.values()), order.limits.exposure_limits
    if buffer is None or limits.allows_buffer(buffer):
        return None
    return Refusal(
        "leverage",
        limits.min_liquidation_buffer,
        buffer,
        f"the liquidation buffer would be {percent(buffer)}; it must be above {percent(limits.min_liquidation_buffer)}",
    )


def check_exposure(order: OrderView) -> Refusal | None:
    """RM-1, R4: the signed exposure of all accounts together, approved orders included, at most 125 % of the
    portfolio's equity; an entry of TREND that would pass it is refused, not shrunk. At the limit it is allowed."""
    portfolio, intent, multiple = order.portfolio, order.intent, order.parameters.max_exposure_of_portfolio
    if portfolio is None or order.held_in_all is None or intent.engine not in order.parameters.exposure_limited:
        return None
    held = order.held_in_all.signed_usdt
    pending = order.pending.exposure_usdt(intent.side)
    after = held + intent.side.sign * (pending + order.notional_usdt)
    most = multiple * portfolio.equity_usdt
    if abs(after) <= most or abs(after) <= abs(held):
        return None
    return Refusal(
        "exposure",
        most,
        after,
        f"the exposure of all accounts would be {usdt(after)} ({usdt(held)} now, {usdt(pending)} under way), beyond "
        f"{usdt(most)} ({multiple} × the portfolio {usdt(portfolio.equity_usdt)})",
    )


def check_concentration(order: OrderView) -> Refusal | None:
    """RM-1 concentration, CH-7, RULINGS C7: no purchase of CORE may bring an asset (CORE's and TACTICAL's spot)
    above 45 % of the portfolio, at the intent's reference price (X2)."""
    share, portfolio, instrument = order.limits.max_asset_of_portfolio, order.portfolio, order.instrument
    if share is None or portfolio is None or instrument is None or not _is_spot_buy(order):
        return None
    quantity = order.intent.quantity
    for engine in order.parameters.concentration_accounts:
        account = portfolio.accounts[ACCOUNT_OF[engine]]
        quantity += account.coins.get(instrument.base_coin, ZERO)
        quantity += order.pending.quantity(account.account, SPOT, order.intent.symbol, Side.BUY)
    value, most = quantity * order.intent.reference_price, share * portfolio.equity_usdt
    if _is_within(order, value, most):
        return None
    return Refusal(
        "concentration",
        most,
        value,
        f"{instrument.base_coin} would be {usdt(value)}, above {usdt(most)} ({percent(share)} of the portfolio "
        f"{usdt(portfolio.equity_usdt)})",
    )


def check_cash_buffer(order: OrderView) -> Refusal | None:
    """RM-1 cash buffer: the cash that a spot purchase leaves; CH-7: always at least 5 % of CORE."""
    account = order.account
    if account is None or not _is_spot_buy(order):
        return None
    committed = order.pending.committed_usdt(account.account)
    left = account.cash_usdt - committed - order.notional_usdt
    least = order.limits.min_cash_of_equity * account.equity_usdt
    if left >= least * (1 - order.parameters.limit_tolerance):
        return None
    return Refusal(
        "cash_buffer",
        least,
        left,
        f"the purchase of {usdt(order.notional_usdt)} would leave {usdt(left)} of {usdt(account.cash_usdt)} "
        f"({usdt(committed)} is committed); at least {usdt(least)} must stay",
    )


def _is_within(order: OrderView, value_usdt: Decimal, limit_usdt: Decimal) -> bool:
    """X2: the engine keeps limits that contain a price exactly; here a small tolerance is added, since prices and
    equity move between both checks. It does not apply to TR-9's limits (T8) and to the operator's canary limit."""
    return value_usdt <= limit_usdt * (1 + order.parameters.limit_tolerance)


def _is_spot_buy(order: OrderView) -> bool:
    return order.intent.category == SPOT and order.intent.side is Side.BUY
