"""The public Python interface for notebooks: what a backtest left, as pandas tables.

    import eternal

    run = eternal.read_backtest("another-report")
    run.equity.pivot(columns="engine", values="equity_usdt").plot()

Thin, nothing of its own: it reads what `eternal backtest` wrote and computes nothing.
"""

from __future__ import annotations

from eternal.reports import BacktestTables, UnreadableReportError, read_backtest

__all__ = ["BacktestTables", "UnreadableReportError", "read_backtest"]
