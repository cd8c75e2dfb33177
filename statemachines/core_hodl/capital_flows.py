"""Inflows and outflows of capital: first build, inflows' plans, their opening and closing (CH-5, CH-6; C5, C6, C10)."""

from __future__ import annotations

from statemachines.core_hodl import rules
from statemachines.core_hodl import tranche_plans as planning
from statemachines.core_hodl.engine_orders import EngineOrders
from statemachines.core_hodl.formatting import usdt
from statemachines.core_hodl.machine import CoreState
from statemachines.core_hodl.rules import Valuation
from statemachines.core_hodl.state import ZERO, Cycle
from statemachines.core_hodl.tranche_plans import Plan, planned_usdt


class Capital:
    """Manages the plans, and with them the state INITIALIZATION."""

    def __init__(self, engine_orders: EngineOrders) -> None:
        self.engine_orders = engine_orders
        self.parameters = engine_orders.parameters

    def take_flows(self, cycle: Cycle, books: Valuation) -> None:
        """C5, C10: capital that flowed in or out since the last cycle."""
        engine, p = self.engine_orders.engine, self.parameters
        inflow, outflow = engine.inflow_usdt, engine.outflow_usdt
        plans = planning.after_outflow(engine.plans, books, inflow, outflow, p)
        left = planning.inflow_left_usdt(engine.plans, books, inflow, outflow, p)
        if planning.opens_plan(inflow, books, p) and not planning.opens_plan(left, books, p):
            inflow = left  # the rest has left again: a plan would have no money
        changes: dict[str, object] = {"inflow_usdt": ZERO, "outflow_usdt": ZERO}
        if planning.opens_plan(inflow, books, p):
            number = engine.plan_counter + 1
            plan = Plan(number=number, opened_day_ms=cycle.day_ms, cash_usdt=inflow, tranches_left=p.tranches)
            plans = (*plans, plan)
            changes["plan_counter"] = number
            share = inflow / books.equity_usdt
            text = f"inflow of {usdt(inflow)} is {share:.2%} of the engine: plan {number} of {p.tranches} tranches (C5)"
            self.engine_orders.remark("plan_opened", text, {"plan": number, "cash_usdt": str(inflow)})
        elif inflow > 0:
            changes["small_usdt"] = engine.small_usdt + inflow
        plans = planning.shrink(plans, planned_usdt(plans) - books.cash_usdt)
        if outflow > 0:
            taken = planned_usdt(engine.plans) - planned_usdt(plans)
            self.engine_orders.remark(
                "outflow", f"{usdt(outflow)} has left, {usdt(max(ZERO, taken))} of it planned cash (C10)"
            )
        self.engine_orders.set_engine(plans=plans, **changes)
        self.close_plans()

    def begin_build(self, books: Valuation) -> None:
        """CH-6: the first capital is invested over 30 days; within 1 % of the targets the build has ended (C5)."""
        engine, p = self.engine_orders.engine, self.parameters
        if not engine.is_begun and books.equity_usdt > 0:
            self.engine_orders.set_engine(build_tranches_left=p.tranches)
            text = f"first build of {usdt(books.equity_usdt)} begins: {p.tranches} daily tranches (CH-6)"
            self.engine_orders.remark("build_begins", text)
        if self.engine_orders.engine.build_tranches_left is None:
            return
        aims = rules.targets(books, planned_usdt(engine.plans), p)
        if planning.is_built(books, aims, p):
            self._end_build(f"every asset lacks less than {p.built_tolerance:.0%} of its target (C5)")

    def _end_build(self, why: str) -> None:
        self.engine_orders.set_engine(build_tranches_left=None, is_built=True)
        self.engine_orders.remark("build_ends", f"the first build has ended: {why}")
        self.follow_plans()

    def close_plans(self) -> None:
        """CH-6: plans whose last tranche has ended are closed, unless a remainder is carried over to the next day."""
        engine = self.engine_orders.engine
        if engine.build_tranches_left == 0 and not engine.build_unfilled:
            self._end_build(f"its {self.parameters.tranches} tranches are done (C5)")
        elif engine.build_tranches_left == 0:
            self.engine_orders.set_engine(build_tranches_left=1)
        kept = []
        for plan in engine.plans:
            if plan.tranches_left > 0 and plan.cash_usdt > 0:
                kept.append(plan)
            elif plan.cash_usdt > 0 and plan.number in engine.plans_unfilled:
                kept.append(plan.model_copy(update={"tranches_left": 1}))
            else:
                text = f"plan {plan.number} has ended, {usdt(plan.cash_usdt)} of it were not invested and stay in cash"
                self.engine_orders.remark("plan_closed", text, {"plan": plan.number})
        if tuple(kept) != engine.plans or engine.plans_unfilled or engine.build_unfilled:
            self.engine_orders.set_engine(plans=tuple(kept), plans_unfilled=(), build_unfilled=False)
        self.follow_plans()

    def follow_plans(self) -> None:
        """C6: INITIALIZATION while a plan is open, otherwise ACCUMULATION."""
        engine = self.engine_orders.engine
        building = engine.build_tranches_left is not None or bool(engine.plans)
        if building and engine.state is CoreState.ACCUMULATION:
            text = f"{len(engine.plans)} plans with {usdt(planned_usdt(engine.plans))} are open (C6)"
            self.engine_orders.noted(self.engine_orders.machine.new_capital(text))
        elif not building and engine.is_built and engine.state is CoreState.INITIALIZATION:
            self.engine_orders.noted(self.engine_orders.machine.built("no plan is open any more (CH-6)"))
