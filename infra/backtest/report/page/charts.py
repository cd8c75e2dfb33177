"""The charts of daily series, as plain plotly figures (dictionaries of traces and layout).

The days are written once into the page; a trace that has a value for each of them names them as "@days".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from infra.backtest.records import ENGINES, TOTAL
from infra.backtest.report.analysis import Analysis
from infra.backtest.report.books import share
from infra.backtest.report.page.style import COLOURS, DASHES, INK, MUTED, RULE
from infra.backtest.report.series import MASTER, Account
from infra.returns import Floats

DAYS = "@days"
DIGITS = 5
"""Significant digits in the page; the exported tables keep all."""

Trace = dict[str, Any]
Choice = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: what to draw, its legend (label, colour, whether it is an area) and its switches."""

    key: str
    title: str
    note: str
    data: list[Trace]
    layout: dict[str, Any]
    legend: tuple[tuple[str, str, bool], ...] = ()
    choices: tuple[Choice, ...] = ()
    narrow: int = 330


def numbers(values: Floats) -> list[float | None]:
    """Values for the page: rounded to `DIGITS` significant digits, None where there is none."""
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in values]


def layout(height: int, is_synthetic: bool, **more: Any) -> dict[str, Any]:
    """The common look; invented markets are marked in the drawing itself, so that a copied picture shows it too."""
    axis = {"gridcolor": RULE, "zerolinecolor": "#c3cbd3", "linecolor": RULE, "automargin": True}
    base: dict[str, Any] = {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, -apple-system, Segoe UI, Roboto, Arial, sans-serif", "size": 12, "color": MUTED},
        "showlegend": False,
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#b4bdc7", "activecolor": INK},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "#fff", "bordercolor": RULE, "font": {"color": INK, "size": 12}},
        "xaxis": {**axis, "type": "date", "showgrid": False, "hoverformat": "%Y-%m-%d"},
        "yaxis": axis,
    }
    for key, value in more.items():
        common = base.get(key, axis if key.startswith("yaxis") else {})
        base[key] = {**common, **value} if isinstance(value, dict) else value
    if is_synthetic:
        mark = {"text": "SYNTHETIC MARKET", "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False}
        base["annotations"] = [{**mark, "font": {"size": 30, "color": "rgba(165,103,11,0.16)"}}]
    return base


def daily_charts(run: Analysis) -> dict[str, Chart]:
    """Growth, drawdown, allocation, cash and exposure; none without daily closes."""
    if run.days.is_empty:
        return {}
    return {chart.key: chart for chart in (_growth(run), _drawdown(run), _allocation(run), _cash(run), _exposure(run))}


def _padded(run: Analysis, start: int, values: Floats) -> list[float | None]:
    return [None] * start + numbers(values)


def line(name: str, y: Sequence[float | None], hover: str, **more: Any) -> Trace:
    """One daily line in its engine's colour."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "legendgroup": name,
        "x": DAYS,
        "y": list(y),
        "line": {"color": COLOURS[name], "width": 2.6 if name == TOTAL else 1.5, "dash": DASHES.get(name, "solid")},
        "hovertemplate": hover,
        **more,
    }


def legend_of(names: Sequence[str], is_area: bool = False) -> tuple[tuple[str, str, bool], ...]:
    """Legend entries in their colours."""
    return tuple((name, COLOURS[name], is_area) for name in names)


def _growth(run: Analysis) -> Chart:
    lines = run.days.lines.values()
    data = [line(each.name, _padded(run, each.start, 100 * each.growth), "%{y:,.1f}") for each in lines]
    return Chart(
        "growth",
        "Growth of 100",
        "Daily closes, time-weighted: transfers between engines neither help nor hurt an engine's line. Holds are "
        "bought once at the first close, without costs, and never touched.",
        data,
        layout(460, run.record.facts.is_synthetic, yaxis={"type": "log", "tickformat": ",~r", "nticks": 8}),
        legend_of([each.name for each in lines]),
        (
            ("Log", {"layout": {"yaxis.type": "log", "yaxis.autorange": True}}),
            ("Linear", {"layout": {"yaxis.type": "linear", "yaxis.autorange": True}}),
        ),
    )


def _drawdown(run: Analysis) -> Chart:
    lines = run.days.lines.values()
    data = []
    for each in lines:
        fill = {"fill": "tozeroy", "fillcolor": "rgba(29,39,51,0.08)"} if each.name == TOTAL else {}
        data.append(line(each.name, _padded(run, each.start, each.drawdown), "%{y:.1%}", **fill))
    return Chart(
        "drawdown",
        "Drawdown from the highest close",
        "",
        data,
        layout(320, run.record.facts.is_synthetic, yaxis={"tickformat": ".0%"}),
        legend_of([each.name for each in lines]),
        narrow=270,
    )


def _allocation(run: Analysis) -> Chart:
    names = [name for name in (*ENGINES, MASTER) if name in run.days.accounts]
    data = []
    for name in names:
        equity = numbers(np.maximum(run.days.accounts[name].equity, 0.0))
        data.append(
            line(name, equity, "%{y:,.0f} USDT", stackgroup="all", groupnorm="percent", fillcolor=COLOURS[name])
            | {"line": {"width": 0.5, "color": "#fff"}, "hovertemplate": "%{y:.1f} %"}
        )
    as_share: dict[str, Any] = {"data": {"groupnorm": "percent", "hovertemplate": "%{y:.1f} %"}}
    as_usdt: dict[str, Any] = {"data": {"groupnorm": "", "hovertemplate": "%{y:,.0f} USDT"}}
    as_share["layout"] = {"yaxis.ticksuffix": " %", "yaxis.tickformat": "", "yaxis.range": [0, 100]}
    as_usdt["layout"] = {"yaxis.ticksuffix": "", "yaxis.tickformat": ",.3~s", "yaxis.autorange": True}
    return Chart(
        "allocation",
        "Allocation: equity of each engine",
        "",
        data,
        layout(340, run.record.facts.is_synthetic, yaxis={"ticksuffix": " %", "range": [0, 100]}),
        legend_of(names, is_area=True),
        (("Share", as_share), ("USDT", as_usdt)),
        narrow=290,
    )


def _cash(run: Analysis) -> Chart:
    return _shares(
        run,
        "cash",
        "Idle capital: cash as a share of equity",
        "USDT not invested. Cash behind perpetuals counts as cash; the exposure beside it shows what it carries.",
        lambda account: account.cash,
    )


def _exposure(run: Analysis) -> Chart:
    return _shares(
        run,
        "exposure",
        "Exposure: gross notional over equity",
        "Coins and positions at market; both legs of a FUNDING pair count.",
        lambda account: account.exposure,
    )


def _shares(run: Analysis, key: str, title: str, note: str, part: Callable[[Account], Floats]) -> Chart:
    names = [name for name in (TOTAL, *ENGINES) if name in run.days.lines]
    accounts = [run.days.accounts[name] for name in names]
    return Chart(
        key,
        title,
        note,
        [line(account.name, numbers(share(part(account), account.equity)), "%{y:.1%}") for account in accounts],
        layout(300, run.record.facts.is_synthetic, yaxis={"tickformat": ".0%", "rangemode": "tozero"}),
        legend_of(names),
        narrow=270,
    )
