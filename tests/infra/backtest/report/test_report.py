"""The report: whole, honest about what proves nothing, offline, never half written."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from infra.backtest import records
from infra.backtest.records import ENGINES, RunRecord
from infra.backtest.report import write_report
from infra.backtest.report.analysis import analyse
from infra.backtest.report.export import TABLES, TRADES, with_datetimes
from infra.backtest.report.findings import findings_of
from infra.backtest.report.page.page import SECTIONS, render
from infra.backtest.report.page.tables import books_table, performance_table, rules_table
from infra.backtest.report.series import BENCHMARKS
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
        stored = pl.read_parquet(folder / f"{name}.parquet")
        assert stored.equals(with_datetimes(getattr(source, name))), name
        assert stored.schema["ts"] == pl.Datetime("ms", "UTC")
        assert len(pl.read_csv(folder / f"{name}.csv")) == len(getattr(source, name)), name
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["performance"]["TOTAL"]["days"] == source.equity.filter(pl.col("engine") == "TOTAL").height - 1
    assert {path.suffix for path in folder.iterdir()} == {".parquet", ".csv", ".json", ".html"}


def test_daily_returns_of_engines_and_benchmarks_are_a_table(tmp_path: Path) -> None:
    write_report(record(), tmp_path)
    returns = pl.read_parquet(tmp_path / "returns.parquet")
    assert returns.columns == ["day", "TOTAL", *ENGINES, *BENCHMARKS]
    assert returns.schema["day"] == pl.Datetime("ms", "UTC")
    closes = record().prices.filter(pl.col("symbol") == "BTCUSDT")["close"]
    assert returns["BTC-hold"][0] == pytest.approx(closes[1] / closes[0] - 1)
    assert returns["60/40 BTC/ETH-hold"].null_count() == 0
    assert returns.height == record().equity.filter(pl.col("engine") == "TOTAL").height - 1


def test_tables_without_a_row_keep_their_columns_and_types(tmp_path: Path) -> None:
    """An empty table of trades had no columns at all, and one whose trades were all open had no type for their end."""
    write_report(RunRecord(facts()), tmp_path / "empty")
    open_one = record(fills=table([fill(10, "TREND-1", "Buy", 1.0, 100.0)], records.FILLS))
    write_report(open_one, tmp_path / "open")
    for name in (*TABLES, "trades", "returns"):
        one, other = (pl.read_parquet(tmp_path / folder / f"{name}.parquet").schema for folder in ("empty", "open"))
        assert one == other and one, name
    assert list(one) and list(pl.read_parquet(tmp_path / "empty" / "trades.parquet").columns) == [
        name.removesuffix("_ms") for name in TRADES
    ]


def test_a_deployment_of_tactical_is_one_trade_that_ends_by_sale_or_in_kind() -> None:
    """The coins that returned to CORE-HODL counted as held for ever, and each coin as a trade of its own."""
    fills = [
        fill(10, "TACTICAL", "Buy", 1.0, 100.0, deployment="D1"),
        fill(10, "TACTICAL", "Buy", 10.0, 5.0, symbol="ETHUSDT", deployment="D1"),
        fill(50, "TACTICAL", "Buy", 2.0, 80.0, deployment="D2"),
        fill(90, "TACTICAL", "Sell", 2.0, 160.0, deployment="D2", purpose="gain above 1: sold (TA-6)"),
        fill(95, "TACTICAL", "Buy", 1.0, 90.0, deployment="D3"),
    ]
    moved = [
        (at(375), "TACTICAL", "CORE-HODL", 130.0, "ta-6-in-kind (1 BTC)", "BTC", 1.0, "D1"),
        (at(376), "TACTICAL", "CORE-HODL", 70.0, "ta-6-in-kind (10 ETH)", "ETH", 10.0, "D1"),
        (at(377), "TACTICAL", "CORE-HODL", 320.0, "ta-6", "USDT", 320.0, "D2"),
    ]
    run = analyse(record(fills=table(fills, records.FILLS), transfers=table(moved, records.TRANSFERS)))
    first, second, third = [trade for trade in run.trades if trade.engine == "TACTICAL"]
    assert (first.symbol, first.kind, first.closed_ms) == ("BTCUSDT+ETHUSDT", "deployment, returned in kind", at(376))
    assert (first.notional_usdt, first.gross_usdt) == (150.0, pytest.approx(30.0 + 20.0))
    assert first.net_usdt == pytest.approx(50.0 - 0.15)
    assert (second.kind, second.gross_usdt, second.closed_ms) == ("deployment, sold", pytest.approx(160.0), at(90, 1))
    assert (third.kind, third.closed_ms) == ("deployment, held", None)
    assert run.legs.unmatched_usdt == 0


def test_an_engine_without_a_market_to_trade_on_has_no_figures_rather_than_zero() -> None:
    """TREND showed 0.0 % a month for years in which there was no perpetual, and its volatility and Sharpe ratio counted
    those days."""
    since = at(400)
    active = {name: at(0) for name in ENGINES} | {"TREND-1": since}
    del active["FUNDING"]
    run = analyse(record(facts=facts(active_from_ms=active)))
    assert run.performances["TREND-1"].days == 3 * 365 - 400
    assert run.performances["TREND-2"].days == 3 * 365
    (months,) = [line for line in run.months if line.name == "TREND-1"]
    assert min(months.by_month) == (2021, 2)
    assert "FUNDING" not in run.performances and not run.books["FUNDING"].is_active
    told = " ".join(one.text for one in findings_of(run))
    assert "FUNDING has no figures" in told and "TREND-1 has figures from 2021-02-03 on" in told
    row = re.search(r"<tr><td[^>]*>(?:<span[^>]*></span>)?FUNDING</td>(.*?)</tr>", performance_table(run))
    assert row is not None and "%" not in row.group(1)


def test_rules_of_all_chapters_are_in_the_table_and_those_without_code_are_called_so() -> None:
    run = analyse(record())
    chapters = {rule.rule.split("-")[0].rstrip("0123456789") for rule in run.rules}
    assert chapters == {"P", "CH", "TR", "FU", "TA", "OR", "DA", "EX", "RM", "IF", "DE"}
    text = rules_table(run)
    assert re.search(r">OR-7<.*?not built yet", text) and re.search(r">TR-6<.*?TREND-1 1", text)


def test_makers_shortfall_stands_beside_takers_slippage() -> None:
    fills = [fill(15, "CORE-HODL", "Buy", 2.0, 1_000.0, is_maker=True, slippage_usdt=0.0, shortfall_usdt=12.5)]
    run = analyse(record(fills=table(fills, records.FILLS)))
    assert (run.books["CORE-HODL"].slippage_usdt, run.books["CORE-HODL"].shortfall_usdt) == (0.0, 12.5)
    assert "Shortfall</th>" in books_table(run)


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
    losing = record(fills=table([fill(10, "TREND-1", "Buy", 1.0, 100.0)], record().fills.schema))
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


def test_a_run_of_less_than_a_year_shows_no_figure_a_year() -> None:
    """The headline of a 46-day run was its growth extrapolated to a year."""
    equity = record().equity
    short = render(analyse(record(equity=equity.filter(pl.col("ts_ms") <= at(46)))))
    assert "<span>growth</span>" in short and "growth a year" not in short
    assert "% a year)" not in short
    assert "are not annualised" in short
    whole = render(analyse(record()))
    assert "growth a year" in whole and "% a year)" in whole
