"""The report: whole, honest about what proves nothing, offline, never half written."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from infra.backtest.records import ENGINES, RunRecord
from infra.backtest.report import write_report
from infra.backtest.report.analysis import analyse
from infra.backtest.report.export import TABLES
from infra.backtest.report.findings import findings_of
from infra.backtest.report.page import SECTIONS, render
from infra.files import write_whole
from tests.infra.backtest.report.sample import at, facts, fill, record, table


class Reader(HTMLParser):
    """Collects elements and visible words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.charts: list[str] = []
        self.outside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.ids.add(known.get("id") or "")
        if tag == "a":
            self.links.append(known.get("href") or "")
        if "data-chart" in known:
            self.charts.append(known["data-chart"] or "")
        self.outside += [known[name] or "" for name in ("src", "srcset") if name in known]


@pytest.fixture(scope="module")
def page() -> str:
    return render(analyse(record()))


def bundle(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found.group(1).replace("<\\/", "</")))


def test_the_page_needs_nothing_from_outside_and_its_links_lead_somewhere(page: str) -> None:
    seen = Reader(page)
    assert seen.outside == []
    assert "<link" not in page
    assert {link.removeprefix("#") for link in seen.links} <= seen.ids
    assert {key for key, _ in SECTIONS} <= seen.ids


def test_every_chart_of_the_page_has_its_data(page: str) -> None:
    charts = bundle(page)["charts"]
    assert isinstance(charts, dict)
    drawn = Reader(page).charts
    assert set(drawn) == set(charts)
    assert {
        "growth",
        "drawdown",
        "allocation",
        "cash",
        "exposure",
        "price-BTCUSDT",
        "states",
        "results",
        "carry",
    } <= set(charts)
    assert all(chart["layout"]["annotations"][0]["text"] == "SYNTHETIC MARKET" for chart in charts.values())


def test_text_of_the_journal_cannot_end_a_script(page: str) -> None:
    assert "</script> trailing" not in page


def test_an_invented_market_is_labelled_and_a_recorded_one_is_not(page: str) -> None:
    assert '<div class="banner">SYNTHETIC MARKET' in page
    assert 'class="badge">synthetic market' in page
    real = render(analyse(record(facts=facts(is_synthetic=False, market="history"))))
    assert '<div class="banner">' not in real
    assert "synthetic market" not in real.split("<script", 1)[0]


def test_a_run_without_a_fill_says_so_loudly_and_renders(tmp_path: Path) -> None:
    empty = RunRecord(facts(is_complete=False, ended_ms=at(3)))
    text = write_report(empty, tmp_path).read_text(encoding="utf-8")
    assert 'class="alarm">Nothing was traded' in text
    told = " ".join(one.text for one in findings_of(analyse(empty)))
    assert "Nothing was traded" in told
    assert "incomplete" in told


def test_files_are_the_tables_and_read_back(tmp_path: Path) -> None:
    source = record()
    write_report(source, tmp_path / "new" / "folder")
    folder = tmp_path / "new" / "folder"
    for name in TABLES:
        assert pl.read_parquet(folder / f"{name}.parquet").equals(getattr(source, name)), name
        assert len(pl.read_csv(folder / f"{name}.csv")) == len(getattr(source, name)), name
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["performance"]["TOTAL"]["days"] == source.equity.filter(pl.col("engine") == "TOTAL").height - 1
    assert {path.suffix for path in folder.iterdir()} == {".parquet", ".csv", ".json", ".html"}


def test_an_interrupted_file_leaves_the_one_before_it(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")

    def fails(draft: Path) -> None:
        draft.write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_whole(path, fails)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_round_trips_by_hand() -> None:
    """TR: 100 to 110 with fees of 0.1 %; the pair's funding and both legs are one trade."""
    run = analyse(record())
    first, second = [trade for trade in run.trades if trade.engine == "TREND-1"]
    assert (first.kind, first.gross_usdt) == ("long", pytest.approx(10))
    assert first.net_usdt == pytest.approx(10 - 0.1 - 0.11)
    assert (second.kind, second.gross_usdt) == ("short", pytest.approx(-10))
    (pair,) = [trade for trade in run.trades if trade.engine == "FUNDING"]
    assert pair.kind == "pair"
    assert pair.funding_usdt == 3
    assert pair.gross_usdt == pytest.approx(0.999 * 20 - 19.9)
    by_engine = {one.engine: one for one in run.trade_stats if one.label == "all"}
    assert by_engine["TREND-1"].hit_rate == 0.5
    assert by_engine["TREND-1"].closed == 2
    (held,) = run.accumulation.rows(named=True)
    assert (held["bought_coins"], held["sold_coins"]) == (2.0, 0.0)


def test_losses_and_dead_rules_are_told_plainly() -> None:
    losing = record(fills=table([fill(10, "TREND-1", "Buy", 1.0, 100.0)], record().fills.schema))  # type: ignore[arg-type]
    told = " ".join(one.text for one in findings_of(analyse(losing)))
    assert "FUNDING never traded" in told
    assert re.search(r"Rules that never acted in this run: .*TA-1", told)
    assert "synthetic" in told
    for engine in ENGINES:
        assert engine in told or engine in {"CORE-HODL", "TREND-1", "TREND-2", "TACTICAL"}


def test_faults_of_the_books_come_first() -> None:
    bad = record(facts=facts(ledger_faults=("posting x leaves 1 USDT",)))
    first = findings_of(analyse(bad))
    assert any("posting x leaves 1 USDT" in one.text for one in first[:3])
