"""Applies incoming messages to CORE-HODL's state: closes, portfolio, balances, transfers, risk states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import numpy as np

from statemachines.core_hodl.engine_orders import EngineOrders
from statemachines.core_hodl.formatting import usdt
from statemachines.core_hodl.parameters import StakingParameters
from statemachines.core_hodl.rules import is_suspended
from statemachines.core_hodl.state import ZERO, MarketRow
from statemachines.facts import BarFact
from statemachines.indicators import vector
from statemachines.limits.entry_gate import permits_entries, scopes_of
from statemachines.messages.accounts import BalancesKnown, Portfolio, TransferEnded
from statemachines.messages.control import RiskState
from statemachines.messages.market import DayClosed, InstrumentsKnown
from statemachines.portfolio.equity import spot_key
from statemachines.values import SPOT, Account, ActorName

SCOPES = scopes_of(ActorName.CORE_HODL)
"""The scopes whose risk states apply to the engine (CH-9)."""


def volatility(market: MarketRow, p: StakingParameters) -> Decimal | None:
    """CH-10, D4: annualised volatility of the staking asset; None with too few closes."""
    closes = np.array([float(close) for close in market.closes.get(p.asset, ())], dtype=np.float64)
    value = vector.realised_volatility(closes, p.volatility_returns)
    return None if value is None else vector.to_decimal(value)


class Intake:
    """Applies incoming messages to the engine's rows; decides only what must follow immediately."""

    def __init__(self, engine_orders: EngineOrders) -> None:
        self.engine_orders = engine_orders
        self.parameters = engine_orders.parameters

    # --- market ---

    def warm(self, bars: Iterable[Sequence[BarFact]]) -> None:
        """C8: highs and suspension from the longest history available; a restored engine already has them."""
        if self.engine_orders.market.started:
            return
        by_day: dict[int, list[BarFact]] = {}
        for series in bars:
            for bar in series:
                by_day.setdefault(bar.start_ms, []).append(bar)
        for day_ms in sorted(by_day):
            self._closes(by_day[day_ms])
            self._judge_fall()
        self.engine_orders.set_market(started=True)

    def day(self, body: DayClosed) -> None:
        """CH-8 at the daily closes; a suspension ends a rebalance whose orders are still working."""
        before = self.engine_orders.market.suspended
        self._closes([bar for bar in body.bars if bar.category == SPOT and bar.interval == "D"])
        self._judge_fall()
        self.engine_orders.set_market(started=True)
        after = self.engine_orders.market.suspended
        if after == before:
            return
        shown = ", ".join(f"{asset} {fall:.2%}" for asset, fall in self.engine_orders.falls().items())
        if after:
            text = f"closes are below their highs by {shown}, one of them more than {self.parameters.suspend_fall:.0%}"
            self.engine_orders.remark("suspend", f"{text}: rebalancing is suspended (CH-8)")
            self.engine_orders.alert(
                "warning", "CORE-HODL suspends rebalancing", f"{text} (CH-8). Tranches continue.", "suspended"
            )
            protected = self.engine_orders.protected()
            ended = [
                order.intent_id
                for order in self.engine_orders.engine.orders
                if order.purpose == "rebalance" or (order.purpose == "outflow" and order.asset in protected)
            ]
            self.engine_orders.withdraw(ended, "rebalancing is suspended (CH-8)")
            self.engine_orders.drop_held("rebalancing is suspended (CH-8)", ("rebalance",))
        else:
            text = f"closes are below their highs by {shown}, none more than {self.parameters.resume_fall:.0%}"
            self.engine_orders.remark("unsuspend", f"{text}: rebalancing is possible again (CH-8)")
            self.engine_orders.alert_ended("suspended", f"{text}; rebalancing is possible again")

    def _closes(self, bars: Sequence[BarFact]) -> None:
        market, kept = self.engine_orders.market, self.parameters.staking.volatility_returns + 1
        highs, days, closes = dict(market.highs), dict(market.day_ms), dict(market.closes)
        for bar in bars:
            asset = bar.symbol.removesuffix("USDT")
            if asset not in self.parameters.assets or bar.start_ms <= days.get(asset, -1):
                continue
            days[asset] = bar.start_ms
            highs[asset] = max(highs.get(asset, ZERO), bar.close)
            closes[asset] = (*closes.get(asset, ()), bar.close)[-kept:]
        self.engine_orders.set_market(highs=highs, day_ms=days, closes=closes)

    def _judge_fall(self) -> None:
        suspended = is_suspended(self.engine_orders.market.suspended, self.engine_orders.falls(), self.parameters)
        self.engine_orders.set_market(suspended=suspended)

    def instruments(self, body: InstrumentsKnown) -> None:
        mine = {
            one.base_coin: one
            for one in body.instruments
            if one.category == SPOT and one.quote_coin == "USDT" and one.base_coin in self.parameters.assets
        }
        self.engine_orders.set_market(instruments={**self.engine_orders.market.instruments, **mine})

    # --- the engine's own figures ---

    def portfolio(self, body: Portfolio) -> None:
        """The whole portfolio; its figures of our own account are used unless our own fills are newer."""
        known = self.engine_orders.holdings
        if body.version_no <= known.version_no:
            return
        prices = {
            asset: body.prices[key]
            for asset in self.parameters.assets
            if (key := spot_key(asset)) in body.prices
        }  # fmt: skip
        tactical = body.accounts.get(Account.TACTICAL)
        self.engine_orders.set_holdings(
            version_no=body.version_no,
            market_ms=body.market_ms,
            portfolio_usdt=body.equity_usdt,
            tactical_coins={} if tactical is None else self._mine(tactical.coins),
            prices={**known.prices, **prices},
        )
        own = body.accounts.get(Account.CORE_HODL)
        if own is not None and body.market_ms >= known.as_of_ms:
            self._own(own.cash_usdt, own.coins, body.market_ms)

    def balances(self, body: BalancesKnown, now_ms: int) -> None:
        self.engine_orders.set_holdings(staked=self._mine(body.staked), earned=self._mine(body.earned))
        self._own(body.coins.get("USDT", ZERO), body.coins, now_ms)
        # Paid in to this very account it is this engine's inflow; OR-5 distributes what lies in the master account.
        if came := body.deposits.get("USDT"):
            self._flow(came, "from outside", comes=True)
        if went := body.withdrawals.get("USDT"):
            self._flow(went, "to outside", comes=False)

    def _own(self, cash_usdt: Decimal, coins: Mapping[str, Decimal], as_of_ms: int) -> None:
        self.engine_orders.set_holdings(known=True, as_of_ms=as_of_ms, cash_usdt=cash_usdt, coins=self._mine(coins))
        self.engine_orders.guard_commitments()

    def _mine(self, coins: Mapping[str, Decimal]) -> dict[str, Decimal]:
        return {asset: coins.get(asset, ZERO) for asset in self.parameters.assets}

    def transferred(self, body: TransferEnded) -> None:
        """C5: incoming USDT is an inflow of the next cycle; coins transferred in kind open no plan."""
        if not body.succeeded or body.from_account is body.to_account:
            return
        comes = body.to_account is Account.CORE_HODL
        way = f"from {body.from_account}" if comes else f"to {body.to_account}"
        if body.coin != "USDT":
            self.engine_orders.remark("in_kind", f"{body.amount} {body.coin} {way} in kind: no plan is opened (C5)")
            return
        self._flow(body.amount, f"{way} ({body.purpose})", comes=comes)

    def _flow(self, amount_usdt: Decimal, way: str, *, comes: bool) -> None:
        engine = self.engine_orders.engine
        if not engine.is_begun:
            self.engine_orders.remark("capital", f"{usdt(amount_usdt)} {way} belongs to the first build (CH-6)")
            return
        if comes:
            self.engine_orders.set_engine(inflow_usdt=engine.inflow_usdt + amount_usdt)
        else:
            self.engine_orders.set_engine(outflow_usdt=engine.outflow_usdt + amount_usdt)
        self.engine_orders.remark("flow", f"{usdt(amount_usdt)} {way}: counted at the next cycle (C5, C10)")

    # --- control ---

    def risk(self, body: RiskState) -> None:
        """CH-9, RM-2: outside NORMAL and CAUTION all activity stops; working orders are withdrawn."""
        engine = self.engine_orders.engine
        if body.scope not in SCOPES:
            return
        risk = {
            **engine.risk,
            body.scope: body.state if permits_entries(body.state) else f"{body.state}: {body.reason}",
        }
        bad = [f"{scope} is {state}" for scope, state in sorted(risk.items()) if not permits_entries(state)]
        stopped = "; ".join(bad)
        self.engine_orders.set_engine(risk=risk, stopped=stopped)
        if stopped and stopped != engine.stopped:
            self._stop(stopped, was_stopped=bool(engine.stopped))
        elif engine.stopped and not stopped:
            self.engine_orders.remark("resume", f"CORE-HODL may act again: {body.scope} is {body.state}")
            self.engine_orders.alert_ended("stopped", f"{body.scope} is {body.state}; CORE-HODL may act again")

    def _stop(self, stopped: str, *, was_stopped: bool) -> None:
        """The engine stops, or is stopped for other reasons than before: the open alert names those of now."""
        orders, states = self.engine_orders.engine.orders, self.engine_orders.engine.risk.values()
        nothing = "Nothing" if was_stopped else f"{len(orders)} working orders are withdrawn; nothing"
        is_pause = all(permits_entries(state) or state.startswith("PAUSED") for state in states)
        self.engine_orders.alert(
            "info" if is_pause else "critical",
            "CORE-HODL stops all activity",
            f"{stopped.removesuffix('.')}. {nothing} is bought, sold or rebalanced until the state allows "
            "it again. The alert of the risk state says what ends it.",
            "stopped",
        )
        if was_stopped:
            self.engine_orders.remark("stop", f"CORE-HODL remains stopped: {stopped} (CH-9)")
            return
        self.engine_orders.remark("stop", f"{stopped}: all activity of CORE-HODL stops (CH-9)")
        self.engine_orders.withdraw([order.intent_id for order in orders], f"{stopped} (CH-9)")
        self.engine_orders.drop_held(f"{stopped} (CH-9)")
