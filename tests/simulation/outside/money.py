"""Money that comes from and goes to outside at the exchange itself, without a word to the system (OR-5)."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

from infra.simulator.api import Exchange
from infra.simulator.venue import treasury
from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.margin import margin, transferable
from infra.simulator.venue.model import Account as VenueAccount
from infra.simulator.venue.model import Row
from infra.simulator.venue.money import ZERO
from infra.simulator.venue.surroundings import custody
from infra.simulator.venue.surroundings.custody import CHAIN, CHAINS, WithdrawalRequest
from statemachines.actor_logic import StateRow
from statemachines.ledger.postings import DEPOSITS, WITHDRAWALS
from statemachines.values import HOUR_MS, Account, floor_to_step
from tests.simulation.faults.points import Fault

USDT = "USDT"
DEPOSIT_SHARES = (Decimal("0.0005"), Decimal("0.02"), Decimal("0.2"), Decimal(1))
"""Of the whole portfolio: from what is not distributed at once to what makes every weight wrong."""

LEAVING_SHARES = (Decimal("0.25"), Decimal("0.5"), Decimal("0.75"), Decimal(1))
"""Of what the account can give at that moment; the rest would have to be freed first."""

KINDS = len(Account) * len(DEPOSIT_SHARES)
"""Into how many an event's extent is divided: which account, and how much."""

_STEP = Decimal("0.01")
_NAMESPACE = uuid.UUID("3d0ff0ae-2a6d-4a2b-9d0c-6a1c6f1f7d31")


class Money:
    """Carries out deposits, withdrawals and transfers by hand, and records what the books must show of them."""

    def __init__(self, exchange: Exchange, books: Callable[[str], StateRow | None]) -> None:
        """`books`: the order manager's row of an account."""
        self._exchange = exchange
        self._books = books
        self.flows: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        """By account and counter-account of the ledger: what came (positive) and went (negative), USDT."""

        self._unseen_ms: dict[str, int] = {}
        self.by_hand: set[str] = set()
        """Ids of transfers at the exchange that are none of ours."""

    def act(self, fault: Fault, extent: int) -> None:
        """One event; `extent` is 1 to `KINDS`. What the exchange refuses does not happen."""
        accounts = [*self._exchange.venue.accounts.values()]
        if not all(self._is_opened(account.name) for account in accounts):
            return  # what is there at the first reading is the opening balance, whoever paid it in
        size, number = divmod((extent - 1) % KINDS, len(accounts))
        account = accounts[number]
        if fault is Fault.DEPOSIT:
            self._deposit(account, DEPOSIT_SHARES[size])
        elif fault is Fault.WITHDRAWAL:
            self._withdraw(account, LEAVING_SHARES[size])
        else:
            self._move(account, accounts[(number + 1 + size) % len(accounts)], LEAVING_SHARES[size])

    @property
    def left(self) -> set[str]:
        """Accounts from which money has left."""
        return {account for (account, counter), amount in self.flows.items() if counter == WITHDRAWALS and amount}

    def portfolio_usdt(self) -> Decimal:
        """The equity of all accounts at the exchange."""
        venue = self._exchange.venue
        return sum((margin(venue, one).equity for one in venue.accounts.values()), ZERO)

    def is_unseen(self, account: str) -> bool:
        """Whether what has left the account is not booked, or was not an hour ago: orders may be under way that were
        sized before."""
        left = self.flows[account, WITHDRAWALS]
        row = self._books(account)
        booked = ZERO
        for counter, _coin, amount in row.data["book"]["balances"] if row is not None else ():
            if counter == WITHDRAWALS:
                booked -= Decimal(amount)
        now_ms = self._exchange.market_time
        if booked != left:
            self._unseen_ms[account] = now_ms
        return account in self._unseen_ms and now_ms < self._unseen_ms[account] + HOUR_MS

    def _is_opened(self, account: str) -> bool:
        row = self._books(account)
        return row is not None and row.state == "OPENED"

    def _deposit(self, account: VenueAccount, share: Decimal) -> None:
        amount = floor_to_step(self.portfolio_usdt() * share, _STEP)
        self._exchange.deposit(account.name, USDT, amount)
        self._flow(account, DEPOSITS, amount)

    def _withdraw(self, account: VenueAccount, share: Decimal) -> None:
        amount = self._part(account, share)
        address = custody.outside_address(account, USDT)
        request = WithdrawalRequest(USDT, CHAIN, address, "", amount, "UTA", inclusive=True, request_id="")
        if amount < CHAINS[USDT].least + CHAINS[USDT].fee:
            return
        try:
            self._exchange.incident(lambda venue: _discarded(custody.withdraw(venue, account, request)))
        except VenueError:
            return  # too soon after the last one, or more than may leave at once
        self._flow(account, WITHDRAWALS, -amount)

    def _move(self, source: VenueAccount, target: VenueAccount, share: Decimal) -> None:
        amount = self._part(source, share)
        if amount <= 0 or source is target:
            return
        identity = str(uuid.uuid5(_NAMESPACE, str(len(self.by_hand))))
        ways = (source, "UNIFIED"), (target, "UNIFIED")
        self._exchange.incident(
            lambda venue: _discarded(treasury.universal_transfer(venue, identity, USDT, amount, *ways))
        )
        self.by_hand.add(identity)
        self._flow(source, WITHDRAWALS, -amount)
        self._flow(target, DEPOSITS, amount)

    def _part(self, account: VenueAccount, share: Decimal) -> Decimal:
        return floor_to_step(transferable(self._exchange.venue, account, USDT) * share, _STEP)

    def _flow(self, account: VenueAccount, counter: str, amount: Decimal) -> None:
        self.flows[account.name, counter] += amount


def _discarded(_row: Row) -> None:
    """The exchange's record of it stays with the exchange."""
