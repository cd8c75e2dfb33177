"""RM-1: markets, accounts and coins whose data a source reports as unusable: no entries until it is readable again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statemachines.messages.market import DataUnusable
from statemachines.messages.orders import Intent
from statemachines.portfolio.equity import price_key
from statemachines.requests import WHOLE_ACCOUNT
from statemachines.values import Instrument


class UnusableMarkets:
    """The reasons by market ("category:symbol") and source. Mutable."""

    def __init__(self) -> None:
        self._reasons: dict[str, dict[str, str]] = {}

    def take(self, body: DataUnusable) -> None:
        """A source's newest word on a market; an empty reason ends it."""
        sources = self._reasons.setdefault(f"{body.category}:{body.symbol}", {})
        if body.reason:
            sources[body.source] = body.reason
        else:
            sources.pop(body.source, None)
        self._reasons = {market: reasons for market, reasons in self._reasons.items() if reasons}

    def why(self, intent: Intent, instrument: Instrument | None) -> tuple[str, ...]:
        """Why the data of an intent's market, account or coins (reported without a category) cannot be used."""
        if not self._reasons:
            return ()
        coins = () if instrument is None else (instrument.base_coin, instrument.quote_coin)
        whole = f"{WHOLE_ACCOUNT}:{intent.account}"
        keys = (price_key(intent.category, intent.symbol), whole, *(f":{coin}" for coin in coins))
        return tuple(reason for key in keys for reason in self._reasons.get(key, {}).values())

    def as_data(self) -> dict[str, Any]:
        """JSON values; `restore` is its inverse."""
        return {market: dict(reasons) for market, reasons in sorted(self._reasons.items())}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore from the result of `as_data`."""
        self._reasons = {market: dict(reasons) for market, reasons in data.items()}
