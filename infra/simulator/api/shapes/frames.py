"""Private frames: what changed in an account, in the shape of Bybit's private topics."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from infra.simulator.api.shapes.views import execution_entry, order_entry, position_entry, wallet_row
from infra.simulator.venue.margin import margin
from infra.simulator.venue.model import Account
from infra.simulator.venue.state import Changes, Venue

PRIVATE = "private"
PRIVATE_TOPICS = ("execution", "order", "position", "wallet")


class Frame(NamedTuple):
    """A frame with its addressee: the account's name, or None for public; category spot, linear or private."""

    account: str | None
    category: str
    frame: dict[str, Any]


def private_frames(venue: Venue, account: Account, changes: Changes, topics: Collection[str]) -> list[Frame]:
    """The frames of one operation on one account: executions, then orders, positions, wallet."""
    frames: list[Frame] = []

    def add(topic: str, data: list[dict[str, Any]]) -> None:
        body = {
            "id": f"{account.uid}_{topic}_{venue.seq}",
            "topic": topic,
            "creationTime": venue.now_ms,
            "data": data,
        }
        frames.append(Frame(account.name, PRIVATE, body))

    if changes.executions and "execution" in topics:
        add("execution", [execution_entry(row) for row in changes.executions])
    if changes.orders and "order" in topics:
        add("order", [order_entry(order) for order in changes.orders])
    if changes.positions and "position" in topics:
        figures = margin(venue, account)
        add(
            "position",
            [position_entry(venue, account, venue.position(account, symbol), figures) for symbol in changes.positions],
        )
    if changes.wallet and "wallet" in topics:
        add("wallet", [wallet_row(venue, account)])
    return frames
