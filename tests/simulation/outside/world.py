"""One run in which things fail and people and the market act at the same time, drawn by the same chooser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.runtime.policies.ports import PolicyPort
from statemachines.actor_logic import StateRow
from statemachines.execution.account_books import PREFIX as BOOKS
from statemachines.facts import OperatorCommandFact, SwitchFact
from statemachines.limits.operator_scopes import RESTRICTS, SCOPES, allowed_scopes
from statemachines.orchestration.transfers.movement import MovementState
from statemachines.requests import AmendOrder, PlaceOrder
from statemachines.risk.operator.flatten_machine import FlattenState
from statemachines.values import DERIVATIVE_ENGINES, ENGINES, HOUR_MS, ActorName
from tests.simulation.faults.choices import Chooser
from tests.simulation.faults.invariants import ViolationError, halted_by_rule
from tests.simulation.faults.points import Fault, Point, Situation
from tests.simulation.faults.world import MAX_PEACE_MS, Opening, World
from tests.simulation.operator.world import Given, OperatedWorld
from tests.simulation.outside import money, policies, prices
from tests.simulation.outside.mail import Mail
from tests.simulation.outside.money import Money
from tests.simulation.outside.policies import Policies
from tests.simulation.outside.prices import Prices
from tests.simulation.outside.supervision import EngineSupervision

ACTIONS: Mapping[Fault, str] = {
    Fault.PAUSE: "pause",
    Fault.RESUME: "resume",
    Fault.REDUCE_ONLY: "reduce_only",
    Fault.HALT: "halt",
    Fault.FLATTEN: "flatten",
    Fault.NORMAL: "normal",
}
OPERATOR = "operator"
KINDS_OF_COMMANDS = 12
"""Every scope, and of an earlier command to whom it is repeated."""

OF_MONEY_AND_PRICES = frozenset({Point.MONEY, Point.PRICES})
OF_CH_7_AND_RM_3 = frozenset({"buffer", "drawdown:"})
"""A thin buffer is an alert until the next rebalance refills it, a fall that has no action until it is made up. What an
engine owes (FU-5, TA-6) and has no longer, since it was withdrawn, is one until it has moved (OR-6). So is an order
that was sized with it and refused, until the engine buys again (EX-4)."""

ORDERED_MS = HOUR_MS
"""How long the system has to come to rest after the last command."""

_FLATTENING = frozenset(FlattenState) - {FlattenState.IDLE, FlattenState.FLAT, FlattenState.ABANDONED}


class OutsideWorld(OperatedWorld):
    """`OperatedWorld` whose commands are the chooser's, with money, prices, policies and FAULTED engines."""

    def __init__(self, begun: Opening, chooser: Chooser) -> None:
        super().__init__(begun, chooser, ())
        memory, scheduler = self.store.memory, self.scheduler
        self.mail = Mail(memory, lambda: self.living, self.now_ms)
        self.money = Money(self.exchange, self._books)
        self.prices = Prices(self.exchange)
        self.policies = Policies(self.mail.put)
        self.engines = EngineSupervision(scheduler, self.mail.put)
        self.explained = frozenset({"deposit", "withdrawal"})
        self.is_touched = False
        """Whether anything has come from outside."""

        self._was_up = False
        self._events: tuple[tuple[Point, int, Callable[[Fault, int], None]], ...] = (
            (Point.OPERATOR, KINDS_OF_COMMANDS, self._command),
            (Point.MONEY, money.KINDS, self.money.act),
            (Point.PRICES, prices.KINDS, self.prices.act),
            (Point.POLICY, policies.KINDS, lambda _fault, extent: self.policies.act(extent)),
            (Point.SUPERVISION, len(ENGINES), self._supervise),
        )

    def open_policies(self) -> PolicyPort | None:
        """See World."""
        return policies.ports()

    def is_unseen(self, account: str) -> bool:
        """See World."""
        return self.money.is_unseen(account)

    def _books(self, account: str) -> StateRow | None:
        return self.rows(ActorName.ORDER_MANAGER).get(f"{BOOKS}{account}")

    # --- events ---

    def _acted(self) -> None:
        super()._acted()
        self.mail.deliver()
        self.engines.look()
        situation = self._situation()
        for point, most, act in self._events:
            choice = self.chooser.at(point, situation, most)
            if choice is not None:
                self.is_touched = True
                if point in OF_MONEY_AND_PRICES:
                    self.expected_alerts |= OF_CH_7_AND_RM_3
                act(choice.fault, choice.extent)
                for account in self.money.left:
                    self.expected_alerts |= {f"transfer:USDT:{account}:", f"funds:{account}"}

    def _situation(self) -> Situation:
        stages = (self.rows(ActorName.RISK_MANAGER).get(f"flatten:{engine}") for engine in DERIVATIVE_ENGINES)
        if any(row is not None and row.state in _FLATTENING for row in stages):
            return Situation.FLATTENING
        transfers = self.rows(ActorName.ORCHESTRATOR).get("transfers")
        moving = {one["state"] for one in transfers.data["open"]} if transfers is not None else set()
        if MovementState.SENT in moving:
            return Situation.TRANSFERRING
        if MovementState.FREEING in moving:
            return Situation.FREEING
        is_up = all(name in self.living or name in self.engines.faulted for name in self.factories)
        self._was_up = self._was_up or is_up
        if self._was_up and not is_up:
            return Situation.AWAY
        if self.streams.cut:
            return Situation.CUT_OFF
        return Situation.SENDING if self._waits(PlaceOrder) or self._waits(AmendOrder) else Situation.ORDINARY

    def _command(self, fault: Fault, extent: int) -> None:
        if fault not in ACTIONS:
            self._repeat(extent, is_other=fault is Fault.REUSE)
            return
        scopes = allowed_scopes(ACTIONS[fault])
        self.operator.commands.append(Given(0, ACTIONS[fault], scopes[(extent - 1) % len(scopes)]))

    def _repeat(self, extent: int, *, is_other: bool) -> None:
        """A command that was carried out comes again, to the risk manager or, as if that did not answer, to the
        orchestrator; or, past the API that refuses it (409), its id with other content."""
        facts = self.store.memory.facts("operator_commands")
        carried_out = [one.command_id for one in facts if isinstance(one, OperatorCommandFact)]
        known = [name for name in carried_out if name in self.operator.given]
        if not known:
            return
        body = self.operator.given[known[extent % len(known)]]
        if is_other:
            action = "pause" if body.action == "halt" else "halt"
            body = body.model_copy(update={"action": action, "scope": SCOPES[0]})
        is_held = extent % 2 == 0 and body.action in RESTRICTS
        living = self.living.get(ActorName.ORCHESTRATOR if is_held else ActorName.RISK_MANAGER)
        if living is not None:
            living.durable.take_fact(body, f"operator:{body.command_id}", self.now_ms())

    def _supervise(self, fault: Fault, extent: int) -> None:
        if fault is Fault.FAULTED:
            self.engines.fail(ENGINES[(extent - 1) % len(ENGINES)])
        elif self.engines.faulted:
            self.engines.reset(self.engines.faulted[0])

    # --- the end ---

    def run(self, is_healthy: Callable[[World], bool]) -> None:
        """The stretch of faults and events, then peace. Whatever has come from outside takes a day to show in the books
        and in the allocation; before it the operator ends what he has begun, after it what the day's close tripped."""
        self._run_until(self.now_ms() + self.storm_ms)
        self.chooser.stop()
        self._run_until(self.now_ms() + self.peace_ms)
        if not self.is_touched and is_healthy(self):
            return
        self._put_in_order()
        self._run_until(self.now_ms() + MAX_PEACE_MS)
        if self.is_touched:
            self._put_in_order()
            self._run_until(self.now_ms() + ORDERED_MS)

    def _put_in_order(self) -> None:
        """The operator resets what is FAULTED, takes the settings back and ends every state."""
        if not self.is_touched:
            return
        for engine in self.engines.faulted:
            self.engines.reset(engine)
        self.policies.back()
        self._finish()
        expected = halted_by_rule(self)
        for fact in self.store.memory.facts("switches"):
            if not isinstance(fact, SwitchFact) or fact.state != "HALTED":
                continue
            if fact.who != OPERATOR and fact.scope not in expected:
                raise ViolationError("healthy", f"{fact.scope} is HALTED by {fact.who}: {fact.reason}")
        for scope, state in self.in_force().items():
            if state != "NORMAL":
                self.operator.commands.append(Given(0, "normal", scope))
        self._finish()

    def _finish(self) -> None:
        """Until every command and fact of the operator is carried out."""
        for _ in range(10):
            self._settle()
            if self.operator.commands:
                self._give(self.operator.commands[0])
            self.mail.deliver()
            self.engines.look()
            if not self.operator.commands and self.mail.is_empty and not self.engines.is_starting:
                self._settle()
                return
        left: list[Any] = [*self.operator.commands]
        raise ViolationError("healthy", f"commands are not carried out in peace: {left}")
