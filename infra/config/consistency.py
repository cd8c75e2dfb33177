"""What the sections of the configuration demand of each other: an engine trades only what the risk manager lets it
trade and market data reads, over as many bars as there are, with the leverage that the exchange is set to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.config.engines import parameters_of
from statemachines.limits.funding_rates import EIGHT_HOURS_MIN
from statemachines.limits.parameter_checks import in_words
from statemachines.market_data.parameters import MarketDataParameters
from statemachines.orchestration.parameters import SYMBOL
from statemachines.parameters import section_of
from statemachines.trend.parameters import TrendParameters
from statemachines.values import ACCOUNT_OF, DAILY, LINEAR, SPOT, ActorName

if TYPE_CHECKING:
    from infra.config.model import EternalConfig
    from statemachines.risk.parameters import EngineLimits


HOURS_OF_A_SETTLEMENT = EIGHT_HOURS_MIN // 60


def contradictions(config: EternalConfig) -> list[str]:
    """A clause per contradiction, naming both settings; the first one of each kind and engine."""
    found: list[str] = []
    for engine, limits in config.risk.engines.items():
        found += _universe(config, engine, limits)
        found += _traded(config, engine, limits)
        found += _exposure(config, engine)
    found += _leverage_is_set(config)
    found += _settlements(config)
    found += _regime(config)
    found += _ports(config)
    return found


def _universe(config: EternalConfig, engine: ActorName, limits: EngineLimits) -> Iterator[str]:
    unread = sorted(limits.universe - set(config.market_data.series_names))
    if unread:
        yield (
            f"risk.engines.{engine}.universe names {unread[0]}, which market_data.symbols "
            f"({in_words(config.market_data.series_names)}) does not read (RM-1, DA-1)"
        )


def _traded(config: EternalConfig, engine: ActorName, limits: EngineLimits) -> Iterator[str]:
    parameters = parameters_of(config.engines, engine)
    for field, series in ({} if parameters is None else parameters.traded).items():
        if refused := sorted(series - limits.universe):
            yield (
                f"engines.{section_of(engine)}.{field} needs {refused[0]}, which risk.engines.{engine}.universe "
                f"({in_words(limits.universe)}) does not contain (RM-1)"
            )
    if isinstance(parameters, TrendParameters):
        yield from _bars(config.market_data, engine, parameters)


def _bars(market: MarketDataParameters, engine: ActorName, trend: TrendParameters) -> Iterator[str]:
    for asset in trend.assets:
        there = market.backfill_bars((LINEAR, asset.symbol), DAILY)
        if there < trend.look_back_bars:
            yield (
                f"engines.{section_of(engine)} looks back over {trend.look_back_bars} daily bars of {asset.symbol} "
                f"(slow_sma_bars, adx_bars, atr_bars, correlation_returns), and market_data.daily_backfill_default "
                f"and market_data.daily_backfill read {there} (DA-1, TR-2)"
            )
            return


def _settlements(config: EternalConfig) -> Iterator[str]:
    """TA-3, FU-2: the settled rates that a rule looks back over; an interval has at most 8 hours."""
    there = config.market_data.funding_backfill_days
    looked_back = {
        "engines.tactical.funding_settlements": config.engines.tactical.funding_settlements,
        "engines.funding.positive_periods": config.engines.funding.positive_periods,
    }
    for name, periods in looked_back.items():
        if periods * HOURS_OF_A_SETTLEMENT > there * 24:
            yield (
                f"{name} {periods} looks back over {periods * HOURS_OF_A_SETTLEMENT} h, and "
                f"market_data.funding_backfill_days {there} reads {there * 24} h (DA-1)"
            )


def _regime(config: EternalConfig) -> Iterator[str]:
    """OR-2: the regime is read from BTC's daily bars of spot."""
    market, regime = config.market_data, config.orchestrator.allocation.regime
    there = market.backfill_bars((SPOT, SYMBOL), DAILY)
    if (SPOT, SYMBOL) not in market.symbols:
        yield f"orchestrator.allocation.regime is read from spot:{SYMBOL}, which market_data.symbols lacks (OR-2, DA-1)"
    elif there < regime.look_back_bars:
        yield (
            f"orchestrator.allocation.regime looks back over {regime.look_back_bars} daily bars of spot:{SYMBOL} "
            "(slow_sma_bars, adx_bars, volatility_returns), and market_data.daily_backfill_default and "
            f"market_data.daily_backfill read {there} (OR-2, DA-1)"
        )


def _ports(config: EternalConfig) -> Iterator[str]:
    ports = {
        "database.port": config.database.port,
        "exchange.port": config.exchange.port,
        "api.port": config.api.port,
        "ray.dashboard_port": config.ray.dashboard_port,
    }
    for index, (name, port) in enumerate(ports.items()):
        same = [other for other in list(ports)[:index] if port and ports[other] == port]
        if same:
            yield f"{same[0]} and {name} are both {port}; each needs its own, or 0 for a free one"


def _exposure(config: EternalConfig, engine: ActorName) -> Iterator[str]:
    most = getattr(parameters_of(config.engines, engine), "max_total_exposure", None)
    if most is not None and most > config.orders.leverage:
        yield (
            f"engines.{section_of(engine)}.max_total_exposure {in_words(most)} must be at most orders.leverage "
            f"{in_words(config.orders.leverage)}, which the exchange is set to (TR-9)"
        )


def _leverage_is_set(config: EternalConfig) -> Iterator[str]:
    """A perpetual whose leverage is not set has the exchange's own, which may be any."""
    orders = config.orders
    unread = [one for one in orders.leverage_symbols if one not in config.market_data.linear_symbols]
    if unread:
        yield f"orders.leverage_symbols names {unread[0]}, which is no perpetual of market_data.symbols (TR-9, DA-1)"
    for engine, limits in config.risk.engines.items():
        perpetuals = sorted(one.partition(":")[2] for one in limits.universe if one.startswith(f"{LINEAR}:"))
        unset = [one for one in perpetuals if one not in orders.leverage_symbols]
        if unset:
            yield (
                f"risk.engines.{engine}.universe names the perpetual {unset[0]}, whose leverage is not set: "
                f"orders.leverage_symbols ({in_words(orders.leverage_symbols)}) lacks it (TR-9)"
            )
        if perpetuals and ACCOUNT_OF[engine] not in orders.leverage_accounts:
            yield (
                f"risk.engines.{engine}.universe names the perpetual {perpetuals[0]}, and orders.leverage_accounts "
                f"({in_words(orders.leverage_accounts)}) lacks {ACCOUNT_OF[engine]} (TR-9)"
            )
