"""What would make FUNDING act next, per asset (FU-2, FU-3, FU-8)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from statemachines.funding import rules
from statemachines.funding.machine import FundingState
from statemachines.funding.parameters import FundingParameters
from statemachines.funding.state import AssetRow
from statemachines.outlook.terms import Prospect, Term
from statemachines.values import MINUTE_MS


def outlook(
    asset: str, row: AssetRow, is_held: bool, barred: Callable[[int], str], parameters: FundingParameters
) -> list[Prospect]:
    """The entry of a pair that is not open, the exits of one that is; nothing while it opens or closes. `barred` says
    why no new risk may be taken at an instant."""
    if row.settle_ms == 0:
        return []
    judged_ms = row.settle_ms + row.interval_min * MINUTE_MS
    if row.state is FundingState.MONITORING:
        terms = rules.entry_terms(row.predicted, row.settled, row.basis, parameters)
        return [Prospect(asset, "entry of the pair", "FU-2", terms, judged_ms, barred(judged_ms))]
    if not is_held or row.exit_reason is not None:
        return []
    p, settled = parameters, row.settled[-1] if row.settled else None
    negative = Term("settled rate per 8 h", settled, "below", rules.ZERO, "share", p.min_rate)
    readings, periods = Decimal(p.basis_readings), Decimal(p.negative_periods_all_out)
    wide = rules.wide_basis_term(row.basis, p)
    in_a_row = Term("readings above it in a row", Decimal(row.basis_run), "at_least", readings, "readings", readings)
    run = Term("negative periods in a row", Decimal(row.negative_run), "at_least", periods, "periods", periods)
    hold = rules.hold_term(row.entered_ms, row.settle_ms, row.interval_min, p)
    leaving = "exit of the pair" if p.on_max_hold == "exit" else "the holding time begins anew"
    return [
        Prospect(asset, "exit of the pair", "FU-3", (negative,), judged_ms),
        Prospect(asset, "exit of the pair", "FU-3", (wide, in_a_row)),
        Prospect(asset, leaving, "FU-3", (hold,), judged_ms),
        Prospect(asset, "exit of all pairs", "FU-8", (run,), judged_ms),
    ]
