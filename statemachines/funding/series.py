"""What FUNDING's rules read of one asset: settled rates and the basis at each daily close (FU-2, FU-3)."""

from __future__ import annotations

from collections.abc import Sequence

from statemachines.facts import BarFact, FundingRateFact
from statemachines.funding.parameters import FundingParameters
from statemachines.funding.rules import basis
from statemachines.limits.funding_rates import rate_per_8h
from statemachines.outlook.series import Level, Pane, line


def panes(
    rates: Sequence[FundingRateFact], spot: Sequence[BarFact], perp: Sequence[BarFact], parameters: FundingParameters
) -> list[Pane]:
    """The asset's settled rates and daily bars, oldest first."""
    p, coin = parameters, {bar.start_ms: bar.close for bar in spot}
    settled = line(
        "settled rate per 8 h", [one.settle_ms for one in rates],
        [rate_per_8h(one.rate, one.interval_min) for one in rates],
    )  # fmt: skip
    both = [bar for bar in perp if coin.get(bar.start_ms, 0) > 0]
    gap = line("basis", [bar.start_ms for bar in both], [basis(bar.close, coin[bar.start_ms]) for bar in both])
    widest = float(p.max_basis)
    return [
        Pane("funding rate", "share", (settled,), (Level("entry above (FU-2)", float(p.min_rate)),)),
        Pane("basis", "share", (gap,), (Level("at most (FU-2)", widest), Level("at least (FU-2)", -widest))),
    ]
