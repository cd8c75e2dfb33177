"""What the exchange does of its own accord: fills in part, cancels, reduces or takes over a position, changes itself.
Each is an ``Incident``: plain data, so that it can be written to the log of inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from infra.simulator.faults.catalogue import (
    AutoDeleveraging,
    Delisting,
    ExchangeFault,
    Liquidation,
    OrderCancelled,
    OrderFault,
    PartialFill,
    PostOnlyCancel,
    PriceGap,
)
from infra.simulator.faults.desk import FaultDesk
from infra.simulator.faults.reading import fault_of
from infra.simulator.market.path import HOUR_MS
from infra.simulator.venue.conditions.shocks import Shock
from infra.simulator.venue.instruments import instrument
from infra.simulator.venue.model import Account, Order
from infra.simulator.venue.money import ZERO, floor_to
from infra.simulator.venue.orders.fills import Fill, apply_fill
from infra.simulator.venue.orders.working import after_position_change, cancel, finish, settle
from infra.simulator.venue.records import order_id
from infra.simulator.venue.state import Venue

Incident = Mapping[str, Any]
"""``what`` is fill, cancel or take_over (with an ``account``), or begin or end (with the ``id`` of a fault)."""

_WHOLE = Decimal(1)
_CREATE_TYPES = {"AdlTrade": "CreateByAdl_PassThrough", "BustTrade": "CreateByLiq", "Delivery": "CreateBySettle"}


def carry_out(venue: Venue, incident: Incident) -> None:
    """Let it happen; what concerns an order or position that is gone by now changes nothing."""
    if incident["what"] == "begin":
        begin(venue, incident["id"], incident["fault"])
        return
    if incident["what"] == "end":
        end(venue, incident["id"])
        return
    account = venue.accounts[incident["account"]]
    if incident["what"] == "take_over":
        _reduce(venue, account, incident["symbol"], Decimal(incident["share"]), incident["kind"])
        return
    order = account.open.get(incident["order"])
    if order is None:
        return
    if incident["what"] == "fill":
        fill_in_part(venue, account, order, Decimal(incident["share"]))
    else:
        cancel(venue, account, order, incident["type"], incident["reason"])


# --- what faults of orders and positions demand ---


def demanded(venue: Venue, desk: FaultDesk) -> list[Incident]:
    """What the active faults do to the orders and positions there are: to each of them once."""
    found: list[Incident] = []
    for one, fault in desk.of(OrderFault):
        for account in venue.accounts.values():
            for key, symbol, incident in _of_account(fault, account):
                name = f"{account.name}/{key}"
                if name in one.struck or not fault.concerns(account.name, symbol):
                    continue
                one.struck.add(name)
                if one.strikes():
                    found.append({"account": account.name, **incident})
    return found


def _of_account(fault: OrderFault, account: Account) -> Iterator[tuple[str, str, Incident]]:
    if isinstance(fault, (AutoDeleveraging, Liquidation)):
        is_adl = isinstance(fault, AutoDeleveraging)
        share = str(fault.share) if isinstance(fault, AutoDeleveraging) else "1"
        for symbol, position in account.positions.items():
            if position.size:
                kind = "AdlTrade" if is_adl else "BustTrade"
                yield symbol, symbol, {"what": "take_over", "symbol": symbol, "share": share, "kind": kind}
        return
    for order in account.open.values():
        incident = _of_order(fault, order)
        if incident is not None:
            yield order.id, order.symbol, {**incident, "order": order.id}


def _of_order(fault: OrderFault, order: Order) -> Incident | None:
    match fault:
        case PartialFill() if order.is_active and order.order_type == "Limit":
            return {"what": "fill", "share": str(fault.share)}
        case PostOnlyCancel() if order.is_active and order.time_in_force == "PostOnly" and not order.filled:
            return {"what": "cancel", "type": "UNKNOWN", "reason": "EC_PostOnlyWillTakeLiquidity"}
        case OrderCancelled():
            return {"what": "cancel", "type": "CancelByAdmin", "reason": "EC_CancelByAdmin"}
    return None


# --- what holds for a while ---


def begin(venue: Venue, identity: str, data: Mapping[str, Any]) -> None:
    """The exchange changes: from now on this fault holds. Raises ``FaultError`` for data that is no such fault."""
    fault = fault_of(data)
    if not isinstance(fault, ExchangeFault):
        raise TypeError(f"the fault {fault.kind} is not one of the exchange itself")
    venue.conditions.active[identity] = (venue.now_ms, fault)
    if isinstance(fault, PriceGap):
        venue.conditions.shocks[identity] = Shock(fault.symbol, fault.change, _from_ms(venue))
        venue.prices_changed()
    elif isinstance(fault, Delisting):
        _delist(venue, fault)


def end(venue: Venue, identity: str) -> None:
    """The fault holds no longer; a price gap closes again."""
    venue.conditions.active.pop(identity, None)
    shock = venue.conditions.shocks.get(identity)
    if shock is not None and shock.until_ms is None:
        shock.until_ms = _from_ms(venue)
        # The same id may come again: what is past keeps its place under a name of its own.
        venue.conditions.shocks[f"{identity}@{shock.from_ms}"] = venue.conditions.shocks.pop(identity)
        venue.prices_changed()


def _from_ms(venue: Venue) -> int:
    """When a price changes: with the next tick; where an hour has four prices, with the next hour."""
    if venue.config.tick_ms is not None:
        return venue.now_ms + 1
    return (venue.now_ms // HOUR_MS + 1) * HOUR_MS


def _delist(venue: Venue, fault: Delisting) -> None:
    for account in venue.accounts.values():
        for order in list(account.open.values()):
            if (order.category, order.symbol) == (fault.category, fault.symbol):
                cancel(venue, account, order, "CancelBySettle", "EC_CancelBySettle")
        if fault.category == "linear" and fault.symbol in account.positions:
            _reduce(venue, account, fault.symbol, _WHOLE, "Delivery")


# --- single incidents ---


def fill_in_part(venue: Venue, account: Account, order: Order, share: Decimal) -> Decimal:
    """Fill this share of what is left of a resting order at its own price, in whole lots; returns the quantity."""
    quantity = floor_to(order.leaves * share, instrument(order.category, order.symbol).qty_step)
    if quantity > ZERO:
        apply_fill(venue, account, order, Fill(order.price, quantity, maker=True))
        settle(venue, account, order)
        if order.category == "linear":
            after_position_change(venue, account, order)
    return quantity


def cancel_on_its_own(venue: Venue, account: Account, order: Order) -> None:
    """The exchange cancels an open order for reasons of its own (`CancelByAdmin`)."""
    cancel(venue, account, order, "CancelByAdmin", "EC_CancelByAdmin")


def deleverage(venue: Venue, account: Account, symbol: str, share: Decimal) -> Decimal:
    """Reduce the position by this share at the mark price, in whole lots, as auto-deleveraging does; returns the
    quantity taken."""
    return _reduce(venue, account, symbol, share, "AdlTrade")


def _reduce(venue: Venue, account: Account, symbol: str, share: Decimal, kind: str) -> Decimal:
    position = venue.position(account, symbol)
    quantity = floor_to(abs(position.size) * share, instrument("linear", symbol).qty_step)
    if quantity > ZERO:
        take_over(venue, account, symbol, quantity, venue.prices.mark(symbol), kind)
    return quantity


def take_over(
    venue: Venue,
    account: Account,
    symbol: str,
    quantity: Decimal,
    price: Decimal,
    kind: str,
    *,
    fee_free: bool = False,
) -> None:
    """Close so much of the position by an order of the exchange's own (`BustTrade`, `AdlTrade` or `Delivery`)."""
    position, seq = venue.position(account, symbol), venue.next_seq()
    order = Order(
        order_id("linear", account.uid, seq), seq, account.name, "linear", symbol,
        "Sell" if position.size > 0 else "Buy", "Market", quantity, price, "IOC", "New", venue.now_ms, venue.now_ms,
        venue.prices.point, reduce_only=True, close_on_trigger=True, create_type=_CREATE_TYPES[kind],
        last_price=price,
    )  # fmt: skip
    account.orders[order.id] = order
    apply_fill(venue, account, order, Fill(price, quantity, exec_type=kind, fee_free=fee_free))
    finish(venue, account, order, "Filled")
    after_position_change(venue, account, order)
