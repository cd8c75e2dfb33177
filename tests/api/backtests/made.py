"""Runs that are there without having been run: their figures are invented, their files are as a report's."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.backtests.desk import BacktestDesk, Parts
from api.backtests.folder import REPORT, Request, Runs, StoredRun
from api.backtests.history import HistoryDesk, HistoryFound, HistoryState
from api.backtests.keeper import RunKeeper
from api.backtests.wanted import BacktestWanted
from infra.config import EternalConfig
from infra.database.registers import PolicyVersion
from infra.simulator.market.findings import Bounds
from statemachines.values import DAY_MS

FROM_MS = 1_735_689_600_000
"""2025-01-01."""
BOUNDS = Bounds(1_514_764_800_000, 1_574_899_200_000, 1_751_328_000_000)
"""As a folder that begins in 2018, has everything from 2019-11-28 on, and ends with 2025-06-30."""
PAGE = "<!doctype html><title>report</title><style>p{}</style><p>The report.<script>document.title='ran'</script>"


class Clock:
    """Each look is a second later: runs that are asked for one after the other have ids in that order."""

    def __init__(self, hour: int = 12) -> None:
        self.at = datetime(2026, 11, 29, hour, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def request(name: str = "one", who: str = "anna", *, is_synthetic: bool = True) -> Request:
    """What was asked for."""
    wanted = BacktestWanted(name=name, market="synthetic" if is_synthetic else "history")
    return Request(
        name=name,
        who=who,
        is_synthetic=is_synthetic,
        market="synthetic, seed 2" if is_synthetic else "history, folder prices",
        policy_version=3,
        wanted=wanted.model_dump(mode="json"),
        settings=("engines.trend_1.adx_threshold=20",),
        arguments=("backtest", "--out=report"),
    )


def leave_report(folder: Path, growth: float = 1.1, days: int = 400, *, is_synthetic: bool = True) -> None:
    """A report that has grown the capital evenly."""
    folder.mkdir(parents=True, exist_ok=True)
    daily = growth ** (1 / days) - 1
    performance = {
        "days": days, "total_return": growth - 1, "cagr": growth ** (365 / days) - 1 if days > 364 else None,
        "volatility": 0.1, "sharpe": 1.25, "worst": {"depth": -0.12, "peak": 3, "trough": 9},
    }  # fmt: skip
    book = {
        "end_usdt": 100_000 * growth, "profit_usdt": 100_000 * (growth - 1), "fee_usdt": 12.5, "slippage_usdt": 3.0,
        "funding_received_usdt": 6.0, "funding_paid_usdt": 10.0, "fills": 18,
    }  # fmt: skip
    summary: dict[str, Any] = {
        "facts": {
            "market": "synthetic, seed 2" if is_synthetic else "history, folder prices", "is_synthetic": is_synthetic,
            "from_ms": FROM_MS, "to_ms": FROM_MS + days * DAY_MS, "ended_ms": FROM_MS + days * DAY_MS,
            "capital_usdt": 100_000.0, "paid_in_usdt": 0.0, "missing_inputs": [], "is_complete": True,
            "version": "0.1.0", "commit": "0" * 40, "data_hash": "" if is_synthetic else "f" * 64,
        },
        "findings": [{"weight": "NOTE", "text": "These figures are invented by a test."}],
        "performance": {"TOTAL": performance, "TREND-1": performance, "BTC-hold": {**performance, "sharpe": None}},
        "books": {"TOTAL": book, "TREND-1": book, "FUNDING": book},
        "trades": [
            {"engine": "TREND-1", "label": "all", "closed": 7}, {"engine": "FUNDING", "label": "all", "closed": 2},
            {"engine": "TREND-1", "label": "BTCUSDT long", "closed": 7},
        ],
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
    at = [datetime.fromtimestamp((FROM_MS + day * DAY_MS) / 1_000, UTC).isoformat() for day in range(days + 1)]
    equity = "".join(f"{one},TOTAL,{100_000 * (1 + daily) ** day}\n" for day, one in enumerate(at))
    (folder / "equity.csv").write_text(f"ts,engine,equity_usdt\n{equity}{at[-1]},TREND-1,5.0\n")
    returns = "".join(f"{one},{daily},{'' if day < 2 else 0.001}\n" for day, one in enumerate(at[1:]))
    (folder / "returns.csv").write_text(f"day,TOTAL,BTC-hold\n{returns}")
    (folder / "report.html").write_text(PAGE)


def done(
    runs: Runs, name: str = "one", growth: float = 1.1, days: int = 400, *, is_synthetic: bool = True
) -> StoredRun:
    """A run that is DONE."""
    run = runs.move(runs.create(request(name, is_synthetic=is_synthetic)), "begin", "Its turn has come.")
    leave_report(run.folder / REPORT, growth, days, is_synthetic=is_synthetic)
    return runs.move(run, "finish", "The whole period was run.")


def desk_on(
    folder: Path,
    policy: Callable[[], PolicyVersion | None] = lambda: None,
    history: Path | None = None,
    keeper: RunKeeper | None = None,
) -> BacktestDesk:
    """A desk on this folder; a price history is judged to have `BOUNDS`. Without a keeper nothing is run."""
    found = HistoryDesk(history, lambda _: HistoryFound(HistoryState.READY, BOUNDS))
    wake = (lambda: None) if keeper is None else keeper.wake
    return BacktestDesk(Parts(Runs(folder, Clock(13)), EternalConfig(), policy, found, wake, lambda: ""))
