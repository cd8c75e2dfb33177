"""Values shared by every machine: names of accounts and actors, instruments, rounding to their steps.

Money (prices, quantities, rates, cash) is `Decimal`; instants are integer milliseconds UTC (`_ms`).
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from statemachines.engines import EngineIdentity, discovered

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
HOURLY, DAILY = "60", "D"
"""Intervals of bars, by the exchange's names."""


IDENTITIES: tuple[EngineIdentity, ...] = discovered()
"""The engines that exist, in their order; see `statemachines.engines`."""


class Account(StrEnum):
    """The master account and one sub-account per engine (SPEC chapter 1)."""

    MASTER = "MASTER"
    if TYPE_CHECKING:  # the members that the code names; all of them come from the engines' folders
        CORE_HODL = "CORE-HODL"
        TREND_1 = "TREND-1"
        TREND_2 = "TREND-2"
        FUNDING = "FUNDING"
        TACTICAL = "TACTICAL"
    else:
        vars().update({engine.key: engine.account for engine in IDENTITIES})


class Sleeve(StrEnum):
    """The parts of the portfolio that have a weight (OR-1, OR-2): one per engine, but one for both TREND engines."""

    if TYPE_CHECKING:  # the members that the code names; all of them come from the engines' folders
        CORE_HODL = "CORE-HODL"
        TREND = "TREND"
        FUNDING = "FUNDING"
        TACTICAL = "TACTICAL"
    else:
        vars().update({engine.sleeve_key: engine.sleeve_key.replace("_", "-") for engine in IDENTITIES})


class ActorName(StrEnum):
    """Names of the actors: their identity on the wire, in the database and in the Ray dashboard."""

    MARKET_DATA = "market-data"
    if TYPE_CHECKING:
        CORE_HODL = "core-hodl"
        TREND_1 = "trend-1"
        TREND_2 = "trend-2"
        FUNDING = "funding"
        TACTICAL = "tactical"
    else:
        vars().update({engine.key: engine.name for engine in IDENTITIES})
    RISK_MANAGER = "risk-manager"
    ORDER_MANAGER = "order-manager"
    ORCHESTRATOR = "orchestrator"
    API = "api"
    NOTIFIER = "notifier"


class Foundation(StrEnum):
    """The foundations of the actors: supervised by the launch process, which raises their alerts."""

    DATABASE = "database"
    EXCHANGE = "exchange"
    RAY = "ray"
    DEAD_MAN = "dead-man-switch"


IDENTITY_OF: dict[ActorName, EngineIdentity] = {ActorName(engine.name): engine for engine in IDENTITIES}
ENGINES: tuple[ActorName, ...] = tuple(IDENTITY_OF)
ACCOUNT_OF: dict[ActorName, Account] = {name: Account(engine.account) for name, engine in IDENTITY_OF.items()}
SLEEVE_OF: dict[ActorName, Sleeve] = {name: Sleeve[engine.sleeve_key] for name, engine in IDENTITY_OF.items()}
DERIVATIVE_ENGINES: tuple[ActorName, ...] = tuple(
    name for name, engine in IDENTITY_OF.items() if engine.trades_perpetuals
)
"""The engines that hold derivatives: those that can be flattened (R3)."""
PERPETUAL_ACCOUNTS: tuple[Account, ...] = tuple(ACCOUNT_OF[name] for name in DERIVATIVE_ENGINES)
"""The accounts that trade perpetuals; the others hold spot only."""
ENGINE_OF: dict[Account, ActorName] = {account: engine for engine, account in ACCOUNT_OF.items()}
EARN_ACCOUNT = Account.CORE_HODL
"""The one account whose idle coins are staked (CH-10); what it has in Earn counts as held."""

Category = Literal["spot", "linear"]
SPOT: Category = "spot"
LINEAR: Category = "linear"


class Side(StrEnum):
    """Side of an order; `sign` is +1 for a buy and -1 for a sell."""

    BUY = "Buy"
    SELL = "Sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class Frozen(BaseModel):
    """Base of every serialised value: immutable, refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Instrument(Frozen):
    """The exchange's trading rules of one symbol (RM-1 instrument rules, FU-4 lot steps).

    `min_notional_usdt` and `max_market_qty` are the venue's filters; `maintenance_margin_rate` is the first
    risk tier's (spot: 0); `funding_interval_min` is 0 for spot.
    """

    category: Category
    symbol: str
    base_coin: str
    quote_coin: str
    tick_size: Decimal
    qty_step: Decimal
    min_qty: Decimal
    min_notional_usdt: Decimal
    max_limit_qty: Decimal
    max_market_qty: Decimal
    maintenance_margin_rate: Decimal = Decimal(0)
    max_leverage: Decimal = Decimal(1)
    funding_interval_min: int = 0

    def floor_qty(self, quantity: Decimal) -> Decimal:
        """The largest multiple of the lot step that does not exceed `quantity`."""
        return floor_to_step(quantity, self.qty_step)

    def ceil_qty(self, quantity: Decimal) -> Decimal:
        """The smallest multiple of the lot step that is not below `quantity`."""
        return ceil_to_step(quantity, self.qty_step)

    def floor_price(self, price: Decimal) -> Decimal:
        return floor_to_step(price, self.tick_size)

    def ceil_price(self, price: Decimal) -> Decimal:
        return ceil_to_step(price, self.tick_size)

    def least_qty(self, price: Decimal) -> Decimal:
        """The smallest whole lots that are tradable at this price."""
        return self.ceil_qty(max(self.min_qty, self.min_notional_usdt / price))

    def tradable(self, quantity: Decimal, price: Decimal) -> bool:
        """Whether the venue would accept an order of this size at about this price."""
        return quantity >= self.min_qty and quantity * price >= self.min_notional_usdt


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Round down to a multiple of `step`, exactly, without exponent notation."""
    return (value / step).to_integral_value(rounding=ROUND_DOWN) * step


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Round up to a multiple of `step`, exactly."""
    return (value / step).to_integral_value(rounding=ROUND_CEILING) * step
