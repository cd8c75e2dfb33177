"""A report for people: sent once over each channel that takes reports, by the same deliveries as alerts."""

from __future__ import annotations

from dataclasses import dataclass

from statemachines.notifications.message import ChannelName


@dataclass(frozen=True, slots=True)
class Report:
    """`key` names it permanently, such as "daily:2026-11-28": a report of a key that is recorded is not sent again.

    `text` is its plain form, `html` a self-contained page; `market_ms` the market time that it is about.
    """

    key: str
    title: str
    text: str
    html: str | None
    market_ms: int

    def delivery_id(self, channel: ChannelName) -> str:
        """The id of its delivery over a channel."""
        return f"report:{self.key}/{channel}"
