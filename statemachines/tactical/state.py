"""TACTICAL's durable rows: one per deployment and one for the engine, immutable and JSON-ready."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from statemachines.actor_logic import StateRow
from statemachines.commands import JournalEntry
from statemachines.engine_rows import ENGINE_KEY
from statemachines.state_store import RowKind, StateDialect
from statemachines.tactical.machine import ReturnMachine, ReturnState, TacticalState
from statemachines.tactical.rules import ExitKind, Published, Trigger
from statemachines.values import Frozen, Instrument, Side

ZERO = Decimal(0)


class Holding(Frozen):
    """One coin of a deployment: `gross` bought (before the fee taken in the coin), its `cost_usdt`, `net` held."""

    gross: Decimal = ZERO
    cost_usdt: Decimal = ZERO
    net: Decimal = ZERO

    def without(self, sold: Decimal) -> Holding:
        """The holding after a sale; the cost is reduced in proportion (A7)."""
        left = (self.net - sold) / self.net if self.net > 0 else ZERO
        return Holding(gross=self.gross * left, cost_usdt=self.cost_usdt * left, net=self.net - sold)


class Leg(Frozen):
    """One order of a deployment."""

    intent_id: str
    coin: str
    quantity: Decimal
    side: Side
    filled: Decimal = ZERO
    ended: bool = False
    withdrawn: bool = False
    first_id: str = ""
    """The first order for the same coin when this one is a further attempt."""


class Work(Frozen):
    """Orders under way for one purpose. `missing` is the quantity still to be bought or sold, per coin."""

    side: Side
    purpose: str
    missing: dict[str, Decimal]
    sent_ms: int
    attempt: int = 1
    legs: tuple[Leg, ...] = ()
    proceeds_usdt: Decimal = ZERO
    refusals: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        return all(leg.ended for leg in self.legs)

    @property
    def filled(self) -> bool:
        """Whether the orders of the last attempt were completely filled."""
        return bool(self.legs) and all(leg.filled >= leg.quantity for leg in self.legs)

    def leg_of(self, intent_id: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.intent_id == intent_id), None)

    def with_leg(self, leg: Leg) -> Work:
        legs = tuple(leg if one.intent_id == leg.intent_id else one for one in self.legs)
        return self.model_copy(update={"legs": legs})


class Return(Frozen):
    """A requested transfer to CORE-HODL; a failed one is requested again at the next cycle."""

    request_id: str
    coin: str
    amount: Decimal
    purpose: str
    state: ReturnState = ReturnState.REQUESTED

    def moved(self, trigger: str, reason: str, **changes: str) -> tuple[Return, JournalEntry]:
        """The transfer after one row of its table. Raises IllegalTransitionError when there is no such row."""
        machine = ReturnMachine.restored(self.request_id, self.state)
        entry = machine.fire(trigger, reason, {"coin": self.coin, "amount": str(self.amount), **changes})
        return self.model_copy(update={"state": machine.state, **changes}), entry


class Deployment(Frozen):
    """One deployment, from the monitoring for its trigger to its return. `day_ms` is the bar that triggered it.

    `void`: its purchase ended with nothing bought, and it monitors again. `past_legs` are ended orders, for late fills.
    """

    number: int
    state: TacticalState = TacticalState.CASH_ACCUMULATION
    trigger: Trigger | None = None
    day_ms: int = 0
    budget_usdt: Decimal = ZERO
    holdings: dict[str, Holding] = Field(default_factory=dict)
    work: Work | None = None
    halved: bool = False
    exit: ExitKind | None = None
    fell: bool = False
    returns: tuple[Return, ...] = ()
    past_legs: tuple[Leg, ...] = ()
    void: bool = False
    retired: bool = False

    @property
    def key(self) -> str:
        return f"D{self.number}"


class EngineRow(Frozen):
    """Data shared by the deployments. The fired levels and the reserve are reset by a new high (A2)."""

    counter: int = 0
    instruments: tuple[Instrument, ...] = ()
    cash_usdt: Decimal = ZERO
    portfolio_version: int = 0
    risk: dict[str, str] = Field(default_factory=dict)
    high_usdt: Decimal = ZERO
    high_day_ms: int = 0
    last_day_ms: int = 0
    closes: tuple[tuple[int, Decimal], ...] = ()  # BTC's newest daily closes, for the realised volatility
    prices: dict[str, Decimal] = Field(default_factory=dict)
    priced_day_ms: int = 0
    fear_greed: tuple[Published, ...] = ()
    dvol: tuple[Published, ...] = ()
    settled: tuple[Published, ...] = ()
    levels_fired: frozenset[int] = frozenset()
    reserve_usdt: Decimal = ZERO
    last_deployment_ms: int | None = None
    undo: tuple[frozenset[int], Decimal, int | None] | None = None
    cycle_ms: int | None = None
    dust_usdt: Decimal = ZERO  # proceeds below the step of a transfer; included in the next one
    wallet: dict[str, Decimal] = Field(default_factory=dict)  # coins in the account as last reported; none before


SCHEMA = 2


def _with_wallet(row: StateRow) -> StateRow:
    """Schema 1 was written by versions that sold whatever their deployments had bought."""
    data = {**row.data, "wallet": {}} if row.key == ENGINE_KEY else row.data
    return row._replace(schema=SCHEMA, data=data)


DIALECT = StateDialect(RowKind("", SCHEMA, {1: _with_wallet}))
