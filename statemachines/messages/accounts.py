"""Messages about accounts: balances, portfolio, funding payments, reconciliation, transfers."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from statemachines.earn.terms import EarnPosition, EarnProduct, StakingAction
from statemachines.messages.envelope import Body
from statemachines.values import Account, ActorName, Frozen


class FundingPaid(Body):
    """A funding settlement on one of our positions: `amount_usdt` positive = received, negative = paid."""

    KIND = "funding_paid"
    CAN_WAIT = True
    execution_id: str
    engine: ActorName
    account: Account
    symbol: str
    amount_usdt: Decimal
    rate: Decimal
    settle_ms: int
    cash_usdt: Decimal


class BalancesKnown(Body):
    """Balances and positions of an account as booked, after reconciliation or a transfer.

    `results` is income less expense by coin that these balances contain for the first time (interest, bonuses,
    conversions); any other difference to the message before came from or went to outside (RULINGS F11). `deposits` and
    `withdrawals` are the parts of it that are known one by one, each above 0: rows of the exchange's log that none of
    our transfers explains.
    `coins` includes what is `staked`, by coin, of the account that stakes (CH-10); `earned` is its Earn income by coin
    since the first start.
    """

    KIND = "balances_known"
    CAN_WAIT = True
    account: Account
    coins: dict[str, Decimal]
    positions: dict[str, tuple[Decimal, Decimal]]
    results: dict[str, Decimal] = Field(default_factory=dict)
    deposits: dict[str, Decimal] = Field(default_factory=dict)
    withdrawals: dict[str, Decimal] = Field(default_factory=dict)
    staked: dict[str, Decimal] = Field(default_factory=dict)
    earned: dict[str, Decimal] = Field(default_factory=dict)


class EarnKnown(Body):
    """What the exchange's Earn offers to an account and what it holds there, as read at `market_ms` (CH-10). None: not
    read now, what was known before stays so. Without access nothing is staked; `problem` is then the reason."""

    KIND = "earn_known"
    account: Account
    market_ms: int
    has_access: bool
    problem: str = ""
    products: tuple[EarnProduct, ...] | None = None
    positions: tuple[EarnPosition, ...] | None = None


class StakingOrdered(Body):
    """An engine orders that coins of its account are staked or redeemed; the order manager performs and books it."""

    KIND = "staking_ordered"
    staking_id: str
    account: Account
    action: StakingAction
    coin: str
    product_id: str
    amount: Decimal
    reason: str


class StakingReported(Body):
    """The state of a staking order: PENDING (the exchange works on it, which may take two days), or its end. `staked`
    is what the account then has in Earn of the coin."""

    KIND = "staking_reported"
    staking_id: str
    account: Account
    action: StakingAction
    coin: str
    amount: Decimal
    state: Literal["PENDING", "DONE", "REJECTED"]
    staked: Decimal
    reason: str = ""


class StakingForgone(Body):
    """What an engine's coins that could have been staked, and were not, would have earned since its first start, in
    coins (CH-11)."""

    KIND = "staking_forgone"
    account: Account
    coin: str
    amount: Decimal


class Reconciled(Body):
    """The order manager has compared its accounts with the exchange (OR-9); `discrepancies` counts the differences,
    `by_account` those of each account that could be compared: one that was busy or unreadable is absent. `details` are
    sentences, each of which begins with its account."""

    KIND = "reconciled"
    market_ms: int
    reason: str
    discrepancies: int
    details: tuple[str, ...] = ()
    by_account: dict[Account, int] = Field(default_factory=dict)


class AccountView(Frozen):
    """One account inside a portfolio: `equity_usdt` = USDT + coins at last close + unrealised P&L."""

    account: Account
    equity_usdt: Decimal
    cash_usdt: Decimal
    coins: dict[str, Decimal] = Field(default_factory=dict)
    positions: dict[str, tuple[Decimal, Decimal]] = Field(default_factory=dict)


class Portfolio(Body):
    """The single view of all accounts; a decision cites the version it is based on."""

    KIND = "portfolio"
    REPLACES_OLDER = True
    CAN_WAIT = True
    version_no: int
    market_ms: int
    equity_usdt: Decimal
    accounts: dict[Account, AccountView]
    prices: dict[str, Decimal]  # "spot:BTCUSDT" → last closed price


class FreeCapital(Body):
    """The orchestrator asks an engine to free capital by its own rules (OR-2, OR-4; C10, O4, A8), once per
    `release_id`. What is freed is kept aside until the transfers of this release have ended; an engine that could free
    less than `least_usdt` frees nothing (O7)."""

    KIND = "free_capital"
    release_id: str
    engine: ActorName
    amount_usdt: Decimal
    least_usdt: Decimal
    reason: str


class CapitalFreed(Body):
    """The engine's one answer to `FreeCapital`: what is free now, in USDT, at most what was asked for."""

    KIND = "capital_freed"
    release_id: str
    engine: ActorName
    freed_usdt: Decimal
    reason: str


class TransferWanted(Body):
    """An engine requests a transfer from the orchestrator (FU-5 owed to TACTICAL, TA-6 returns)."""

    KIND = "transfer_wanted"
    request_id: str
    engine: ActorName
    from_account: Account
    to_account: Account
    coin: str
    amount: Decimal
    purpose: str


class TransferOrdered(Body):
    """The orchestrator orders a transfer; the order manager performs and books it (OR-6)."""

    KIND = "transfer_ordered"
    transfer_id: str
    request_id: str
    from_account: Account
    to_account: Account
    coin: str
    amount: Decimal
    purpose: str


class TransferEnded(Body):
    """A transfer has ended; sent to the orchestrator, the risk manager and the engines on both sides."""

    KIND = "transfer_ended"
    transfer_id: str
    request_id: str
    from_account: Account
    to_account: Account
    coin: str
    amount: Decimal
    purpose: str
    succeeded: bool
    reason: str = ""
