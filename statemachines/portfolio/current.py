"""The one current view of all accounts: holdings, instruments, what is missing, and the newest published version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from statemachines.messages.accounts import AccountView, Portfolio
from statemachines.portfolio.equity import account_view, portfolio_of, price_key
from statemachines.portfolio.exposure import Totals, account_totals, totals_of
from statemachines.portfolio.holdings import AccountHoldings
from statemachines.values import LINEAR, SPOT, Account, Category, Instrument


class CurrentPortfolio:
    """Mutable. What it answers is kept until `changed` says that something it follows from is different: a burst of
    orders asks again and again."""

    def __init__(self) -> None:
        self.holdings = AccountHoldings()
        self.instruments: dict[str, Instrument] = {}
        """By `price_key`."""
        self.margin_rates: dict[str, Decimal] = {}
        """Maintenance margin rate of each perpetual, of its first risk tier."""
        self.version = 0
        """Number of the newest version published."""
        self.is_reconciled = False
        self._views: dict[Account, AccountView] = {}
        self._totals: dict[Account, Totals] = {}
        self._total: Totals | None = None
        self._whole: Portfolio | None = None
        self._missing: Sequence[str] | None = None

    def changed(self, account: Account | None = None) -> None:
        """What is known of an account, or (None) of prices, instruments or all accounts, is different now."""
        if account is None:
            self._views.clear()
            self._totals.clear()
        else:
            self._views.pop(account, None)
            self._totals.pop(account, None)
        self._whole = self._missing = self._total = None

    def take_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Add or replace instruments."""
        self.instruments.update({price_key(one.category, one.symbol): one for one in instruments})
        linear = (one for one in self.instruments.values() if one.category == LINEAR)
        self.margin_rates = {one.symbol: one.maintenance_margin_rate for one in linear}
        self.changed()

    def instruments_data(self) -> dict[str, Any]:
        """JSON values; `restore_instruments` is its inverse."""
        return {key: one.model_dump(mode="json") for key, one in sorted(self.instruments.items())}

    def restore_instruments(self, data: Mapping[str, Any]) -> None:
        """Restore from the result of `instruments_data`."""
        self.take_instruments(Instrument.model_validate(one) for one in data.values())

    def instrument(self, category: Category, symbol: str) -> Instrument | None:
        """The rules of a symbol; None while they are not known."""
        return self.instruments.get(price_key(category, symbol))

    def valued_coins(self) -> frozenset[str]:
        """Coins that one of our instruments values."""
        return frozenset(one.base_coin for one in self.instruments.values() if one.category == SPOT)

    def missing(self) -> Sequence[str]:
        """Why there is no portfolio yet, as sentences; empty when there is one."""
        if self._missing is None:
            found = [] if self.is_reconciled else ["our accounts have not been reconciled with the exchange yet"]
            found += [] if self.instruments else ["the instruments are not known yet"]
            self._missing = found + self.holdings.missing(self.valued_coins())
        return self._missing

    def view(self, now_ms: int) -> Portfolio | None:
        """The portfolio under the newest version number; None while it is not known."""
        if self._whole is None:
            if self.missing():
                return None
            prices = self.holdings.prices
            for account, held in self.holdings.holdings(self.valued_coins()).items():
                if account not in self._views:
                    self._views[account] = account_view(account, held, prices)
            self._whole = portfolio_of(self.version, now_ms, self._views, prices)
        return self._whole

    def totals(self, portfolio: Portfolio) -> Totals:
        """What the accounts of the current portfolio hold together."""
        if self._total is None:
            for account, view in portfolio.accounts.items():
                if account not in self._totals:
                    self._totals[account] = account_totals(view, portfolio.prices)
            self._total = totals_of(self._totals.values())
        return self._total

    def next_version(self, now_ms: int) -> Portfolio | None:
        """The portfolio under a new version number; None while it is not known."""
        if self.missing():
            return None
        self.version += 1
        self._whole = None
        return self.view(now_ms)
