"""What the rest of the core is told about TOY-1."""

from statemachines.engines import EngineIdentity

ENGINES = (EngineIdentity(key="TOY_1", code="y1", order=50, universe=frozenset({"spot:BTCUSDT"})),)
