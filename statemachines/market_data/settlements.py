"""When funding settles and which rate is predicted next (F2): from quotes, else from the instruments' intervals."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from statemachines.facts import FundingRateFact
from statemachines.market_data.parameters import Series
from statemachines.messages.market import FundingSettled
from statemachines.requests import Quote
from statemachines.values import LINEAR, MINUTE_MS


class Settlements:
    """The upcoming settlements, and the rates that are read but not yet announced."""

    def __init__(self) -> None:
        self.last_rates: dict[str, Decimal] = {}
        self.intervals_min: dict[str, int] = {}
        self._due: dict[str, int] = {}
        self._newest_next: dict[str, int] = {}
        self._quotes: dict[str, Quote] = {}
        self._rates: dict[int, dict[str, FundingRateFact]] = {}

    def see(self, quote: Quote, announced_ms: int) -> None:
        """Take the next settlement from a linear quote. A settlement that is due and not announced yet stays due, since
        the ticker already shows the following one at the instant of the settlement."""
        self._quotes[quote.symbol] = quote
        upcoming = quote.next_funding_ms
        if upcoming is None:
            return
        self._newest_next[quote.symbol] = upcoming
        due = self._due.get(quote.symbol)
        if due is None or due <= announced_ms or upcoming < due:
            self._due[quote.symbol] = upcoming

    def withdraw(self, series: Series) -> None:
        """The quote is no longer valid; the time of the next settlement is unaffected."""
        if series[0] == LINEAR:
            self._quotes.pop(series[1], None)

    def due(self, close_ms: int, announced_ms: int, symbols: tuple[str, ...]) -> tuple[str, ...]:
        """The symbols with a settlement after `announced_ms` and not after `close_ms`."""
        return tuple(symbol for symbol in symbols if self._is_due(symbol, close_ms, announced_ms))

    def _is_due(self, symbol: str, close_ms: int, announced_ms: int) -> bool:
        due = self._due.get(symbol)
        interval_ms = self.intervals_min.get(symbol, 0) * MINUTE_MS
        if due is not None and due > announced_ms:
            # After a downtime the ticker already shows the settlement that follows the one not announced yet.
            return due <= close_ms or announced_ms < due - interval_ms <= close_ms
        return interval_ms > 0 and close_ms // interval_ms > announced_ms // interval_ms

    def take(self, rate: FundingRateFact) -> None:
        """Take a settled rate that is to be announced."""
        self._rates.setdefault(rate.settle_ms, {})[rate.symbol] = rate

    def learn(self, rate: FundingRateFact) -> None:
        """Take a past settled rate that is not announced."""
        self.last_rates[rate.symbol] = rate.rate

    def lacking(self, close_ms: int, due: tuple[str, ...]) -> tuple[str, ...]:
        """Due symbols without a rate although the exchange has published rates of them before."""
        known = {symbol for at, rates in self._rates.items() if at <= close_ms for symbol in rates}
        return tuple(symbol for symbol in due if symbol in self.last_rates and symbol not in known)

    def announce(self, close_ms: int) -> list[FundingSettled]:
        """Messages for everything settled up to `close_ms`, oldest first; each is returned once."""
        messages: list[FundingSettled] = []
        for settle_ms in sorted(at for at in self._rates if at <= close_ms):
            rates = self._rates.pop(settle_ms)
            for rate in rates.values():
                self.learn(rate)
            messages.append(
                FundingSettled(
                    settle_ms=settle_ms,
                    rates={symbol: rates[symbol].rate for symbol in sorted(rates)},
                    predicted={symbol: self._predicted(rates[symbol]) for symbol in sorted(rates)},
                    interval_min={symbol: rates[symbol].interval_min for symbol in sorted(rates)},
                )
            )
        self._due = {symbol: at for symbol, at in self._newest_next.items() if at > close_ms}
        return messages

    def _predicted(self, settled: FundingRateFact) -> Decimal:
        """The quote's rate if it is for the interval that began with this settlement; otherwise the settled rate
        itself."""
        quote = self._quotes.get(settled.symbol)
        if quote is None or quote.predicted_funding_rate is None or quote.next_funding_ms is None:
            return settled.rate
        began = quote.next_funding_ms - settled.interval_min * MINUTE_MS
        is_current = quote.market_ms >= settled.settle_ms and began <= settled.settle_ms < quote.next_funding_ms
        return quote.predicted_funding_rate if is_current else settled.rate

    def dump(self) -> dict[str, str]:
        return {symbol: str(rate) for symbol, rate in sorted(self.last_rates.items())}

    def load(self, rates: Mapping[str, str]) -> None:
        self.last_rates = {symbol: Decimal(rate) for symbol, rate in rates.items()}
