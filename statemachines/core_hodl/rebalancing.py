"""One rebalance from its trigger to its end (CH-2, CH-4, CH-8; C2 .. C4): sales first, purchases with the proceeds."""

from __future__ import annotations

from statemachines.core_hodl.engine_orders import EngineOrders
from statemachines.core_hodl.formatting import usdt
from statemachines.core_hodl.rules import Valuation, affordable, cap_usdt, lots, over, spendable_usdt, targets, under
from statemachines.core_hodl.state import Cycle, Rebalance
from statemachines.core_hodl.tranche_plans import planned_usdt
from statemachines.values import DAY_MS, Side

KEPT_DAYS = 8
"""Number of past rebalance days kept for CH-11's frequency: two years of quarters."""


class Rebalancing:
    """Carries out the rebalance in progress; there is at most one."""

    def __init__(self, engine_orders: EngineOrders) -> None:
        self.engine_orders = engine_orders
        self.parameters = engine_orders.parameters

    def begin(self, cycle: Cycle) -> None:
        """CH-2: a trigger holds. Whatever its cause, the rebalance also covers a pending quarter's end (C3)."""
        books = self.engine_orders.books()
        if books is None or not cycle.trigger:
            return
        aims = targets(books, planned_usdt(self.engine_orders.engine.plans), self.parameters)
        instruments = self.engine_orders.market.instruments
        sells = [
            asset
            for asset, amount in over(books, aims, self.parameters).items()
            if lots(amount, books.prices[asset], instruments[asset]) > 0
        ]
        begun = Rebalance(
            cause=cycle.trigger,
            reason=cycle.trigger_reason,
            day_ms=cycle.day_ms,
            due_ms=self.engine_orders.engine.calendar_due_ms,
            sells=tuple(sells),
        )
        self.engine_orders.set_engine(rebalance=begun, calendar_due_ms=None)
        if cycle.trigger == "drift":
            self.engine_orders.set_engine(last_drift_day_ms=cycle.day_ms)
        data = {asset: f"{books.value(asset):.2f} to {aims[asset]:.2f}" for asset in self.parameters.assets}
        self.engine_orders.noted(
            *self.engine_orders.machine.rebalance(cycle.trigger_reason, {"cause": cycle.trigger, **data})
        )

    def carry_over(self, cycle: Cycle) -> None:
        """A new day: unfilled remainders are sent again, or abandoned when they have been carried over too long."""
        engine = self.engine_orders.engine
        open_one = engine.rebalance
        if open_one is None:
            return
        days = (cycle.day_ms - open_one.day_ms) // DAY_MS
        if days > self.parameters.rebalance_days:
            text = f"the {open_one.cause} rebalance of {days} days ago is abandoned: its orders do not fill"
            self.engine_orders.alert(
                "warning",
                "CORE-HODL abandons a rebalance",
                f"{text} (CH-3). Completed trades remain; the triggers of CH-2 are evaluated again from tomorrow on.",
            )
            self.finish(text)
        elif open_one.unfilled:
            again = open_one.model_copy(update={"is_sent": False, "unfilled": False, "is_ahead": False})
            self.engine_orders.set_engine(rebalance=again)

    def step(self, now_ms: int) -> None:
        """Advance as far as possible without waiting: send the next phase's orders or finish."""
        while (open_one := self.engine_orders.engine.rebalance) is not None:
            if self.engine_orders.market.suspended:
                self._suspend(open_one)
                return
            if open_one.is_sent and open_one.unfilled:
                return  # the next cycle carries it over
            if open_one.is_sent and self.engine_orders.engine.held_sales:
                self._buy_ahead(open_one, now_ms)
                return
            if open_one.is_sent and open_one.phase == "BUY":
                self.finish("")
                return
            if open_one.is_sent:
                open_one = open_one.model_copy(update={"phase": "BUY"})
            self.engine_orders.set_engine(rebalance=open_one.model_copy(update={"is_sent": True}))
            books = self.engine_orders.books()
            if books is None:
                return
            if open_one.phase == "SELL":
                self._sell(open_one, books, now_ms)
            else:
                self._buy(open_one, books, now_ms)
            if self.engine_orders.engine.orders or self.engine_orders.engine.held_sales:
                return

    def _buy_ahead(self, open_one: Rebalance, now_ms: int) -> None:
        """C9: a sale waits for its redemption, the other leg does not: it is bought with the cash there is, once."""
        books, engine = self.engine_orders.books(), self.engine_orders.engine
        if books is None or open_one.is_ahead or open_one.phase == "BUY" or engine.awaits_redemption:
            return
        ahead = open_one.model_copy(update={"is_ahead": True})
        self.engine_orders.set_engine(rebalance=ahead)
        self._buy(ahead, books, now_ms)

    def _sell(self, open_one: Rebalance, books: Valuation, now_ms: int) -> None:
        aims = targets(books, planned_usdt(self.engine_orders.engine.plans), self.parameters)
        for asset, amount in over(books, aims, self.parameters).items():
            if asset not in open_one.sells:
                continue
            shown = f"{asset} {usdt(books.value(asset))} is above its target {usdt(aims[asset])}"
            reason = f"{shown}: {usdt(amount)} sold (CH-4, {open_one.cause} rebalance)"
            self.engine_orders.send("rebalance", asset, Side.SELL, amount, reason, now_ms)

    def _buy(self, open_one: Rebalance, books: Valuation, now_ms: int) -> None:
        p = self.parameters
        planned = planned_usdt(self.engine_orders.engine.plans)
        aims = targets(books, planned, p)
        gaps = {asset: gap for asset, gap in under(books, aims, p).items() if asset not in open_one.sells}
        rooms = {asset: cap_usdt(books, asset, p) - books.value(asset) for asset in gaps}
        budget = spendable_usdt(books, p) - planned
        least = p.min_leg_share * books.equity_usdt
        for asset, amount in affordable(gaps, rooms, budget).items():
            if amount < least:
                continue
            shown = f"{asset} {usdt(books.value(asset))} is below its target {usdt(aims[asset])}"
            reason = f"{shown}: {usdt(amount)} bought of {usdt(budget)} to spend (CH-4, {open_one.cause} rebalance)"
            self.engine_orders.send("rebalance", asset, Side.BUY, amount, reason, now_ms)

    def _suspend(self, open_one: Rebalance) -> None:
        """C8: a suspension ends the rebalance in progress; its quarter's end becomes pending again (C3)."""
        if open_one.cause == "calendar" and self.engine_orders.engine.calendar_due_ms is None:
            self.engine_orders.set_engine(calendar_due_ms=open_one.due_ms or open_one.day_ms)
        self.finish("rebalancing is suspended (CH-8)")

    def finish(self, cut_short: str) -> None:
        """CH-4: record the trades; a rebalance without a leg is recorded too (C4)."""
        self.engine_orders.drop_held("the rebalance has ended", ("rebalance",))
        engine = self.engine_orders.engine
        open_one = engine.rebalance
        if open_one is None:
            return
        traded = ", ".join(f"{key} {usdt(amount)}" for key, amount in sorted(open_one.done_usdt.items()))
        text = f"{open_one.cause} rebalance: {traded or 'no leg above the minimum'}"
        days = (*engine.rebalance_days_ms, open_one.day_ms)[-KEPT_DAYS:]
        self.engine_orders.set_engine(rebalance=None, rebalance_days_ms=days)
        data = {key: f"{amount:.2f}" for key, amount in sorted(open_one.done_usdt.items())}
        reason = f"{text}; {cut_short}" if cut_short else text
        self.engine_orders.noted(self.engine_orders.machine.rebalanced(reason, {"cause": open_one.cause, **data}))
