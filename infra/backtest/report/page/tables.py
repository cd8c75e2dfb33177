"""The page's tables, from the analysis."""

from __future__ import annotations

from collections.abc import Iterable

from infra.backtest.records import TOTAL
from infra.backtest.report.analysis import Analysis
from infra.backtest.report.crises import Crisis
from infra.backtest.report.formatting import NOTHING, coins, count, day, percent, price, ratio, usdt
from infra.backtest.report.page.html import Cell, Column, Row, figures, table, toned, words
from infra.backtest.report.rules import ALWAYS_IN_FORCE, RuleCount
from infra.backtest.report.series import BENCHMARKS
from infra.backtest.report.states import time_in_state

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HEAT = 0.25
"""A month of this return has the deepest colour."""


def performance_table(run: Analysis) -> str:
    """One row per line: growth, risk and their ratios."""
    columns = words("") + figures(
        "Total return", "CAGR", "Volatility", "Sharpe", "Sortino", "Calmar", "Worst drawdown", "Its days",
        "Longest drawdown, days", "Ulcer index", "Best day", "Worst day",
    )  # fmt: skip
    rows: list[Row] = []
    for name in run.books:
        if name not in run.performances:
            rows.append((name, *[NOTHING] * (len(columns) - 1)))
    for name, line in run.performances.items():
        worst = line.worst
        rows.append(
            (
                name,
                toned(line.total_return, percent(line.total_return)),
                toned(line.cagr, percent(line.cagr)),
                percent(line.volatility),
                ratio(line.sharpe),
                ratio(line.sortino),
                ratio(line.calmar),
                percent(worst.depth if worst else 0.0),
                count(worst.days if worst else 0),
                count(line.longest_days),
                percent(line.ulcer_index),
                percent(line.best_day),
                percent(line.worst_day),
            )
        )
    return table(columns, rows)


def books_table(run: Analysis) -> str:
    """Money per engine: from start to end, and what it cost."""
    columns = words("") + figures(
        "Start", "Transfers in less out", "End", "Profit after costs", "Fees", "Takers' slippage", "Shortfall",
        "Funding received",
        "Funding paid", "Traded", "Turnover a year", "Costs a year", "Mean exposure", "Highest exposure",
        "Days invested", "Mean cash",
    )  # fmt: skip
    nothing = [NOTHING] * (len(columns) - 4)
    rows: list[Row] = [
        (book.name, usdt(book.start_usdt), usdt(book.flow_usdt), usdt(book.end_usdt), *nothing)
        if not book.is_active
        else (
            book.name,
            usdt(book.start_usdt),
            usdt(book.flow_usdt),
            usdt(book.end_usdt),
            toned(book.profit_usdt, usdt(book.profit_usdt)),
            usdt(book.fee_usdt),
            usdt(book.slippage_usdt),
            usdt(book.shortfall_usdt),
            usdt(book.funding_received_usdt),
            usdt(book.funding_paid_usdt),
            usdt(book.traded_usdt),
            f"{ratio(book.turnover_per_year)} ×" if book.turnover_per_year is not None else NOTHING,
            percent(book.cost_per_year, 2),
            percent(book.mean_exposure, 0),
            percent(book.highest_exposure, 0),
            percent(book.days_invested, 0),
            percent(book.mean_cash, 0),
        )
        for book in run.books.values()
    ]
    return table(columns, rows)


def capacity_table(run: Analysis) -> str:
    """Orders by size against the market, and what their size cost."""
    columns = words("", "Of an hour's volume") + figures(
        "Orders", "Parts", "Traded, USDT", "Mean share", "Largest share", "Slippage", "Shortfall"
    )
    rows: list[Row] = [
        (
            line.engine,
            line.size,
            count(line.orders),
            count(line.parts),
            usdt(line.notional_usdt),
            percent(line.mean_share, 3),
            percent(line.largest_share, 3),
            percent(line.slippage, 3),
            percent(line.shortfall, 3),
        )
        for line in run.capacity
    ]
    return table(columns, rows)


def trades_table(run: Analysis) -> str:
    """Closed round trips per engine, then per symbol and direction."""
    columns = words("", "Which") + figures(
        "Closed", "Open", "Hit rate", "Profit factor", "Expectancy, USDT", "Expectancy of notional", "Mean win",
        "Mean loss", "Best", "Worst", "Mean days", "Net, USDT",
    )  # fmt: skip
    rows = [
        (
            one.engine,
            one.label,
            count(one.closed),
            count(one.still_open),
            percent(one.hit_rate, 0),
            ratio(one.profit_factor),
            toned(one.expectancy_usdt, usdt(one.expectancy_usdt, 2)),
            toned(one.expectancy_share, percent(one.expectancy_share, 2)),
            usdt(one.average_win_usdt, 2),
            usdt(one.average_loss_usdt, 2),
            usdt(one.best_usdt, 2),
            usdt(one.worst_usdt, 2),
            ratio(one.mean_days),
            toned(one.net_usdt, usdt(one.net_usdt)),
        )
        for one in run.trade_stats
    ]
    return table(columns, rows) if rows else ""


def accumulation_table(run: Analysis) -> str:
    """CORE-HODL's purchases and sales."""
    columns = words("") + figures(
        "Purchases",
        "Bought",
        "For, USDT",
        "Mean price",
        "Sales",
        "Sold",
        "For, USDT",
        "Mean price",
        "Fees, USDT",
        "Last",
    )
    rows = [
        (
            str(row["symbol"]),
            count(row["bought_fills"]),
            coins(row["bought_coins"]),
            usdt(row["bought_usdt"]),
            price(row["bought_usdt"] / row["bought_coins"] if row["bought_coins"] else None),
            count(row["sold_fills"]),
            coins(row["sold_coins"]),
            usdt(row["sold_usdt"]),
            price(row["sold_usdt"] / row["sold_coins"] if row["sold_coins"] else None),
            usdt(row["fee_usdt"]),
            day(row["last_ms"]),
        )
        for row in run.accumulation.iter_rows(named=True)
    ]
    return table(columns, rows) if rows else ""


def crises_table(windows: list[Crisis]) -> str:
    """Return and worst drawdown of every line within each window."""
    if not windows:
        return ""
    names = list(dict.fromkeys(name for window in windows for name in window.results))
    columns = [*words("", "From", "To"), *figures(*names)]
    rows: list[Row] = [
        (window.name, day(window.first_day_ms), day(window.last_day_ms), *(_result(window, name) for name in names))
        for window in windows
    ]
    return table(columns, rows)


def _result(window: Crisis, name: str) -> Cell:
    if name not in window.results:
        return Cell(NOTHING)
    gained, depth = window.results[name]
    # The line may only break between the two.
    parts = (text.replace(" ", "\u00a0") for text in (percent(gained), f"({percent(depth)})"))
    cell = toned(gained, " ".join(parts))
    return Cell(cell.text, f"{cell.tone} wrap".strip())


def month_tables(run: Analysis) -> str:
    """Heat tables, one per line; a selector shows one of them."""
    lines = [line for line in run.months if line.by_month and line.name != BENCHMARKS[-1]]
    if not lines:
        return ""
    options = "".join(f'<option value="{line.name}">{line.name}</option>' for line in lines)
    parts = [f'<p><label>Series <select data-heat="months">{options}</select></label></p>']
    columns = words("Year") + figures(*MONTHS, "Year")
    for line in lines:
        rows: list[Row] = [
            (
                str(year),
                *(_heat(line.by_month.get((year, month)), HEAT) for month in range(1, 13)),
                _heat(line.by_year[year], 4 * HEAT),
            )
            for year in sorted(line.by_year)
        ]
        hidden = "" if line.name == TOTAL else " hidden"
        parts.append(table(columns, rows, "heat", f' data-series="{line.name}"{hidden}'))
    return "".join(parts)


def _heat(value: float | None, deepest: float) -> Cell:
    if value is None:
        return Cell("")
    depth = min(abs(value) / deepest, 1.0) * 0.55
    colour = "47,133,90" if value >= 0 else "184,58,94"
    return Cell(percent(value), background=f"rgba({colour},{depth:.2f})")


def states_table(run: Analysis) -> str:
    """How much of its time each machine spent in each state."""
    columns = words("Actor", "Machine", "State") + figures("Stays", "Share of time")
    rows = [
        (actor, machine, state, count(stays), percent(part))
        for actor, machine, state, stays, part in time_in_state(run.stays)
    ]
    return table(columns, rows) if rows else ""


def rules_table(run: Analysis) -> str:
    """Every rule: how often the journal names it and how many filled orders it led to."""
    columns = [
        *words("Rule", "What it says"),
        *figures("Journal lines", "Orders", "First", "Last"),
        Column("By whom", is_text=True, is_wide=True),
    ]
    rows = [
        (
            rule.rule,
            rule.text,
            count(rule.lines),
            count(rule.orders),
            day(rule.first_ms),
            day(rule.last_ms),
            _by_whom(rule),
        )
        for rule in run.rules
    ]
    return table(columns, rows)


def _by_whom(rule: RuleCount) -> str:
    if rule.is_unbuilt:
        return "not built yet"
    if not rule.never_acted:
        return rule.by_actor
    if rule.rule in ALWAYS_IN_FORCE:
        return "always in force; the journal does not name it"
    return "never acted in this run"


def refusals_table(run: Analysis) -> str:
    """Why the risk manager refused."""
    columns = [
        *words("Engine"),
        *figures("Refusals", "First", "Last"),
        Column("For example", is_text=True, is_wide=True),
    ]
    rows: Iterable[Row] = (
        (str(r["engine"]), count(r["refusals"]), day(r["first_ms"]), day(r["last_ms"]), str(r["example"]))
        for r in run.refusals.iter_rows(named=True)
    )
    return table(columns, rows) if run.refusals.height else ""
