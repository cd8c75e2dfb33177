"""The two golden runs: the whole recorded history, and two synthetic years on which market and exchange fail."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from api.logics import logics
from infra.backtest.plan import BacktestPlan
from infra.backtest.records import RunRecord
from infra.backtest.runner import Backtest
from infra.config import EternalConfig
from infra.simulator.api import ApiRequest, Exchange
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.series import Series
from infra.simulator.market.synthetic import SyntheticMarket
from infra.simulator.market.tape import TapeMarket
from statemachines.values import DAY_MS, HOUR_MS

REAL, SYNTHETIC = "real", "synthetic"

REAL_FROM, REAL_END = datetime(2018, 1, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)
SYNTHETIC_FROM, SYNTHETIC_DAYS, SEED = datetime(2024, 1, 1, tzinfo=UTC), 731, 11

_GAP_SHARE = 0.004
"""Of the hours of a synthetic series that have no bar."""

_FAULTS: tuple[tuple[str, str, float, int, bool], ...] = (
    ("POST", "/v5/order/create", 0.03, 10006, False),  # rate limit: nothing was done, EX-4 tries again
    ("POST", "/v5/order/create", 0.03, 10016, True),  # done, but the answer is lost: it must be looked up
    ("POST", "/v5/order/create", 0.02, 10000, False),  # not done, and the answer does not tell
    ("POST", "/v5/order/create", 0.02, 170193, False),  # outside the price band
    ("POST", "/v5/order/cancel", 0.05, 10016, True),
    ("POST", "/v5/order/amend", 0.05, 10006, False),
    ("GET", "/v5/order/realtime", 0.05, 10002, False),
    ("GET", "/v5/market/tickers", 0.02, 10016, False),
    ("POST", "/v5/asset/transfer/universal-transfer", 0.10, 131200, True),
)
"""Method, path, likelihood within an hour, return code, whether the request is carried out all the same."""


def real(history: Path, progress: Callable[[int], None]) -> RunRecord:
    """All engines over 2018-01-01..2025-06-30 of the recorded history, with the defaults of `eternal backtest`."""
    return _run(
        BacktestPlan(HistoryMarket(history, _ms(REAL_FROM), _ms(REAL_END)), EternalConfig()), Exchange, progress
    )


def synthetic(
    progress: Callable[[int], None] = lambda _market_ms: None,
    days: int = SYNTHETIC_DAYS,
    config: EternalConfig | None = None,
) -> RunRecord:
    """All engines over the first `days` of two synthetic years with gaps in the bars and faults of the exchange."""
    plan = BacktestPlan(faulty_market(), config or EternalConfig(), is_synthetic=True)
    return _run(plan, FaultyExchange, progress, _ms(SYNTHETIC_FROM) + days * DAY_MS)


def _run(
    plan: BacktestPlan,
    exchange: type[Exchange],
    progress: Callable[[int], None],
    until_ms: int | None = None,
) -> RunRecord:
    test = Backtest(plan, logics, exchange)
    reached_ms = plan.market.start_ms

    def note(market_ms: int) -> None:
        nonlocal reached_ms
        reached_ms = market_ms
        progress(market_ms)

    test.run(note, lambda: until_ms is not None and reached_ms >= until_ms)
    record = test.record()
    if record.facts.ledger_faults:
        raise AssertionError(f"The books of a golden run do not balance: {record.facts.ledger_faults[:3]}")
    return record


def faulty_market() -> TapeMarket:
    """The synthetic market of the golden run without some of its bars. The same bars are missing whatever the run."""
    whole = SyntheticMarket(SEED, _ms(SYNTHETIC_FROM), SYNTHETIC_DAYS)
    tape = whole.tape
    hours = {key: _with_gaps(key, series, whole.start_ms) for key, series in tape.hours.items()}
    return TapeMarket(replace(tape, label=f"{tape.label}, with gaps", hours=hours))


def _with_gaps(key: tuple[str, str], series: Series, from_ms: int) -> Series:
    kept = np.array(
        [start < from_ms or _draw("gap", *key, int(start)) >= _GAP_SHARE for start in series.starts], dtype=bool
    )
    return Series(
        HOUR_MS,
        series.starts[kept],
        *(column[kept] for column in (series.open, series.high, series.low, series.close, series.volume)),
    )


class FaultyExchange(Exchange):
    """An exchange that fails a share of its requests. Whether one fails follows from its path and its hour alone, and
    each fault strikes once an hour at most, so that a change of one decision does not move all later faults."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._struck: set[tuple[int, int]] = set()

    def handle(self, request: ApiRequest) -> dict[str, Any]:
        hour = self.market_time // HOUR_MS
        for number, (method, path, likelihood, code, is_carried_out) in enumerate(_FAULTS):
            if (method, path) != (request.method, request.path) or (number, hour) in self._struck:
                continue
            if _draw("fault", str(number), hour) < likelihood:
                self._struck.add((number, hour))
                if is_carried_out:
                    super().handle(request)
                return {
                    "retCode": code,
                    "retMsg": "a fault of the golden run",
                    "result": {},
                    "retExtInfo": {},
                    "time": 0,
                }
        return super().handle(request)


def _draw(*parts: object) -> float:
    """A number in [0, 1) that follows from `parts` alone."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
