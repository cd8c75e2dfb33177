"""A run in which the operator gives commands amid crashes, outages and faults of the exchange (RM-5, R3)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from infra.bybit.session import Handle
from infra.simulator.venue.instruments import INSTRUMENTS
from statemachines.facts import HeldCommandFact, OperatorCommandFact, SwitchFact
from statemachines.limits.entry_gate import permits_entries
from statemachines.limits.operator_scopes import RESTRICTS, SCOPES, allowed_scopes, scopes_for
from statemachines.messages.control import OperatorCommand
from statemachines.requests import AmendOrder, OrderWrite
from statemachines.values import ACCOUNT_OF, DERIVATIVE_ENGINES, ENGINE_OF, LINEAR, Account, ActorName
from tests.simulation.faults.choices import Chooser
from tests.simulation.faults.invariants import ViolationError
from tests.simulation.faults.world import Opening, World

LIFTS = ("normal", "reduce_only")
ACTIONS = ("pause", "resume", "reduce_only", "halt", "flatten", "normal")
MOST_ACTS = 700
"""Commands are given within so many acts of the run's begin."""


class Given(NamedTuple):
    """A command of the operator: after how many acts of the run."""

    at: int
    action: str
    scope: str


def drawn(seed: int, most: int = 6) -> tuple[Given, ...]:
    """The commands of a seed."""
    dice = random.Random(f"operator {seed}")
    found = []
    for _ in range(dice.randint(1, most)):
        action = dice.choice(ACTIONS)
        found.append(Given(dice.randint(1, MOST_ACTS), action, dice.choice(allowed_scopes(action))))
    return tuple(sorted(found))


@dataclass
class Seen:
    """What was seen of one scope."""

    state: str = "NORMAL"
    lifts: int = 0
    """Commands that end HALTED, carried out before it was last entered."""


@dataclass
class Operator:
    """The commands still to be given, and how often they were taken."""

    commands: list[Given]
    acts: int = 0
    taken: int = 0
    given: dict[str, OperatorCommand] = field(default_factory=dict)
    """Every command by its id, as it was first given."""

    held: int = 0
    handed_to: tuple[ActorName, int] = (ActorName.API, 0)
    """Who has the newest command, and its incarnation."""

    is_ambushed: bool = False
    refused: list[ViolationError] = field(default_factory=list)
    """Raised in the gateway, whose callers take any error for an unknown outcome: it is raised again after the act."""

    scopes: dict[str, Seen] = field(default_factory=lambda: {scope: Seen() for scope in SCOPES})


class OperatedWorld(World):
    """`World` with an operator; raises ViolationError when one of RM-5's promises is broken."""

    def __init__(
        self, begun: Opening, chooser: Chooser, commands: Sequence[Given], ambush: type[OrderWrite] | None = None
    ) -> None:
        """`ambush`: GLOBAL is halted at the worst moment, when a request of this kind for new risk is durable and waits
        to be sent."""
        self.operator = Operator(list(commands))
        self._ambush = ambush
        super().__init__(begun, chooser)
        self.watch = lambda _world: self._judge_flat()

    # --- commands ---

    def _acted(self) -> None:
        super()._acted()
        operator = self.operator
        operator.acts += 1
        if operator.refused:
            raise operator.refused[0]
        self._judge_halts()
        if self._ambush is not None and self._waits(self._ambush):
            self._ambush = None
            self._give(Given(0, "halt", "GLOBAL"))
            self.scheduler.step(self.living[ActorName.RISK_MANAGER])
            operator.commands.clear()
            operator.is_ambushed = True
        elif operator.commands and operator.commands[0].at <= operator.acts:
            self._give(operator.commands[0])

    def _give(self, given: Given) -> None:
        """Hand a command over, again when the one who had it died before the commit: the caller got no answer."""
        operator = self.operator
        name = f"c{operator.taken + 1}"
        if self._is_accepted(name):
            operator.commands.pop(0)
            operator.taken += 1
            operator.held += operator.handed_to[0] is ActorName.ORCHESTRATOR
            operator.handed_to = (ActorName.API, 0)
            return
        taker = next((n for n in (ActorName.RISK_MANAGER, ActorName.ORCHESTRATOR) if n in self.living), None)
        if taker is None or (taker is ActorName.ORCHESTRATOR and given.action not in RESTRICTS):
            return  # nobody takes it now (HTTP 503): it is given again
        durable = self.living[taker].durable
        if operator.handed_to == (taker, durable.epoch):
            return  # its commit is awaited
        operator.handed_to = (taker, durable.epoch)
        body = OperatorCommand(
            command_id=name,
            who="operator",
            action=given.action,  # type: ignore[arg-type]  # one of ACTIONS
            scope=given.scope,
            reason="a drill",
        )
        operator.given.setdefault(name, body)
        durable.take_fact(body, f"operator:{name}", self.now_ms())

    def _waits(self, kind: type[OrderWrite]) -> bool:
        """Whether a request of this kind for new risk waits in a lane of the order manager."""
        orders = self.living.get(ActorName.ORDER_MANAGER)
        if orders is None or ActorName.RISK_MANAGER not in self.living:
            return False
        return any(
            isinstance(call.request, kind)
            and self._is_new_risk(
                "amend" if kind is AmendOrder else "create",
                call.request.category,
                {
                    "orderLinkId": call.request.client_order_id,
                    "reduceOnly": getattr(call.request, "reduce_only", False),
                    "side": getattr(call.request, "side", ""),
                    "orderType": "Market" if getattr(call.request, "style", "") == "market" else "Limit",
                },
                Account(call.account),
            )
            for lane in orders.lanes.values()
            for call in lane
        )

    def _is_accepted(self, name: str) -> bool:
        facts = (*self.store.memory.facts("operator_commands"), *self.store.memory.facts("held_commands"))
        return any(isinstance(one, OperatorCommandFact | HeldCommandFact) and one.command_id == name for one in facts)

    # --- promises ---

    def way_in(self, handle: Handle) -> Handle:
        """No request for new risk arrives while a committed switch forbids it."""

        def judged(method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Mapping[str, Any]:
            if account in ENGINE_OF and path.startswith("/v5/order/") and "cancel" not in path and method == "POST":
                self._judge_write(path, params, account)
            return handle(method, path, params, account)

        return judged

    def _judge_write(self, path: str, params: Mapping[str, Any], account: Account) -> None:
        states = self.in_force()
        engine = ENGINE_OF[account]
        forbidding = [scope for scope in ("GLOBAL", str(engine)) if not permits_entries(states.get(scope, "NORMAL"))]
        for leg in params.get("request", [params]):
            if forbidding and self._is_new_risk(path, params.get("category", leg.get("category")), leg, account):
                what = f"{path} {leg.get('orderLinkId')} of {engine} arrived while {forbidding} forbids it: {states}"
                self.operator.refused.append(ViolationError("a refused order reached the exchange", what))

    def _is_new_risk(self, path: str, category: str, leg: Mapping[str, Any], account: Account) -> bool:
        if "amend" in path:
            venue = self.exchange.venue.accounts[account.value]
            found = next((one for one in venue.open.values() if one.link_id == leg.get("orderLinkId")), None)
            return found is not None and not found.reduce_only
        if category == LINEAR:
            return not leg.get("reduceOnly")
        return not (leg["side"] == "Sell" and leg["orderType"] == "Market")

    def in_force(self) -> dict[str, str]:
        """The state of each scope that has one, computed from the rows alone."""
        memory = self.store.memory
        done = {fact.command_id for fact in memory.facts("operator_commands") if isinstance(fact, OperatorCommandFact)}
        states = {fact.scope: str(fact.state) for fact in memory.facts("switches") if isinstance(fact, SwitchFact)}
        for fact in memory.facts("held_commands"):
            if isinstance(fact, HeldCommandFact) and fact.command_id not in done:
                states[fact.scope] = fact.state
        return states

    def _judge_halts(self) -> None:
        """HALTED is left after a command that ends it, and never otherwise."""
        memory = self.store.memory
        commands = [fact for fact in memory.facts("operator_commands") if isinstance(fact, OperatorCommandFact)]
        states = {fact.scope: str(fact.state) for fact in memory.facts("switches") if isinstance(fact, SwitchFact)}
        for scope, seen in self.operator.scopes.items():
            state = states.get(scope, "NORMAL")
            lifts = sum(1 for one in commands if one.action in LIFTS and one.scope == scope)
            if seen.state == "HALTED" and state != "HALTED" and lifts == seen.lifts:
                raise ViolationError("HALTED is left by the operator only", f"{scope} became {state} by itself")
            if state == "HALTED" and seen.state != "HALTED":
                seen.lifts = lifts
            if state == "HALTED" and lifts > seen.lifts:
                seen.lifts = lifts  # lifted and halted again within one act
            seen.state = state

    def _judge_flat(self) -> None:
        """R3: while an engine counts as proven flat and stands HALTED, the exchange holds nothing of it."""
        states = self.in_force()
        for engine, stage in self.stages().items():
            if stage == "FLAT" and states.get(engine) == "HALTED":
                left = [*self.left(engine)]
                if left:
                    raise ViolationError("flat is proven", f"{engine} counts as flat and holds {left}")

    def left(self, engine: ActorName) -> Iterator[str]:
        """What the exchange's own books hold for an engine: positions of a lot or more, and open orders."""
        account = self.exchange.venue.accounts[ACCOUNT_OF[engine].value]
        for symbol, position in account.positions.items():
            lot = Decimal(INSTRUMENTS[LINEAR, symbol].min_qty)
            if abs(position.size) >= lot:
                yield f"{position.size} {symbol}"
        yield from (f"order {order.link_id}" for order in account.open.values() if order.is_open)

    def stages(self) -> dict[ActorName, str]:
        """Where each engine's procedure stands, as it is committed."""
        rows = self.store.memory.load(ActorName.RISK_MANAGER, self._risk_epoch()).states
        return {engine: rows[f"flatten:{engine}"].state for engine in DERIVATIVE_ENGINES if f"flatten:{engine}" in rows}

    def _risk_epoch(self) -> int:
        return self.store.memory._actors[ActorName.RISK_MANAGER].epoch  # noqa: SLF001 - whoever holds it now

    def flattened_last(self, commands: Sequence[Given]) -> list[ActorName]:
        """Engines whose newest flatten was not lifted by a later command."""
        found: dict[str, bool] = {}
        for given in commands:
            for scope in scopes_for(given.action, given.scope):
                if given.action == "flatten":
                    found[scope] = True
                elif given.action in LIFTS:
                    found[scope] = False
        return [engine for engine in DERIVATIVE_ENGINES if found.get(engine)]
