"""Private frames: what changed in an account, in the shape of Bybit's private topics."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from infra.simulator.api.shapes.topics import InvalidTopic
from infra.simulator.api.shapes.views import (
    execution_entry,
    fast_execution_entry,
    order_entry,
    position_entry,
    wallet_row,
)
from infra.simulator.venue.margin import Margin, margin
from infra.simulator.venue.model import Account
from infra.simulator.venue.state import Changes, Venue

PRIVATE = "private"
CATEGORIES = ("spot", "linear", "inverse", "option")
_CATEGORISED = {
    "execution": CATEGORIES,
    "execution.fast": CATEGORIES,
    "order": CATEGORIES,
    "position": CATEGORIES[1:],
}
_ORDERED = ("execution", "execution.fast", "order", "position")
_SILENT = ("greeks", "dcp.spot", "dcp.future", "dcp.option")
"""Topics that carry nothing here: there are no options, and a ``dcp`` topic only guards orders."""

PRIVATE_TOPICS = (
    *_ORDERED, *(f"{topic}.{one}" for topic in _ORDERED for one in _CATEGORISED[topic]), "wallet", *_SILENT,
)  # fmt: skip


def check_private_topics(topics: Iterable[str]) -> None:
    """Raises ``InvalidTopic`` for a topic that does not exist, and when one request names a topic both for all
    categories and for one (Bybit's rule)."""
    topics = list(topics)
    for topic in topics:
        if topic not in PRIVATE_TOPICS:
            raise InvalidTopic(f"Invalid topic: {topic}")
    for topic in _ORDERED:
        parts = {f"{topic}.{one}" for one in _CATEGORISED[topic]}
        if topic in topics and parts & set(topics):
            raise InvalidTopic(f"Invalid topic: {topic} and a topic of one category cannot be subscribed together")


class Frame(NamedTuple):
    """A frame with its addressee: the account's name, or None for public; category spot, linear or private."""

    account: str | None
    category: str
    frame: dict[str, Any]


def private_frames(venue: Venue, account: Account, changes: Changes, topics: Collection[str]) -> list[Frame]:
    """The frames of one operation on one account: executions, then orders, positions, wallet."""
    frames: list[Frame] = []

    def add(topic: str, data: list[dict[str, Any]]) -> None:
        body: dict[str, Any] = {"topic": topic, "creationTime": venue.now_ms, "data": data}
        if not topic.startswith("execution.fast"):
            body = {"id": f"{account.uid}_{topic}_{venue.seq}"} | body
        frames.append(Frame(account.name, PRIVATE, body))

    figures: Margin | None = None
    for topic in (one for one in PRIVATE_TOPICS if one in topics):
        kind, category = _parts(topic)
        if kind == "execution":
            data = [execution_entry(row) for row in changes.executions if category in ("", row.data["category"])]
        elif kind == "execution.fast":
            data = [
                fast_execution_entry(row)
                for row in changes.executions
                if row.data["execType"] == "Trade" and category in ("", row.data["category"])
            ]
        elif kind == "order":
            data = [order_entry(order) for order in changes.orders if category in ("", order.category)]
        elif kind == "position" and category in ("", "linear") and changes.positions:
            figures = margin(venue, account) if figures is None else figures
            held = (venue.position(account, symbol) for symbol in changes.positions)
            data = [position_entry(venue, account, position, figures) for position in held]
        elif kind == "wallet" and changes.wallet:
            data = [wallet_row(venue, account)]
        else:
            data = []
        if data:
            add(topic, data)
    return frames


def _parts(topic: str) -> tuple[str, str]:
    """Kind and category of a topic; no category for all of them."""
    kind, _, category = topic.rpartition(".")
    return (kind, category) if category in CATEGORIES else (topic, "")
