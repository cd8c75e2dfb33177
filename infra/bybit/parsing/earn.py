"""Rows of the Earn endpoints (bybit-v5 4.6), strictly: what cannot be read is no offer, no position and no yield."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

from infra.bybit.parsing.fields import MAX_QUANTITY, Row, UnparsableError
from statemachines.earn.terms import EarnPosition, EarnProduct, EarnYield, StakingAction

FLEXIBLE = "FlexibleSaving"

_PERCENT = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,12})?)%")
_MOST_DECIMALS = 18
_AVAILABLE = {"Available": True, "NotAvailable": False}
_ACTIONS: dict[StakingAction, str] = {"stake": "Stake", "redeem": "Redeem"}
StakingStatusName = Literal["SUCCESS", "PENDING", "FAILED"]
_STATUSES: dict[str, StakingStatusName] = {"Success": "SUCCESS", "Pending": "PENDING", "Fail": "FAILED"}


def order_type(action: StakingAction) -> str:
    """The exchange's word for an action."""
    return _ACTIONS[action]


def parse_product(row: Row) -> EarnProduct:
    """A flexible product; its rate is a text like "3%"."""
    row.repeats("category", FLEXIBLE)
    status = row.text("status")
    if status not in _AVAILABLE:
        raise row.error("status", status, "Available or NotAvailable")
    least = row.decimal_or_none("minRedeemAmount") if row.has("minRedeemAmount") else None
    if least is not None and least < 0:
        raise row.error("minRedeemAmount", row.raw("minRedeemAmount"), "a number from 0")
    return EarnProduct(
        coin=row.coin("coin"),
        product_id=row.text("productId"),
        yearly_yield=_rate(row, "estimateApr"),
        min_stake=row.quantity("minStakeAmount"),
        max_stake=row.positive("maxStakeAmount", MAX_QUANTITY),
        step=Decimal(1).scaleb(-row.integer("precision", 0, _MOST_DECIMALS)),
        min_redeem=least,
        is_available=_AVAILABLE[status],
    )


def parse_position(row: Row) -> EarnPosition:
    """What is held in one product; all of it can be redeemed unless the row says how much can."""
    amount = row.quantity("amount")
    redeemable = amount
    if row.has("availableAmount") and row.text_or_empty("availableAmount"):
        redeemable = min(amount, row.quantity("availableAmount"))
    return EarnPosition(coin=row.coin("coin"), product_id=row.text("productId"), amount=amount, redeemable=redeemable)


def parse_yield(row: Row, not_after_ms: int) -> EarnYield | None:
    """A payment of yield; None while it is not paid, or if it failed."""
    status = row.text("status")
    if status not in _STATUSES:
        raise row.error("status", status, "Pending, Success or Fail")
    if _STATUSES[status] != "SUCCESS":
        return None
    return EarnYield(
        yield_id=row.text("id"),
        coin=row.coin("coin"),
        amount=row.quantity("amount"),
        paid_ms=row.instant("createdAt", not_after_ms),
    )


def is_pending_yield(row: Row, since_ms: int) -> bool:
    """Whether a payment that `parse_yield` has read is still to be made; one from before `since_ms` never will be."""
    return _STATUSES[row.text("status")] == "PENDING" and row.instant("createdAt") >= since_ms


def parse_status(row: Row) -> StakingStatusName:
    """The state of a staking order."""
    status = row.text("status")
    found = _STATUSES.get(status)
    if found is None:
        raise row.error("status", status, "Pending, Success or Fail")
    return found


def _rate(row: Row, key: str) -> Decimal:
    match = _PERCENT.fullmatch(row.text(key))
    if match is None:
        raise row.error(key, row.raw(key), 'a rate like "3%"')
    return Decimal(match[1]) / 100


def yield_rows(result: Row) -> list[Row]:
    """The rows of an answer about yield, which payloads name `yield` and the documentation `list`."""
    names = [name for name in ("yield", "list") if result.has(name)]
    if len(names) != 1:
        raise UnparsableError(f"{result.what}: a list named 'yield' or 'list' is required, found {len(names)}.")
    return result.rows(names[0], "yield row")
