"""What TACTICAL's rules read: how far BTC is below its high, and how much fear there is (TA-1, TA-2, A1)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate

from statemachines.facts import BarFact
from statemachines.outlook.series import Level, Pane, line, starts_ms
from statemachines.tactical.parameters import TacticalParameters
from statemachines.tactical.rules import Published, drawdown


def panes(
    bars: Sequence[BarFact], earlier_high_usdt: Decimal, fear: Sequence[Published], parameters: TacticalParameters
) -> list[Pane]:
    """BTC's daily bars and the published values of Fear & Greed, oldest first. `earlier_high_usdt` is the high of the
    time before the first bar (TA-10); 0: none is known."""
    p, closes = parameters, [bar.close for bar in bars]
    highs = list(accumulate([earlier_high_usdt, *closes], max))[1:]
    falls = [drawdown(close, high) for close, high in zip(closes, highs, strict=True)]
    levels = [("level 1 (TA-1)", p.level_1_fall), ("level 2 (TA-1)", p.level_2_fall), ("panic (TA-3)", p.panic_fall)]
    return [
        Pane(
            "fall from the high",
            "share",
            (line("BTC from its high", starts_ms(bars), falls),),
            tuple(Level(what, float(value)) for what, value in levels),
        ),
        Pane(
            "Fear & Greed",
            "points",
            (line("Fear & Greed", [one.market_ms for one in fear], [one.value for one in fear]),),
            (Level("fear below (TA-2)", float(p.fear_greed_below)),),
        ),
    ]
