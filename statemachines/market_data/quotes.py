"""The newest quote of each series: late ones are dropped, withdrawn ones removed, stale ones counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from statemachines.commands import Commands, Send
from statemachines.market_data.parameters import Series
from statemachines.market_data.quality import Counters, Defect
from statemachines.market_data.settlements import Settlements
from statemachines.messages.market import QuotesSeen
from statemachines.requests import Quote
from statemachines.unusable_data import UnusableData
from statemachines.values import LINEAR


class NewestQuotes:
    """Ephemeral: quotes are never committed (DESIGN 1). `stale_ms` None: their age is not checked (lockstep)."""

    def __init__(
        self, counters: Counters, unusable: UnusableData, settlements: Settlements, stale_ms: int | None
    ) -> None:
        self._counters = counters
        self._unusable = unusable
        self._settlements = settlements
        self._stale_ms = stale_ms
        self._quotes: dict[Series, Quote] = {}

    def see(self, quotes: Sequence[Quote], withdrawn: Sequence[Series], announced_ms: int) -> Commands:
        """Take quotes and withdrawals and forward them; a quote ends the condition that its series had none."""
        fresh: list[Quote] = []
        ended: Commands = []
        for series in withdrawn:
            self._quotes.pop(series, None)
            self._settlements.withdraw(series)
        for quote in quotes:
            series = (quote.category, quote.symbol)
            known = self._quotes.get(series)
            if known is not None and quote.market_ms < known.market_ms:
                self._counters.add(Defect.LATE_QUOTE)
                continue
            self._quotes[series] = quote
            if quote.category == LINEAR:
                self._settlements.see(quote, announced_ms)
            fresh.append(quote)
            if self._unusable.open:
                ended += self._unusable.end("quote", *series)
        if not fresh and not withdrawn:
            return ended
        return [Send(QuotesSeen(quotes=tuple(fresh), withdrawn=tuple(withdrawn))), *ended]

    def count_stale(self, active: Collection[Series], at_ms: int) -> None:
        """Count the active series whose newest quote is too old at an instant."""
        if self._stale_ms is None:
            return
        oldest = at_ms - self._stale_ms
        stale = [series for series in active if series in self._quotes and self._quotes[series].market_ms < oldest]
        self._counters.add(Defect.STALE_QUOTE, len(stale))
