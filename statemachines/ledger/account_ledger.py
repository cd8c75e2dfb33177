"""The ledger of one account: balances per coin, changed by postings only, and linear positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from statemachines.facts import PostingFact
from statemachines.ledger.exact import add
from statemachines.ledger.positions import Position
from statemachines.ledger.postings import EARN, EARN_INCOME, WALLET
from statemachines.portfolio.equity import USDT
from statemachines.values import EARN_ACCOUNT, Account

ZERO = Decimal(0)


class AccountLedger:
    """Balances of one account per (ledger account, coin) and its positions per symbol."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.balances: dict[tuple[str, str], Decimal] = {}
        self.positions: dict[str, Position] = {}

    def post(self, posting: PostingFact) -> None:
        """Apply those lines of a posting that concern this account."""
        for line in posting.lines:
            if line.account == self.account:
                key = (line.ledger_account, line.coin)
                self.balances[key] = add(self.balances.get(key, ZERO), line.amount)

    def wallet(self, coin: str) -> Decimal:
        """Wallet balance in the coin; 0 when it was never held."""
        return self.balances.get((WALLET, coin), ZERO)

    def coins(self) -> dict[str, Decimal]:
        """All wallet balances that are not zero, by coin in alphabetical order."""
        return self._of(WALLET)

    def in_earn(self) -> dict[str, Decimal]:
        """What is in flexible Earn products, by coin in alphabetical order."""
        return self._of(EARN)

    def staked(self) -> dict[str, Decimal]:
        """What counts as held although it is in Earn (CH-10, C9). USDT does not: cash is what can be spent, and this
        system stakes none."""
        if self.account is not EARN_ACCOUNT:
            return {}
        return {coin: amount for coin, amount in self.in_earn().items() if coin != USDT}

    def earned(self) -> dict[str, Decimal]:
        """Income from Earn since the first start, by coin in alphabetical order."""
        return {coin: amount.copy_negate() for coin, amount in self._of(EARN_INCOME).items()}

    def held(self, coin: str) -> Decimal:
        """The coins of the account: its wallet, and what it has staked."""
        return add(self.wallet(coin), self.staked().get(coin, ZERO))

    def holdings(self) -> dict[str, Decimal]:
        """All coins held that are not zero, by coin in alphabetical order."""
        found = {coin: self.held(coin) for coin in {*self.coins(), *self.staked()}}
        return {coin: amount for coin, amount in sorted(found.items()) if amount}

    def _of(self, ledger_account: str) -> dict[str, Decimal]:
        found = {coin: amount for (name, coin), amount in self.balances.items() if name == ledger_account and amount}
        return dict(sorted(found.items()))

    def position(self, symbol: str) -> Position:
        return self.positions.get(symbol, Position())

    def set_position(self, symbol: str, position: Position) -> None:
        if position.quantity:
            self.positions[symbol] = position
        else:
            self.positions.pop(symbol, None)

    def open_positions(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Signed quantity and average price per symbol held, in alphabetical order."""
        return {symbol: (held.quantity, held.average_price) for symbol, held in sorted(self.positions.items())}

    def as_data(self) -> dict[str, Any]:
        """JSON values; `from_data` is its inverse."""
        return {
            "balances": [[name, coin, str(amount)] for (name, coin), amount in self.balances.items()],
            "positions": {
                symbol: [str(held.quantity), str(held.entry_value)] for symbol, held in self.positions.items()
            },
        }

    @classmethod
    def from_data(cls, account: Account, data: Mapping[str, Any]) -> AccountLedger:
        """The ledger restored from the result of `as_data`."""
        book = cls(account)
        book.balances = {(name, coin): Decimal(amount) for name, coin, amount in data["balances"]}
        book.positions = {
            symbol: Position(Decimal(quantity), Decimal(value))
            for symbol, (quantity, value) in data["positions"].items()
        }
        return book


def trial_balance(books: Iterable[AccountLedger]) -> dict[str, Decimal]:
    """Sum of all ledger accounts of all accounts per coin; all zero when the ledger balances (OR-6)."""
    sums: dict[str, Decimal] = {}
    for book in books:
        for (_name, coin), amount in book.balances.items():
            sums[coin] = add(sums.get(coin, ZERO), amount)
    return sums
