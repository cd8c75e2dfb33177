"""The CORE-HODL engine: messages in, commands out (SPEC chapter 2, RULINGS C1 .. C10).

Market data only updates the view. The engine decides once a day on RunCycle: sales above 50 % (C7), rebalance (CH-2),
tranches (CH-6), staking (CH-10). Its orders are maker orders and may work for hours; decisions that depend on their end
continue in `tick`, when the portfolio after the fills has arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Commands, ExchangeCall, Send
from statemachines.core_hodl.daily import Daily
from statemachines.core_hodl.engine_orders import EngineOrders
from statemachines.core_hodl.giving import Giving
from statemachines.core_hodl.intake import Intake
from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.core_hodl.staking.orders import StakingOrders
from statemachines.core_hodl.state import DIALECT
from statemachines.core_hodl.views.outlook import outlook
from statemachines.facts import BarFact
from statemachines.messages.accounts import (
    BalancesKnown,
    EarnKnown,
    FreeCapital,
    Portfolio,
    StakingReported,
    TransferEnded,
)
from statemachines.messages.control import CycleDone, RiskState, RunCycle
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import DayClosed, InstrumentsKnown
from statemachines.messages.orders import Fill, IntentEnded
from statemachines.outlook.terms import Prospect
from statemachines.values import SPOT, Account, ActorName


class CoreHodlEngine:
    """One engine for both assets; `parameters` carries the rules' numbers."""

    name = ActorName.CORE_HODL
    dialect = DIALECT

    def __init__(self, parameters: CoreHodlParameters | None = None) -> None:
        self.parameters = parameters or CoreHodlParameters()
        self._engine_orders = EngineOrders(self.parameters)
        self._staking = StakingOrders(self._engine_orders)
        self._daily = Daily(self._engine_orders, self._staking)
        self._intake = Intake(self._engine_orders)
        self._giving = Giving(self._engine_orders, self._staking)

    # --- start and state ---

    def history_needed(self) -> Sequence[HistoryNeed]:
        """CH-8: the longest available history of both assets' daily spot bars (D3)."""
        days = self.parameters.history_days
        return tuple(HistoryNeed(SPOT, f"{asset}USDT", "D", days) for asset in self.parameters.assets)

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        """Highs and suspension for the first start; later they are part of the state."""
        self._intake.warm([bars.get(need, ()) for need in self.history_needed()])

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Restore the state of a previous incarnation.

        Raises:
            ValueError: a row has a schema that this version cannot read.
        """
        self._engine_orders.restore(rows)

    def outlook(self, now_ms: int) -> list[Prospect]:
        """What would make it act next, as of its newest data; changes nothing."""
        return outlook(self._engine_orders)

    def begin(self, now_ms: int) -> Commands:
        """No requests: orders in flight and the day's stage are part of the state and continue with the messages."""
        return self._engine_orders.take()

    def rows(self) -> Iterable[StateRow]:
        return self._engine_orders.rows()

    def dirty(self) -> Sequence[StateRow]:
        return self._engine_orders.dirty()

    def still_needed(self, ask: ExchangeCall) -> bool:
        """False: CORE-HODL sends no requests to the exchange itself."""
        return False

    # --- messages ---

    def handle(self, message: Envelope) -> Commands:
        """Handle one message; other kinds are ignored."""
        body, now_ms = message.body, message.market_ms
        match body:
            case DayClosed():
                self._intake.day(body)
            case Portfolio():
                self._intake.portfolio(body)
                self._advance(now_ms)
            case InstrumentsKnown():
                self._intake.instruments(body)
                self._advance(now_ms)
            case RiskState():
                self._intake.risk(body)
            case RunCycle() if body.engine is self.name:
                self._cycle(body, now_ms)
            case Fill() if body.account is Account.CORE_HODL:
                self._engine_orders.filled(body)
            case IntentEnded():
                if self._engine_orders.ended(body):
                    self._giving.advance()
                    self._advance(now_ms)
            case BalancesKnown() if body.account is Account.CORE_HODL:
                self._intake.balances(body, now_ms)
            case EarnKnown() if body.account is Account.CORE_HODL:
                self._staking.known(body)
            case StakingReported() if body.account is Account.CORE_HODL:
                if self._staking.reported(body):
                    self._advance(now_ms)
            case TransferEnded() if Account.CORE_HODL in (body.from_account, body.to_account):
                self._intake.transferred(body)
                self._engine_orders.capital_moved(body)
            case FreeCapital() if body.engine is self.name:
                self._engine_orders.ask(body, now_ms)
            case _:
                pass
        return self._engine_orders.take()

    def _cycle(self, body: RunCycle, now_ms: int) -> None:
        """Third step of the daily cycle (OR-3). It is done once the decisions are sent: maker orders may still work."""
        self._giving.end_day()
        self._daily.open(body)
        self._daily.advance(now_ms)
        done = CycleDone(day_ms=body.day_ms, engine=self.name, summary=self._daily.summary())
        self._engine_orders.out.append(Send(done))

    def _advance(self, now_ms: int) -> None:
        """An event that the day's decisions wait for has occurred: continue in the next tick, on the newest portfolio.

        Outside a cycle only the ends of plans may be due, and what waited for a redemption.
        """
        engine = self._engine_orders.engine
        is_late = engine.rebalance is not None and engine.rebalance.is_ahead
        is_due = engine.cycle is not None or engine.build_tranches_left == 0 or self._has_ended() or is_late
        if (not engine.orders and is_due) or engine.held_sales:
            self._engine_orders.set_engine(due_ms=now_ms)

    def _has_ended(self) -> bool:
        return any(plan.tranches_left == 0 for plan in self._engine_orders.engine.plans)

    # --- time ---

    def deadline(self) -> int | None:
        """When the day's decisions continue; None while orders are working or nothing is left to decide."""
        due = (self._engine_orders.engine.due_ms, self._engine_orders.releases.due_ms)
        return min((ms for ms in due if ms is not None), default=None)

    def tick(self, now_ms: int) -> Commands:
        """Continue the day's decisions, if due."""
        self._giving.begin(now_ms)
        due_ms = self._engine_orders.engine.due_ms
        if due_ms is not None and due_ms <= now_ms:
            self._engine_orders.set_engine(due_ms=None)
            self._daily.advance(now_ms)
            self._giving.advance()
        return self._engine_orders.take()
