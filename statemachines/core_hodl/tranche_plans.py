"""Buying in tranches and returning capital: CH-6 as ruled in C5, and C10. Pure functions; amounts in USDT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.core_hodl.rules import ONE, ZERO, Amounts, Valuation, cap_usdt, targets, weights
from statemachines.values import Frozen


class Plan(Frozen):
    """DCA of one inflow: `cash_usdt` is not spent yet, `tranches_left` is the number of days it is spread over."""

    number: int
    opened_day_ms: int
    cash_usdt: Decimal
    tranches_left: int


def planned_usdt(plans: Sequence[Plan]) -> Decimal:
    """Cash that belongs to plans and is not available to a rebalance (C5)."""
    return sum((plan.cash_usdt for plan in plans), ZERO)


def opens_plan(inflow_usdt: Decimal, books: Valuation, p: CoreHodlParameters) -> bool:
    """C5: whether the inflow, at least 1 % of the engine, is spread over its own tranches."""
    return inflow_usdt > 0 and inflow_usdt >= p.min_plan_share * books.equity_usdt


def build_tranche(books: Valuation, aims: Mapping[str, Decimal], tranches_left: int, p: CoreHodlParameters) -> Amounts:
    """CH-6, C5: today's purchases of the first build: (target − held) / tranches left, never negative."""
    return {asset: max(ZERO, aims[asset] - books.value(asset)) / tranches_left for asset in p.assets}


def is_built(books: Valuation, aims: Mapping[str, Decimal], p: CoreHodlParameters) -> bool:
    """C5: whether every asset lacks less than 1 % of its target."""
    return all(aims[asset] - books.value(asset) < p.built_tolerance * aims[asset] for asset in p.assets)


def proportions(books: Valuation, suspended: bool, p: CoreHodlParameters) -> Amounts:
    """C5: the split of a plan's money: by the positive gaps to the targets of the whole engine; 2/3 : 1/3 while
    suspended (C8) or without a gap."""
    aims = targets(books, ZERO, p)
    gaps = {asset: max(ZERO, aims[asset] - books.value(asset)) for asset in p.assets}
    whole = sum(gaps.values(), ZERO)
    if suspended or whole <= 0:
        return weights(p)
    return {asset: gap / whole for asset, gap in gaps.items()}


def shrink(plans: Sequence[Plan], amount_usdt: Decimal) -> tuple[Plan, ...]:
    """C10: reduce planned cash by an amount, the latest plan first."""
    kept: list[Plan] = []
    for plan in reversed(plans):
        cut = min(plan.cash_usdt, max(ZERO, amount_usdt))
        amount_usdt -= cut
        kept.append(plan.model_copy(update={"cash_usdt": plan.cash_usdt - cut}))
    return tuple(reversed(kept))


def after_outflow(
    plans: Sequence[Plan], books: Valuation, inflow_usdt: Decimal, outflow_usdt: Decimal, p: CoreHodlParameters
) -> tuple[Plan, ...]:
    """C10: the plans after an outflow: cash above the buffer is used first, then planned cash.

    `books` is the engine after both flows.
    """
    free = _free_before_usdt(plans, books, inflow_usdt, outflow_usdt, p)
    return shrink(plans, outflow_usdt - free) if outflow_usdt > 0 else tuple(plans)


def inflow_left_usdt(
    plans: Sequence[Plan], books: Valuation, inflow_usdt: Decimal, outflow_usdt: Decimal, p: CoreHodlParameters
) -> Decimal:
    """C5, C10: what an outflow since the same cycle has left of an inflow: it pays what neither the cash above the
    buffer nor the plans could. `plans` are those before the outflow, `books` is the engine after both flows."""
    free = _free_before_usdt(plans, books, inflow_usdt, outflow_usdt, p)
    return max(ZERO, inflow_usdt - max(ZERO, outflow_usdt - free - planned_usdt(plans)))


def _free_before_usdt(
    plans: Sequence[Plan], books: Valuation, inflow_usdt: Decimal, outflow_usdt: Decimal, p: CoreHodlParameters
) -> Decimal:
    """Cash above the buffer and the plans without both flows."""
    before = books.cash_usdt + outflow_usdt - inflow_usdt
    return max(ZERO, before - p.cash_buffer * books.equity_usdt - planned_usdt(plans))


@dataclass(frozen=True, slots=True)
class Outflow:
    """The sources of an outflow from CORE (C10). `sales` are amounts to sell per asset; `missing_usdt` cannot be
    provided and reduces the receivers' shares pro rata."""

    from_cash_usdt: Decimal
    from_plans_usdt: Decimal
    sales: Mapping[str, Decimal]
    plans: tuple[Plan, ...]
    missing_usdt: Decimal


def outflow(
    amount_usdt: Decimal, books: Valuation, plans: Sequence[Plan], protected: frozenset[str], p: CoreHodlParameters
) -> Outflow:
    """C10: cash above the buffer, then planned cash (latest plan first), then sales of assets above target after the
    outflow, pro rata to the excess. Buffer and targets are those of the engine after the outflow; a fallen asset is
    never sold (C8)."""
    left_equity = max(ZERO, books.equity_usdt - amount_usdt)
    free = max(ZERO, books.cash_usdt - p.cash_buffer * left_equity)
    planned = min(planned_usdt(plans), free)
    from_cash = min(amount_usdt, free - planned)
    from_plans = min(amount_usdt - from_cash, planned)
    kept = shrink(plans, from_plans)
    base = max(ZERO, (ONE - p.cash_buffer) * left_equity - planned_usdt(kept))
    aims = {a: min(w * base, cap_usdt(books, a, p)) for a, w in weights(p).items()}
    excess = {a: max(ZERO, books.value(a) - aim) for a, aim in aims.items() if a not in protected}
    whole = sum(excess.values(), ZERO)
    wanted = amount_usdt - from_cash - from_plans
    sold = min(wanted, whole)
    sales = {asset: one * sold / whole for asset, one in excess.items() if one > 0 and sold > 0}
    return Outflow(from_cash, from_plans, sales, kept, wanted - sold)
