"""The report of a backtest: a page that works offline, and its tables."""

from __future__ import annotations

from pathlib import Path

from infra.backtest.records import RunRecord
from infra.backtest.report.analysis import analyse
from infra.backtest.report.export import write_summary, write_tables
from infra.backtest.report.page.page import render
from infra.files import write_text_whole

__all__ = ["write_report"]


def write_report(record: RunRecord, folder: Path) -> Path:
    """Write page, tables and summary into `folder` (made if it is not there); returns the page's path.

    An earlier report's page goes first and the new one comes last: a page never stands beside another run's tables.
    Raises OSError when the folder cannot be written.
    """
    run = analyse(record)
    text = render(run)
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "report.html"
    page.unlink(missing_ok=True)
    write_tables(run, folder)
    write_summary(run, folder)
    write_text_whole(page, text)
    return page
