"""The identity of FUNDING, which is not part of the daily cycle (OR-3, O7, F3)."""

from decimal import Decimal

from statemachines.engines import EngineIdentity

ENGINES = (
    EngineIdentity(
        key="FUNDING",
        code="fu",
        order=30,
        universe=frozenset(
            f"{category}:{symbol}" for category in ("spot", "linear") for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")
        ),
        weight=Decimal("0.15"),
        is_in_daily_cycle=False,
    ),
)
