"""The whole venue as JSON-ready data, and back. Decimals as strings; nothing executable, no pickle."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

from infra.simulator.config import SimConfig
from infra.simulator.market.port import Market
from infra.simulator.venue import earn
from infra.simulator.venue.conditions import Conditions
from infra.simulator.venue.model import Account, EarnBook, Order, Position, Row
from infra.simulator.venue.registers import registry
from infra.simulator.venue.state import Venue

FORMAT = 2
READABLE = (1, FORMAT)
"""Format 1 has no Earn: nothing could be staked then."""


class SnapshotError(ValueError):
    """A snapshot that does not belong to this format, market or set of accounts; the exchange refuses to start."""


def dump(venue: Venue) -> dict[str, Any]:
    """The venue's state between two inputs."""
    return {
        "format": FORMAT,
        "market": venue.market.label,
        "now_ms": venue.now_ms,
        "hour_ms": venue.hour_ms,
        "stage": venue.stage,
        "step": venue.step,
        "ended": venue.ended,
        "queue": [list(item) for item in venue.queue],
        "seq": venue.seq,
        "price_hour_ms": venue.prices.hour_ms,
        "price_index": venue.prices.index,
        "accounts": [_account(account) for account in venue.accounts.values()],
        "transfers": {key: list(row) for key, row in venue.transfers.items()},
        "inter_transfers": {key: list(row) for key, row in venue.inter_transfers.items()},
        "deposits": [list(row) for row in venue.deposits],
        "registry": registry.dump(venue.registry),
        "conditions": venue.conditions.dump(),
    }


def load(market: Market, config: SimConfig, data: dict[str, Any]) -> Venue:
    """The venue of a snapshot. Raises ``SnapshotError`` when it was made with another market or other accounts."""
    if data.get("format") not in READABLE:
        raise SnapshotError(f"The snapshot has format {data.get('format')!r}; this version reads format {FORMAT}.")
    if data["market"] != market.label:
        raise SnapshotError(
            f"The state belongs to the market {data['market']!r}, but the exchange was started with {market.label!r}."
        )
    venue = Venue(market, config)
    names = [one["name"] for one in data["accounts"]]
    # Accounts made by request follow those of the configuration.
    if names[: len(venue.accounts)] != list(venue.accounts):
        raise SnapshotError(f"The snapshot has the accounts {names}; configured are {list(venue.accounts)}.")
    for key in ("now_ms", "hour_ms", "stage", "step", "ended", "seq"):
        setattr(venue, key, data[key])
    venue.queue = [list(item) for item in data["queue"]]
    venue.prices.move(data["price_hour_ms"], data["price_index"])
    for one in data["accounts"]:
        account = _load_account(one)
        venue.accounts[account.name] = account
    venue.own_volume.recount(venue.accounts.values(), venue.now_ms)
    venue.by_uid = {account.uid: account for account in venue.accounts.values()}
    venue.transfers = {key: Row(*row) for key, row in data["transfers"].items()}
    venue.inter_transfers = {key: Row(*row) for key, row in data["inter_transfers"].items()}
    venue.deposits = [Row(*row) for row in data["deposits"]]
    # Snapshots of earlier versions have no registry.
    venue.registry = registry.load(data.get("registry", {}))
    earn.reopen(venue)
    venue.conditions = Conditions.load(data.get("conditions", {}))
    if venue.conditions.shocks:
        venue.prices_changed()
    return venue


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


def _record(item: Order | Position) -> dict[str, Any]:
    return {one.name: _plain(getattr(item, one.name)) for one in fields(item)}


def _account(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "uid": account.uid,
        "is_master": account.is_master,
        "wallet": _plain(account.wallet),
        "fund": _plain(account.fund),
        "cum_realised": str(account.cum_realised),
        "margin_mode": account.margin_mode,
        "updated_ms": account.updated_ms,
        "orders": [_record(order) for order in account.orders.values()],
        "open": list(account.open),
        "closed": list(account.closed),
        "links": dict(account.links),
        "positions": [_record(position) for position in account.positions.values()],
        "executions": [list(row) for row in account.executions],
        "log": [list(row) for row in account.log],
        "closed_pnl": [list(row) for row in account.closed_pnl],
        "earn": account.earn.dump(),
    }


def _decimals(data: dict[str, str]) -> dict[str, Decimal]:
    return {key: Decimal(value) for key, value in data.items()}


_ORDER_DECIMALS = frozenset(one.name for one in fields(Order) if one.type == "Decimal")
_POSITION_DECIMALS = frozenset(one.name for one in fields(Position) if one.type == "Decimal")


def _load_order(data: dict[str, Any]) -> Order:
    values: dict[str, Any] = {k: Decimal(v) if k in _ORDER_DECIMALS else v for k, v in data.items()}
    values["fees"] = _decimals(data["fees"])
    return Order(**values)


def _load_position(data: dict[str, Any]) -> Position:
    values: dict[str, Any] = {k: Decimal(v) if k in _POSITION_DECIMALS else v for k, v in data.items()}
    return Position(**values)


def _load_account(data: dict[str, Any]) -> Account:
    orders = {one["id"]: _load_order(one) for one in data["orders"]}
    positions = {one["symbol"]: _load_position(one) for one in data["positions"]}
    return Account(
        data["name"],
        data["uid"],
        data["is_master"],
        wallet=_decimals(data["wallet"]),
        fund=_decimals(data["fund"]),
        cum_realised=Decimal(data["cum_realised"]),
        margin_mode=data["margin_mode"],
        updated_ms=data["updated_ms"],
        orders=orders,
        open={key: orders[key] for key in data["open"]},
        closed=list(data["closed"]),
        links=dict(data["links"]),
        positions=positions,
        executions=[Row(*row) for row in data["executions"]],
        log=[Row(*row) for row in data["log"]],
        closed_pnl=[Row(*row) for row in data["closed_pnl"]],
        earn=EarnBook.load(data["earn"]) if "earn" in data else EarnBook(),
    )
