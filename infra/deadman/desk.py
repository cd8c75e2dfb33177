"""Looks at the accounts' open orders with the dead-man switch's own keys and cancels what must not stand (RM-4).

Only the fields that the decision needs are read, each row by itself: an odd row of a stranger keeps none of ours from
being cancelled, and a row of ours that cannot be read is neither cancelled nor counted as gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from pybit.unified_trading import HTTP

from infra.bybit.caller import Caller, at_cursor
from infra.bybit.errors import Fault, GatewayError
from infra.bybit.orders.bodies import cancellation
from infra.bybit.parsing.fields import Row, UnparsableError
from infra.bybit.parsing.rows import SETTLE_COIN
from statemachines.deadman.orders import RestingOrder, is_entry, is_ours
from statemachines.deadman.switch import Cleared
from statemachines.requests import CancelOrder, VenueOrderStatus
from statemachines.values import LINEAR, SPOT, Account, Category

_log = logging.getLogger(__name__)

_CATEGORIES: tuple[Category, ...] = (SPOT, LINEAR)
_NO_STOP = frozenset({"", "UNKNOWN"})
_ENDED = frozenset(status.value for status in VenueOrderStatus if status.is_final)


class OrderDesk:
    """`accounts` are those whose orders are watched; `installation` is known once the database could be asked."""

    def __init__(self, caller: Caller, accounts: Sequence[Account]) -> None:
        self.installation: str | None = None
        self._caller = caller
        self._accounts = tuple(accounts)

    def clear(self, is_wanted: Callable[[], bool]) -> Cleared:
        """Look at every account and cancel its entry orders. Nothing more is cancelled once `is_wanted` denies, which
        is asked before each account.

        What cannot be asked, read or cancelled is named in `left`; nothing is raised.
        """
        found: list[str] = []
        cancelled: list[str] = []
        kept, left = 0, []
        if self.installation is None:
            return Cleared((), (), 0, ("which orders are ours is not known: the database could not be asked yet",))
        for account in self._accounts:
            if not is_wanted():
                left.append(f"{account} was not looked at: the system has beaten again")
                continue
            for category in _CATEGORIES:
                try:
                    entries, protecting, unread = self._read(account, category)
                except (GatewayError, UnparsableError) as error:
                    left.append(f"{account}: open {category} orders cannot be read: {error}")
                    continue
                kept += protecting
                left += unread
                for order in entries:
                    found.append(order.client_order_id)
                    if why := self._cancel(account, category, order):
                        left.append(why)
                    else:
                        cancelled.append(order.client_order_id)
        return Cleared(found, cancelled, kept, left)

    def _read(self, account: Account, category: Category) -> tuple[list[RestingOrder], int, list[str]]:
        """Entry orders; how many of ours protect; why a row cannot be read.

        Raises GatewayError and UnparsableError.
        """
        assert self.installation is not None
        entries, protecting, unread = [], 0, []
        for data in self._rows(account, category):
            try:
                row = Row(data, "order row")
                if not is_ours(self.installation, row.text_or_empty("orderLinkId")):
                    continue
                if row.text("orderStatus") in _ENDED:
                    continue
                order = resting_order(row, category)
            except UnparsableError as error:
                unread.append(f"{account}: a {category} order cannot be read and was not touched: {error}")
                continue
            if is_entry(self.installation, order):
                entries.append(order)
            else:
                protecting += 1
        return entries, protecting, unread

    def _rows(self, account: Account, category: Category) -> Iterator[Any]:
        where = {"settleCoin": SETTLE_COIN} if category == LINEAR else {}

        def page(session: HTTP, at: str) -> Any:
            return session.get_open_orders(category=category, limit=50, **where, **at_cursor(at))

        yield from self._caller.pages(account, "orders", page, category)

    def _cancel(self, account: Account, category: Category, order: RestingOrder) -> str:
        """Cancel it; why it may still stand, or "". What is gone already is as good."""
        body = cancellation(CancelOrder(client_order_id=order.client_order_id, category=category, symbol=order.symbol))
        try:
            self._caller.result(account, f"cancel.{category}", partial(_send, body=body))
        except (GatewayError, UnparsableError) as error:
            if isinstance(error, GatewayError) and error.fault is Fault.GONE:
                return ""
            return f"{account}: order {order.client_order_id} could not be cancelled: {error}"
        _log.warning("%s: entry order %s on %s is cancelled", account, order.client_order_id, order.symbol)
        return ""


def resting_order(row: Row, category: Category) -> RestingOrder:
    """An open order of ours.

    Raises UnparsableError: what decides about it cannot be read.
    """
    return RestingOrder(
        client_order_id=row.text("orderLinkId"),
        category=category,
        symbol=row.symbol(),
        is_reduce_only=row.boolean("reduceOnly"),
        is_conditional=row.price_or_none("triggerPrice") is not None
        or row.text_or_empty("stopOrderType") not in _NO_STOP
        or row.text("orderStatus") == VenueOrderStatus.UNTRIGGERED.value,
        closes_position=row.boolean("closeOnTrigger"),
    )


def _send(session: HTTP, body: dict[str, Any]) -> Any:
    return session.cancel_order(**body)
