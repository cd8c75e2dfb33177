"""Disconnection protection (DCP): orders that are cancelled when the private connections that guard them are gone.

Bybit grants it to institutions only; here an exchange has it when it is started with it (``SimConfig.dcp``).
"""

from __future__ import annotations

from infra.simulator.api.context import Answer, Context
from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.model import Account, Order
from infra.simulator.venue.orders import trading
from infra.simulator.venue.registers.registry import DEFAULT_DCP_S, PRODUCTS
from infra.simulator.venue.state import Venue

LEAST_S, LONGEST_S = 3, 300
TOPICS = {"dcp.spot": "SPOT", "dcp.future": "DERIVATIVES", "dcp.option": "OPTIONS"}
"""The topics by which a private connection guards the orders of a product group."""

_CATEGORIES = {"SPOT": "spot", "DERIVATIVES": "linear"}
_ALL_FILTERS = {"Order", "StopOrder", "tpslOrder"}


def set_window(ctx: Context) -> Answer:
    """POST /v5/order/disconnected-cancel-all: turn it on for a product group, or change its window in seconds."""
    if not ctx.venue.config.dcp:
        raise VenueError(10005, "Permission denied: disconnection protection is not enabled for this account.")
    product = ctx.params.choice("product", PRODUCTS, "OPTIONS")
    ctx.key.require(*(("Spot", "SpotTrade") if product == "SPOT" else ("ContractTrade", "Order")))
    window_s = ctx.params.integer("timeWindow")
    if window_s is None or not LEAST_S <= window_s <= LONGEST_S:
        raise VenueError(10001, f"params error: timeWindow {window_s} is not in {LEAST_S}..{LONGEST_S}.")
    ctx.venue.registry.dcp_s.setdefault(ctx.account.name, {})[product] = window_s
    return Answer({}, message="success")


def query(ctx: Context) -> Answer:
    """GET /v5/account/query-dcp-info: every product group, on once its window was set."""
    windows = ctx.venue.registry.dcp_s.get(ctx.account.name, {})
    rows = [
        {
            "product": product,
            "dcpStatus": "ON" if product in windows else "OFF",
            "timeWindow": str(windows.get(product, DEFAULT_DCP_S)),
        }
        for product in PRODUCTS
    ]
    return Answer({"dcpInfos": rows}, message="success")


def cancel_unguarded(venue: Venue, account: Account, product: str) -> list[Order]:
    """The window has passed without a connection: the orders of the product group are cancelled (CancelByDCP)."""
    category = _CATEGORIES.get(product)
    if category is None:
        return []
    return trading.cancel_all(venue, account, category, "", _ALL_FILTERS, "CancelByDCP")
