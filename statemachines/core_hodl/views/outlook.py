"""What would make CORE-HODL act next: purchases, rebalances, the 45 %, the suspension (CH-2, CH-6, CH-7, CH-8)."""

from __future__ import annotations

from decimal import Decimal

from statemachines.core_hodl import rules
from statemachines.core_hodl.engine_orders import EngineOrders
from statemachines.core_hodl.tranche_plans import planned_usdt
from statemachines.outlook.terms import Prospect, Term
from statemachines.values import DAY_MS

QUARTER_DAYS = Decimal(92)
"""The longest quarter: the span of the days until its end."""


def outlook(engine_orders: EngineOrders) -> list[Prospect]:
    """As of the newest close and portfolio; nothing before both are known."""
    books, market, engine, p = (
        engine_orders.books(),
        engine_orders.market,
        engine_orders.engine,
        engine_orders.parameters,
    )
    if books is None or any(asset not in market.day_ms for asset in p.assets):
        return []
    day_ms = min(market.day_ms[asset] for asset in p.assets)
    judged_ms = day_ms + 2 * DAY_MS
    stopped = f"{engine.stopped} (CH-9)" if engine.stopped else ""
    unbuilt = "" if engine.is_built else "the first build has not ended (CH-6)"
    barred = stopped or unbuilt or ("CORE-HODL is suspended (CH-8)" if market.suspended else "")
    aims = rules.targets(books, planned_usdt(engine.plans), p)
    drift = rules.largest(rules.drifts(books, aims, p))
    left = Decimal(rules.next_quarter_end_ms(day_ms + DAY_MS) - day_ms) / DAY_MS
    due = Decimal(0) if engine.calendar_due_ms is not None else left
    quarter = Term("days until the quarter's end", due, "at_most", Decimal(0), "days", QUARTER_DAYS)
    drifted = rules.drift_terms(drift, day_ms + DAY_MS, engine.last_drift_day_ms, p)
    found = [
        Prospect("BTC, ETH", "drift rebalance", "CH-2", drifted, judged_ms, barred),
        Prospect("BTC, ETH", "calendar rebalance", "CH-2", (quarter,), judged_ms, barred),
    ]
    for asset in p.assets:
        trim = rules.trim_term(books, asset, asset in engine.trimming, p)
        fallen = f"{asset} is not sold while it is fallen (CH-8)" if asset in engine_orders.protected() else ""
        found.append(Prospect(asset, "sale down to its limit", "CH-7", (trim,), judged_ms, stopped or fallen))
        closes, high = market.closes.get(asset, ()), market.highs.get(asset)
        if closes and high is not None and not market.suspended:
            term = rules.suspension_term(asset, rules.fall(closes[-1], high), p)
            found.append(Prospect(asset, "suspension: no sales", "CH-8", (term,), judged_ms))
    if engine.build_tranches_left:
        event = f"tranche of the first build, {engine.build_tranches_left} left"
        found.append(Prospect("BTC, ETH", event, "CH-6", (), judged_ms, stopped))
    for plan in engine.plans:
        event = f"tranche of plan {plan.number}, {plan.tranches_left} left of {plan.cash_usdt:.2f} USDT"
        found.append(Prospect("BTC, ETH", event, "CH-6", (), judged_ms, stopped))
    return found
