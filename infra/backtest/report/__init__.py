"""The report of a backtest: a page that works offline, and its tables."""

from __future__ import annotations

from pathlib import Path

from infra.backtest.records import RunRecord
from infra.backtest.report.analysis import analyse
from infra.backtest.report.export import write_summary, write_tables, write_whole
from infra.backtest.report.page import render

__all__ = ["write_report"]


def write_report(record: RunRecord, folder: Path) -> Path:
    """Write page, tables and summary into `folder` (made if it is not there); returns the page's path.

    Raises OSError when the folder cannot be written; files of an earlier report are replaced one by one, the page last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = analyse(record)
    write_tables(run, folder)
    write_summary(run, folder)
    page = folder / "report.html"
    text = render(run)
    write_whole(page, lambda path: path.write_text(text, encoding="utf-8"))
    return page
