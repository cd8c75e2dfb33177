"""The orchestrator's logic (SPEC 6): the daily cycle, the transfer of capital, the daily summary.

It decides nothing about markets. Messages only update its view; the cycle advances in `tick`, one stage or one engine
at a time, when everything else has settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Alert, AlertEnded, Commands, ExchangeCall, Record, Remark, Send
from statemachines.facts import BarFact, SummaryFact
from statemachines.limits.entry_gate import permits_entries
from statemachines.messages.accounts import (
    CapitalFreed,
    FundingPaid,
    Portfolio,
    Reconciled,
    TransferEnded,
    TransferWanted,
)
from statemachines.messages.control import (
    AccessFailures,
    AssessRisk,
    ComponentAlert,
    ComponentChanged,
    ComponentReset,
    CycleDone,
    DatabaseOutage,
    OperatorCommand,
    PolicyRecorded,
    ReadingChanged,
    RiskAssessed,
    RiskState,
)
from statemachines.messages.envelope import Body, Envelope
from statemachines.messages.market import DayClosed
from statemachines.messages.orders import Fill, IntentDone, OrderDenied, OrderRejected
from statemachines.orchestration import engine_turns
from statemachines.orchestration.capital import ALLOCATION_KEY, NORMAL, Capital
from statemachines.orchestration.component_reports import alert_of, down, entry_of, reset_commands
from statemachines.orchestration.daily_cycle import DailyCycle, Stage
from statemachines.orchestration.held_commands import hold
from statemachines.orchestration.parameters import OrchestratorParameters
from statemachines.orchestration.policy_delivery import KEY as POLICY
from statemachines.orchestration.policy_delivery import PolicyDelivery
from statemachines.orchestration.summary import Tally, summary_data
from statemachines.orchestration.transfers import requests
from statemachines.state_store import RowKind, StateDialect
from statemachines.values import ActorName

SCHEMA = 1
FAULTED, RUNNING = "FAULTED", "RUNNING"
GLOBAL = "GLOBAL"
RISK_CONDITION = "cycle:risk"

DIALECT = StateDialect(RowKind("transfers", requests.SCHEMA, {1: requests.with_states}))


class OrchestratorLogic:
    """Implements `statemachines.actor_logic.ActorLogic` for the orchestrator. `installation` is the code of this
    database, which makes transfer ids unique at the exchange (OR-6)."""

    name = ActorName.ORCHESTRATOR
    dialect = DIALECT

    def __init__(self, parameters: OrchestratorParameters | None = None, installation: str = "") -> None:
        self._parameters = parameters or OrchestratorParameters()
        self._cycle = DailyCycle()
        self._capital = Capital(self._parameters, installation)
        self._transfers = self._capital.transfers
        self._policy = PolicyDelivery()
        self._tally = Tally()
        self._portfolio: Portfolio | None = None
        self._components: dict[str, str] = {}
        self._risk_states: dict[str, str] = {}
        self._reconciled = False
        self._due_ms: int | None = None
        self._dirty: set[str] = set()

    # --- the ActorLogic protocol: start and state ---

    def history_needed(self) -> Sequence[HistoryNeed]:
        """O3: the closes on which the regime's dwell is counted, and the indicators' bars."""
        return self._capital.history_needed()

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        """Load the recorded bars; a restored regime only needs them for its indicators."""
        self._capital.warm(bars)

    def history_before(self, body: Body) -> int | None:
        """Before the first close is judged, if no bar is known: the orchestrator starts before market data has filled
        an empty database."""
        return body.day_ms - 1 if isinstance(body, DayClosed) and self._capital.tracker.lacks_history else None

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Restore all rows; a missing row means a first start of that part. Raises UnreadableRowError."""
        for key, row in rows.items():
            if key == "cycle":
                self._cycle = DailyCycle.from_data(row.state, row.data)
            elif key == "transfers":
                self._transfers.restore(row.data)
            elif key == ALLOCATION_KEY:
                self._capital.tracker.restore(row.state, row.data)
            elif key == POLICY:
                self._policy.restore(row.state, row.data)
            elif key == "tally":
                self._tally.restore(row.data)
            elif key == "portfolio":
                self._portfolio = Portfolio.model_validate(row.data)
            elif key == "control":
                self._components = dict(row.data["components"])
                self._risk_states = dict(row.data["risk_states"])
                self._reconciled = bool(row.data["reconciled"])
                self._due_ms = row.data["due_ms"]

    def begin(self, now_ms: int) -> Commands:
        """Resume from the last commit; undelivered messages will arrive without a request."""
        return []

    def still_needed(self, ask: ExchangeCall) -> bool:
        """False: the orchestrator sends no requests to the exchange; the order manager performs transfers."""
        return False

    def deadline(self) -> int | None:
        """When the cycle can take its next step; None while it waits for a reply."""
        return self._due_ms

    @staticmethod
    def faulted(rows: Mapping[str, StateRow]) -> list[str]:
        """Components that were FAULTED when these rows were written: a restart does not reset them (OR-8)."""
        control = rows.get("control")
        components: Mapping[str, str] = control.data["components"] if control is not None else {}
        return sorted(name for name, state in components.items() if state == FAULTED)

    # --- the ActorLogic protocol: messages ---

    def handle(self, message: Envelope) -> Commands:
        """Take one message into the view; the cycle's steps follow in `tick`."""
        body, now_ms = message.body, message.market_ms
        match body:
            case DayClosed():
                return self._day_closed(body, now_ms)
            case Reconciled():
                self._reconciled = True
                self._wake(now_ms)
                return []
            case Portfolio():
                self._portfolio = body
                self._touch("portfolio")
                return []
            case RiskAssessed():
                return self._risk_assessed(body, now_ms)
            case RiskState():
                self._risk_states[body.scope] = body.state
                self._touch("control")
                return []
            case CycleDone():
                return self._cycle_done(body, now_ms)
            case TransferWanted():
                self._touch("transfers")
                return self._transfers.take_wanted(body)
            case CapitalFreed():
                return self._capital_freed(body, now_ms)
            case TransferEnded():
                return self._transfer_ended(body, now_ms)
            case ComponentChanged():
                return self._component_changed(body, now_ms)
            case ReadingChanged():
                return [Remark(body.switch, "reading", body.reason, {"is_bad": body.is_bad}), Send(body)]
            case PolicyRecorded():
                self._touch(POLICY)
                self._wake(now_ms)
                return self._policy.take(body)
            case OperatorCommand():
                return hold(body, now_ms)
            case DatabaseOutage() | ComponentAlert() | AccessFailures():
                return [alert_of(body)]
            case ComponentReset():
                return self._component_reset(body, now_ms)
            case Fill():
                self._tally.take_fill(body)
            case IntentDone() | OrderRejected():
                self._tally.take_done(body)
            case OrderDenied():
                self._tally.take_denied(body)
            case FundingPaid():
                self._tally.take_funding(body)
            case _:
                return []
        self._touch("tally")
        return []

    def _day_closed(self, body: DayClosed, now_ms: int) -> Commands:
        cycle = self._cycle
        if not cycle.is_news(body.day_ms):
            text = f"the cycle of day {body.day_ms} is not started again; newest {cycle.last_day_ms}"
            return [cycle.stay("day_repeated", text)]
        skipped, cycle.next_day_ms, cycle.next_close_ms = cycle.next_day_ms, body.day_ms, body.close_ms
        self._touch("cycle", ALLOCATION_KEY)
        self._wake(now_ms)
        self._capital.day_closed(body)
        return [] if skipped is None else cycle.skipped(skipped)

    def _risk_assessed(self, body: RiskAssessed, now_ms: int) -> Commands:
        cycle = self._cycle
        if cycle.stage is not Stage.RISK or body.day_ms != cycle.day_ms:
            return [cycle.stay("stray_assessment", f"an assessment of day {body.day_ms} is not expected")]
        cycle.risk_state, cycle.risk_reason = body.state, body.reason
        self._touch("cycle")
        self._wake(now_ms)
        return []

    def _cycle_done(self, body: CycleDone, now_ms: int) -> Commands:
        cycle = self._cycle
        if cycle.waiting_for != body.engine or body.day_ms != cycle.day_ms:
            return [cycle.stay("stray_cycle_done", f"{body.engine} has ended day {body.day_ms}, which is not expected")]
        cycle.waiting_for = None
        cycle.outcomes[str(body.engine)] = body.summary
        self._touch("cycle")
        self._wake(now_ms)
        return [cycle.stay("engine_done", f"{body.engine}: {body.summary}", engine=str(body.engine))]

    def _capital_freed(self, body: CapitalFreed, now_ms: int) -> Commands:
        self._transfers.take_answer(body)
        self._touch("transfers")
        self._wake(now_ms)
        return []

    def _judge_answers(self, now_ms: int) -> Commands:
        free, commands = self._capital.judge_answers(self._risk_states.get(GLOBAL, NORMAL))
        if commands:
            self._touch("transfers")
        if free and self._cycle.stage is Stage.CAPITAL and self._cycle.transfers is not None:
            self._cycle.transfers += free
            self._touch("cycle")
            self._wake(now_ms)
        return commands

    def _transfer_ended(self, body: TransferEnded, now_ms: int) -> Commands:
        commands = self._transfers.take_ended(body)
        self._touch("transfers")
        if self._cycle.stage is Stage.CAPITAL:
            self._wake(now_ms)
        return commands

    def _component_changed(self, body: ComponentChanged, now_ms: int) -> Commands:
        """A report of the supervision (OR-8), forwarded to the risk manager."""
        self._components[str(body.component)] = body.state
        self._touch("control")
        if self._cycle.waiting_for == body.component and body.state == FAULTED:
            self._wake(now_ms)
        note = entry_of(body)
        ended = [AlertEnded(down(body.component), "it is working again")] if body.state == RUNNING else []
        return [note, *ended, Send(body)]

    def _component_reset(self, body: ComponentReset, now_ms: int) -> Commands:
        """OR-8: from this commit on no restart treats the component as FAULTED; the command is recorded."""
        component = str(body.component)
        before = self._components.get(component, "STOPPED")
        after = "STARTING" if before == FAULTED else before
        self._components[component] = after
        self._touch("control")
        return reset_commands(body, before, after, now_ms)

    # --- the cycle ---

    def tick(self, now_ms: int) -> Commands:
        """Judge closed days and answers of engines, and take one step of the cycle, if one is due."""
        self._due_ms = None
        self._touch("control")
        if closes := self._capital.tracker.judge():
            self._touch(ALLOCATION_KEY)
        return closes + self._judge_answers(now_ms) + self._step(now_ms)

    def _step(self, now_ms: int) -> Commands:
        cycle = self._cycle
        if self._policy.is_due(cycle.stage):
            self._touch(POLICY)
            self._wake(now_ms)
            return self._policy.deliver()
        if cycle.is_overtaken:
            return self._overtaken(now_ms)
        match cycle.stage:
            case Stage.IDLE:
                return self._begin_day(now_ms)
            case Stage.REFRESH:
                return self._assess()
            case Stage.RISK:
                return self._judge(now_ms)
            case Stage.ENGINES | Stage.PROTECTION:
                return self._next_engine(now_ms)
            case Stage.CAPITAL:
                return self._move_capital(now_ms)
            case Stage.SUMMARY:
                return self._summarise(now_ms)

    def _begin_day(self, now_ms: int) -> Commands:
        if self._cycle.next_day_ms is None or not self._reconciled:
            return []
        self._touch("cycle")
        self._wake(now_ms)
        return [self._cycle.begin_day()]

    def _assess(self) -> Commands:
        self._touch("cycle")
        note = self._cycle.fire("refreshed", "closed bars and external values of the day have arrived")
        return [note, Send(AssessRisk(day_ms=self._cycle.day_ms))]

    def _judge(self, now_ms: int) -> Commands:
        cycle = self._cycle
        if cycle.risk_state is None:
            return []
        self._touch("cycle")
        self._wake(now_ms)
        # Engines act on the capital at the cycle's start (O7).
        cycle.equity_usdt = None if self._portfolio is None else self._portfolio.equity_usdt
        if permits_entries(cycle.risk_state):
            cycle.queue = [str(engine) for engine in self._parameters.cycle]
            text = f"the state is {cycle.risk_state}; engines may open positions again."
            return [cycle.run_engines(), AlertEnded(RISK_CONDITION, text)]
        cycle.queue = [str(e) for e in self._parameters.cycle if e in self._parameters.protective]
        text = f"{cycle.risk_reason}; engines are run without entries, capital is not moved"
        title = "The daily cycle stops after the risk check"
        told = f"{text}. Required action: read the alert of the risk state; it has the cause and what ends the state."
        return [cycle.fire("risk_action", text), Alert("warning", title, told, RISK_CONDITION)]

    def _next_engine(self, now_ms: int) -> Commands:
        cycle = self._cycle
        self._touch("cycle")
        if cycle.waiting_for is not None:
            engine = ActorName(cycle.waiting_for)
            if self._components.get(cycle.waiting_for) != FAULTED:
                return []
            cycle.waiting_for = None
            self._wake(now_ms)
            return engine_turns.skip(cycle, engine, "it became FAULTED before its part had ended")
        next_engine = cycle.next_engine()
        if next_engine is None:
            self._wake(now_ms)
            return [cycle.engines_have_run()]
        if self._components.get(str(next_engine)) == FAULTED:
            self._wake(now_ms)
            return engine_turns.skip(cycle, next_engine, "it is FAULTED")
        if cycle.equity_usdt is None:
            self._wake(now_ms)
            return engine_turns.skip(cycle, next_engine, "the portfolio is not known, so there is no target for it")
        return self._run(next_engine)

    def _run(self, engine: ActorName) -> Commands:
        own_state = self._risk_states.get(str(engine), "NORMAL")
        return engine_turns.run(self._cycle, engine, own_state, self._capital.weights(self._cycle.day_ms)[engine])

    def _move_capital(self, now_ms: int) -> Commands:
        cycle = self._cycle
        self._touch("cycle", "transfers")
        if cycle.transfers is None and (state := self._risk_states.get(GLOBAL, NORMAL)) != NORMAL:
            self._wake(now_ms)
            return [cycle.fire("capital_rests", f"GLOBAL has become {state} since the risk check (R2, O6)")]
        if cycle.transfers is None:
            faulted = frozenset(name for name, state in self._components.items() if state == FAULTED)
            decided = self._capital.decide(cycle.day_ms, self._portfolio, faulted)
            cycle.transfers = self._transfers.due()
            self._wake(now_ms)
            return decided + self._transfers.order(cycle.transfers)
        if self._transfers.are_under_way(cycle.transfers):
            return []
        self._wake(now_ms)
        reason = f"{len(cycle.transfers)} transfers have ended; still owed: {len(self._transfers.owed())}"
        return [cycle.fire("capital_moved", reason)]

    def _overtaken(self, now_ms: int) -> Commands:
        """The next day has closed before this cycle could end: it ends unfinished, nothing of it is repeated."""
        cycle = self._cycle
        for engine in (cycle.waiting_for, *cycle.queue):
            if engine is not None:
                cycle.outcomes[engine] = "not ended when the next day closed"
        cycle.waiting_for, cycle.queue = None, []
        text = f"the day {cycle.next_day_ms} has closed while the cycle of {cycle.day_ms} was in stage {cycle.stage}"
        self._touch("cycle")
        self._wake(now_ms)
        return [cycle.fire("overtaken", text), Alert("critical", "A daily cycle did not end", text)]

    def _summarise(self, now_ms: int) -> Commands:
        cycle = self._cycle
        data = summary_data(
            self._portfolio,
            self._tally,
            self._capital.weights(),
            cycle.outcomes,
            self._risk_states,
            self._components,
        )
        data["risk"] = {"state": cycle.risk_state, "reason": cycle.risk_reason, "scopes": dict(self._risk_states)}
        data["regime"] = self._capital.tracker.regime.value
        data["transfers"] = {"under_way": self._transfers.under_way, "owed": self._transfers.owed()}
        self._tally.clear()
        self._touch("cycle", "tally")
        if cycle.next_day_ms is not None or self._policy.is_due(Stage.IDLE):
            self._wake(now_ms)
        reason = (
            f"day {cycle.day_ms}: equity {data['equity_usdt']} USDT, idle cash {data['cash_idle_usdt']} USDT, "
            f"{data['fills']} fills, refusals {data['refusals']}"
        )
        fact = SummaryFact(day_ms=cycle.day_ms, completed_ms=now_ms, data=data)
        return [cycle.fire("summarised", reason), Record(fact)]

    # --- durability ---

    def _wake(self, now_ms: int) -> None:
        self._due_ms = now_ms
        self._touch("control")

    def _touch(self, *keys: str) -> None:
        self._dirty.update(keys)

    def rows(self) -> Iterable[StateRow]:
        known = [] if self._portfolio is None else ["portfolio"]
        known += [POLICY] if self._policy.is_known else []
        return [self._row(key) for key in ("cycle", "transfers", ALLOCATION_KEY, "tally", "control", *known)]

    def dirty(self) -> Sequence[StateRow]:
        """Rows changed since the last call, in a fixed order."""
        rows = [self._row(key) for key in sorted(self._dirty)]
        self._dirty.clear()
        return rows

    def _row(self, key: str) -> StateRow:
        if key == "cycle":
            return StateRow(key, self._cycle.stage.value, SCHEMA, self._cycle.to_data())
        if key == "transfers":
            return StateRow(key, "", requests.SCHEMA, self._transfers.to_data())
        if key == ALLOCATION_KEY:
            return self._capital.allocation_row(key)
        if key == POLICY:
            return self._policy.row()
        if key == "tally":
            return StateRow(key, "", SCHEMA, self._tally.to_data())
        if key == "portfolio":
            assert self._portfolio is not None
            return StateRow(key, "", SCHEMA, self._portfolio.model_dump(mode="json"))
        data: dict[str, Any] = {
            "components": dict(self._components),
            "risk_states": dict(self._risk_states),
            "reconciled": self._reconciled,
            "due_ms": self._due_ms,
        }
        return StateRow(key, "", SCHEMA, data)
