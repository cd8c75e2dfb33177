"""The report of a backtest: one page, the tables behind it and a summary."""

from infra.backtest.report.export import write_report

__all__ = ["write_report"]
