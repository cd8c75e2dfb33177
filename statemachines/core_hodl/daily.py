"""The engine's part of the daily cycle, in stages (O7): C7, CH-2, tranches, staking.

Each stage waits for the orders of the previous one.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from statemachines.commands import Send
from statemachines.core_hodl import rules
from statemachines.core_hodl.capital_flows import Capital
from statemachines.core_hodl.engine_orders import EngineOrders
from statemachines.core_hodl.formatting import usdt
from statemachines.core_hodl.intake import volatility
from statemachines.core_hodl.machine import DAY_KEY, CoreState, DayMachine, DayStage
from statemachines.core_hodl.rebalancing import Rebalancing
from statemachines.core_hodl.rules import Valuation
from statemachines.core_hodl.staking import decision as staking
from statemachines.core_hodl.staking.orders import StakingOrders
from statemachines.core_hodl.state import ZERO, Cycle
from statemachines.core_hodl.tranche_plans import planned_usdt
from statemachines.core_hodl.tranches import Buying
from statemachines.core_hodl.views.metrics import StakingFigures, metrics
from statemachines.messages.accounts import StakingForgone
from statemachines.messages.control import RunCycle
from statemachines.values import DAY_MS, Account, ActorName, Side

FORGONE_STEP = Decimal("0.000000000001")
"""Yield that was not earned is counted to the 12th decimal of a coin."""


class Daily:
    """Opens and advances the current cycle."""

    def __init__(self, engine_orders: EngineOrders, staking_orders: StakingOrders) -> None:
        self.engine_orders = engine_orders
        self.parameters = engine_orders.parameters
        self._staking = staking_orders
        self._buying = Buying(engine_orders)
        self._capital = Capital(engine_orders)
        self._rebalancing = Rebalancing(engine_orders)

    # --- the cycle as a whole ---

    def open(self, run: RunCycle) -> None:
        """CH-6: a day is decided once. Unfinished decisions of the previous day are superseded by the new day's."""
        engine = self.engine_orders.engine
        if engine.cycle_day_ms is not None and run.day_ms <= engine.cycle_day_ms:
            self.engine_orders.remark(
                "repeat", f"the cycle of day {run.day_ms} ms has already been decided: nothing is repeated (CH-6)"
            )
            return
        if engine.cycle is not None and engine.cycle.stage is not DayStage.END:
            stage = engine.cycle.stage
            text = f"the cycle of day {engine.cycle.day_ms} ms ends in stage {stage}: a new day has closed"
            self.engine_orders.remark("overtaken", text)
        self.engine_orders.drop_held("a new day has closed")
        cycle = Cycle(day_ms=run.day_ms, close_ms=run.close_ms, entries_allowed=run.entries_allowed)
        self.engine_orders.set_engine(cycle=cycle, cycle_day_ms=run.day_ms)

    def advance(self, now_ms: int) -> None:
        """Go through the stages until orders are open, an input is unknown, or the day is done."""
        if not self.engine_orders.engine.orders:
            self._capital.close_plans()
        self._staking.advance(now_ms)
        self._go_on(now_ms)
        self._staking.advance(now_ms)
        self._end_late_rebalance(now_ms)

    def _end_late_rebalance(self, now_ms: int) -> None:
        """C9: a sale had to wait for a redemption longer than its day's cycle: its proceeds are spent when it ends."""
        engine = self.engine_orders.engine
        late = engine.rebalance
        if late is None or not late.is_ahead or late.unfilled or engine.cycle is not None:
            return
        if not (engine.orders or engine.held_sales or engine.stopped):
            self._rebalancing.step(now_ms)

    def _is_waiting(self) -> bool:
        """Whether orders, or a sale whose redemption may be done at once, must end before the next stage."""
        return bool(self.engine_orders.engine.orders) or self.engine_orders.engine.awaits_redemption

    def _go_on(self, now_ms: int) -> None:
        while (cycle := self.engine_orders.engine.cycle) is not None and not self._is_waiting():
            books = self.engine_orders.books()
            if not self._may_decide(cycle) or books is None or not self._is_current(cycle):
                return
            if cycle.stage is DayStage.START:
                self._start(cycle, books, now_ms)
            elif cycle.stage is DayStage.REBALANCE:
                self._rebalance(cycle, now_ms)
            elif cycle.stage is DayStage.TRANCHES:
                self._next_stage(cycle, "bought")
                if cycle.entries_allowed:
                    self._buying.tranches(now_ms)
                if not self._is_waiting():
                    self._capital.close_plans()
            else:
                self._earn_if_calmed(cycle, books)
                self.engine_orders.set_engine(cycle=None)

    def _next_stage(self, cycle: Cycle, trigger: str) -> None:
        machine = DayMachine.restored(DAY_KEY, cycle.stage)
        entry = machine.fire(trigger, f"of the day {cycle.day_ms} ms", {"day_ms": cycle.day_ms})
        self.engine_orders.out.append(entry)
        self.engine_orders.set_engine(cycle=cycle.model_copy(update={"stage": machine.state}))

    def _may_decide(self, cycle: Cycle) -> bool:
        """CH-9 and DA-3: a stop, or a day without a bar, drops the rest of the cycle."""
        missing = [a for a in self.parameters.assets if self.engine_orders.market.day_ms.get(a, -1) < cycle.day_ms]
        if self.engine_orders.engine.stopped:
            self.engine_orders.remark("stopped", f"nothing is decided: {self.engine_orders.engine.stopped} (CH-9)")
        elif missing:
            text = f"no closed daily bar of {missing} for day {cycle.day_ms} ms: nothing is decided (DA-3)"
            self.engine_orders.remark("no_bar", text)
        else:
            return True
        self.engine_orders.set_engine(cycle=None)
        return False

    def _is_current(self, cycle: Cycle) -> bool:
        """Whether portfolio and instruments allow decisions on this close; otherwise the cycle waits for them."""
        known = all(asset in self.engine_orders.market.instruments for asset in self.parameters.assets)
        return known and self.engine_orders.holdings.market_ms >= cycle.close_ms

    # --- start of the day ---

    def _start(self, cycle: Cycle, books: Valuation, now_ms: int) -> None:
        self._capital.take_flows(cycle, books)
        self._capital.begin_build(books)
        self._mark_calendar(cycle)
        self._warn_of_thin_buffer(books)
        carried = self.engine_orders.engine.rebalance is not None
        self._rebalancing.carry_over(cycle)
        if self.engine_orders.engine.state is CoreState.EARN_OPTIMIZATION:
            self._optimise(cycle)
        self._count_forgone()
        reason, data = metrics(
            books,
            self.engine_orders.engine,
            self.engine_orders.market,
            StakingFigures.of(self.engine_orders.holdings, self.engine_orders.earn, self.parameters.staking),
            cycle.day_ms,
            self.parameters,
        )
        self.engine_orders.remark("cycle", reason, data)
        if not carried:
            books = self._trim(books, now_ms)
            cycle = self._trigger(cycle, books)
        self._next_stage(cycle, "judged")

    def _mark_calendar(self, cycle: Cycle) -> None:
        """C3: a quarter's end is due with its bar and stays pending until its rebalance, at most one at a time."""
        engine = self.engine_orders.engine
        due_ms = rules.calendar_due_ms(cycle.day_ms, engine.calendar_day_ms)
        self.engine_orders.set_engine(calendar_day_ms=cycle.day_ms)
        if due_ms is not None and engine.is_begun:
            self.engine_orders.set_engine(calendar_due_ms=due_ms)

    def _warn_of_thin_buffer(self, books: Valuation) -> None:
        """CH-7: cash below 2.5 % of the engine raises one alert, which is open until the cash has recovered."""
        thin = books.equity_usdt > 0 and rules.is_buffer_thin(books, self.parameters)
        if thin and not self.engine_orders.engine.buffer_alerted:
            self.engine_orders.alert(
                "warning",
                "CORE-HODL: thin cash buffer",
                f"Cash {usdt(books.cash_usdt)} is below {self.parameters.cash_alert:.1%} of the engine "
                f"{usdt(books.equity_usdt)} (CH-7). Nothing is bought; the next rebalance refills it.",
                "buffer",
            )
        elif self.engine_orders.engine.buffer_alerted and not thin:
            self.engine_orders.alert_ended("buffer", f"cash is {usdt(books.cash_usdt)} again")
        self.engine_orders.set_engine(buffer_alerted=thin)

    def _trim(self, books: Valuation, now_ms: int) -> Valuation:
        """C7: sales down to 45 %. Returns the valuation after the sales, for CH-2 at the same close."""
        p, unfinished = self.parameters, self.engine_orders.engine.trimming
        self.engine_orders.set_engine(trimming=())
        for asset, amount in rules.trims(books, self.engine_orders.protected(), unfinished, p).items():
            share = books.counted(asset) / books.portfolio_usdt
            reason = f"{asset} is {share:.2%} of the portfolio: {usdt(amount)} sold, down to {p.max_share:.0%} (CH-7)"
            quantity = self.engine_orders.send("trim", asset, Side.SELL, amount, reason, now_ms)
            coins = {**books.coins, asset: books.coins[asset] - quantity}
            books = replace(books, coins=coins, cash_usdt=books.cash_usdt + quantity * books.prices[asset])
        return books

    # --- rebalance ---

    def _trigger(self, cycle: Cycle, books: Valuation) -> Cycle:
        """CH-2 and a pending quarter end (C3) at this close, unless barred by the first build, CH-8 or a risk state."""
        engine, p = self.engine_orders.engine, self.parameters
        if not engine.is_built or self.engine_orders.market.suspended or not cycle.entries_allowed:
            return cycle
        drift = self._drift(books)
        if rules.drift_due(drift, cycle.day_ms, engine.last_drift_day_ms, p):
            reason = f"drift {drift * 100:.2f} points is above {p.max_drift * 100:.0f} points (CH-2)"
            return cycle.model_copy(update={"trigger": "drift", "trigger_reason": reason})
        if engine.calendar_due_ms is not None:
            late = (cycle.day_ms - engine.calendar_due_ms) // DAY_MS
            reason = f"the quarter's end of {late} days ago is due, drift {drift * 100:.2f} points (CH-2)"
            return cycle.model_copy(update={"trigger": "calendar", "trigger_reason": reason})
        return cycle

    def _drift(self, books: Valuation) -> Decimal:
        aims = rules.targets(books, planned_usdt(self.engine_orders.engine.plans), self.parameters)
        return rules.largest(rules.drifts(books, aims, self.parameters))

    def _rebalance(self, cycle: Cycle, now_ms: int) -> None:
        if self.engine_orders.engine.rebalance is None and cycle.trigger:
            self._rebalancing.begin(cycle)
            cycle = cycle.model_copy(update={"trigger": "", "trigger_reason": ""})
            self.engine_orders.set_engine(cycle=cycle)
        if cycle.entries_allowed or self.engine_orders.market.suspended:
            self._rebalancing.step(now_ms)
        if self._is_waiting():
            return
        if self.engine_orders.engine.state is CoreState.EARN_OPTIMIZATION:
            self._optimise(cycle)
        self._next_stage(cycle, "balanced")

    # --- staking ---

    def _optimise(self, cycle: Cycle) -> None:
        """CH-10: decide on staking and return to ACCUMULATION, or to an open plan (C6)."""
        books = self.engine_orders.books()
        found = staking.Calm(False, "the holdings are not known") if books is None else self._calm(cycle, books)
        decision = self._decided(cycle, found)
        data = {"calm": found.is_calm, "action": decision.action, "amount": str(decision.amount)}
        self.engine_orders.noted(self.engine_orders.machine.optimised(f"{decision.reason} (CH-10)", data))
        self.engine_orders.set_engine(is_calm=found.is_calm)
        if decision.action != "wait":
            self._staking.order(decision.action, decision.amount, decision.product_id, f"{decision.reason} (C9)")
        self._capital.follow_plans()

    def _decided(self, cycle: Cycle, found: staking.Calm) -> staking.Decision:
        """C9 on the coins as they are now; nothing while a staking order is under way or a sale waits for one."""
        engine, known, p = self.engine_orders.engine, self.engine_orders.holdings, self.parameters.staking
        if engine.staking is not None or engine.held_sales or not known.known:
            return staking.Decision("wait", ZERO, "", "a staking order is under way, or the holdings are not known")
        held, staked = known.coins.get(p.asset, ZERO), known.staked.get(p.asset, ZERO)
        return staking.decide(held, staked, found, self.engine_orders.earn, cycle.close_ms, p)

    def _count_forgone(self) -> None:
        """CH-11: what the coins that are not staked would have earned since the last cycle."""
        known, p = self.engine_orders.holdings, self.parameters.staking
        held, staked = known.coins.get(p.asset, ZERO), known.staked.get(p.asset, ZERO)
        forgone = staking.forgone_a_day(held, staked, staking.rate(self.engine_orders.earn, p), p)
        if forgone:
            total = (self.engine_orders.engine.staking_forgone + forgone).quantize(FORGONE_STEP)
            self.engine_orders.set_engine(staking_forgone=total)
            report = StakingForgone(account=Account.CORE_HODL, coin=p.asset, amount=total)
            self.engine_orders.out.append(Send(report, to=(ActorName.RISK_MANAGER,)))

    def _calm(self, cycle: Cycle, books: Valuation) -> staking.Calm:
        p = self.parameters
        drift_is_due = rules.drift_due(self._drift(books), cycle.day_ms, self.engine_orders.engine.last_drift_day_ms, p)
        calendar_ms = rules.next_quarter_end_ms(cycle.day_ms)
        if self.engine_orders.engine.calendar_due_ms is not None:
            calendar_ms = cycle.day_ms
        value = volatility(self.engine_orders.market, p.staking)
        return staking.calm(value, cycle.day_ms, calendar_ms, drift_is_due, p.staking)

    def _earn_if_calmed(self, cycle: Cycle, books: Valuation) -> None:
        """CH-10 between two rebalances: when the market has calmed down, and whenever there is something to do."""
        engine = self.engine_orders.engine
        if engine.state is not CoreState.ACCUMULATION:
            return
        found = self._calm(cycle, books)
        decision = self._decided(cycle, found)
        if found.is_calm and not engine.is_calm:
            self.engine_orders.noted(self.engine_orders.machine.earn(f"the period has become stable: {found.reason}"))
            self._optimise(cycle)
        elif decision.action != "wait":
            self.engine_orders.noted(self.engine_orders.machine.earn(f"{decision.reason} (C9)"))
            self._optimise(cycle)
        else:
            self.engine_orders.set_engine(is_calm=found.is_calm)

    # --- for the orchestrator ---

    def summary(self) -> str:
        """One sentence for CycleDone."""
        engine = self.engine_orders.engine
        text = f"{engine.state.name}, {len(engine.orders)} open orders, {usdt(planned_usdt(engine.plans))} planned"
        if self.engine_orders.market.suspended:
            text += ", rebalancing suspended"
        return f"{text}, stopped" if engine.stopped else text
