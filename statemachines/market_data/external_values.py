"""DA-2: what the sources outside the exchange say, and the report of a source that says nothing."""

from __future__ import annotations

from statemachines.commands import Alert, AlertEnded, Commands
from statemachines.feeds.terms import FeedRead
from statemachines.market_data.machine import MarketDataMachine

FEED = "feed"
"""Condition: an external source gives no value."""


class ExternalValues:
    """Which sources are silent; `reason` (durable) names them, "" when none is."""

    def __init__(self) -> None:
        self.reason = ""

    def take(self, read: FeedRead, machine: MarketDataMachine) -> Commands:
        """DA-2: the value of a source that is down is absent, which is reported once; the rules apply to what
        remains."""
        absent = [name for name, value in (("Fear & Greed", read.fear_greed), ("DVOL", read.dvol)) if value is None]
        names = ", ".join(absent)
        if names == self.reason:
            return []  # reported once; the wording of the reason may differ from day to day
        self.reason = names
        if not absent:
            text = "all external sources respond again"
            return [machine.remark("feed", text, {}), AlertEnded(FEED, text)]
        text = (
            f"{read.reason}. The last values remain in use until they are too old for the rules that read them "
            "(A5, A6). Check the source if this persists."
        )
        note = machine.remark("feed", read.reason, {})
        return [note, Alert("warning", "An external source gives no value", text, FEED)]
