"""The identity of CORE-HODL."""

from decimal import Decimal

from statemachines.engines import EngineIdentity

ENGINES = (
    EngineIdentity(
        key="CORE_HODL",
        code="ch",
        order=10,
        universe=frozenset({"spot:BTCUSDT", "spot:ETHUSDT"}),
        weight=Decimal("0.60"),
    ),
)
