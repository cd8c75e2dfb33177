"""The identities of TREND-1 and TREND-2: one sleeve of the portfolio, shared 3 : 1 (OR-1, O4)."""

from decimal import Decimal

from statemachines.engines import EngineIdentity

_UNIVERSE = frozenset({"linear:BTCUSDT", "linear:ETHUSDT"})

ENGINES = (
    EngineIdentity(key="TREND_1", code="t1", order=20, universe=_UNIVERSE, weight=Decimal("0.15"), sleeve="TREND"),
    EngineIdentity(key="TREND_2", code="t2", order=21, universe=_UNIVERSE, weight=Decimal("0.05"), sleeve="TREND"),
)
