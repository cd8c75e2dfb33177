"""Applies incoming messages to TACTICAL's state: daily bars, feeds, settlements, its cash."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from statemachines.engine_rows import ENGINE_KEY
from statemachines.facts import BarFact
from statemachines.limits.entry_gate import scopes_of
from statemachines.limits.funding_rates import EIGHT_HOURS_MIN, rate_per_8h
from statemachines.messages.accounts import Portfolio
from statemachines.messages.control import RiskState
from statemachines.messages.market import DayClosed, FundingSettled, InstrumentsKnown
from statemachines.tactical.engine_orders import EngineOrders
from statemachines.tactical.rules import Published
from statemachines.values import SPOT, Account, ActorName

CLOSES_KEPT = 31
_VALUES_KEPT = 3
_SCOPES = scopes_of(ActorName.TACTICAL)


class Intake:
    """Updates the engine's row; its only decision is that a new high resets the levels (A1, A2)."""

    def __init__(self, engine_orders: EngineOrders) -> None:
        self.engine_orders = engine_orders
        self.parameters = engine_orders.parameters

    def warm(self, bars: Sequence[BarFact]) -> None:
        """TA-10: the supplied history and the seed; bars that were already taken change nothing."""
        seed = self.parameters.ath_seed_usdt
        if seed is not None and seed > self.engine_orders.engine.high_usdt:
            self.engine_orders.set_engine(high_usdt=seed)
        if self.engine_orders.engine.last_day_ms > 0:
            return  # the restored state already includes these bars
        for bar in bars:
            self._close(bar.start_ms, bar.close)

    def day(self, body: DayClosed) -> None:
        """TA-1: the day's closes; the day counts as priced only when all coins have one (DA-3)."""
        found = {
            bar.symbol.removesuffix("USDT"): bar
            for bar in body.bars
            if bar.category == SPOT and bar.interval == "D" and bar.start_ms == body.day_ms
        }
        btc = found.get("BTC")
        if btc is not None and body.day_ms > self.engine_orders.engine.last_day_ms:
            self._close(body.day_ms, btc.close)
        prices = {coin: found[coin].close for coin in self.parameters.shares if coin in found}
        self.engine_orders.set_engine(prices={**self.engine_orders.engine.prices, **prices})
        if len(prices) == len(self.parameters.shares):
            self.engine_orders.set_engine(priced_day_ms=body.day_ms)
        self._feed(body)

    def _close(self, day_ms: int, close: Decimal) -> None:
        engine = self.engine_orders.engine
        closes = (*engine.closes, (day_ms, close))[-CLOSES_KEPT:]
        self.engine_orders.set_engine(last_day_ms=day_ms, closes=closes)
        if close <= engine.high_usdt:
            return
        if engine.levels_fired or engine.reserve_usdt:
            reserve = f"the reserve of {engine.reserve_usdt} USDT"
            reason = f"BTC closed at a new high of {close}: levels and {reserve} are reset (A2)"
            self.engine_orders.remark(ENGINE_KEY, "new_high", reason)
        self.engine_orders.set_engine(
            high_usdt=close, high_day_ms=day_ms, levels_fired=frozenset(), reserve_usdt=Decimal(0), undo=None
        )

    def _feed(self, body: DayClosed) -> None:
        """A5: values are kept with their publication times, since the newest may be from after the cycle."""
        feed, engine = body.feed, self.engine_orders.engine
        if feed.fear_greed is not None and feed.fear_greed_ms is not None:
            one = Published(value=Decimal(feed.fear_greed), market_ms=feed.fear_greed_ms)
            self.engine_orders.set_engine(fear_greed=_kept(engine.fear_greed, one, _VALUES_KEPT))
        if feed.dvol is not None and feed.dvol_ms is not None:
            one = Published(value=feed.dvol, market_ms=feed.dvol_ms)
            self.engine_orders.set_engine(dvol=_kept(engine.dvol, one, _VALUES_KEPT))

    def settled(self, body: FundingSettled) -> None:
        """TA-3, A6: BTC's rates, per 8 h."""
        rate = body.rates.get("BTCUSDT")
        if rate is None:
            return
        normal = rate_per_8h(rate, body.interval_min.get("BTCUSDT", EIGHT_HOURS_MIN))
        one = Published(value=normal, market_ms=body.settle_ms)
        kept = _kept(self.engine_orders.engine.settled, one, self.parameters.funding_settlements)
        self.engine_orders.set_engine(settled=kept)

    def portfolio(self, body: Portfolio) -> None:
        view = body.accounts.get(Account.TACTICAL)
        if view is not None:
            self.engine_orders.set_engine(cash_usdt=view.cash_usdt, portfolio_version=body.version_no)

    def risk(self, body: RiskState) -> None:
        if body.scope in _SCOPES:
            self.engine_orders.set_engine(risk={**self.engine_orders.engine.risk, body.scope: body.state})

    def instruments(self, body: InstrumentsKnown) -> None:
        wanted = {f"{coin}USDT" for coin in self.parameters.shares}
        mine = {one.symbol: one for one in self.engine_orders.engine.instruments}
        mine |= {one.symbol: one for one in body.instruments if one.category == SPOT and one.symbol in wanted}
        self.engine_orders.set_engine(instruments=tuple(mine[symbol] for symbol in sorted(mine)))


def _kept(values: tuple[Published, ...], one: Published, count: int) -> tuple[Published, ...]:
    """The values with the new one, oldest first, one per publication time (the last one received wins)."""
    others = [value for value in values if value.market_ms != one.market_ms]
    return tuple(sorted([*others, one], key=lambda value: value.market_ms)[-count:])
