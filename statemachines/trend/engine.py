"""The TREND engine of one sub-account (SPEC chapter 3, RULINGS D1-D5, T1-T12).

Daily cycle (`RunCycle`): exits, trailing stops and reductions first; entries once those are done and the portfolio
shows it. Settlements (`FundingSettled`): TR-14 at the next tick. All other actions are reactions to the exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Commands, ExchangeCall, Remark, Send
from statemachines.facts import BarFact
from statemachines.messages.accounts import BalancesKnown, FreeCapital, Portfolio, TransferEnded
from statemachines.messages.control import CycleDone, FlattenOrdered, RiskState, RunCycle
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import DayClosed, FundingSettled, InstrumentsKnown
from statemachines.messages.orders import Fill, IntentEnded, IntentWorking, MoveRefused, PositionUnprotected
from statemachines.outlook.terms import Prospect
from statemachines.portfolio.release import RELEASES_KEY, Releases
from statemachines.state_store import RowKind, StateDialect
from statemachines.trend import decisions
from statemachines.trend.giving import Giving
from statemachines.trend.machine import CycleStage, TrendState
from statemachines.trend.outlook import outlook
from statemachines.trend.parameters import TrendParameters
from statemachines.trend.position_orders import PositionOrders
from statemachines.trend.trade import Trade
from statemachines.trend.view import Cycle, EngineMemory, InstrumentsSeen, PortfolioSeen, View
from statemachines.values import ACCOUNT_OF, LINEAR, SECOND_MS, ActorName

ENGINE_KEY, PORTFOLIO_KEY, INSTRUMENTS_KEY = "engine", "portfolio", "instruments"
SCHEMA = 5


def with_capital(row: StateRow) -> StateRow:
    """Schema 1 was written by versions that were not asked to give capital (O4)."""
    data = dict(row.data)
    if row.key == PORTFOLIO_KEY:
        data["cash_usdt"] = None
    elif row.key not in (ENGINE_KEY, INSTRUMENTS_KEY):
        data["cut_gives"] = False
    return row._replace(schema=2, data=data)


def with_outside(row: StateRow) -> StateRow:
    """Schema 2 was written by versions that did not set aside what is not ours."""
    is_asset = row.key not in (ENGINE_KEY, PORTFOLIO_KEY, INSTRUMENTS_KEY, RELEASES_KEY)
    return row._replace(schema=3, data={**row.data, "outside": "0"} if is_asset else row.data)


def with_stops(row: StateRow) -> StateRow:
    """Schema 3 was written by versions whose stop was always one order."""
    data = dict(row.data)
    if row.key not in (ENGINE_KEY, PORTFOLIO_KEY, INSTRUMENTS_KEY, RELEASES_KEY):
        stop = data.pop("stop")
        data["stops"] = [] if stop is None else [stop]
    return row._replace(schema=4, data=data)


def with_repairs(row: StateRow) -> StateRow:
    """Schema 4 counted the stops that were replaced in a day, of all that stand side by side together."""
    data = dict(row.data)
    if row.key not in (ENGINE_KEY, PORTFOLIO_KEY, INSTRUMENTS_KEY, RELEASES_KEY):
        count, stops = data.pop("stop_repairs"), data["stops"]
        known = count if len(stops) <= 1 else 0
        data["stops"] = [{**stop, "repairs": known} for stop in stops]
        data |= {"unreplaced": [known] if known and not stops else [], "audit_repairs": 0}
    return row._replace(schema=5, data=data)


def is_idle_row(row: StateRow) -> bool:
    """Whether the row of an asset that is no longer configured has no signal, position or order."""
    return row.state == TrendState.SCANNING.value and row.data.get("held") == "0"


UPCASTERS = {1: with_capital, 2: with_outside, 3: with_stops, 4: with_repairs}
DIALECT = StateDialect(RowKind("", SCHEMA, UPCASTERS), is_idle=is_idle_row)


class TrendEngine:
    """TREND-1 or TREND-2: the same rules, its own parameters, positions and stops (TR-11).

    Args:
        name: `ActorName.TREND_1` or `ActorName.TREND_2`; the account follows from it.
        parameters: the parameter set.
    """

    dialect = DIALECT

    def __init__(self, name: ActorName, parameters: TrendParameters) -> None:
        self.name = name
        self.parameters = parameters
        self._account = ACCOUNT_OF[name]
        self._view = View(name, self._account, parameters)
        self._positions = {
            asset.symbol: PositionOrders(name, self._account, asset, parameters, self._view)
            for asset in parameters.assets
        }
        self._giving = Giving(name, self._view, parameters)
        self._saved: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._dumped: dict[str, BaseModel] = {}

    # --- life cycle ---

    def history_needed(self) -> Sequence[HistoryNeed]:
        return [
            HistoryNeed(LINEAR, asset.symbol, "D", self.parameters.warm_up_bars) for asset in self.parameters.assets
        ]

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        for need in self.history_needed():
            self._view.warm(need.symbol, bars.get(need, ()))
        self._view.start()

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Restore all rows. Raises UnreadableRowError."""
        for key, saved in rows.items():
            self._saved[key] = (saved.state, dict(saved.data))
        view = self._view
        if (row := rows.get(ENGINE_KEY)) is not None:
            view.memory = EngineMemory.model_validate(row.data)
        if (row := rows.get(PORTFOLIO_KEY)) is not None:
            view.portfolio = PortfolioSeen.model_validate(row.data)
        if (row := rows.get(INSTRUMENTS_KEY)) is not None:
            view.instruments = InstrumentsSeen.model_validate(row.data)
        if (row := rows.get(RELEASES_KEY)) is not None:
            view.releases = Releases.model_validate(row.data)
        for position in self._positions.values():
            if (row := rows.get(position.asset.asset)) is not None:
                position.load(Trade.model_validate(row.data))

    def outlook(self, now_ms: int) -> list[Prospect]:
        """What would make it act next, as of its newest data; changes nothing."""
        return outlook(list(self._positions.values()), self._view, self.parameters)

    def begin(self, now_ms: int) -> Commands:
        """No requests: work that is due or in flight is part of the state and continues with the messages."""
        self._view.start()
        return []

    def rows(self) -> Iterable[StateRow]:
        return [StateRow(key, state, SCHEMA, model.model_dump(mode="json")) for key, state, model in self._models()]

    def _models(self) -> list[tuple[str, str, BaseModel]]:
        """Key, state and content of every row."""
        cycle = self._view.memory.cycle
        models: list[tuple[str, str, BaseModel]] = [
            (ENGINE_KEY, "" if cycle is None else cycle.stage.value, self._view.memory),
            (PORTFOLIO_KEY, "", self._view.portfolio),
            (INSTRUMENTS_KEY, "", self._view.instruments),
            (RELEASES_KEY, "", self._view.releases),
        ]
        return models + [(d.asset.asset, d.machine.state.value, d.saved()) for d in self._positions.values()]

    def dirty(self) -> Sequence[StateRow]:
        changed = []
        for key, state, model in self._models():
            if self._dumped.get(key) is model:
                continue  # only ever replaced as a whole
            data = model.model_dump(mode="json")
            if isinstance(model, PortfolioSeen | InstrumentsSeen | Releases):
                self._dumped[key] = model
            if self._saved.get(key) != (state, data):
                self._saved[key] = (state, data)
                changed.append(StateRow(key, state, SCHEMA, data))
        return changed

    def still_needed(self, ask: ExchangeCall) -> bool:
        return False  # this engine sends no requests to the exchange

    # --- messages ---

    def handle(self, message: Envelope) -> Commands:
        now_ms = message.market_ms
        commands = self._dispatch(message, now_ms)
        if self._view.releases.open is not None:
            self._giving.report(self._all(), now_ms)
        return commands + self._advance(now_ms)

    def _dispatch(self, message: Envelope, now_ms: int) -> Commands:
        match message.body:
            case Fill() as fill if fill.engine == self.name and fill.symbol in self._positions:
                return self._positions[fill.symbol].on_fill(fill, now_ms)
            case IntentWorking() as working if working.engine == self.name:
                return self._each(lambda position: position.on_working(working, now_ms))
            case MoveRefused() as refused if refused.engine == self.name:
                return self._each(lambda position: position.on_move_refused(refused, now_ms))
            case IntentEnded() as ended if ended.engine == self.name:
                return self._each(lambda position: self._on_ended(position, ended, now_ms))
            case PositionUnprotected() as found if found.engine == self.name and found.symbol in self._positions:
                return self._positions[found.symbol].on_unprotected(found, now_ms)
            case BalancesKnown() as known if known.account == self._account:
                return self._each(
                    lambda position: position.adopt(
                        known.positions.get(position.asset.symbol, (Decimal(0),))[0], now_ms
                    )
                )
            case RunCycle() as run if run.engine == self.name:
                return self._giving.end(self._all()) + self._run_cycle(run, now_ms)
            case FlattenOrdered() as flatten if flatten.engine == self.name:
                return self._each(lambda position: position.flatten(flatten.reason, now_ms))
            case FreeCapital() as asked if asked.engine == self.name:
                return self._giving.asked(asked, now_ms)
            case TransferEnded() as moved if moved.from_account == self._account:
                self._giving.transferred(moved)
            case DayClosed() as day:
                self._take_day(day)
            case FundingSettled() as settled:
                is_held = any(position.is_held for position in self._positions.values())
                self._view.take_settlement(settled, now_ms if is_held else None)
            case Portfolio() as portfolio:
                self._take_portfolio(portfolio, now_ms)
            case RiskState() as risk:
                self._view.take_risk(risk)
            case InstrumentsKnown() as known_instruments:
                self._view.take_instruments(known_instruments.instruments)
        return []

    def _all(self) -> list[PositionOrders]:
        return list(self._positions.values())

    def _each(self, act: Callable[[PositionOrders], Commands]) -> Commands:
        return [command for position in self._positions.values() for command in act(position)]

    def _on_ended(self, position: PositionOrders, ended: IntentEnded, now_ms: int) -> Commands:
        memory = self._view.memory
        was_held = position.is_held
        commands = position.on_ended(ended, now_ms)
        if position.is_held and not was_held and (memory.settled_ms or 0) > position.trade.signal_close_ms:
            memory.settled_due_ms = now_ms  # a settlement passed while the entry was open: TR-14 is checked again
        return commands

    def _take_day(self, day: DayClosed) -> None:
        for symbol in self._view.take_day(day):
            values = self._view.values_at(symbol, day.close_ms)
            if values is not None:
                self._positions[symbol].close_day(values.close, day.close_ms)

    def _take_portfolio(self, portfolio: Portfolio, now_ms: int) -> None:
        self._view.take_portfolio(portfolio)
        memory = self._view.memory
        if memory.cycle is not None and memory.cycle.stage is CycleStage.ENTER:
            memory.cycle_due_ms = now_ms

    # --- daily cycle ---

    def _run_cycle(self, run: RunCycle, now_ms: int) -> Commands:
        """Exits, trailing stops and reductions of this daily close (D1, D5)."""
        memory = self._view.memory
        out: Commands = []
        memory.cycle = Cycle(day_ms=run.day_ms, close_ms=run.close_ms, entries_allowed=run.entries_allowed)
        memory.cycle_due_ms = None
        for position in self._positions.values():
            if self._view.values_at(position.asset.symbol, run.close_ms) is None:
                reason = f"no closed daily bar of {position.asset.symbol} at {run.close_ms} ms: no decision"
                out.append(position.machine.remark("no_bar", reason, {"close_ms": run.close_ms}))
            out += decisions.review(position, self._view, self.parameters, run.close_ms, now_ms)
        out += decisions.cuts(list(self._positions.values()), self._view, self.parameters)
        if not any(position.is_reducing for position in self._positions.values()):
            out.append(memory.cycle.next_stage("reduced", "nothing to reduce"))
            out += self._enter(now_ms)
        return out

    def _advance(self, now_ms: int) -> Commands:
        """The cycle's next stage once the urgent orders of this one have ended."""
        memory = self._view.memory
        cycle = memory.cycle
        if cycle is None:
            return []
        positions = self._positions.values()
        out: Commands = []
        if cycle.stage is CycleStage.REDUCE and not any(position.is_reducing for position in positions):
            out.append(cycle.next_stage("reduced", "exits and reductions have ended"))
            memory.cycle_due_ms = now_ms  # the portfolio after the exits arrives before the next tick (T7)
        if cycle.stage is CycleStage.ENTERING and not any(position.trade.entry for position in positions):
            memory.cycle = None
            summary = ", ".join(f"{position.asset.asset} {position.machine.state.value}" for position in positions)
            out.append(Send(CycleDone(day_ms=cycle.day_ms, engine=self.name, summary=summary)))
        return out

    def _enter(self, now_ms: int) -> Commands:
        """Entries of this daily close, on a portfolio that shows its exits and reductions (T7)."""
        memory = self._view.memory
        cycle = memory.cycle
        if cycle is None:
            return []
        out: Commands = []
        held = {symbol: position.account_quantity for symbol, position in self._positions.items()}
        if self._view.shows(held, cycle.close_ms):
            out = decisions.entries(list(self._positions.values()), self._view, self.parameters, cycle)
        else:
            if cycle.wait_until_ms is None:
                cycle.wait_until_ms = now_ms + self.parameters.portfolio_wait_s * SECOND_MS
            if now_ms < cycle.wait_until_ms:
                memory.cycle_due_ms = cycle.wait_until_ms
                return []
            seen = self._view.portfolio
            reason = f"no portfolio that shows {held} at {cycle.close_ms} ms; the newest is version {seen.version_no} "
            out = [Remark("engine", "no_portfolio", f"{reason}of {seen.market_ms} ms")]
        return [*out, cycle.next_stage("entries_decided", "entries of this close are decided")]

    # --- time ---

    def tick(self, now_ms: int) -> Commands:
        memory = self._view.memory
        out: Commands = []
        if memory.settled_due_ms is not None and memory.settled_due_ms <= now_ms:
            memory.settled_due_ms = None
            settled_ms = memory.settled_ms if memory.settled_ms is not None else now_ms
            for symbol in memory.settled_symbols:
                out += decisions.funding_exit(self._positions[symbol], self._view, self.parameters, settled_ms, now_ms)
        for position in self._positions.values():
            out += position.tick(now_ms)
        if memory.cycle_due_ms is not None and memory.cycle_due_ms <= now_ms:
            memory.cycle_due_ms = None
            out += self._enter(now_ms)
        out += self._giving.tick(self._all(), now_ms)
        return out + self._advance(now_ms)

    def deadline(self) -> int | None:
        memory = self._view.memory
        due = [
            memory.settled_due_ms,
            memory.cycle_due_ms,
            self._view.releases.due_ms,
            *(position.deadline() for position in self._positions.values()),
        ]
        return min((at for at in due if at is not None), default=None)
