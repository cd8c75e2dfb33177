"""The market-data actor's brain: bars, quotes, settled funding and external values, cleaned (DA-1..3) and announced.

Pure: no clock, no I/O; it asks the exchange through its shell and never decides anything about trading.
"""

from actors.market_data.brain import MarketDataBrain
from actors.market_data.parameters import MarketDataParameters

__all__ = ["MarketDataBrain", "MarketDataParameters"]
