"""What must be read from the exchange at a start: the gaps between the recorded data and now."""

from __future__ import annotations

from collections.abc import Mapping

from statemachines.market_data.parameters import INTERVALS, MarketDataParameters, Series
from statemachines.market_data.quality import INTERVAL_MS
from statemachines.requests import ReadBars, ReadFunding
from statemachines.values import DAY_MS, LINEAR

Recorded = Mapping[tuple[Series, str], int]
"""Start of the newest recorded bar per series and interval."""


def bars_to_read(
    parameters: MarketDataParameters, recorded: Recorded, announced_ms: int | None, now_ms: int
) -> list[ReadBars]:
    """One request per series and interval whose bars are not complete up to `now_ms`.

    On the first start (`announced_ms` None) a request begins after the newest recorded bar, or at the configured depth
    when there is none. On a later start it begins no later than the last announced instant, since a bar may be recorded
    and not yet announced.
    """
    requests: list[ReadBars] = []
    for series in parameters.symbols:
        for interval in INTERVALS:
            step = INTERVAL_MS[interval]
            until = now_ms // step * step
            newest = recorded.get((series, interval))
            if newest is None:
                start = until - parameters.backfill_bars(series, interval) * step
            else:
                start = newest + step
                if announced_ms is not None:
                    start = min(start, announced_ms // step * step)
            if start < until:
                requests.append(
                    ReadBars(
                        category=series[0], symbol=series[1], interval=interval, from_ms=max(start, 0), until_ms=until
                    )
                )
    return requests


def funding_to_read(parameters: MarketDataParameters, settled_ms: int | None, until_ms: int) -> ReadFunding | None:
    """Settlements after `settled_ms` up to `until_ms`; on the first start those of the configured number of days."""
    symbols = tuple(symbol for category, symbol in parameters.symbols if category == LINEAR)
    start = until_ms - parameters.funding_backfill_days * DAY_MS if settled_ms is None else settled_ms + 1
    if not symbols or start > until_ms:
        return None
    return ReadFunding(symbols=symbols, from_ms=max(start, 0), until_ms=until_ms)
