"""The TACTICAL engine: messages in, commands out (SPEC chapter 5, RULINGS A1 .. A8).

Market data only updates the view. All decisions are made once a day in RunCycle: first the ends of deployments, then at
most one new deployment; missing quantities are sent again from `tick` (TA-9).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Alert, Commands, ExchangeCall, Send
from statemachines.engine_rows import ENGINE_KEY
from statemachines.facts import BarFact
from statemachines.messages.accounts import BalancesKnown, FreeCapital, Portfolio, TransferEnded
from statemachines.messages.control import CycleDone, RiskState, RunCycle
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import DayClosed, FundingSettled, InstrumentsKnown
from statemachines.messages.orders import Fill, IntentEnded
from statemachines.outlook.terms import Prospect
from statemachines.tactical.deploying import Deploying
from statemachines.tactical.engine_orders import EngineOrders
from statemachines.tactical.intake import Intake
from statemachines.tactical.parameters import TacticalParameters
from statemachines.tactical.returning import Returning
from statemachines.tactical.state import DIALECT
from statemachines.values import DAY_MS, SPOT, Account, ActorName, Side

ZERO = Decimal(0)


class TacticalEngine:
    """One engine for all deployments; `parameters` carries the rules' numbers."""

    name = ActorName.TACTICAL
    dialect = DIALECT

    def __init__(self, parameters: TacticalParameters | None = None) -> None:
        self.parameters = parameters or TacticalParameters()
        self._engine_orders = EngineOrders(self.parameters)
        self._intake = Intake(self._engine_orders)
        self._returning = Returning(self._engine_orders)
        self._deploying = Deploying(self._engine_orders, self._returning.owed_usdt)

    # --- start and state ---

    def history_needed(self) -> Sequence[HistoryNeed]:
        """TA-10: the longest available history of BTC's daily spot bars."""
        return (HistoryNeed(SPOT, "BTCUSDT", "D", self.parameters.history_days),)

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        """The high starts from the seed and this history (A1); a restored high is never lowered."""
        for need in self.history_needed():
            self._intake.warm(bars.get(need, ()))

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Restore the state of a previous incarnation.

        Raises:
            ValueError: a row has a schema that this version cannot read.
        """
        self._engine_orders.restore(rows)

    def outlook(self, now_ms: int) -> list[Prospect]:
        """What would make it act next, as of its newest data; changes nothing."""
        last_ms = self._engine_orders.engine.last_day_ms
        if not last_ms:
            return []
        judged_ms = last_ms + 2 * DAY_MS
        return [*self._returning.outlook(judged_ms), *self._deploying.outlook(judged_ms)]

    def begin(self, now_ms: int) -> Commands:
        """No requests: all input arrives as messages."""
        return self._engine_orders.take()

    def rows(self) -> Iterable[StateRow]:
        return self._engine_orders.rows()

    def dirty(self) -> Sequence[StateRow]:
        return self._engine_orders.dirty()

    def still_needed(self, ask: ExchangeCall) -> bool:
        """False: TACTICAL sends no requests to the exchange itself."""
        return False

    # --- messages ---

    def handle(self, message: Envelope) -> Commands:
        """Handle one message; other kinds are ignored."""
        body, now_ms = message.body, message.market_ms
        match body:
            case DayClosed():
                self._intake.day(body)
            case FundingSettled():
                self._intake.settled(body)
            case Portfolio():
                self._intake.portfolio(body)
            case RiskState():
                self._intake.risk(body)
            case InstrumentsKnown():
                self._intake.instruments(body)
            case RunCycle() if body.engine is self.name:
                self._cycle(body, now_ms)
            case Fill() if body.account is Account.TACTICAL:
                late = self._engine_orders.fill(body)
                self._engine_orders.take_wallet({body.symbol.removesuffix("USDT"): body.position_quantity})
                if late is not None:
                    self._late_fill(late, body)
            case IntentEnded():
                key = self._engine_orders.ended(body)
                if key is not None:
                    self._advance(key, now_ms)
                self._finish_cycle()
            case BalancesKnown() if body.account is Account.TACTICAL:
                self._engine_orders.take_wallet({coin: body.coins.get(coin, ZERO) for coin in self.parameters.shares})
            case TransferEnded() if body.from_account is Account.TACTICAL:
                self._returning.moved(body)
                self._engine_orders.capital_moved(body)
            case FreeCapital() if body.engine is self.name:
                self._engine_orders.ask(body, now_ms)
            case _:
                pass
        return self._engine_orders.take()

    def _cycle(self, body: RunCycle, now_ms: int) -> None:
        """TA-1 .. TA-8 at one daily close: ends of deployments, then at most one new deployment (D1, A4)."""
        self._engine_orders.set_engine(cycle_ms=body.day_ms)
        if self._engine_orders.engine.priced_day_ms != body.day_ms:
            reason = f"no complete daily bars of {sorted(self.parameters.shares)}: nothing is decided today (DA-3)"
            self._engine_orders.remark(ENGINE_KEY, "no_bars", reason)
        else:
            self._returning.decide(body.day_ms, now_ms)
            self._deploying.decide(body, now_ms)
        self._returning.request_again()
        self._finish_cycle()

    def _give(self, now_ms: int) -> None:
        """A8: only cash is given, never a deployment; what cannot be given is waived."""
        if self._engine_orders.begins_to_give(now_ms) is not None:
            cash, owed = self._engine_orders.engine.cash_usdt, self._returning.owed_usdt()
            buying = self._deploying.buying_usdt()
            why = f"cash {cash:f} USDT, {owed:f} of it owed to CORE-HODL or kept aside, {buying:f} being deployed (A8)"
            self._engine_orders.answer(self.name, cash - owed - buying, why)

    def _advance(self, key: str, now_ms: int) -> None:
        """All orders of a deployment have ended: done, repeated after a pause, or abandoned (TA-9)."""
        work = self._engine_orders.deployments[key].work
        if work is None:
            return
        missing = bool(self._engine_orders.outstanding(work))
        if missing and work.filled:
            self._engine_orders.again(key, now_ms)
            return
        if missing and work.attempt < self.parameters.attempts:
            due_ms = self._engine_orders.retry_ms(self._engine_orders.deployments[key])
            if due_ms is not None and now_ms >= due_ms:
                self._engine_orders.again(key, now_ms)
            return
        if work.side is Side.BUY:
            self._deploying.end(key)
        else:
            self._returning.end_sale(key)

    def _late_fill(self, key: str, body: Fill) -> None:
        """EX-1: a fill after the end of its order is legal; it is booked, and an alert is raised."""
        title = f"TACTICAL {key}: fill after the end of its order"
        text = f"{body.side} {body.quantity} {body.symbol} at {body.price} was filled after its order had ended. It is "
        self._engine_orders.out.append(Alert("warning", title, f"{text}booked into {key}. No action is required."))
        if body.side is Side.BUY:
            self._deploying.reinstate(key)
        else:
            self._returning.late_sale(key, body.proceeds_usdt)

    def _finish_cycle(self) -> None:
        """The engine's part of the cycle is done as soon as no order is open; a pending retry does not delay it."""
        day_ms = self._engine_orders.engine.cycle_ms
        opened = [
            one for one in self._engine_orders.deployments.values() if one.work is not None and not one.work.ended
        ]
        if day_ms is None or opened:
            return
        self._engine_orders.set_engine(cycle_ms=None)
        count = len(self._engine_orders.opened())
        summary = f"{count} deployments open, reserve {self._engine_orders.engine.reserve_usdt} USDT"
        self._engine_orders.out.append(Send(CycleDone(day_ms=day_ms, engine=self.name, summary=summary)))

    # --- time ---

    def deadline(self) -> int | None:
        """When open orders are to be cancelled, missing quantities sent again, or capital is to be given."""
        due = [self._engine_orders.retry_ms(one) for one in self._engine_orders.deployments.values()]
        due.append(self._engine_orders.releases.due_ms)
        return min((ms for ms in due if ms is not None), default=None)

    def tick(self, now_ms: int) -> Commands:
        """TA-9: cancel open orders, send missing quantities again."""
        for key in list(self._engine_orders.deployments):
            due_ms = self._engine_orders.retry_ms(self._engine_orders.deployments[key])
            work = self._engine_orders.deployments[key].work
            if due_ms is None or due_ms > now_ms or work is None:
                continue
            if work.ended:
                self._advance(key, now_ms)
            else:
                self._engine_orders.withdraw(key)
        self._give(now_ms)
        self._finish_cycle()
        return self._engine_orders.take()
