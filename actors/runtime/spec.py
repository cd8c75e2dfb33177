"""What an actor is, as data: one `ActorSpec` per actor, in that actor's own file in `actors/`.

Routing, Ray class, start order, who waits for whom, the order of ticks, the configuration's sections, diagrams,
documents and the lists of the API derive from the specs. A file that states one imports nothing heavy: every process
reads all of them, but loads only the logic that it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from statemachines.actor_logic import ActorLogic
from statemachines.fsm import Table
from statemachines.messages.accounts import BalancesKnown, FreeCapital, FundingPaid, Portfolio, TransferEnded
from statemachines.messages.control import ParametersChanged, RiskState, RunCycle
from statemachines.messages.envelope import Body
from statemachines.messages.market import DayClosed, InstrumentsKnown
from statemachines.messages.orders import Fill, IntentDone, IntentWorking, OrderDenied, OrderRejected
from statemachines.parameters import ParameterModel
from statemachines.values import ACCOUNT_OF, ENGINES, Account, ActorName

Kinds = tuple[type[Body], ...]


class Stage(IntEnum):
    """When an actor is started: market data first, since it fills the history that all others start on; the
    orchestrator after those it drives, the ways in last."""

    MARKET_DATA = 1
    ORDERS = 2
    RISK = 3
    ENGINES = 4
    ORCHESTRATOR = 5
    WAYS_IN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """A state machine that an actor runs: its name in documents and in the API, and where its table is."""

    name: str
    about: str
    """The requirement that it carries out, and what it is the machine of."""

    table: Callable[[], Table[Any]]
    rows: str | None = ""
    """With what the keys of the durable rows begin whose state is this machine's; None: it has no row of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSpec:
    """One actor: name, logic, messages it receives and may send, actors it waits for."""

    name: ActorName
    about: str
    stage: Stage

    subscribes: Kinds = ()
    """Kinds of which it is sent every message."""

    subscribes_own: Kinds = ()
    """Kinds of which it is sent the messages that name it or its account."""

    sends: Kinds = ()
    """Kinds that it may send to other actors; any other is refused as a programming error."""

    waits_for: tuple[ActorName, ...] = (ActorName.MARKET_DATA,)
    """Actors that must have recovered before this one recovers."""

    turn: int
    """Who acts first when several deadlines fall on one instant: the smaller number (D1, O7)."""

    section: str = ""
    """Its section of the configuration, as in `[engines.trend_1]`."""

    parameters: Callable[[], ParameterModel] | None = None
    """The defaults of an engine's section; the other sections are fields of the configuration itself."""

    logic: Callable[[Any, str], ActorLogic] | None = None
    """Makes its logic from the parameters in force and the installation id, which begins order and transfer ids (EX-5).
    None: it decides nothing and has no durable state (the API)."""

    actor_class: type[Any] | None = None
    """The class that Ray runs; None: it is the one of a higher layer (orchestrator, API)."""

    machines: tuple[MachineSpec, ...] = ()
    """The machines that it runs; a row is of the first whose `rows` its key begins with."""

    @property
    def account(self) -> Account | None:
        """The sub-account it trades on; None for those who do not trade."""
        return ACCOUNT_OF.get(self.name)

    @property
    def order(self) -> tuple[int, int, str]:
        """Its place in the start order: by stage, engines by their own order."""
        return self.stage, ENGINES.index(self.name) if self.name in ENGINES else 0, self.name


EVERY_ACTOR: Kinds = (ParametersChanged,)
"""What every actor with a logic is sent; its durable actor takes it, not the logic (RM-6)."""

EVERY_ENGINE: Kinds = (DayClosed, InstrumentsKnown, Portfolio, RiskState)
"""What every engine subscribes to."""

EVERY_ENGINES_OWN: Kinds = (
    OrderDenied,
    OrderRejected,
    IntentWorking,
    Fill,
    IntentDone,
    FundingPaid,
    BalancesKnown,
    TransferEnded,
    FreeCapital,
    RunCycle,
)
"""What every engine receives about its own orders, money and turn in the daily cycle."""
