"""The daily tranches: first build, inflows' plans, small inflows (CH-6, C5), inside the limits of CH-7."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from statemachines.core_hodl.engine_orders import EngineOrders
from statemachines.core_hodl.formatting import usdt
from statemachines.core_hodl.rules import Valuation, affordable, cap_usdt, spendable_usdt, targets
from statemachines.core_hodl.state import ZERO, Purpose
from statemachines.core_hodl.tranche_plans import Plan, build_tranche, planned_usdt, proportions
from statemachines.limits.entry_gate import caution_factor
from statemachines.values import Side


class Buying:
    """Decides on the tranches of one day. All use the same prices; each reduces the cash and room left for the next."""

    def __init__(self, engine_orders: EngineOrders) -> None:
        self.engine_orders = engine_orders
        self.parameters = engine_orders.parameters

    def tranches(self, now_ms: int) -> None:
        """CH-6: the tranches due today, once; an amount that cannot be bought stays with its plan."""
        books = self.engine_orders.books()
        if books is None:
            return
        p = self.parameters
        planned = planned_usdt(self.engine_orders.engine.plans)
        free = spendable_usdt(books, p)
        self.engine_orders.set_engine(small_usdt=min(self.engine_orders.engine.small_usdt, max(ZERO, free - planned)))
        rooms = {asset: cap_usdt(books, asset, p) - books.value(asset) for asset in p.assets}
        parts = proportions(books, self.engine_orders.market.suspended, p)
        free = self._build(books, rooms, free, planned, now_ms)
        for plan in self.engine_orders.engine.plans:
            free = self._plan(plan, parts, rooms, free, now_ms)
        small = self.engine_orders.engine.small_usdt
        if small > 0:
            reason = f"inflows of {usdt(small)} below {p.min_plan_share:.0%} of the engine: bought immediately (C5)"
            wanted = {asset: small * part for asset, part in parts.items()}
            self._buy("small", wanted, rooms, free, reason, now_ms)

    def _build(
        self, books: Valuation, rooms: dict[str, Decimal], free: Decimal, planned: Decimal, now_ms: int
    ) -> Decimal:  # fmt: skip
        left = self.engine_orders.engine.build_tranches_left
        if left is None:
            return free
        aims = targets(books, planned, self.parameters)
        wanted = build_tranche(books, aims, left, self.parameters)
        lacks = " and ".join(f"{a} {usdt(max(ZERO, aims[a] - books.value(a)))} of {usdt(aims[a])}" for a in aims)
        reason = f"first build, {left} of {self.parameters.tranches} tranches left, to buy: {lacks} (CH-6)"
        self.engine_orders.set_engine(build_tranches_left=left - 1)
        return free - self._buy("build", wanted, rooms, free - planned, reason, now_ms)

    def _plan(
        self, plan: Plan, parts: Mapping[str, Decimal], rooms: dict[str, Decimal], free: Decimal, now_ms: int
    ) -> Decimal:
        release = plan.cash_usdt / plan.tranches_left
        reason = (
            f"plan {plan.number} releases {usdt(release)}: {usdt(plan.cash_usdt)} over {plan.tranches_left} tranches"
        )
        wanted = {asset: release * part for asset, part in parts.items()}
        counted = plan.model_copy(update={"tranches_left": plan.tranches_left - 1})
        plans = [counted if one.number == plan.number else one for one in self.engine_orders.engine.plans]
        self.engine_orders.set_engine(plans=tuple(plans))
        return free - self._buy("plan", wanted, rooms, free, f"{reason} (C5)", now_ms, plan.number)

    def _buy(
        self,
        purpose: Purpose,
        amounts: Mapping[str, Decimal],
        rooms: dict[str, Decimal],
        budget: Decimal,
        reason: str,
        now_ms: int,
        plan: int = 0,
    ) -> Decimal:
        """Send the purchases, deduct them from `rooms` and return their cost at the last close. In CAUTION half of each
        is bought (R2)."""
        spent = ZERO
        factor = caution_factor(self.engine_orders.engine.risk.values(), self.parameters.caution_size_factor)
        wanted = {asset: amount * factor for asset, amount in amounts.items()}
        for asset, amount in affordable(wanted, rooms, budget).items():
            text = f"{usdt(amount)} of {asset}: {reason}"
            quantity = self.engine_orders.send(purpose, asset, Side.BUY, amount, text, now_ms, plan)
            cost = quantity * self.engine_orders.holdings.prices[asset]
            rooms[asset] -= cost
            spent += cost
        return spent
