"""What an engine's rules read, over time, by the parameters in force: from committed bars, rates and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from actors.runtime.policies.ports import UnusablePolicyError
from api.json_values import plain
from api.logics import PolicyLogics
from api.views.arguments import identifier, one_of
from api.views.reading import Reading, Row
from infra.database.queries import state_row
from infra.database.reading import indicators
from statemachines.actor_logic import StateRow
from statemachines.engine_rows import ENGINE_KEY
from statemachines.facts import BarFact, FundingRateFact
from statemachines.outlook.series import Pane
from statemachines.policy.held import policy_of
from statemachines.tactical.rules import Published
from statemachines.values import DAILY, ENGINES, LINEAR, SPOT, ActorName

MAX_DAYS = 5_000
"""So many daily bars at most; averages need some before the first of their values."""

BTC = "BTCUSDT"
"""TACTICAL reads bitcoin's fall alone (TA-1)."""

MAX_RATES = 6_000
"""Settled rates of one symbol: more than five years of three a day."""


States = Mapping[str, StateRow]
"""The engine's committed rows by key."""


class Indicators:
    """Raises UnknownNameError and DatabaseAwayError. `logics` None: this way in does not know the parameters."""

    def __init__(self, reading: Reading, logics: PolicyLogics | None) -> None:
        self._reading = reading
        self._queries = reading.queries
        self._logics = logics
        self._panes: Mapping[ActorName, Callable[[str, Any, States], list[Pane]]] = {
            ActorName.CORE_HODL: self._core_hodl,
            ActorName.TREND_1: self._trend,
            ActorName.TREND_2: self._trend,
            ActorName.FUNDING: self._funding,
            ActorName.TACTICAL: self._tactical,
        }

    async def of(self, engine: str, symbol: str) -> Row:
        """The engine's panes for one market; CORE-HODL's and TACTICAL's are the same for every market."""
        one_of("engine", engine, frozenset(str(one) for one in ENGINES))
        identifier("symbol", symbol)
        found: Row = plain(await self._reading.read(lambda: self._look(ActorName(engine), symbol)))
        return found

    def _look(self, name: ActorName, symbol: str) -> Row:
        answer: Row = {"engine": name, "symbol": symbol, "panes": [], "problem": ""}
        if self._logics is None:
            return {**answer, "problem": "the parameters in force are not known to this way in"}
        states = {row["key"]: state_row(row) for row in self._queries.states(name)}
        try:
            parameters = self._logics.parameters(name, policy_of(states))
        except UnusablePolicyError as error:
            return {**answer, "problem": str(error)}
        panes = self._panes[name](symbol, parameters, states)
        return {**answer, "panes": [_shown(pane) for pane in panes if _is_known(pane)]}

    def _bars(self, category: str, symbol: str) -> Sequence[BarFact]:
        return self._queries.closed_bars(category, symbol, DAILY, 2**62, MAX_DAYS)

    def _trend(self, symbol: str, parameters: Any, _states: States) -> list[Pane]:
        from statemachines.trend.series import panes

        return panes(self._bars(LINEAR, symbol), parameters)

    def _funding(self, symbol: str, parameters: Any, _states: States) -> list[Pane]:
        from statemachines.funding.series import panes

        rows = self._queries.rows(indicators.RATES, symbol=symbol, count=MAX_RATES)
        rates = [FundingRateFact(**row) for row in reversed(rows)]
        return panes(rates, self._bars(SPOT, symbol), self._bars(LINEAR, symbol), parameters)

    def _tactical(self, _symbol: str, parameters: Any, states: States) -> list[Pane]:
        from statemachines.tactical.series import panes

        bars = self._bars(SPOT, BTC)
        rows = self._queries.rows(indicators.FEAR, count=MAX_DAYS)
        fear = {row["market_ms"]: Published(value=Decimal(row["value"]), market_ms=row["market_ms"]) for row in rows}
        return panes(bars, _earlier_high(bars, parameters, states), [fear[at] for at in sorted(fear)], parameters)

    def _core_hodl(self, _symbol: str, parameters: Any, _states: States) -> list[Pane]:
        from statemachines.core_hodl.views.series import panes

        rows = self._queries.rows(indicators.CYCLES, count=MAX_DAYS)
        return panes([(row["market_ms"], row["data"]) for row in reversed(rows)], parameters)


def _earlier_high(bars: Sequence[BarFact], parameters: Any, states: States) -> Decimal:
    """TA-10: the engine's own high where it is from before the first bar."""
    seed: Decimal = parameters.ath_seed_usdt or Decimal(0)
    own = states.get(ENGINE_KEY)
    if own is None or not bars or own.data.get("high_day_ms", 0) >= bars[0].start_ms:
        return seed
    return max(seed, Decimal(own.data.get("high_usdt", 0)))


def _is_known(pane: Pane) -> bool:
    return any(line.points for line in pane.lines)


def _shown(pane: Pane) -> Row:
    return {
        "title": pane.title,
        "unit": pane.unit,
        "is_price": pane.is_price,
        "levels": [{"what": one.what, "value": one.value} for one in pane.levels],
        "lines": [{"name": line.name, "points": [one._asdict() for one in line.points]} for line in pane.lines],
    }
