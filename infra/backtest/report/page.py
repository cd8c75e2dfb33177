"""The page: one self-contained HTML file, readable without a network."""

from __future__ import annotations

from html import escape

from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

from infra.backtest.records import TOTAL
from infra.backtest.report import html, tables
from infra.backtest.report.analysis import Analysis
from infra.backtest.report.charts import Chart, daily_charts
from infra.backtest.report.crises import KNOWN
from infra.backtest.report.events import event_charts
from infra.backtest.report.findings import Finding, findings_of
from infra.backtest.report.look import CSS, SCRIPT
from infra.backtest.report.series import BTC_HOLD, DAY_MS
from infra.backtest.report.words import NOTHING, count, day, percent, ratio, usdt

SYNTHETIC = "Synthetic market: every price in this report is invented. It proves nothing about earnings."

CONVENTIONS = (
    "Daily closes at 00:00 UTC, labelled with the day they close. Simple returns, time-weighted: a transfer counts at "
    "the start of its day, one that takes more than half of an engine's capital at its end. A year has 365 days; "
    "volatility, Sharpe and Sortino are annualised with √365; the risk-free rate is 0. CAGR, and Calmar from it, run "
    "from the first day with capital. A drawdown's days go from the high to the recovery, or to the end of the run. The "
    "ulcer index is the root of the mean squared drawdown."
)


def page_of(run: Analysis) -> str:
    """The whole page as text."""
    charts = daily_charts(run) | event_charts(run)
    findings = findings_of(run)
    sections = (
        ("know", "What the owner should know", _know(findings)),
        ("result", "Result", _result(run, charts)),
        ("months", "Months and years", _months(run)),
        ("costs", "Costs and capital at work", _costs(run, charts)),
        ("trades", "Trades", _trades(run, charts)),
        ("crises", "Crises", _crises(run)),
        ("events", "Rebalancing and deployment", _events(run, charts)),
        ("states", "States", _drawn(run, charts, "states") + tables.states_table(run)),
        ("rules", "Rules", _rules(run)),
        ("facts", "What was run", _facts(run)),
    )
    facts = run.record.facts
    title = f"Backtest {day(facts.from_ms)} to {day(facts.to_ms)}"
    links = "".join(f'<a href="#{key}">{escape(name)}</a>' for key, name, _ in sections)
    body = "".join(f'<h2 id="{key}">{escape(name)}</h2>{content}' for key, name, content in sections)
    days = [day(int(ms)) for ms in run.days.day_ms]
    bundle = {
        "days": days,
        "charts": {key: {"data": c.data, "layout": c.layout, "narrow": c.narrow} for key, c in charts.items()},
    }
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}{' (synthetic market)' if facts.is_synthetic else ''}</title><style>{CSS}</style></head>"
        f"<body>{_banner(run)}<header><h1>{escape(title)}</h1>"
        f'<p class="muted">{escape(facts.market)} · {usdt(facts.capital_usdt)} USDT at the start</p></header>'
        f"<main>{_alarm(run)}{_tiles(run)}<nav>{links}</nav>{body}</main>"
        f"<footer>{escape(CONVENTIONS)}</footer>"
        f'<script type="application/json" id="charts">{html.script_json(bundle)}</script>'
        f"<script>{get_plotlyjs()}</script><script>{SCRIPT}</script></body></html>"
    )


def _banner(run: Analysis) -> str:
    return f'<div class="banner" role="note">{SYNTHETIC}</div>' if run.record.facts.is_synthetic else ""


def _alarm(run: Analysis) -> str:
    if run.has_traded:
        return ""
    return '<div class="alarm">Nothing was traded in this run. There is not a single fill; nothing below is a result.</div>'


def _tiles(run: Analysis) -> str:
    book, total, hold = run.books[TOTAL], run.performances.get(TOTAL), run.performances.get(BTC_HOLD)
    if total is None or run.days.is_empty:
        return ""
    worst = total.worst
    tiles = (
        html.tile(f"{usdt(book.end_usdt)}", "Equity at the end, USDT", f"profit {usdt(book.profit_usdt)}"),
        html.tile(percent(total.total_return), "Return", f"BTC-hold {percent(hold.total_return) if hold else NOTHING}"),
        html.tile(percent(total.cagr), "CAGR", f"BTC-hold {percent(hold.cagr) if hold else NOTHING}"),
        html.tile(
            percent(worst.depth if worst else 0.0), "Worst drawdown", f"{count(worst.days if worst else 0)} days long"
        ),
        html.tile(ratio(total.sharpe), "Sharpe", f"BTC-hold {ratio(hold.sharpe) if hold else NOTHING}"),
        html.tile(
            usdt(book.costs_usdt), "Fees and slippage, USDT", f"{percent(book.cost_per_year, 2)} of equity a year"
        ),
    )
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _know(findings: list[Finding]) -> str:
    items = "".join(f'<li class="{each.weight.name}">{escape(each.text)}</li>' for each in findings)
    return f'<ul class="findings">{items}</ul>'


def _drawn(run: Analysis, charts: dict[str, Chart], *keys: str) -> str:
    return "".join(html.chart_box(charts[key], run.record.facts.is_synthetic) for key in keys if key in charts)


def _result(run: Analysis, charts: dict[str, Chart]) -> str:
    if run.days.is_empty:
        return '<p class="muted">There are no daily closes, so there is nothing to draw.</p>'
    return _drawn(run, charts, "growth", "drawdown") + tables.performance_table(run)


def _months(run: Analysis) -> str:
    remark = "The first and the last month or year may cover a part only."
    return html.note(remark) + tables.months_tables(run) + "<h3>Years</h3>" + tables.years_table(run)


def _costs(run: Analysis, charts: dict[str, Chart]) -> str:
    remark = (
        "In USDT. Profit = end − start − what came in by transfer or deposit; slippage is measured against the last "
        "price of the instant and is part of the prices paid. Turnover counts purchases and sales over mean equity."
    )
    return (
        html.note(remark)
        + tables.books_table(run)
        + _drawn(run, charts, "carry", "allocation", "cash", "exposure")
        + tables.capital_table(run)
    )


def _trades(run: Analysis, charts: dict[str, Chart]) -> str:
    remark = (
        "A trade runs from flat to flat at average cost; spot dust below 1 % of the position counts as flat. In FUNDING "
        "the two legs of a pair are one trade, with its funding. Net is after fees and funding. A TACTICAL deployment "
        "that returned in kind stays open here, since it never was sold."
    )
    return (
        html.note(remark)
        + tables.stats_table(run)
        + _drawn(run, charts, "results")
        + "<h3>CORE-HODL: purchases and sales</h3>"
        + tables.accumulation_table(run)
        + "<h3>Trades, newest first</h3>"
        + tables.trades_table(run)
    )


def _crises(run: Analysis) -> str:
    remark = "Return of the window, in brackets its worst drawdown within the window, from daily closes."
    absent = [name for name, _, _ in KNOWN if name not in {crisis.name for crisis in run.crises}]
    if run.record.facts.is_synthetic:
        known = '<p class="muted">The market is invented: calendar crises mean nothing in it.</p>'
    else:
        outside = f"Not wholly inside this run: {', '.join(absent)}." if absent else ""
        known = (tables.crises_table(run, run.crises) if run.crises else "") + (html.note(outside) if outside else "")
    return (
        html.note(remark) + known + "<h3>Deepest falls of BTC in this run, from high to low</h3>"
        + tables.crises_table(run, run.falls)
    )  # fmt: skip


def _events(run: Analysis, charts: dict[str, Chart]) -> str:
    keys = [key for key in charts if key.startswith("price-")]
    drawn = _drawn(run, charts, *keys) or '<p class="muted">No prices.</p>'
    return drawn + "<h3>Transfers between engines</h3>" + tables.transfers_table(run)


def _rules(run: Analysis) -> str:
    remark = (
        "How often the journal names a rule as the ground of a decision, and how many filled orders name it. RM-1's "
        "refusals are below."
    )
    return (
        html.note(remark)
        + html.paragraphs(tables.never_acted_text(run.rules))
        + tables.rules_table(run)
        + f"<h3>Refused orders: {count(len(run.record.refusals))}</h3>"
        + tables.refusals_table(run)
    )


def _facts(run: Analysis) -> str:
    facts = run.record.facts
    rows = {
        "Command": facts.command,
        "Market": facts.market + (" (synthetic)" if facts.is_synthetic else ""),
        "From, to": f"{day(facts.from_ms)} to {day(facts.to_ms)}",
        "Ended": f"{day(facts.ended_ms)}{'' if facts.is_complete else ', incomplete'}",
        "Days": count((facts.to_ms - facts.from_ms) / DAY_MS),
        "Hours run": f"{count(facts.hours)} in {usdt(facts.wall_s, 1)} s",
        "Capital": f"{usdt(facts.capital_usdt)} USDT",
        "Engines": ", ".join(facts.engines) or NOTHING,
        "Settings changed": "; ".join(f"{name} = {value}" for name, value in facts.settings.items()) or "none",
        "Missing inputs": " ".join(facts.missing_inputs) or "none",
        "Ledger": "; ".join(facts.ledger_faults) or "balances, no faults",
        "Open orders at the end": count(facts.open_orders),
        "Rows": f"{count(len(run.record.fills))} fills, {count(len(run.record.transitions))} journal lines, "
        f"{count(len(run.record.transfers))} transfers, {count(len(run.record.funding))} funding payments",
    }
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows.items())
    return f'<div class="card"><dl class="facts">{items}</dl></div>'
