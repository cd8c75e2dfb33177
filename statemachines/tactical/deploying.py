"""Deployments: triggers, sizes, levels and the reserve (TA-1 .. TA-5, TA-9)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from statemachines.limits.entry_gate import ScopeState, barring_scope, caution_factor
from statemachines.messages.control import RunCycle
from statemachines.outlook.terms import Prospect
from statemachines.tactical.engine_orders import EngineOrders
from statemachines.tactical.inactive_rules import source_alerts
from statemachines.tactical.machine import TacticalState
from statemachines.tactical.rules import (
    Capital,
    Conditions,
    DeploymentCandidate,
    Trigger,
    deployment_candidates,
    drawdown,
    level_bar,
    mean_funding,
    obstacle,
    payable,
    smallest_deployment,
    spacing_term,
    trigger_terms,
    valid_at,
    volatility_pct,
)
from statemachines.tactical.state import EngineRow
from statemachines.values import DAY_MS, Side

ZERO = Decimal(0)
_LEVEL_OF = {Trigger.LEVEL_1: 1, Trigger.LEVEL_2: 2}


class Deploying:
    """Decides on the upcoming deployment. `owed_usdt` returns the cash owed to CORE-HODL, which must not be
    deployed."""

    def __init__(self, engine_orders: EngineOrders, owed_usdt: Callable[[], Decimal]) -> None:
        self.engine_orders = engine_orders
        self.parameters = engine_orders.parameters
        self._owed_usdt = owed_usdt

    def decide(self, body: RunCycle, now_ms: int) -> None:
        """At most one deployment a day (A4), and none while one is still being bought (TA-9)."""
        engine, conditions = self.engine_orders.engine, self._conditions(body.close_ms)
        self.engine_orders.out.extend(source_alerts(conditions, engine.fear_greed, engine.dvol, self.parameters))
        if self.engine_orders.upcoming.work is not None:
            return
        capital = self._capital()
        if not self._funded(capital, body.target_usdt):
            return
        found = deployment_candidates(conditions, capital, engine.levels_fired, self.parameters)
        if not found:
            return
        candidate = found[0]  # the later ones are never larger, so an obstacle to the first applies to all
        why = self._barred(body) or obstacle(
            candidate, capital.cash_usdt, self._days(body), body.target_usdt, self.parameters
        )
        if why is not None:
            text = f"{candidate.trigger.value}: {candidate.sentence}; waits: {why}"
            self.engine_orders.remark(self.engine_orders.upcoming.key, "waits", text)
            return
        self._deploy(candidate, capital, body.day_ms, now_ms)

    def outlook(self, judged_ms: int) -> list[Prospect]:
        """TA-1 to TA-3: what each trigger lacks at the newest close."""
        engine = self.engine_orders.engine
        if not engine.closes or engine.high_usdt <= 0:
            return []
        busy = "a deployment is still being bought (TA-9)" if self.engine_orders.upcoming.work is not None else ""
        least = smallest_deployment(ZERO, self.parameters)
        poor = f"the cash is below {least:.2f} USDT (A3)" if self._capital().cash_usdt < least else ""
        scopes = (ScopeState(scope, state) for scope, state in sorted(engine.risk.items()))
        barred = barring_scope(scopes, judged_ms)
        last_ms = engine.last_deployment_ms
        days = None if last_ms is None else (judged_ms - DAY_MS - last_ms) // DAY_MS
        spacing = () if days is None else (spacing_term(days, self.parameters),)
        risk = "" if barred is None else f"risk state {barred.state} of {barred.scope} (RM-2)"
        return [
            Prospect(
                "BTC, ETH",
                f"deployment: {trigger.value.partition(' ')[2]}",
                trigger.value.partition(" ")[0],
                (*terms, *spacing),
                judged_ms,
                level_bar(trigger, engine.levels_fired) or busy or risk or poor,
            )
            for trigger, terms in trigger_terms(self._conditions(judged_ms), self.parameters).items()
        ]

    def _capital(self) -> Capital:
        cash = max(ZERO, self.engine_orders.engine.cash_usdt - self._owed_usdt())
        return Capital(cash, min(self.engine_orders.engine.reserve_usdt, cash))

    def buying_usdt(self) -> Decimal:
        """What the orders of the upcoming deployment may still take, slippage and fee included."""
        work, prices, p = self.engine_orders.upcoming.work, self.engine_orders.engine.prices, self.parameters
        if work is None or work.side is not Side.BUY:
            return ZERO
        value = sum((quantity * prices[coin] for coin, quantity in work.missing.items()), ZERO)
        return value * (1 + p.max_slippage) * (1 + p.spot_fee_rate)

    def _funded(self, capital: Capital, target_usdt: Decimal) -> bool:
        """CASH_ACCUMULATION or MARKET_MONITORING, depending on the cash for a smallest deployment (A3)."""
        least, upcoming = smallest_deployment(target_usdt, self.parameters), self.engine_orders.upcoming
        enough = capital.cash_usdt >= least
        sentence = f"cash {capital.cash_usdt:.2f} USDT against a smallest deployment of {least:.2f} (A3)"
        if enough and upcoming.state is TacticalState.CASH_ACCUMULATION:
            self.engine_orders.decide(upcoming.key, "funded", sentence)
        elif not enough and upcoming.state is TacticalState.MARKET_MONITORING:
            self.engine_orders.decide(upcoming.key, "drained", sentence)
        return enough

    def _conditions(self, close_ms: int) -> Conditions:
        engine, parameters = self.engine_orders.engine, self.parameters
        closes = _gapless(engine)
        volatility, source = volatility_pct(engine.dvol, closes, close_ms, parameters)
        return Conditions(
            drawdown=drawdown(engine.closes[-1][1], engine.high_usdt),
            fear_greed=valid_at(engine.fear_greed, close_ms, parameters.fear_greed_max_age_h),
            mean_funding=mean_funding(engine.settled, close_ms, parameters),
            volatility_pct=volatility,
            volatility_source=source,
        )

    def _days(self, body: RunCycle) -> int | None:
        last_ms = self.engine_orders.engine.last_deployment_ms
        return None if last_ms is None else (body.day_ms - last_ms) // DAY_MS

    def _barred(self, body: RunCycle) -> str | None:
        """RM-2: a state in which no engine may take new risk."""
        if not body.entries_allowed:
            return "the risk assessment of this cycle allows no entries (OR-3)"
        scopes = (ScopeState(scope, state) for scope, state in sorted(self.engine_orders.engine.risk.items()))
        bar = barring_scope(scopes, body.close_ms)
        return None if bar is None else f"risk state {bar.state} of {bar.scope} (RM-2)"

    def _deploy(self, candidate: DeploymentCandidate, capital: Capital, day_ms: int, now_ms: int) -> None:
        """TA-4: 80 % BTC, 20 % ETH at market. Level and date are recorded with the orders, in one commit (TA-9). In
        CAUTION half of it is bought (R2); the other half is free cash, not part of level 1's reserve."""
        key, engine = self.engine_orders.upcoming.key, self.engine_orders.engine
        level = _LEVEL_OF.get(candidate.trigger)
        data = {"trigger": candidate.trigger.value, "amount_usdt": str(candidate.amount_usdt), "day_ms": day_ms}
        self.engine_orders.decide(key, "detect", f"{candidate.trigger.value}: {candidate.sentence}", data)
        factor = caution_factor(engine.risk.values(), self.parameters.caution_size_factor)
        amount = payable(candidate.amount_usdt * factor, capital.cash_usdt, self.parameters)
        budgets = {coin: amount * share for coin, share in self.parameters.shares.items() if share > 0}
        wanted = self.engine_orders.possible({coin: usdt / engine.prices[coin] for coin, usdt in budgets.items()})
        if not wanted:
            self.engine_orders.decide(key, "block", f"the exchange would accept no order for {amount:.2f} USDT")
            return
        self.engine_orders.set_engine(undo=(engine.levels_fired, engine.reserve_usdt, engine.last_deployment_ms))
        self.engine_orders.set_engine(last_deployment_ms=day_ms)
        if level is not None:
            reserve = capital.cash_usdt - candidate.amount_usdt if level == 1 else ZERO
            self.engine_orders.set_engine(levels_fired=engine.levels_fired | {level}, reserve_usdt=reserve)
        orders = ", ".join(f"{quantity} {coin} at {engine.prices[coin]}" for coin, quantity in wanted.items())
        reason = f"{candidate.sentence}: deploys {amount:.2f} of {capital.cash_usdt:.2f} USDT: {orders} (TA-4)"
        self.engine_orders.decide(
            key, "deploy", reason, {**data, "reserve_usdt": str(self.engine_orders.engine.reserve_usdt)}
        )
        self.engine_orders.set(key, trigger=candidate.trigger, day_ms=day_ms, budget_usdt=amount, void=False)
        self.engine_orders.start(key, Side.BUY, "deployment", wanted, reason, now_ms)

    def end(self, key: str) -> None:
        """The purchase has ended: the deployment is open with the quantity bought, or void if nothing was (TA-9)."""
        self.engine_orders.close_work(key)
        if any(holding.net > 0 for holding in self.engine_orders.deployments[key].holdings.values()):
            self.engine_orders.set_engine(undo=None)
            self.engine_orders.add_upcoming()
            return
        undo = self.engine_orders.engine.undo
        if undo is not None:
            levels, reserve, last_ms = undo
            self.engine_orders.set_engine(
                levels_fired=levels, reserve_usdt=reserve, last_deployment_ms=last_ms, undo=None
            )
        self.engine_orders.set(key, void=True)
        self.engine_orders.decide(key, "nothing_bought", "no order was filled: the trigger is evaluated again (TA-9)")

    def reinstate(self, key: str) -> None:
        """A purchase treated as void was filled late: its trigger has deployed (TA-9)."""
        one = self.engine_orders.deployments[key]
        if not one.void or one.state is not TacticalState.MARKET_MONITORING or one.trigger is None:
            return
        engine, level = self.engine_orders.engine, _LEVEL_OF.get(one.trigger)
        self.engine_orders.set(key, void=False)
        self.engine_orders.decide(key, "late_fill", f"{one.trigger.value}: an abandoned order was filled late (TA-9)")
        last_ms = max(one.day_ms, engine.last_deployment_ms or 0)
        self.engine_orders.set_engine(last_deployment_ms=last_ms)
        if level is not None:
            reserve = one.budget_usdt if level == 1 else ZERO
            self.engine_orders.set_engine(levels_fired=engine.levels_fired | {level}, reserve_usdt=reserve)
        self.engine_orders.add_upcoming()


def _gapless(engine: EngineRow) -> list[Decimal]:
    """The newest closes on consecutive days; a missing bar makes the realised volatility unavailable, never wrong."""
    closes: list[Decimal] = []
    after_ms: int | None = None
    for day_ms, close in reversed(engine.closes):
        if after_ms is not None and after_ms - day_ms != DAY_MS:
            break
        closes.append(close)
        after_ms = day_ms
    return closes[::-1]
