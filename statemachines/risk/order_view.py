"""The input of the pre-trade checks: one intent with its context, and what approved intents may still execute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from statemachines.limits.leverage import Exposure
from statemachines.messages.accounts import AccountView, Portfolio
from statemachines.messages.orders import Intent
from statemachines.portfolio.equity import price_key
from statemachines.portfolio.exposure import Totals, account_totals, totals_of
from statemachines.risk.machine import RiskStateName
from statemachines.risk.parameters import EngineLimits, RiskParameters
from statemachines.values import LINEAR, SPOT, Account, Category, Instrument, Side

ZERO = Decimal(0)
_DIGITS = Decimal("0.0001")
_FLAT = (ZERO, ZERO)
HEDGED: frozenset[Account] = frozenset({Account.FUNDING})
"""Accounts whose entries are pairs of a coin and a short of the same size (FU-4)."""


Figure = Decimal | int | str
"""A limit or what was compared with it: an amount, a time in milliseconds, or a name."""


class Refusal(NamedTuple):
    """Why an order may not be sent (RM-1): the check's name (the code of the refusal), the limit that it applies, the
    value that was compared with it (each in the unit that the sentence names), and the sentence."""

    check: str
    limit: Figure
    value: Figure
    reason: str

    def as_data(self) -> dict[str, str]:
        """For the journal: code, limit and value as text."""
        return {"check": self.check, "limit": _figure(self.limit), "value": _figure(self.value)}


class OpenIntent(NamedTuple):
    """An approved intent that has not ended: what it may still execute counts as exposure."""

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
    """What approved intents that have not ended may still fill, kept as sums so that a burst of orders stays cheap.

    Reduce-only intents cannot add to a position and are counted apart. Mutable; maintained by `IntentGate`.
    """

    def __init__(self) -> None:
        self._quantities: dict[PendingKey, Decimal] = {}
        self._closing: dict[PendingKey, Decimal] = {}
        self._committed: dict[Account, Decimal] = {}
        self._exposed = dict.fromkeys(Side, ZERO)
        self._linear: dict[Account, set[str]] = {}
        self._hedged = ZERO
        self._notional = ZERO

    def add(self, intent: OpenIntent) -> None:
        """Add an approved intent."""
        self._count(intent, intent.remaining)

    def remove(self, intent: OpenIntent) -> None:
        """Remove an intent that `add` added."""
        self._count(intent, -intent.remaining)

    def quantity(self, account: Account, category: Category, symbol: str, side: Side) -> Decimal:
        """Quantity that may still be filled of one account, symbol and side."""
        return self._quantities.get((account, category, symbol, side), ZERO)

    def closing(self, account: Account, symbol: str, side: Side) -> Decimal:
        """Quantity that reduce-only orders of one account, perpetual and side may still close."""
        return self._closing.get((account, LINEAR, symbol, side), ZERO)

    def linear_symbols(self, account: Account) -> set[str]:
        """Perpetuals whose positions the account's approved intents may still change."""
        return self._linear.get(account, set())

    def notional_usdt(self) -> Decimal:
        """New risk that approved intents of all accounts may still take, at their reference prices."""
        return self._notional

    def exposure_usdt(self, side: Side) -> Decimal:
        """R4: by how much the new risk that is approved may still move the exposure of all accounts to one side. Orders
        of the other side may not fill and are not counted against it, except those of an account of hedged pairs, whose
        two legs are approved together and net out."""
        hedged = side.sign * self._hedged
        return self._exposed[side] + (hedged if hedged > ZERO else ZERO)

    def committed_usdt(self, account: Account) -> Decimal:
        """Cash that approved spot purchases may still take, at their reference prices."""
        return self._committed.get(account, ZERO)

    def _keep_linear(self, intent: OpenIntent) -> None:
        symbols = self._linear.setdefault(intent.account, set())
        if any((intent.account, LINEAR, intent.symbol, side) in self._quantities for side in Side):
            symbols.add(intent.symbol)
        else:
            symbols.discard(intent.symbol)

    def _count(self, intent: OpenIntent, quantity: Decimal) -> None:
        key = (intent.account, intent.category, intent.symbol, intent.side)
        if intent.reduce_only:
            _add(self._closing, key, quantity)
            return
        if not intent.is_reducing:
            notional = quantity * intent.price
            self._notional += notional
            if intent.account in HEDGED:
                self._hedged += intent.side.sign * notional
            else:
                self._exposed[intent.side] += notional
        _add(self._quantities, key, quantity)
        if intent.category == LINEAR:
            self._keep_linear(intent)
        if intent.category == SPOT and intent.side is Side.BUY:
            cash = self._committed.get(intent.account, ZERO) + quantity * intent.price
            self._committed[intent.account] = cash


@dataclass(frozen=True)
class OrderView:
    """The complete input of a check; a decision depends on nothing else.

    `price` is the symbol's last closed price and `price_ms` the time of that close; `portfolio` is None as long as it
    is not known, with the reasons as sentences in `unknown`; `held` is the account's holding of the symbol (signed
    position or coins), known even when prices are missing; `pending` is what approved intents of all engines may still
    execute; `unusable` lists why the exchange's data about the symbol cannot be used; `totals` are those of the
    portfolio, where they are known already.
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
    totals: Totals | None = None

    @cached_property
    def held_in_all(self) -> Totals | None:
        """What all accounts hold together: `totals`, or computed from the portfolio; None while it is not known."""
        if self.totals is not None or self.portfolio is None:
            return self.totals
        return totals_of(account_totals(one, self.portfolio.prices) for one in self.portfolio.accounts.values())

    @property
    def account(self) -> AccountView | None:
        """The engine's own account; None while the portfolio is not known."""
        return None if self.portfolio is None else self.portfolio.accounts.get(self.intent.account)

    @property
    def notional_usdt(self) -> Decimal:
        """Size of the order at its reference price."""
        return self.intent.quantity * self.intent.reference_price

    @cached_property
    def linear_exposures_after(self) -> Mapping[str, Exposure]:
        """Per linear symbol of the account the exposure after the order: the order's symbol at its reference price, the
        others at their last closed price. An unknown maintenance margin rate is taken as 0."""
        account, intent, portfolio = self.account, self.intent, self.portfolio
        assert account is not None and portfolio is not None
        symbols = {*account.positions, intent.symbol} | self.pending.linear_symbols(intent.account)
        exposures: dict[str, Exposure] = {}
        for symbol in sorted(symbols):
            price = intent.reference_price if symbol == intent.symbol else portfolio.prices[price_key(LINEAR, symbol)]
            rate = self.maintenance_margin.get(symbol, ZERO)
            exposures[symbol] = Exposure(position_after(self, symbol), price, rate)
        return exposures


def is_risk_reducing(order: OrderView) -> bool:
    """Whether the order can only make the absolute position smaller, whichever of our other orders fill first.

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
        # The fill of a buy that is still open here may have reached the engine already: its coins may be sold.
        bought = order.pending.quantity(intent.account, SPOT, intent.symbol, Side.BUY)
        return intent.side is Side.SELL and intent.quantity + same_side <= held + bought
    if held * intent.side.sign >= ZERO:
        return False
    closing = order.pending.closing(intent.account, intent.symbol, intent.side)  # a stop may fill before this one
    return intent.quantity + same_side + closing <= abs(held)


def position_after(order: OrderView, symbol: str) -> Decimal:
    """Largest linear position of the account in `symbol` that open intents and this order can lead to, signed: of a
    long and a short of the same size the short, which is nearer to liquidation."""
    account, intent, pending = order.account, order.intent, order.pending
    assert account is not None
    held = account.positions.get(symbol, _FLAT)[0]
    up = held + pending.quantity(intent.account, LINEAR, symbol, Side.BUY)
    down = held - pending.quantity(intent.account, LINEAR, symbol, Side.SELL)
    if intent.symbol == symbol and intent.side is Side.BUY:
        up += intent.quantity
    elif intent.symbol == symbol:
        down -= intent.quantity
    # A purchase only raises the position and a sale only lowers it, so `held` lies between both.
    return down if abs(down) > abs(up) or (abs(down) == abs(up) and down < ZERO) else up


def _add(sums: dict[PendingKey, Decimal], key: PendingKey, quantity: Decimal) -> None:
    sums[key] = sums.get(key, ZERO) + quantity
    if sums[key] == ZERO:
        del sums[key]


def _figure(figure: Figure) -> str:
    return f"{figure:f}" if isinstance(figure, Decimal) else str(figure)


def percent(fraction: Decimal) -> str:
    """A fraction as text for people, e.g. "12.5000 %"."""
    return f"{(fraction * 100).quantize(_DIGITS)} %"


def usdt(amount: Decimal) -> str:
    """An amount as text for people, e.g. "1000.0000 USDT"."""
    return f"{amount.quantize(_DIGITS)} USDT"
