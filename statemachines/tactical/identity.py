"""The identity of TACTICAL."""

from decimal import Decimal

from statemachines.engines import EngineIdentity

ENGINES = (
    EngineIdentity(
        key="TACTICAL",
        code="ta",
        order=40,
        universe=frozenset({"spot:BTCUSDT", "spot:ETHUSDT"}),
        weight=Decimal("0.05"),
    ),
)
