"""The page: one HTML file with everything in it, readable without a network and after decades."""

from __future__ import annotations

import json
from dataclasses import asdict
from html import escape

from plotly.offline import get_plotlyjs

from infra.backtest.records import TOTAL
from infra.backtest.report.analysis import Analysis
from infra.backtest.report.findings import findings_of
from infra.backtest.report.formatting import count, day, percent, ratio, usdt
from infra.backtest.report.page import tables
from infra.backtest.report.page.charts import Chart, daily_charts
from infra.backtest.report.page.events import event_charts
from infra.backtest.report.page.style import CSS, SCRIPT

SYNTHETIC = "SYNTHETIC MARKET: the prices of this run are invented. Its figures say nothing about real markets."
CONVENTIONS = (
    "Simple returns from daily closes at 00:00 UTC, time-weighted; a year has 365 days; growth, turnover and costs of "
    "less than a year are not annualised (GIPS); risk-free rate 0; volatility is the sample standard deviation × √365. "
    "Sortino divides by the root of the mean squared loss over all days. The "
    "ulcer index is the root of the mean squared drawdown. Coins and positions stand at market. A trade is a round "
    "trip from flat to flat at average cost; FUNDING's two legs are one trade."
)

CAPACITY = (
    "Orders by size: what each decision traded, in parts of the market's mean hourly volume (24 closed hours). An "
    "order above the venue's maximum or 1 % of that volume is worked in slices (X4); takers pay slippage times the "
    "root of their volume of 60 minutes in parts of 0.1 % of it, where that is above 1. Shortfall: against the price "
    "at the decision, beyond slippage."
)


def render(run: Analysis) -> str:
    """The whole page."""
    facts = run.record.facts
    charts = {**daily_charts(run), **event_charts(run)}
    title = "Backtest of Eternal Engine"
    body = "".join(
        [
            f'<div class="banner">{SYNTHETIC}</div>' if facts.is_synthetic else "",
            f"<header><h1>{title}</h1>{_subtitle(run)}{_navigation(charts)}</header><main>",
            ""
            if run.has_traded
            else '<div class="alarm">Nothing was traded in this run: no figure below proves anything.</div>',
            *_sections(run, charts),
            "</main>",
            f"<footer><p>{escape(CONVENTIONS)}</p></footer>",
        ]
    )
    bundle = {
        "days": [day(ts_ms) for ts_ms in run.days.day_ms],
        "charts": {
            chart.key: {"data": chart.data, "layout": chart.layout, "narrow": chart.narrow} for chart in charts.values()
        },
    }
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}, {day(facts.from_ms)} to {day(facts.ended_ms)}</title><style>{CSS}</style></head><body>{body}"
        f'<script type="application/json" id="charts">{_embedded(bundle)}</script>'
        f"<script>{get_plotlyjs()}</script><script>{SCRIPT}</script></body></html>"
    )


def _embedded(value: object) -> str:
    """JSON within a script element: nothing in it may end the element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")


def _subtitle(run: Analysis) -> str:
    facts = run.record.facts
    engines = ", ".join(facts.engines)
    paid_in = f" and {facts.deposit}" if facts.deposit else ""
    return (
        f'<p class="muted">{escape(facts.market)}, {day(facts.from_ms)} to {day(facts.ended_ms - 1)}, '
        f"{usdt(facts.capital_usdt)} USDT{escape(paid_in)}; {escape(engines)}</p>"
    )


SECTIONS = (
    ("know", "What the owner should know"),
    ("growth-section", "Growth and drawdown"),
    ("months", "Returns by month"),
    ("engines", "Engines"),
    ("crises", "In crises"),
    ("capital", "Capital at work"),
    ("trades", "What was traded"),
    ("capacity", "Capacity"),
    ("states-section", "States"),
    ("rules", "Rules and refusals"),
    ("run", "The run"),
)


def _navigation(charts: dict[str, Chart]) -> str:
    shown = [(key, name) for key, name in SECTIONS if key != "states-section" or "states" in charts]
    return "<nav>" + "".join(f'<a href="#{key}">{name}</a>' for key, name in shown) + "</nav>"


def _sections(run: Analysis, charts: dict[str, Chart]) -> list[str]:
    name = dict(SECTIONS)
    prices = [_card(chart, run) for key, chart in charts.items() if key.startswith("price-")]

    def drawn(*keys: str) -> str:
        return "".join(_card(charts[key], run) for key in keys if key in charts)

    return [
        _head("know", name["know"]) + _tiles(run) + _findings(run),
        _head("growth-section", name["growth-section"]) + drawn("growth", "drawdown") + tables.performance_table(run),
        _head("months", name["months"]) + tables.month_tables(run),
        _head("engines", name["engines"])
        + tables.books_table(run)
        + _titled("Round trips", tables.trades_table(run))
        + _titled("CORE-HODL accumulates", tables.accumulation_table(run))
        + drawn("results", "carry"),
        _head("crises", name["crises"])
        + "<p class='note'>Return within the window, and in brackets the worst drawdown within it.</p>"
        + (_titled("Known crises within the run", tables.crises_table(run.crises)) or _note(_no_crisis(run)))
        + _titled("The deepest falls of BTC, from high to low", tables.crises_table(run.falls)),
        _head("capital", name["capital"]) + drawn("allocation", "cash", "exposure"),
        _head("trades", name["trades"]) + "".join(prices),
        _head("capacity", name["capacity"]) + _note(CAPACITY) + tables.capacity_table(run),
        (_head("states-section", name["states-section"]) + drawn("states") + tables.states_table(run))
        if "states" in charts
        else "",
        _head("rules", name["rules"])
        + tables.rules_table(run)
        + (_titled("Refused orders", tables.refusals_table(run)) or _note("No order was refused.")),
        _head("run", name["run"]) + _run(run),
    ]


def _head(key: str, text: str) -> str:
    return f'<h2 id="{key}">{escape(text)}</h2>'


def _titled(title: str, content: str) -> str:
    return f"<h3>{escape(title)}</h3>{content}" if content else ""


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _no_crisis(run: Analysis) -> str:
    if run.record.facts.is_synthetic:
        return "Known crises are left out: the market is invented, its dates mean nothing."
    return "No known crisis lies wholly within the run."


def _tiles(run: Analysis) -> str:
    if TOTAL not in run.performances or run.days.is_empty:
        return ""
    total, book = run.performances[TOTAL], run.books[TOTAL]
    worst = total.worst
    shown = (
        ("equity at the end, USDT", usdt(book.end_usdt)),
        ("profit after costs, USDT", usdt(book.profit_usdt)),
        ("growth a year", percent(total.cagr)) if total.cagr is not None else ("growth", percent(total.total_return)),
        ("worst drawdown", percent(worst.depth if worst else 0.0)),
        ("days of the longest drawdown", count(total.longest_days)),
        ("Sharpe", ratio(total.sharpe)),
        ("fees and slippage, USDT", usdt(book.costs_usdt)),
        ("funding received less paid, USDT", usdt(book.funding_usdt)),
    )
    tiles = "".join(f'<div class="tile"><b>{figure}</b><span>{name}</span></div>' for name, figure in shown)
    return f'<div class="tiles">{tiles}</div>'


def _findings(run: Analysis) -> str:
    items = "".join(f'<li class="{one.weight.name}">{escape(one.text)}</li>' for one in findings_of(run))
    return f'<ul class="findings">{items}</ul>'


def _card(chart: Chart, run: Analysis) -> str:
    box = f"chart-{chart.key}"
    badge = '<span class="badge">synthetic market</span>' if run.record.facts.is_synthetic else ""
    toggle = "".join(
        f'<button class="{"on" if place == 0 else ""}" data-box="{box}" '
        f'data-update="{escape(json.dumps(update), quote=True)}">{escape(label)}</button>'
        for place, (label, update) in enumerate(chart.choices)
    )
    chips = "".join(
        f'<button data-box="{box}" data-group="{escape(label, quote=True)}"><i{_swatch(colour, is_area)}></i>'
        f"{escape(label)}</button>"
        for label, colour, is_area in chart.legend
    )
    return (
        f'<section class="card"><div class="head"><h3>{escape(chart.title)}</h3>{badge}'
        + (f'<div class="toggle">{toggle}</div>' if toggle else "")
        + "</div>"
        + (f'<p class="note">{escape(chart.note)}</p>' if chart.note else "")
        + (f'<div class="chips">{chips}</div>' if chips else "")
        + f'<div class="chart" id="{box}" data-chart="{chart.key}"></div></section>'
    )


def _swatch(colour: str, is_area: bool) -> str:
    return f' class="block" style="background:{colour}"' if is_area else f' style="border-color:{colour}"'


def _run(run: Analysis) -> str:
    facts = asdict(run.record.facts)
    shown = {
        "Command": facts["command"],
        "Version": f"{facts['version'] or 'unknown'}, commit {facts['commit'] or 'unknown'}",
        "Market": facts["market"],
        "Data, SHA-256": facts["data_hash"] or "invented from the seed",
        "Asked for": f"{day(facts['from_ms'])} to {day(facts['to_ms'] - 1)}",
        "Run": f"{count(facts['hours'])} market hours in {usdt(facts['wall_s'], 1)} s, "
        + ("complete" if facts["is_complete"] else "ended early"),
        "Capital": f"{usdt(facts['capital_usdt'])} USDT",
        "Paid in": f"{facts['deposit']}: {usdt(facts['paid_in_usdt'])} USDT in all" if facts["deposit"] else "nothing",
        **{name.capitalize(): text for name, text in facts["costs"].items()},
        "Settings": "; ".join(f"{name} = {value}" for name, value in facts["settings"].items()) or "as specified",
        "Inputs": " ".join(facts["missing_inputs"]) or "no input was missing",
        "Books": "; ".join(facts["ledger_faults"]) or "in balance, no discrepancy",
        "Open orders at the end": count(facts["open_orders"]),
    }
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(text))}</dd>" for name, text in shown.items())
    return f'<section class="card"><dl class="facts">{items}</dl></section>' + _configuration(run)


def _configuration(run: Analysis) -> str:
    """Every value in force, folded away."""
    text = json.dumps(run.record.facts.configuration, indent=2, ensure_ascii=False)
    return (
        '<details class="card"><summary>The whole configuration in force</summary>'
        f'<pre class="scroll">{escape(text)}</pre></details>'
    )
