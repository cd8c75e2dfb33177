"""Instrument rules per symbol: the newest readable ones are in force; none disappears without a report."""

from __future__ import annotations

from collections.abc import Iterable

from statemachines.commands import Commands
from statemachines.market_data.parameters import Series
from statemachines.requests import MarketSnapshot, SetAside
from statemachines.unusable_data import UnusableData
from statemachines.values import LINEAR, Instrument


class InstrumentRules:
    """The rules in force (`known`) in the configured order; `is_dirty` once they have changed."""

    def __init__(self, symbols: Iterable[Series], unusable: UnusableData) -> None:
        self._symbols = tuple(symbols)
        self._unusable = unusable
        self.known: tuple[Instrument, ...] = ()
        self.is_dirty = False

    def restore(self, known: Iterable[Instrument]) -> None:
        """Restore the rules of a previous incarnation."""
        self.known = tuple(known)

    def intervals_min(self) -> dict[str, int]:
        """The funding interval of each perpetual."""
        return {item.symbol: item.funding_interval_min for item in self.known if item.category == LINEAR}

    def take(self, snapshot: MarketSnapshot) -> Commands:
        """Take the readable rules; the old ones of all other symbols remain in force, even of a symbol that is no
        longer listed, since a holding in it must still be managed. Ends the conditions of symbols that can be read and
        traded again."""
        unread = {(one.category, one.symbol) for one in snapshot.set_aside if one.kind == "instrument"}
        restricted = {(one.category, one.symbol) for one in snapshot.set_aside if one.kind == "status"}
        read = {(item.category, item.symbol): item for item in snapshot.instruments}
        old = {(item.category, item.symbol): item for item in self.known}
        instruments = tuple(
            found for series in self._symbols if (found := read.get(series) or old.get(series)) is not None
        )
        if instruments != self.known:
            self.known = instruments
            self.is_dirty = True
        commands: Commands = []
        for category, symbol in sorted(old.keys() - read.keys() - unread):
            problem = f"the exchange no longer lists {category} {symbol}."
            commands += self._unusable.begin(SetAside(kind="status", category=category, symbol=symbol, problem=problem))
        for series in read:
            if series not in unread:
                commands += self._unusable.end("instrument", *series)
            if series not in restricted:
                commands += self._unusable.end("status", *series)
        return commands
