"""The FUNDING engine: messages in, commands out (SPEC chapter 4, RULINGS F1 .. F11).

Market data only updates the view and publishes a deadline; new risk is requested in `tick`. The residual of a leg, the
unwinding of a naked leg and the reaction to a short closed by the exchange follow a report immediately.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from statemachines.actor_logic import FOREVER_MS, NO_LOOKAHEAD, HistoryNeed, Lookahead, StateRow
from statemachines.commands import Commands, ExchangeCall, Remark, Send
from statemachines.engine_rows import ENGINE_KEY
from statemachines.facts import BarFact
from statemachines.funding.evaluation import SCOPES, Evaluator
from statemachines.funding.flattening import flatten
from statemachines.funding.giving import Giving
from statemachines.funding.intake import Intake
from statemachines.funding.machine import EvaluationMachine, EvaluationStage
from statemachines.funding.outlook import outlook
from statemachines.funding.pair import Action
from statemachines.funding.pair_orders import PairOrders
from statemachines.funding.parameters import FundingParameters
from statemachines.funding.state import DIALECT, Evaluation
from statemachines.messages.accounts import (
    BalancesKnown,
    FreeCapital,
    FundingPaid,
    Portfolio,
    TransferEnded,
    TransferWanted,
)
from statemachines.messages.control import CycleDone, FlattenOrdered, RiskState, RunCycle
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import (
    BarsClosed,
    DayClosed,
    FundingSettled,
    InstrumentsKnown,
    InsuranceSeen,
    QuotesSeen,
)
from statemachines.messages.orders import Fill, IntentEnded
from statemachines.outlook.terms import Prospect
from statemachines.portfolio.volumes import HOURS
from statemachines.values import HOURLY, LINEAR, MINUTE_MS, SECOND_MS, SPOT, Account, ActorName, floor_to_step

ZERO = Decimal(0)
TRANSFER_PURPOSE = "fu-5"


class FundingEngine:
    """One engine for all pairs of the engine; `parameters` carries the rules' numbers."""

    name = ActorName.FUNDING
    dialect = DIALECT

    def __init__(self, parameters: FundingParameters | None = None) -> None:
        self.parameters = parameters or FundingParameters()
        self._pair_orders = PairOrders(self.parameters)
        self._rules = Evaluator(self._pair_orders)
        self._intake = Intake(self._pair_orders)
        self._giving = Giving(self._pair_orders)

    # --- start and state ---

    def history_needed(self) -> Sequence[HistoryNeed]:
        """The hours that give the markets' volume (X4); all else follows from settlements and last prices."""
        return [
            HistoryNeed(category, f"{asset}USDT", HOURLY, HOURS)
            for asset in self.parameters.assets
            for category in (SPOT, LINEAR)
        ]

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        """Take the volumes of the recorded hours."""
        for found in bars.values():
            self._pair_orders.take_volumes(found)

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Restore the state of a previous incarnation.

        Raises:
            ValueError: a row has a schema that this version cannot read.
        """
        self._pair_orders.restore(rows)

    def outlook(self, now_ms: int) -> list[Prospect]:
        """What would make it act next, as of its newest data; changes nothing."""
        orders = self._pair_orders
        return [
            prospect
            for asset in self.parameters.assets
            for prospect in outlook(
                asset, orders.assets[asset], orders.held(asset), self._rules.entries_barred, self.parameters
            )
        ]

    def begin(self, now_ms: int) -> Commands:
        """Write to the journal that FU-9 is inactive while there is no reading of the insurance fund (DA-2: never
        silent)."""
        if not self._pair_orders.engine.insurance:
            text = "FU-9 is inactive: there is no reading of the insurance fund"
            self._pair_orders.out.append(Remark(ENGINE_KEY, "fu9_inactive", text, is_bookkeeping=True))
        return self._pair_orders.take()

    def rows(self) -> Iterable[StateRow]:
        return self._pair_orders.rows()

    def dirty(self) -> Sequence[StateRow]:
        return self._pair_orders.dirty()

    def still_needed(self, ask: ExchangeCall) -> bool:
        """False: FUNDING sends no requests to the exchange itself."""
        return False

    # --- messages ---

    def handle(self, message: Envelope) -> Commands:
        """Handle one message; other kinds are ignored."""
        body, now_ms = message.body, message.market_ms
        match body:
            case BarsClosed():
                self._intake.bars(body)
                self._on_bars(now_ms)
            case FundingSettled():
                self._intake.settled(body)
                self._on_settled(body, now_ms)
            case DayClosed():
                self._pair_orders.set_engine(transfer_day_ms=body.day_ms)
                self._giving.end()
                self._due(now_ms)
            case Portfolio():
                self._intake.portfolio(body)
            case RiskState() if body.scope in SCOPES:
                self._intake.risk(body)
            case InstrumentsKnown():
                self._intake.instruments(body)
            case FundingPaid():
                self._intake.paid(body)
            case Fill() if body.account is Account.FUNDING:
                self._intake.fill(body, now_ms)
                self._resume(now_ms)
            case IntentEnded():
                self._intake.ended(body, now_ms)
                self._resume(now_ms)
            case BalancesKnown() if body.account is Account.FUNDING:
                self._intake.balances(body, now_ms)
            case TransferEnded() if body.from_account is Account.FUNDING:
                self._intake.transferred(body)
                self._pair_orders.capital_moved(body)
            case FlattenOrdered() if body.engine is self.name:
                flatten(self._pair_orders, body.reason, now_ms)
            case FreeCapital() if body.engine is self.name:
                self._pair_orders.ask(body, now_ms)
            case QuotesSeen() if self.parameters.basis_check == "minute":
                self._intake.quotes(body)
                self._plan_minute(now_ms)
            case InsuranceSeen():
                self._intake.insurance(body)
                self._rules.judge_insurance()
                if self._pair_orders.engine.insurance_alarm:
                    self._due(now_ms)
            case RunCycle() if body.engine is self.name:
                done = CycleDone(day_ms=body.day_ms, engine=self.name, summary="FUNDING acts on settlements (F3)")
                self._pair_orders.out.append(Send(done))
            case _:
                pass
        return self._pair_orders.take()

    def _due(self, now_ms: int) -> None:
        due = self._pair_orders.engine.due_ms
        self._pair_orders.set_engine(due_ms=now_ms if due is None else min(due, now_ms))

    def _on_bars(self, now_ms: int) -> None:
        if self._pair_orders.engine.evaluation is not None or self._rules.work_due():
            self._due(now_ms)

    def _on_settled(self, body: FundingSettled, now_ms: int) -> None:
        """The evaluation waits for the bars of the same instant, which give prices and freshness (F5)."""
        before = self._pair_orders.engine.evaluation
        if before is not None and before.settle_ms > body.settle_ms:
            return
        self._pair_orders.set_engine(evaluation=Evaluation(settle_ms=body.settle_ms))
        if self._pair_orders.engine.bars_ms >= body.settle_ms:
            self._due(now_ms)

    def _resume(self, now_ms: int) -> None:
        """Orders have ended: an evaluation that waited for them resumes in the next tick, with the new portfolio."""
        if self._pair_orders.releases.open is not None:
            self._due(now_ms)
        evaluation = self._pair_orders.engine.evaluation
        if evaluation is not None and evaluation.stage is not EvaluationStage.EXITS and not self._busy():
            self._due(now_ms)

    def _plan_minute(self, now_ms: int) -> None:
        if self._pair_orders.engine.minute_ms is None:
            self._pair_orders.set_engine(minute_ms=(now_ms // MINUTE_MS + 1) * MINUTE_MS)

    # --- time ---

    def deadline(self) -> int | None:
        """The earliest of: something to evaluate, a leg's time-out, a naked leg's alert, the minute's basis."""
        engine = self._pair_orders.engine
        due = [self._pair_orders.due_ms(asset) for asset in self.parameters.assets]
        due.append(self._pair_orders.releases.due_ms)
        return min((ms for ms in [engine.due_ms, engine.minute_ms, *due] if ms is not None), default=None)

    def lookahead(self) -> Lookahead:
        """When flat, only settlements matter; a hedged pair also acts on a basis above its limit (F5). Pairs that are
        being closed or trimmed, and a pending evaluation, need every bar without delay."""
        assets, due = self.parameters.assets, self.deadline()
        if self._pair_orders.engine.evaluation is not None or not all(
            self._rules.is_patient(asset) for asset in assets
        ):
            return NO_LOOKAHEAD
        limits = {f"{asset}USDT": self.parameters.max_basis for asset in assets if self._pair_orders.held(asset)}
        return Lookahead(FOREVER_MS if due is None else due, limits)

    def tick(self, now_ms: int) -> Commands:
        """Make the decisions that are due at `now_ms`."""
        engine = self._pair_orders.engine
        if engine.due_ms is not None and engine.due_ms <= now_ms:
            self._pair_orders.set_engine(due_ms=None)
        if engine.minute_ms is not None and engine.minute_ms <= now_ms:
            self._pair_orders.set_engine(minute_ms=(now_ms // MINUTE_MS + 1) * MINUTE_MS)
            self._intake.read_quotes(now_ms)
        for asset in self.parameters.assets:
            self._pair_orders.advance(asset, now_ms)
            self._pair_orders.alert_if_naked(asset, now_ms)
        self._rules.waiting_exits(now_ms)
        self._evaluate(now_ms)
        self._giving.advance(now_ms)
        self._rules.next_slices(now_ms)
        self._rules.trims(now_ms)
        self._request_transfer()
        return self._pair_orders.take()

    def _evaluate(self, now_ms: int) -> None:
        """Exits, then compounding, then entries; each stage uses the portfolio after the fills of the previous one."""
        evaluation = self._pair_orders.engine.evaluation
        if evaluation is None or self._pair_orders.engine.bars_ms < evaluation.settle_ms:
            self._rules.rule_exits(now_ms, None)
            return
        if evaluation.stage is EvaluationStage.EXITS:
            barred = self._rules.rule_exits(now_ms, evaluation.settle_ms)
            evaluation = self._next_stage(evaluation, "exits_decided", now_ms, barred)
        if evaluation.stage is EvaluationStage.COMPOUND and not self._wait(evaluation, now_ms):
            self._rules.compound(evaluation, now_ms)
            evaluation = self._next_stage(evaluation, "compounded", now_ms, evaluation.entries_barred)
        if evaluation.stage is EvaluationStage.ENTRIES and not self._wait(evaluation, now_ms):
            self._rules.enter(evaluation, now_ms)
            self._pair_orders.set_engine(evaluation=None)

    def _next_stage(self, evaluation: Evaluation, trigger: str, now_ms: int, barred: str) -> Evaluation:
        machine = EvaluationMachine.restored(ENGINE_KEY, evaluation.stage)
        reason = f"the settlement at {evaluation.settle_ms} ms; entries are barred: {barred or 'no'}"
        self._pair_orders.out.append(machine.fire(trigger, reason, {"settle_ms": evaluation.settle_ms}))
        changed = evaluation.model_copy(update={"stage": machine.state, "since_ms": now_ms, "entries_barred": barred})
        self._pair_orders.set_engine(evaluation=changed)
        return changed

    def _busy(self) -> bool:
        """Whether orders of exits or compounding are still working."""
        operations = [self._pair_orders.assets[asset].pair.operation for asset in self.parameters.assets]
        return any(one is not None and not one.ended and one.action is not Action.ENTRY for one in operations)

    def _wait(self, evaluation: Evaluation, now_ms: int) -> bool:
        """A stage waits for the orders of the previous one, but never longer than the time limit of a leg."""
        until_ms = evaluation.since_ms + self.parameters.leg_timeout_s * SECOND_MS
        if not self._busy() or now_ms >= until_ms:
            return False
        self._pair_orders.set_engine(due_ms=until_ms)
        return True

    def _request_transfer(self) -> None:
        """FU-5, F8: request the amount owed to TACTICAL once a day in one sum; a remainder below the step stays
        owed."""
        engine = self._pair_orders.engine
        if engine.transfer_day_ms is None:
            return
        self._pair_orders.set_engine(transfer_day_ms=None)
        free = engine.owed_usdt - sum(engine.requested.values(), ZERO)
        amount = floor_to_step(min(free, max(engine.cash_usdt, ZERO)), self.parameters.transfer_step_usdt)
        if amount <= 0:
            return
        wanted = TransferWanted(
            request_id=f"{self.name}-fu5-{engine.transfer_day_ms}",
            engine=self.name,
            from_account=Account.FUNDING,
            to_account=Account.TACTICAL,
            coin="USDT",
            amount=amount,
            purpose=TRANSFER_PURPOSE,
        )
        self._pair_orders.set_engine(requested={**engine.requested, wanted.request_id: amount})
        self._pair_orders.out.append(Send(wanted))
        reason = f"{amount} USDT of funding received are owed to TACTICAL and requested in one sum (FU-5)"
        self._pair_orders.out.append(Remark(ENGINE_KEY, "fu5_transfer", reason, {"amount": str(amount)}))
