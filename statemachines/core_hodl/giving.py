"""CORE-HODL gives capital (OR-2, OR-4) as ruled in C10: cash above the buffer, planned cash, then post-only sales of
what is over target after the outflow."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from statemachines.core_hodl.engine_orders import NAME, EngineOrders
from statemachines.core_hodl.formatting import usdt
from statemachines.core_hodl.staking.orders import StakingOrders
from statemachines.core_hodl.tranche_plans import outflow
from statemachines.values import Side

ZERO = Decimal(0)


class Giving:
    """Frees what the orchestrator has asked for, and answers when its sales have ended, at the latest with the next
    day's cycle."""

    def __init__(self, engine_orders: EngineOrders, staking: StakingOrders) -> None:
        self.engine_orders = engine_orders
        self.parameters = engine_orders.parameters
        self._staking = staking

    def begin(self, now_ms: int) -> None:
        """C10: who pays. What lies ready is kept aside at once, the rest is sold."""
        release = self.engine_orders.begins_to_give(now_ms)
        if release is None:
            return
        books = self.engine_orders.books()
        if self.engine_orders.engine.stopped or books is None:
            self._answer(f"nothing is given: {self.engine_orders.engine.stopped or 'the holdings are not known'}")
            return
        plans, protected = self.engine_orders.engine.plans, self.engine_orders.protected()
        free = replace(books, cash_usdt=books.cash_usdt - self.engine_orders.committed_usdt)
        paid = outflow(release.wanted_usdt, free, plans, protected, self.parameters)
        if release.wanted_usdt - paid.missing_usdt < release.least_usdt:
            self._answer(f"only {usdt(release.wanted_usdt - paid.missing_usdt)} could be given (O7)")
            return
        self.engine_orders.set_releases(self.engine_orders.releases.ready(paid.from_cash_usdt + paid.from_plans_usdt))
        sales = ", ".join(f"{usdt(amount)} of {asset}" for asset, amount in paid.sales.items()) or "nothing"
        text = (
            f"{usdt(paid.from_cash_usdt)} from cash above the buffer, {usdt(paid.from_plans_usdt)} from plans, {sales} "
            f"sold, {usdt(paid.missing_usdt)} cannot be given (C10)"
        )
        self.engine_orders.remark("giving", text)
        for asset, amount in paid.sales.items():
            reason = f"{usdt(amount)} of {asset} sold to give {usdt(release.wanted_usdt)}: {release.reason} (C10)"
            self.engine_orders.send("outflow", asset, Side.SELL, amount, reason, now_ms)
        if paid.sales:
            self.engine_orders.set_releases(self.engine_orders.releases.sold_for())
        self._staking.advance(now_ms)
        self.advance()

    def advance(self) -> None:
        """Answer once no sale for it is working or waits for a redemption."""
        release = self.engine_orders.releases.open
        if release is None or not release.is_begun:
            return
        engine = self.engine_orders.engine
        orders = any(one.purpose == "outflow" for one in engine.orders)
        if not orders and not any(one.purpose == "outflow" for one in engine.held_sales):
            self._answer("cash above the buffer, planned cash, and what its sales brought after their fees (C10)")

    def end_day(self) -> None:
        """A new day is decided: what is not sold yet is no longer sold for this."""
        if self.engine_orders.releases.open is None:
            return
        selling = [one.intent_id for one in self.engine_orders.engine.orders if one.purpose == "outflow"]
        self.engine_orders.drop_held("a new day has closed", ("outflow",))
        self.engine_orders.withdraw(selling, "a new day has closed: what is sold is given (C10)")
        self.engine_orders.set_releases(self.engine_orders.releases.begun())
        self.advance()

    def _answer(self, why: str) -> None:
        release = self.engine_orders.releases.open
        self.engine_orders.answer(NAME, ZERO if release is None else release.ready_usdt, why)
