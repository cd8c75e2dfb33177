"""The tables of the page, as HTML."""

from __future__ import annotations

from infra.backtest.records import ENGINES, TOTAL
from infra.backtest.report import html
from infra.backtest.report.analysis import Analysis
from infra.backtest.report.crises import Crisis
from infra.backtest.report.html import Cell, judged, named, text, wide
from infra.backtest.report.months import Months
from infra.backtest.report.rules import RuleCount, never_acted
from infra.backtest.report.series import CASH
from infra.backtest.report.states import time_in_state
from infra.backtest.report.words import NOTHING, coins, count, day, listed, minute, percent, price, ratio, usdt

MOST_TRADES = 400
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def performance_table(run: Analysis) -> str:
    """Every line of the run beside each other."""
    heads = ["Series", "Return", "CAGR", "Volatility", "Sharpe", "Sortino", "Calmar", "Worst drawdown", "From", "Low",
             "Recovered", "Days", "Longest drawdown, days", "Ulcer index", "Best day", "Worst day", "Days counted"]  # fmt: skip
    rows, kinds = [], []
    for name, figures in run.performances.items():
        line, worst = run.days.lines[name], figures.worst
        at = [int(ms) for ms in run.days.day_ms[line.start :]]
        recovered = NOTHING if worst is None else "not yet" if worst.recovered is None else day(at[worst.recovered])
        rows.append(
            [
                named(name),
                judged(percent(figures.total_return), figures.total_return),
                judged(percent(figures.cagr), figures.cagr),
                percent(figures.volatility),
                ratio(figures.sharpe),
                ratio(figures.sortino),
                ratio(figures.calmar),
                percent(worst.depth if worst else 0.0),
                day(at[worst.peak]) if worst else NOTHING,
                day(at[worst.trough]) if worst else NOTHING,
                recovered,
                count(worst.days if worst else 0),
                count(figures.longest_days),
                percent(figures.ulcer_index),
                percent(figures.best_day),
                percent(figures.worst_day),
                count(figures.days),
            ]
        )
        kinds.append("strong" if name == TOTAL else "")
    return html.table(heads, rows, kinds)


def books_table(run: Analysis) -> str:
    """Result and costs per engine in USDT."""
    heads = ["Engine", "Start", "Transfers and deposits in", "End", "Profit", "Before costs", "Fees", "Slippage",
             "Funding received", "Funding paid", "Traded", "Turnover a year", "Costs a year", "Fills", "Liquidations"]  # fmt: skip
    rows = [
        [
            named(book.name),
            usdt(book.start_usdt),
            usdt(book.flow_usdt),
            usdt(book.end_usdt),
            judged(usdt(book.profit_usdt), book.profit_usdt),
            usdt(book.profit_before_costs_usdt),
            usdt(book.fee_usdt),
            usdt(book.slippage_usdt),
            usdt(book.funding_received_usdt),
            usdt(book.funding_paid_usdt),
            usdt(book.traded_usdt),
            NOTHING if book.turnover_per_year is None else f"{ratio(book.turnover_per_year)} ×",
            percent(book.cost_per_year, 2),
            count(book.fills),
            count(book.liquidations),
        ]
        for book in run.books.values()
    ]
    return html.table(heads, rows, ["strong" if name == TOTAL else "" for name in run.books])


def capital_table(run: Analysis) -> str:
    """How much of the capital worked."""
    heads = ["Engine", "Mean equity", "Mean cash share", "Mean exposure", "Highest exposure", "Days with a position"]
    rows = [
        [
            named(book.name),
            usdt(book.mean_equity_usdt),
            percent(book.mean_cash),
            percent(book.mean_exposure),
            percent(book.highest_exposure),
            percent(book.days_invested),
        ]
        for book in run.books.values()
    ]
    return html.table(heads, rows, ["strong" if name == TOTAL else "" for name in run.books])


def years_table(run: Analysis) -> str:
    """Return per year and series."""
    series = [each for each in run.months if each.name != CASH]
    years = sorted({year for each in series for year in each.by_year})
    rows = [[named(each.name), *(_heat(each.by_year.get(year), 0.6) for year in years)] for each in series]
    return html.table(["Series", *map(str, years)], rows, css="heat")


def months_tables(run: Analysis) -> str:
    """A heat map per series and the choice of the series to show."""
    series = [each for each in run.months if each.name != CASH]
    if not series:
        return '<p class="muted">No daily closes.</p>'
    options = "".join(f"<option>{each.name}</option>" for each in series)
    label = f'<p><label>Series <select data-heat="months">{options}</select></label></p>'
    return label + "".join(_months(each, place > 0) for place, each in enumerate(series))


def _months(series: Months, is_hidden: bool) -> str:
    rows = [
        [
            text(str(year)),
            *(_heat(series.by_month.get((year, month)), 0.25) for month in range(1, 13)),
            _heat(series.by_year[year], 0.6),
        ]
        for year in sorted(series.by_year)
    ]
    hidden = "hidden" if is_hidden else ""
    return html.table(["Year", *MONTHS, "Year"], rows, attributes=f'data-series="{series.name}" {hidden}', css="heat")


def _heat(value: float | None, full: float) -> Cell:
    if value is None:
        return Cell("")
    strength = min(abs(value) / full, 1.0) * 0.55
    tint = f"47,122,79,{strength:.2f}" if value > 0 else f"179,48,63,{strength:.2f}"
    return Cell(percent(value), style=f"background:rgba({tint})")


def crises_table(run: Analysis, windows: list[Crisis]) -> str:
    """Return and worst drawdown of every series in each window."""
    names = [name for name in run.days.lines if name != CASH]
    rows = []
    for window in windows:
        row: list[Cell | str] = [text(window.name), text(f"{day(window.first_day_ms)} to {day(window.last_day_ms)}")]
        for name in names:
            result = window.results.get(name)
            row.append(
                Cell(NOTHING) if result is None else judged(f"{percent(result[0])} ({percent(result[1])})", result[0])
            )
        rows.append(row)
    return html.table(["Window", "Days", *names], rows)


def stats_table(run: Analysis) -> str:
    """Closed trades per engine."""
    heads = ["Engine", "Trades of", "Closed", "Open", "Hit rate", "Profit factor", "Expectancy", "of notional",
             "Average win", "Average loss", "Best", "Worst", "Days held", "Sum"]  # fmt: skip
    rows = [
        [
            named(each.engine),
            text(each.label),
            count(each.closed),
            count(each.still_open),
            percent(each.hit_rate),
            "no loss" if each.closed and each.profit_factor is None else ratio(each.profit_factor),
            judged(usdt(each.expectancy_usdt, 2), each.expectancy_usdt),
            percent(each.expectancy_share, 2),
            usdt(each.average_win_usdt),
            usdt(each.average_loss_usdt),
            usdt(each.best_usdt),
            usdt(each.worst_usdt),
            "–" if each.mean_days is None else f"{each.mean_days:,.1f}",
            judged(usdt(each.net_usdt), each.net_usdt),
        ]
        for each in run.trade_stats
    ]
    return html.table(heads, rows, ["strong" if each.label == "all" else "sub" for each in run.trade_stats])


def trades_table(run: Analysis) -> str:
    """The latest trades, newest first; the exported table has all."""
    heads = ["Opened", "Closed", "Engine", "Symbol", "Kind", "Entry", "Exit", "Notional", "Gross", "Fees", "Funding",
             "Net", "Net of notional", "Ended by"]  # fmt: skip
    rows = [
        [
            text(minute(trade.opened_ms)),
            text("open" if trade.closed_ms is None else minute(trade.closed_ms)),
            named(trade.engine),
            text(trade.symbol),
            text(trade.kind),
            price(trade.entry_price),
            price(trade.exit_price),
            usdt(trade.notional_usdt),
            usdt(trade.gross_usdt, 2),
            usdt(trade.fee_usdt, 2),
            usdt(trade.funding_usdt, 2),
            judged(usdt(trade.net_usdt, 2), trade.net_usdt),
            percent(trade.net_usdt / trade.notional_usdt, 2),
            wide(trade.why or NOTHING),
        ]
        for trade in list(reversed(run.trades))[:MOST_TRADES]
    ]
    left_out = len(run.trades) - len(rows)
    remark = f"The {count(MOST_TRADES)} latest; {count(left_out)} earlier ones are in tables/trades.csv."
    return (html.note(remark) if left_out > 0 else "") + html.table(heads, rows)


def accumulation_table(run: Analysis) -> str:
    """CORE-HODL's purchases and sales."""
    heads = ["Symbol", "Purchases", "Coins bought", "for USDT", "Average price", "Sales", "Coins sold", "for USDT",
             "Average price", "Fees", "Last fill"]  # fmt: skip
    rows = [
        [
            text(row["symbol"]),
            count(row["bought_fills"]),
            coins(row["bought_coins"]),
            usdt(row["bought_usdt"]),
            price(row["bought_usdt"] / row["bought_coins"] if row["bought_coins"] else None),
            count(row["sold_fills"]),
            coins(row["sold_coins"]),
            usdt(row["sold_usdt"]),
            price(row["sold_usdt"] / row["sold_coins"] if row["sold_coins"] else None),
            usdt(row["fee_usdt"], 2),
            day(row["last_ms"]),
        ]
        for row in run.accumulation.iter_rows(named=True)
    ]
    return html.table(heads, rows)


def rules_table(run: Analysis) -> str:
    """Every rule in the specification's order, others after them."""
    heads = ["Rule", "What it says", "Journal lines", "Orders filled", "First", "Last", "By"]
    rows = [
        [
            text(each.rule),
            text(each.text or "another chapter"),
            Cell("never" if each.never_acted else count(each.lines), "bad" if each.never_acted else ""),
            count(each.orders) if each.orders else NOTHING,
            day(each.first_ms),
            day(each.last_ms),
            wide(each.by_actor or NOTHING),
        ]
        for each in run.rules
    ]
    return html.table(heads, rows)


def never_acted_text(counts: list[RuleCount]) -> list[str]:
    """Sentences about the rules of chapters 2 to 5 that never acted."""
    waiting, silent = never_acted(counts)
    lines = [f"Never acted in this run: {listed([f'{each.rule} ({each.text})' for each in waiting])}."]
    if silent:
        lines.append(
            "Always in force and not named by the journal either, since they describe rather than act: "
            f"{listed([each.rule for each in silent])}."
        )
    return lines


def refusals_table(run: Analysis) -> str:
    """Refused orders by engine and reason."""
    heads = ["Engine", "Reason (numbers as #)", "Refusals", "First", "Last", "Example"]
    rows = [
        [
            named(row["engine"]),
            wide(row["kind"]),
            count(row["refusals"]),
            day(row["first_ms"]),
            day(row["last_ms"]),
            wide(row["example"]),
        ]
        for row in run.refusals.iter_rows(named=True)
    ]
    return html.table(heads, rows)


def states_table(run: Analysis) -> str:
    """Share of time per machine and state."""
    rows = [
        [text(actor), text(machine), text(state), count(stays), percent(share)]
        for actor, machine, state, stays, share in time_in_state(run.stays)
    ]
    return html.table(["Actor", "Machine", "State", "Stays", "Share of time"], rows)


def transfers_table(run: Analysis) -> str:
    """Sums moved between engines."""
    sums: dict[tuple[str, str], tuple[int, float]] = {}
    for source, target, amount in run.record.transfers.select("source", "target", "amount_usdt").iter_rows():
        number, total = sums.get((source, target), (0, 0.0))
        sums[source, target] = (number + 1, total + amount)
    order = {name: place for place, name in enumerate(ENGINES)}
    rows = [
        [named(source), named(target), count(number), usdt(total)]
        for (source, target), (number, total) in sorted(
            sums.items(), key=lambda item: tuple(order.get(name, 99) for name in item[0])
        )
    ]
    return html.table(["From", "To", "Transfers", "USDT"], rows)
