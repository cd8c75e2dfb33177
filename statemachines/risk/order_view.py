"""What the pre-trade checks look at: one intent in its surroundings, and what approved intents may still do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from statemachines.limits.leverage import Exposure
from statemachines.messages.accounts import AccountView, Portfolio
from statemachines.messages.orders import Intent
from statemachines.portfolio.equity import price_key
from statemachines.risk.machine import RiskStateName
from statemachines.risk.parameters import EngineLimits, RiskParameters
from statemachines.values import LINEAR, SPOT, Account, Category, Instrument, Side

ZERO = Decimal(0)
_DIGITS = Decimal("0.0001")


class Refusal(NamedTuple):
    """Why an order may not go out: the check's name and a sentence with the numbers."""

    check: str
    reason: str


class OpenIntent(NamedTuple):
    """An approved intent that has not ended: what it may still do counts as exposure."""

    intent_id: str
    account: Account
    category: Category
    symbol: str
    side: Side
    remaining: Decimal
    price: Decimal
    reduce_only: bool
    is_reducing: bool


PendingKey = tuple[Account, Category, str, Side]


class Pending:
    """What approved intents that have not ended may still fill, summed up so that a burst of orders stays cheap.

    Reduce-only intents cannot add to a position and are left out. Mutable; kept by who approves.
    """

    def __init__(self) -> None:
        self._quantities: dict[PendingKey, Decimal] = {}
        self._committed: dict[Account, Decimal] = {}
        self._notional = ZERO

    def add(self, intent: OpenIntent) -> None:
        """Count in an approved intent."""
        self._count(intent, intent.remaining)

    def remove(self, intent: OpenIntent) -> None:
        """Count out what `add` counted in."""
        self._count(intent, -intent.remaining)

    def quantity(self, account: Account, category: Category, symbol: str, side: Side) -> Decimal:
        """Quantity that may still be filled of one account, symbol and side."""
        return self._quantities.get((account, category, symbol, side), ZERO)

    def linear_symbols(self, account: Account) -> set[str]:
        """Perpetuals that the account's approved intents may still move."""
        return {symbol for owner, category, symbol, _ in self._quantities if owner == account and category == LINEAR}

    def notional_usdt(self) -> Decimal:
        """New risk that approved intents of all accounts may still take, at their reference prices."""
        return self._notional

    def committed_usdt(self, account: Account) -> Decimal:
        """Cash that approved spot purchases may still take, at their reference prices."""
        return self._committed.get(account, ZERO)

    def _count(self, intent: OpenIntent, quantity: Decimal) -> None:
        if intent.reduce_only:
            return
        if not intent.is_reducing:
            self._notional += quantity * intent.price
        key = (intent.account, intent.category, intent.symbol, intent.side)
        self._quantities[key] = self._quantities.get(key, ZERO) + quantity
        if self._quantities[key] == ZERO:
            del self._quantities[key]
        if intent.category == SPOT and intent.side is Side.BUY:
            cash = self._committed.get(intent.account, ZERO) + quantity * intent.price
            self._committed[intent.account] = cash


@dataclass(frozen=True, slots=True)
class OrderView:
    """Everything a check may use; a decision depends on nothing else.

    `price` is the symbol's last closed price and `price_ms` the time of that close; `portfolio` is None as long as
    it is not known, with the sentences why in `unknown`; `held` is what the account has of the symbol (signed position
    or coins), known even when prices are missing; `pending` is what approved intents of all engines may still do;
    `unusable` says why what the exchange tells about the symbol cannot be used.
    """

    intent: Intent
    now_ms: int
    parameters: RiskParameters
    limits: EngineLimits
    global_state: RiskStateName
    engine_state: RiskStateName
    entries_blocked_until_ms: int | None
    instrument: Instrument | None
    maintenance_margin: Mapping[str, Decimal]
    price: Decimal | None
    price_ms: int | None
    portfolio: Portfolio | None
    unknown: Sequence[str]
    held: Decimal | None
    pending: Pending
    orders_this_minute: int
    is_repeat: bool
    unusable: Sequence[str] = ()

    @property
    def account(self) -> AccountView | None:
        """The engine's own account; None while the portfolio is not known."""
        return None if self.portfolio is None else self.portfolio.accounts.get(self.intent.account)

    @property
    def notional_usdt(self) -> Decimal:
        """Size of the order at its reference price."""
        return self.intent.quantity * self.intent.reference_price


def is_risk_reducing(order: OrderView) -> bool:
    """Whether the order can only make the absolute position smaller, whatever else of ours fills first.

    Reduce-only orders cannot do otherwise at the exchange. For the rest the *resulting* position is tested: a sale of
    coins that are held or being bought; a linear order against the position that does not flip it.
    """
    intent = order.intent
    if intent.category == LINEAR and intent.reduce_only:
        return True
    held = order.held
    if held is None:
        return False
    same_side = order.pending.quantity(intent.account, intent.category, intent.symbol, intent.side)
    if intent.category == SPOT:
        # A buy that is open here may have filled already for the engine: its coins may be sold again.
        bought = order.pending.quantity(intent.account, SPOT, intent.symbol, Side.BUY)
        return intent.side is Side.SELL and intent.quantity + same_side <= held + bought
    if held * intent.side.sign >= ZERO:
        return False
    return intent.quantity + same_side <= abs(held)


def position_after(order: OrderView, symbol: str) -> Decimal:
    """Largest linear position of the account in `symbol` that open intents and this order can lead to, signed: of a
    long and a short of one size the short, which is nearer to its liquidation."""
    account, intent = order.account, order.intent
    assert account is not None
    held = account.positions.get(symbol, (ZERO, ZERO))[0]
    reach = {
        side: order.pending.quantity(intent.account, LINEAR, symbol, side)
        + (intent.quantity if intent.symbol == symbol and intent.side is side else ZERO)
        for side in Side
    }
    return max(held, held + reach[Side.BUY], held - reach[Side.SELL], key=lambda one: (abs(one), one < ZERO))


def linear_exposures_after(order: OrderView) -> dict[str, Exposure]:
    """Per linear symbol of the account the exposure after the order: the order's symbol at its reference price, the
    others at their last closed price. A maintenance margin rate that is not known stands as 0."""
    account, intent, portfolio = order.account, order.intent, order.portfolio
    assert account is not None and portfolio is not None
    symbols = {*account.positions, intent.symbol} | order.pending.linear_symbols(intent.account)
    exposures: dict[str, Exposure] = {}
    for symbol in sorted(symbols):
        price = intent.reference_price if symbol == intent.symbol else portfolio.prices[price_key(LINEAR, symbol)]
        rate = order.maintenance_margin.get(symbol, ZERO)
        exposures[symbol] = Exposure(position_after(order, symbol), price, rate)
    return exposures


def percent(fraction: Decimal) -> str:
    """A fraction as text for people, e.g. "12.5000 %"."""
    return f"{(fraction * 100).quantize(_DIGITS)} %"


def usdt(amount: Decimal) -> str:
    """An amount as text for people, e.g. "1000.0000 USDT"."""
    return f"{amount.quantize(_DIGITS)} USDT"
