"""The risk manager's logic (SPEC 9): one view of all accounts, one gate for all orders, one owner of risk states.

It acts immediately on intents, fills and operator commands; work that needs a settled instant (measuring a daily
close, publishing the portfolio) is done in its tick, which precedes the engines' ticks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Alert, AlertEnded, Commands, ExchangeCall, Record, Remark, Send
from statemachines.facts import BarFact
from statemachines.messages.accounts import (
    BalancesKnown,
    FundingPaid,
    Portfolio,
    Reconciled,
    StakingForgone,
    TransferEnded,
)
from statemachines.messages.control import (
    AssessRisk,
    ComponentChanged,
    FlatnessRead,
    OperatorCommand,
    RiskAssessed,
)
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import BarsClosed, DataUnusable, DayClosed, FundingSettled, InstrumentsKnown
from statemachines.messages.orders import Fill, Intent, IntentEnded, MoveStop, Withdraw
from statemachines.performance.tracker import PERFORMANCE, PerformanceTracker, rows_of
from statemachines.portfolio.current import CurrentPortfolio
from statemachines.portfolio.equity import USDT
from statemachines.portfolio.holdings import ACCOUNTS, portfolio_fact
from statemachines.portfolio.volumes import HOURS
from statemachines.risk.intent_gate import IntentGate, denied, gate_rows
from statemachines.risk.machine import COMPONENT_RULE, GLOBAL, SCOPE_ROWS, Level, RiskStateName
from statemachines.risk.measurements import RESULTS, Results
from statemachines.risk.operator.carry_out import carry_out
from statemachines.risk.operator.flattening import FLATTEN_ROWS, Flattening
from statemachines.risk.order_view import OrderView, Pending, Refusal
from statemachines.risk.parameters import RiskParameters
from statemachines.risk.readings.switchboard import Switchboard
from statemachines.risk.risk_states import RiskStates
from statemachines.risk.unusable_markets import UnusableMarkets
from statemachines.state_store import StateDialect
from statemachines.values import (
    DAILY,
    ENGINE_OF,
    ENGINES,
    HOURLY,
    LINEAR,
    MINUTE_MS,
    SPOT,
    Account,
    ActorName,
    Category,
)

SCHEMA = 1
CALM_GRACE_MS = MINUTE_MS
"""24 h of calm often end at a daily close, which must be measured first; the measurement may take a moment."""
VALUED = frozenset({"account", "prices", "instruments", "control"})
"""Kinds of rows that the portfolio, or what is missing of it, follows from."""
_SHARED_COMPONENTS = frozenset({ActorName.MARKET_DATA, ActorName.ORDER_MANAGER, ActorName.ORCHESTRATOR})


class RiskManagerLogic:
    """Implements `statemachines.actor_logic.ActorLogic` for the risk manager."""

    name = ActorName.RISK_MANAGER
    dialect = StateDialect(RESULTS, PERFORMANCE, ACCOUNTS, SCOPE_ROWS, FLATTEN_ROWS)

    def __init__(self, parameters: RiskParameters | None = None) -> None:
        self._parameters = parameters or RiskParameters()
        self._current = CurrentPortfolio()
        self._book = self._current.holdings
        self._gate = IntentGate(self._parameters)
        self._states = RiskStates(self._parameters, self._gate)
        self._results = Results(self._parameters, self._states)
        self._switches = Switchboard(self._parameters, self._states)
        self._flattening = Flattening(self._gate, self._current)
        self._unusable = UnusableMarkets()
        self._performance = PerformanceTracker()
        self._broadcast_ms: int | None = None
        self._close_ms: int | None = None
        self._foreign: list[str] = []
        self._dirty: set[str] = set()
        self._whole: dict[str, tuple[Callable[[], dict[str, Any]], Callable[[Mapping[str, Any]], None]]] = {
            "prices": (self._book.price_data, self._book.restore_prices),
            "results": (self._results.to_data, self._results.restore),
            "switches": (self._switches.to_data, self._switches.restore),
            "instruments": (self._current.instruments_data, self._current.restore_instruments),
            "unusable": (self._unusable.as_data, self._unusable.restore),
            "closes": (self._performance.closes_data, self._performance.restore_closes),
            "control": (self._control_data, self._restore_control),
        }

    # --- the ActorLogic protocol: start and state ---

    def history_needed(self) -> Sequence[HistoryNeed]:
        """The bars of every series that the engines trade: prices and volumes for a first start."""
        keys = sorted({key for limits in self._parameters.engines.values() for key in limits.universe})
        return [
            HistoryNeed(_category(category), symbol, interval, bars)
            for category, symbol in (key.split(":") for key in keys)
            for interval, bars in ((DAILY, 1), (HOURLY, HOURS))
        ]

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        """Take the newest closes and the volumes (not durable: the bars are); a price from a later bar is kept."""
        for found in bars.values():
            self._book.take_bars(found)
        self._touch("prices")

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Restore all rows; a missing row means a first start of that part. Raises UnreadableRowError."""
        for key, row in rows.items():
            kind, _, which = key.partition(":")
            if kind in self._whole:
                self._whole[kind][1](row.data)
            elif kind == "account":
                self._book.restore_account(Account(which), row.data)
            elif kind == "engine":
                self._gate.restore(ActorName(which), row.data)
            elif kind == "performance":
                self._performance.restore_engine(ActorName(which), row.data)
            elif kind == "scope":
                self._states.restore(which, row.state, row.data)
            elif kind == "flatten":
                self._flattening.restore(ActorName(which), row)
        self._current.changed()

    def begin(self, now_ms: int) -> Commands:
        """No requests: all input comes from the order manager and market data. Engines keep the size factor that they
        were sent last, so that of these parameters is sent again (RM-6)."""
        return self._states.factors()

    def still_needed(self, ask: ExchangeCall) -> bool:
        """False: the risk manager sends no requests to the exchange."""
        return False

    # --- the ActorLogic protocol: deciding ---

    def handle(self, message: Envelope) -> Commands:
        """Decide on one message; kinds that do not concern risk are ignored."""
        body, now_ms = message.body, message.market_ms
        match body:
            case Intent():
                return self._intent(body, now_ms)
            case Withdraw() | MoveStop():
                return self._forward(body)
            case Fill():
                return self._fill(body, now_ms)
            case IntentEnded():
                return self._done(body, now_ms)
            case BarsClosed():
                return self._bars(body)
            case DayClosed():
                self._book.take_bars(body.bars)
                self._touch("prices", "control")
                self._close_ms = self._broadcast_ms = body.close_ms
                return []
            case FundingSettled():
                self._broadcast_ms = now_ms
                self._touch("control")
                return []
            case FundingPaid():
                self._book.take_funding(body)
                self._performance.take_funding(body)
                self._touch(f"account:{body.account}", *rows_of(body.engine))
                return []
            case BalancesKnown():
                return self._balances(body, message.cause)
            case StakingForgone():
                self._performance.take_forgone(body)
                self._touch(*rows_of(ENGINE_OF.get(body.account)))
                return []
            case TransferEnded():
                return self._transfer(body, message.cause, now_ms)
            case Reconciled():
                return self._take_reconciled(body, now_ms)
            case InstrumentsKnown():
                self._current.take_instruments(body.instruments)
                self._touch("instruments")
                return []
            case DataUnusable():
                return self._data_unusable(body)
            case ComponentChanged():
                return self._component(body, now_ms)
            case OperatorCommand():
                self._touch("control", "results")
                return carry_out(body, self._states, self._results, self._flattening, now_ms)
            case FlatnessRead():
                return self._flattening.take_reading(body, now_ms)
            case AssessRisk():
                return self._assess(body, now_ms)
            case _:
                return self._switches.take(body, now_ms)

    def tick(self, now_ms: int) -> Commands:
        """Measure a daily close, publish the portfolio, relax risk states by rule: in this order."""
        commands = self._measure_and_publish(now_ms)
        due_ms = self._states.deadline()
        if due_ms is not None and due_ms + CALM_GRACE_MS <= now_ms:
            commands += self._states.tick(now_ms)
        return commands + self._flattening.tick(now_ms)

    def deadline(self) -> int | None:
        """The earliest of: a portfolio to publish (once it is known), a risk state that may be relaxed by rule."""
        calm_ms = self._states.deadline()
        waiting = [] if calm_ms is None else [calm_ms + CALM_GRACE_MS]
        if (flatten_ms := self._flattening.deadline()) is not None:
            waiting.append(flatten_ms)
        if self._broadcast_ms is not None and not self._current.missing():
            waiting.append(self._broadcast_ms)
        return min(waiting, default=None)

    # --- intents ---

    def _intent(self, intent: Intent, now_ms: int) -> Commands:
        if foreign := self._ownership(intent):
            return denied(intent, foreign)
        instrument = self._current.instrument(intent.category, intent.symbol)
        self._touch(f"engine:{intent.engine}")
        volume = self._book.volumes.mean(intent.category, intent.symbol)
        return self._gate.decide(intent, instrument, now_ms, partial(self._view, now_ms), volume)

    def recheck(self, intent: Intent, now_ms: int) -> Sequence[Refusal]:
        """What these limits would refuse of an approved intent now; nothing changes (RM-6: a change on trial)."""
        return self._ownership(intent) or self._gate.recheck(intent, partial(self._view, now_ms))

    def _ownership(self, intent: Intent) -> tuple[Refusal, ...]:
        if intent.engine in self._parameters.engines:
            return ()
        engines = ", ".join(sorted(self._parameters.engines))
        reason = f"{intent.engine} is not an engine that may trade; allowed: {engines}"
        return (Refusal("ownership", engines, str(intent.engine), reason),)

    def _view(self, now_ms: int, intent: Intent, is_repeat: bool, orders: int, pending: Pending) -> OrderView:
        instrument = self._current.instrument(intent.category, intent.symbol)
        portfolio = self._current.view(now_ms)
        last = self._book.price_of(intent.category, intent.symbol)
        engine = self._states.machines[str(intent.engine)]
        return OrderView(
            intent=intent,
            now_ms=now_ms,
            parameters=self._parameters,
            limits=self._parameters.engines[intent.engine],
            global_state=self._states.state(GLOBAL),
            engine_state=engine.state,
            entries_blocked_until_ms=engine.entries_blocked_until_ms,
            instrument=instrument,
            maintenance_margin=self._current.margin_rates,
            price=None if last is None else last[0],
            price_ms=None if last is None else last[1],
            portfolio=portfolio,
            unknown=self._current.missing() if portfolio is None else (),
            held=None if instrument is None else self._book.held(intent.account, instrument),
            pending=pending,
            orders_this_minute=orders,
            is_repeat=is_repeat,
            unusable=self._unusable.why(intent, instrument),
            totals=None if portfolio is None else self._current.totals(portfolio),
        )

    def _forward(self, body: Withdraw | MoveStop) -> Commands:
        """Cancels and stop moves are never refused; the order manager carries them out."""
        if isinstance(body, MoveStop):
            self._gate.take_move(body)
            self._touch(*gate_rows(body.engine))
        note = Remark(str(body.engine), body.KIND, body.reason, {"intent_id": body.intent_id})
        return [note, Send(body, to=(ActorName.ORDER_MANAGER,))]

    def _fill(self, fill: Fill, now_ms: int) -> Commands:
        instrument = self._current.instrument(fill.category, fill.symbol)
        base_coin = instrument.base_coin if instrument is not None else fill.symbol.removesuffix(USDT)
        self._book.take_fill(fill, base_coin)
        self._performance.take_fill(fill, self._gate.take_fill(fill))
        self._touch(f"account:{fill.account}", *gate_rows(fill.engine), *rows_of(fill.engine))
        return self._publish_to(now_ms, (fill.engine, ActorName.ORCHESTRATOR))

    def _done(self, body: IntentEnded, now_ms: int) -> Commands:
        self._gate.take_done(body.intent_id)
        self._touch(*gate_rows(body.engine))
        return self._switches.take_ended(body, now_ms) + self._flattening.progress(now_ms)

    def _data_unusable(self, body: DataUnusable) -> Commands:
        self._unusable.take(body)
        self._touch("unusable")
        return []

    # --- the accounts ---

    def _bars(self, body: BarsClosed) -> Commands:
        self._book.take_bars(body.bars)
        self._touch("prices")
        if self._close_ms is None or body.close_ms <= self._close_ms:
            return []
        reason = f"the close at {self._close_ms} could not be measured: " + "; ".join(self._current.missing())
        self._close_ms = None
        self._touch("control")
        return [Remark(GLOBAL, "close_not_measured", reason)]

    def _balances(self, body: BalancesKnown, cause: str) -> Commands:
        self._book.take_balances(body, cause)
        self._performance.take_balances(body)
        self._touch(f"account:{body.account}", *rows_of(ENGINE_OF.get(body.account)))
        foreign = self._book.foreign(self._current.valued_coins())
        if not self._current.instruments or foreign == self._foreign:
            return []
        self._foreign = foreign
        self._touch("control")
        text = f"Coins without an instrument to value them are not counted in equity: {', '.join(foreign) or 'none'}."
        condition = "coins-without-price"
        if not foreign:
            return [AlertEnded(condition, "none is held any more")]
        return [Alert("warning", "Coins without a price are held", text, condition)]

    def _transfer(self, body: TransferEnded, cause: str, now_ms: int) -> Commands:
        self._book.take_transfer(body, cause)
        accounts = (body.from_account, body.to_account)
        self._touch(*(f"account:{account}" for account in accounts))
        if not body.succeeded:
            return []
        engines = tuple(ENGINE_OF[account] for account in accounts if account in ENGINE_OF)
        self._performance.take_transfer(body, self._book.prices)
        self._touch(*rows_of(*engines))
        return self._publish_to(now_ms, (*engines, ActorName.ORCHESTRATOR))

    def _take_reconciled(self, body: Reconciled, now_ms: int) -> Commands:
        self._current.is_reconciled = True
        self._broadcast_ms = now_ms
        self._touch("control")
        return self._switches.take_reconciled(body, now_ms)

    # --- publishing ---

    def _publish_to(self, now_ms: int, to: tuple[ActorName, ...]) -> Commands:
        """Send a new version of the portfolio to some actors; nothing while it is not known."""
        portfolio = self._next_version(now_ms)
        return [] if portfolio is None else [Send(portfolio, to=to)]

    def _next_version(self, now_ms: int) -> Portfolio | None:
        portfolio = self._current.next_version(now_ms)
        if portfolio is not None:
            self._dirty.add("control")
        return portfolio

    def _measure_and_publish(self, now_ms: int) -> Commands:
        if self._broadcast_ms is None or self._broadcast_ms > now_ms:
            return []
        portfolio = self._next_version(now_ms)
        if portfolio is None:
            return []
        close_ms, self._broadcast_ms, self._close_ms = self._close_ms, None, None
        commands: Commands = []
        if close_ms is not None:
            records = self._performance.close(portfolio, self._book, close_ms)
            commands = self._results.measure(portfolio, self._book, self._current.instruments, close_ms)
            commands += self._states.tick(now_ms)
            commands += [Record(fact) for fact in (portfolio_fact(portfolio), *records)]
            self._touch("results", "closes", *(f"account:{account}" for account in Account))
            self._touch(*rows_of(*ENGINES))
        return [*commands, Send(portfolio, to=(*ENGINES, ActorName.ORCHESTRATOR))]

    def _assess(self, body: AssessRisk, now_ms: int) -> Commands:
        """OR-3, second step: the GLOBAL state in force; engines receive their own states as `RiskState`."""
        commands = self._measure_and_publish(now_ms)
        machine = self._states.machines[GLOBAL]
        unknown = self._current.missing()
        if unknown:
            state, reason = RiskStateName.REDUCE_ONLY, "the portfolio is not known: " + "; ".join(unknown)
        else:
            state, reason = machine.state, f"GLOBAL is {machine.state}: {machine.explanation}"
        note = machine.remark("assess_risk", reason, {"day_ms": body.day_ms})
        return [*commands, note, Send(RiskAssessed(day_ms=body.day_ms, state=state.value, reason=reason))]

    # --- states ---

    def _component(self, body: ComponentChanged, now_ms: int) -> Commands:
        """OR-8: beyond its restart limit a component is FAULTED; its sub-account is REDUCE_ONLY until the operator
        acts."""
        if body.state != "FAULTED" or body.component not in (*ENGINES, *_SHARED_COMPONENTS):
            return []
        scope = GLOBAL if body.component in _SHARED_COMPONENTS else str(body.component)
        reason = f"OR-8: {body.component} is FAULTED: {body.reason}"
        return self._states.demand(scope, f"{COMPONENT_RULE}:{body.component}", Level.REDUCE_ONLY, reason, now_ms)

    # --- durability ---

    def _touch(self, *keys: str) -> None:
        self._dirty.update(keys)
        for key in keys:
            kind, _, which = key.partition(":")
            if kind in VALUED:
                self._current.changed(Account(which) if which else None)

    def rows(self) -> Iterable[StateRow]:
        keys = [f"account:{one}" for one in Account] + [f"engine:{one}" for one in ENGINES]
        keys += [f"scope:{one}" for one in self._states.machines] + list(rows_of(*ENGINES))
        keys += self._whole
        return [*map(self._row, keys), *self._flattening.rows()]

    def dirty(self) -> Sequence[StateRow]:
        """Rows changed since the last call, in a fixed order."""
        self._dirty |= {f"scope:{scope}" for scope in self._states.dirty}
        self._states.dirty.clear()
        self._dirty |= self._switches.taken_rows()
        rows = [self._row(key) for key in sorted(self._dirty)]
        self._dirty.clear()
        return [*rows, *self._flattening.dirty()]

    def _row(self, key: str) -> StateRow:
        kind, _, which = key.partition(":")
        if kind == "account":
            return StateRow(key, "", ACCOUNTS.schema, self._book.account_data(Account(which)))
        if kind == "engine":
            return StateRow(key, "", SCHEMA, self._gate.to_data(ActorName(which)))
        if kind == "performance":
            return StateRow(key, "", PERFORMANCE.schema, self._performance.engine_data(ActorName(which)))
        if kind == "scope":
            state, data = self._states.to_data(which)
            return StateRow(key, state, SCOPE_ROWS.schema, data)
        return StateRow(key, "", RESULTS.schema if key == RESULTS.prefix else SCHEMA, self._whole[kind][0]())

    def _control_data(self) -> dict[str, Any]:
        return {
            "version": self._current.version,
            "reconciled": self._current.is_reconciled,
            "broadcast_ms": self._broadcast_ms,
            "close_ms": self._close_ms,
            "foreign": self._foreign,
            "commands_seen": self._states.commands_seen,
        }

    def _restore_control(self, data: Mapping[str, Any]) -> None:
        self._current.version = int(data["version"])
        self._current.is_reconciled = bool(data["reconciled"])
        self._broadcast_ms = data["broadcast_ms"]
        self._close_ms = data["close_ms"]
        self._foreign = list(data["foreign"])
        self._states.commands_seen = list(data["commands_seen"])


def _category(text: str) -> Category:
    return SPOT if text == SPOT else LINEAR
