"""The risk manager's view of all accounts: holdings from the order manager's messages, prices from closed bars.

The order manager's figures are absolute (balances after a fill), so nothing is summed up that is reported as a total.
Deposits, withdrawals and transfers are kept per account as flows, so that results can be measured without them
(RULINGS F11).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.facts import BarFact, PortfolioFact
from statemachines.messages.accounts import BalancesKnown, FundingPaid, Portfolio, TransferEnded
from statemachines.messages.orders import Fill
from statemachines.portfolio.amounts import decimals_of, texts_of
from statemachines.portfolio.equity import USDT, ZERO, Holdings, coin_value_usdt, price_key, spot_key
from statemachines.portfolio.flows import AccountFlows, Flows
from statemachines.portfolio.volumes import HourlyVolumes
from statemachines.state_store import RowKind
from statemachines.values import DAY_MS, ENGINE_OF, HOUR_MS, SPOT, Account, Category, Instrument

REQUIRED_ACCOUNTS: tuple[Account, ...] = tuple(sorted(ENGINE_OF))
"""Accounts without which there is no portfolio; MASTER is included as soon as its balances are known."""

_INTERVAL_MS = {"60": HOUR_MS, "D": DAY_MS}


class AccountHoldings:
    """Holdings and prices as last reported. Mutable."""

    def __init__(self) -> None:
        self._balances: dict[Account, dict[str, Decimal]] = {}
        self._positions: dict[Account, dict[str, tuple[Decimal, Decimal]]] = {}
        self._balances_cause: dict[Account, str] = {}
        self._flows: dict[Account, AccountFlows] = defaultdict(AccountFlows)
        self.prices: dict[str, Decimal] = {}
        self.price_ms: dict[str, int] = {}
        self.volumes = HourlyVolumes()

    # --- updates ---

    def take_balances(self, body: BalancesKnown, cause: str) -> None:
        """Balances and positions as booked; a difference that is neither expected nor a result is an external flow.
        Where the message names what came and what went and that is all of it, the two are summed apart.

        `cause` is the message's cause: a transfer that ended in the same decision is already included in these figures.
        """
        before, flows = self._balances.get(body.account, {}), self._flows[body.account]
        for coin in sorted({*before, *body.coins, *body.results, *body.deposits, *body.withdrawals}):
            change = body.coins.get(coin, ZERO) - before.get(coin, ZERO)
            flow = change - body.results.get(coin, ZERO)
            came, went = body.deposits.get(coin, ZERO), body.withdrawals.get(coin, ZERO)
            parts = (came, -went) if came - went == flow else (flow,)
            for part in parts:
                flows.add(coin, part)
        self._balances[body.account] = dict(body.coins)
        self._positions[body.account] = {s: p for s, p in body.positions.items() if p[0] != ZERO}
        self._balances_cause[body.account] = cause

    def take_fill(self, body: Fill, base_coin: str) -> None:
        """One execution; ignored until the account's balances, which will include it, are known."""
        balances = self._balances.get(body.account)
        if balances is None:
            return
        balances[USDT] = body.cash_usdt
        if body.category == SPOT:
            balances[base_coin] = body.position_quantity
            return
        positions = self._positions[body.account]
        positions.pop(body.symbol, None)
        if body.position_quantity != ZERO:
            positions[body.symbol] = (body.position_quantity, body.position_price)

    def take_funding(self, body: FundingPaid) -> None:
        """A settlement on one of our positions."""
        balances = self._balances.get(body.account)
        if balances is not None:
            balances[USDT] = body.cash_usdt

    def take_transfer(self, body: TransferEnded, cause: str) -> None:
        """A transfer between accounts, unless the same decision's `BalancesKnown` already includes it."""
        if not body.succeeded:
            return
        sides = (body.from_account, body.to_account, -body.amount), (body.to_account, body.from_account, body.amount)
        for account, other, amount in sides:
            balances, flows = self._balances.get(account), self._flows[account]
            if balances is None:
                continue
            if cause and self._balances_cause.get(account) == cause:
                flows.take_back(body.coin, amount)
            else:
                balances[body.coin] = balances.get(body.coin, ZERO) + amount
            flows.transferred(other, body.coin, amount)

    def take_bars(self, bars: Sequence[BarFact]) -> None:
        """Closed bars; the newest close of each symbol is its price, the hourly ones give its volume."""
        self.volumes.take(bars)
        for bar in bars:
            key, close_ms = price_key(bar.category, bar.symbol), bar.start_ms + _INTERVAL_MS[bar.interval]
            if close_ms >= self.price_ms.get(key, 0):
                self.prices[key], self.price_ms[key] = bar.close, close_ms

    # --- views ---

    def holdings(self, valued_coins: frozenset[str]) -> dict[Account, Holdings]:
        """All known accounts. A coin outside `valued_coins` (we have no instrument for it) is left out; see
        `foreign`."""
        return {
            account: Holdings(
                {coin: amount for coin, amount in balances.items() if coin == USDT or coin in valued_coins},
                self._positions[account],
            )
            for account, balances in self._balances.items()
        }

    def foreign(self, valued_coins: frozenset[str]) -> list[str]:
        """Coins held that none of our instruments can value, as "account coin amount"."""
        return [
            f"{account} {coin} {amount}"
            for account, balances in sorted(self._balances.items())
            for coin, amount in sorted(balances.items())
            if amount != ZERO and coin != USDT and coin not in valued_coins
        ]

    def missing(self, valued_coins: frozenset[str]) -> list[str]:
        """Why the portfolio is unknown, as sentences; empty when it is known. Missing is never zero."""
        found = [f"the balances of {a} are not known" for a in REQUIRED_ACCOUNTS if a not in self._balances]
        for account, holdings in sorted(self.holdings(valued_coins).items()):
            needed = [spot_key(c) for c, amount in sorted(holdings.balances.items()) if c != USDT and amount != ZERO]
            needed += [price_key("linear", symbol) for symbol in sorted(holdings.positions)]
            found += [f"{account} holds {k} without a known price" for k in needed if k not in self.prices]
        return found

    def held(self, account: Account, instrument: Instrument) -> Decimal | None:
        """Signed linear position or coins of the account; None while its balances are not known."""
        if account not in self._balances:
            return None
        if instrument.category == SPOT:
            return self._balances[account].get(instrument.base_coin, ZERO)
        return self._positions[account].get(instrument.symbol, (ZERO, ZERO))[0]

    def price_of(self, category: Category, symbol: str) -> tuple[Decimal, int] | None:
        """Last closed price and the time of that close."""
        key = price_key(category, symbol)
        return (self.prices[key], self.price_ms[key]) if key in self.prices else None

    def flows_of(self, accounts: Collection[Account]) -> Flows:
        """What came to the accounts together and what left them since `clear_flows`, at the last closed prices;
        transfers between two of them are none.

        Flows in coins that none of our instruments values are left out, as the coins themselves are.
        """
        parts = [self._flows[account].totals(accounts, self._value_usdt) for account in accounts]
        return Flows(sum((one.inflow_usdt for one in parts), ZERO), sum((one.outflow_usdt for one in parts), ZERO))

    def _value_usdt(self, coin: str, amount: Decimal) -> Decimal:
        is_valued = coin == USDT or spot_key(coin) in self.prices
        return coin_value_usdt(coin, amount, self.prices) if is_valued else ZERO

    def clear_flows(self) -> None:
        """Reset the flows once a measurement has taken them into account."""
        self._flows.clear()

    # --- durability ---

    def account_data(self, account: Account) -> dict[str, Any]:
        """The durable state of one account."""
        return {
            "known": account in self._balances,
            "balances": texts_of(self._balances.get(account, {})),
            "positions": {s: [str(q), str(p)] for s, (q, p) in sorted(self._positions.get(account, {}).items())},
            "cause": self._balances_cause.get(account, ""),
            "flows": self._flows[account].to_data(),
        }

    def restore_account(self, account: Account, data: Mapping[str, Any]) -> None:
        """Restore from the result of `account_data`."""
        self._flows[account] = AccountFlows.of(data["flows"])
        if not data["known"]:
            return
        self._balances[account] = decimals_of(data["balances"])
        self._positions[account] = {s: (Decimal(q), Decimal(p)) for s, (q, p) in data["positions"].items()}
        self._balances_cause[account] = str(data["cause"])

    def price_data(self) -> dict[str, Any]:
        """The durable state of the prices."""
        return {key: [str(price), self.price_ms[key]] for key, price in sorted(self.prices.items())}

    def restore_prices(self, data: Mapping[str, Any]) -> None:
        """Restore from the result of `price_data`."""
        for key, (price, close_ms) in data.items():
            self.prices[key], self.price_ms[key] = Decimal(price), int(close_ms)


def _netted_flows(row: StateRow) -> StateRow:
    """Schema 1 summed what came and what went to one figure per coin."""
    net = decimals_of(row.data["flows"])
    flows = AccountFlows()
    for coin, amount in net.items():
        flows.add(coin, amount)
    return row._replace(schema=2, data={**row.data, "flows": flows.to_data()})


ACCOUNTS = RowKind("account:", 2, {1: _netted_flows})
"""The rows of the accounts, and their former shape."""


def portfolio_fact(portfolio: Portfolio) -> PortfolioFact:
    """A version of the portfolio as a durable row."""
    data = portfolio.model_dump(mode="json", include={"accounts", "prices"})
    return PortfolioFact(
        version=portfolio.version_no, market_ms=portfolio.market_ms, equity_usdt=portfolio.equity_usdt, data=data
    )
