"""The charts of what happened: trades on the price, states through time, results of trades, costs of carry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from infra.backtest.records import ENGINES
from infra.backtest.report.analysis import Analysis
from infra.backtest.report.formatting import day, minute, price, usdt
from infra.backtest.report.page.charts import DAYS, Chart, Trace, layout, legend_of, numbers
from infra.backtest.report.page.style import COLOURS, MUTED, state_colour
from infra.backtest.report.states import Stay

TURNS = ("REBALANCING", "DEPLOYMENT", "PROFIT_TARGET_REACHED", "RETURN_TO_CORE")
"""States whose beginning is marked on the price of BTC: rebalancing and deployment."""

MAX_BARS = 6000
ROW_PX = 26


def event_charts(run: Analysis) -> dict[str, Chart]:
    """What there is: an engine's chart is missing when it has nothing to show."""
    charts = [*_prices(run), *_timeline(run), *_results(run), *_carry(run)]
    return {chart.key: chart for chart in charts}


def _prices(run: Analysis) -> Iterable[Chart]:
    if run.days.is_empty:
        return
    for symbol, closes in run.days.prices.items():
        own = run.record.fills.filter(pl.col("symbol") == symbol)
        data: list[Trace] = [
            {
                "type": "scatter",
                "mode": "lines",
                "name": symbol,
                "x": DAYS,
                "y": numbers(closes),
                "line": {"color": "#b4bdc7", "width": 1.4},
                "hovertemplate": "%{x|%Y-%m-%d} close %{y:,.6~r}<extra></extra>",
            }
        ]
        engines = [engine for engine in ENGINES if engine in set(own["engine"].to_list())]
        for engine in engines:
            data += _fills(own.filter(pl.col("engine") == engine), engine)
        is_btc = symbol == "BTCUSDT"
        turns = _turns(run, closes) if is_btc else None
        moves = _transfers(run) if is_btc else []
        layers: dict[str, Any] = {"yaxis": {"type": "log", "tickformat": ",~r", "nticks": 8, "domain": [0, 1]}}
        if moves:
            layers["yaxis"]["domain"] = [0.26, 1]
            title = {"text": "Transfers", "font": {"size": 11}}
            layers["yaxis2"] = {"domain": [0, 0.18], "title": title, "tickformat": ",.2~s"}
        entries = [*legend_of(engines)]
        entries += [("Rebalancing, deployment", MUTED, True)] if turns else []
        yield Chart(
            f"price-{symbol}",
            f"{symbol}: what was bought and sold",
            "Spot closes; ▲ bought, ▼ sold: one mark per engine, day and side, at its average price."
            + (" ◆ a rebalance or a deployment begins or ends." if turns else "")
            + (" Below: transfers between engines in USDT, in the receiver's colour." if moves else ""),
            data + ([turns] if turns else []) + moves,
            layout(520 if moves else 400, run.record.facts.is_synthetic, hovermode="closest", **layers),
            tuple(entries),
            narrow=400 if moves else 320,
        )


def _fills(fills: pl.DataFrame, engine: str) -> list[Trace]:
    daily = (
        fills.with_columns(day_ms=pl.col("ts_ms") // 86_400_000 * 86_400_000)
        .group_by("day_ms", "category", "side")
        .agg(
            pl.col("ts_ms").min(),
            pl.col("notional_usdt").sum(),
            (pl.col("price") * pl.col("quantity")).sum().alias("paid"),
            pl.col("quantity").sum(),
            pl.len().alias("fills"),
            pl.col("purpose").unique(maintain_order=True).drop_nulls().head(3).str.join("; ").alias("why"),
        )
        .sort("ts_ms", "category", "side")
    )
    found = []
    for side, symbol in (("Buy", "triangle-up"), ("Sell", "triangle-down")):
        rows = daily.filter(pl.col("side") == side)
        if rows.is_empty():
            continue
        found.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"{engine} {side.lower()}s",
                "legendgroup": engine,
                "x": [minute(ts_ms) for ts_ms in rows["ts_ms"]],
                "y": numbers((rows["paid"] / rows["quantity"]).to_numpy()),
                "text": [
                    f"{side} {usdt(n)} USDT, {c}, {f} fill{'s' if f > 1 else ''}<br>{why}"
                    for n, c, f, why in rows.select("notional_usdt", "category", "fills", "why").iter_rows()
                ],
                "marker": {"symbol": symbol, "size": 8, "color": COLOURS[engine], "opacity": 0.85},
                "hovertemplate": f"<b>{engine}</b> %{{x|%Y-%m-%d %H:%M}} at %{{y:,.6~r}}<br>%{{text}}<extra></extra>",
            }
        )
    return found


def _turns(run: Analysis, closes: Any) -> Trace | None:
    rows = run.record.transitions.filter((pl.col("source") != pl.col("target")) & pl.col("target").is_in(TURNS)).sort(
        "ts_ms", maintain_order=True
    )
    if rows.is_empty():
        return None
    places = np.clip(np.searchsorted(run.days.day_ms, rows["ts_ms"].to_numpy(), side="right") - 1, 0, len(closes) - 1)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "Rebalancing, deployment",
        "legendgroup": "Rebalancing, deployment",
        "x": [minute(ts_ms) for ts_ms in rows["ts_ms"]],
        "y": numbers(np.asarray(closes)[places]),
        "text": [
            f"{actor} {machine}: {source} → {target}<br>{_short(reason)}"
            for actor, machine, source, target, reason in rows.select(
                "actor", "machine", "source", "target", "reason"
            ).iter_rows()
        ],
        "marker": {"symbol": "diamond", "size": 8, "color": "#fff", "line": {"color": "#1d2733", "width": 1.6}},
        "hovertemplate": "%{x|%Y-%m-%d %H:%M}<br>%{text}<extra></extra>",
    }


def _short(text: str | None, most: int = 110) -> str:
    words = (text or "").replace("<", "‹").replace(">", "›")
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _transfers(run: Analysis) -> list[Trace]:
    found: list[Trace] = []
    for (target,), rows in run.record.transfers.sort("ts_ms").group_by(["target"], maintain_order=True):
        name = str(target)
        found.append(
            {
                "type": "bar",
                "name": f"to {name}",
                "legendgroup": name,
                "yaxis": "y2",
                "x": [minute(ts_ms) for ts_ms in rows["ts_ms"]],
                "y": numbers(rows["amount_usdt"].to_numpy().astype(np.float64)),
                "width": 3 * 86_400_000,
                "text": [
                    f"{source} → {name}<br>{_short(why)}" for source, why in rows.select("source", "reason").iter_rows()
                ],
                "textposition": "none",
                "marker": {"color": COLOURS.get(name, MUTED), "line": {"width": 0}},
                "hovertemplate": "%{x|%Y-%m-%d %H:%M} %{y:,.0f} USDT<br>%{text}<extra></extra>",
            }
        )
    return found


def _timeline(run: Analysis) -> Iterable[Chart]:
    stays, left_out = _largest(run.stays)
    if not stays:
        return
    labels = list(dict.fromkeys(_label(stay) for stay in sorted(stays, key=lambda s: (s.actor, s.from_ms, s.machine))))
    data: list[Trace] = []
    states = sorted({stay.state for stay in stays}, key=lambda state: (state_colour(state), state))
    for state in states:
        own = [stay for stay in stays if stay.state == state]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": state,
                "legendgroup": state,
                "y": [_label(stay) for stay in own],
                "base": [minute(stay.from_ms) for stay in own],
                "x": [stay.to_ms - stay.from_ms for stay in own],
                "text": [f"{minute(stay.from_ms)} to {minute(stay.to_ms)}" for stay in own],
                "textposition": "none",
                "marker": {"color": state_colour(state), "line": {"width": 0}},
                "width": 0.66,
                "hovertemplate": f"<b>%{{y}}</b> {state}<br>%{{text}}<extra></extra>",
            }
        )
    height = max(180, ROW_PX * len(labels) + 60)
    note = "One row per machine, from its journal. States that came and went at one instant cannot be seen here."
    if left_out:
        note += f" The {left_out:,} shortest stays are not drawn."
    yield Chart(
        "states",
        "State of every machine",
        note,
        data,
        layout(
            height,
            run.record.facts.is_synthetic,
            hovermode="closest",
            barmode="overlay",
            yaxis={"type": "category", "categoryorder": "array", "categoryarray": labels[::-1], "showgrid": False},
        ),
        tuple((state, state_colour(state), True) for state in states),
        narrow=height,
    )


def _at(value: float | None) -> str:
    return "" if value is None else f" at {price(value)}"


def _label(stay: Stay) -> str:
    return f"{stay.actor} {stay.machine}"


def _largest(stays: list[Stay]) -> tuple[list[Stay], int]:
    if len(stays) <= MAX_BARS:
        return stays, 0
    shortest = sorted(stay.to_ms - stay.from_ms for stay in stays)[-MAX_BARS]
    kept = [stay for stay in stays if stay.to_ms - stay.from_ms >= shortest]
    return kept, len(stays) - len(kept)


def _results(run: Analysis) -> Iterable[Chart]:
    done = [trade for trade in run.trades if trade.closed_ms is not None]
    if not done:
        return
    engines = [engine for engine in ENGINES if any(trade.engine == engine for trade in done)]
    data: list[Trace] = []
    for engine in engines:
        own = [trade for trade in done if trade.engine == engine]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": engine,
                "legendgroup": engine,
                "x": [minute(trade.closed_ms or 0) for trade in own],
                "y": numbers(np.array([trade.net_usdt / trade.notional_usdt for trade in own])),
                "text": [
                    f"{t.symbol} {t.kind}, {usdt(t.net_usdt, 2)} USDT<br>{day(t.opened_ms)}{_at(t.entry_price)}"
                    f" to {day(t.closed_ms)}{_at(t.exit_price)}<br>{_short(t.why)}"
                    for t in own
                ],
                "marker": {"size": 7, "color": COLOURS[engine], "opacity": 0.75},
                "hovertemplate": f"<b>{engine}</b> %{{y:.2%}}<br>%{{text}}<extra></extra>",
            }
        )
    yield Chart(
        "results",
        "Result of every closed trade",
        "After fees and with funding, as a share of the notional at entry, at the day of its end.",
        data,
        layout(320, run.record.facts.is_synthetic, hovermode="closest", yaxis={"tickformat": ".0%"}),
        legend_of(engines),
    )


def _carry(run: Analysis) -> Iterable[Chart]:
    paid = run.record.funding.filter(pl.col("engine") == "FUNDING").sort("ts_ms")
    fills = run.record.fills.filter(pl.col("engine") == "FUNDING").sort("ts_ms")
    if run.days.is_empty or (paid.is_empty() and fills.is_empty()):
        return
    closes_ms = run.days.day_ms + 86_400_000
    costs = fills["fee_usdt"].fill_null(0) + fills["slippage_usdt"].fill_null(0)
    parts = (
        ("Funding received less paid", "#2f855a", paid["ts_ms"], paid["amount_usdt"]),
        ("Fees and slippage", "#b83a5e", fills["ts_ms"], costs),
    )
    data: list[Trace] = []
    for name, colour, at_ms, amounts in parts:
        sums = np.concatenate(([0.0], np.cumsum(amounts.to_numpy().astype(np.float64))))
        until = np.searchsorted(at_ms.to_numpy(), closes_ms, side="right")
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "legendgroup": name,
                "x": DAYS,
                "y": numbers(sums[until]),
                "line": {"color": colour, "width": 2},
                "hovertemplate": "%{y:,.0f} USDT",
            }
        )
    yield Chart(
        "carry",
        "FUNDING: carry against what it costs, summed",
        "The gap between the lines is what is left of the carry before price differences between the legs.",
        data,
        layout(280, run.record.facts.is_synthetic, yaxis={"tickformat": ",.3~s", "ticksuffix": " USDT"}),
        tuple((name, colour, False) for name, colour, _, _ in parts),
        narrow=250,
    )
