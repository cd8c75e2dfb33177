"""What the owner should know: sentences computed from the run, the worst first. Nothing here is flattering."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from infra.backtest.records import ENGINES, TOTAL
from infra.backtest.report.analysis import Analysis
from infra.backtest.report.books import Book
from infra.backtest.report.formatting import count, counted, day, listed, percent, usdt
from infra.backtest.report.rules import never_acted
from infra.backtest.report.series import BTC_HOLD, CASH, MIX_HOLD

IDLE_CASH = 0.5
IDLE_DAYS = 0.5
LOW_EXPOSURE = 0.1
BOOK_TOLERANCE = 1e-3
FEW_TRADES = 30


class Weight(IntEnum):
    """How much a sentence weighs; smaller is graver."""

    FAULT = 0
    LOSS = 1
    NOTE = 2
    GOOD = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence or a few."""

    weight: Weight
    text: str


def findings_of(run: Analysis) -> list[Finding]:
    """All findings, the gravest first, otherwise in the order in which they are looked for."""
    found = [*_validity(run), *_books(run), *_result(run), *_engines(run), *_capital(run), *_rules(run)]
    return sorted(found, key=lambda finding: finding.weight)


def _validity(run: Analysis) -> Iterator[Finding]:
    facts = run.record.facts
    if facts.is_synthetic:
        yield Finding(
            Weight.FAULT,
            "The market of this run is invented (synthetic). Its figures show that the machinery works; they say "
            "nothing about what the strategies would have earned.",
        )
    if not facts.is_complete:
        yield Finding(
            Weight.FAULT,
            f"The run is incomplete: it ended at {day(facts.ended_ms)} and was to go to {day(facts.to_ms)}. "
            "Every figure covers the part that was run.",
        )
    if facts.ledger_faults:
        yield Finding(Weight.FAULT, "The ledger has faults, so no figure is safe: " + "; ".join(facts.ledger_faults))
    if not run.has_traded:
        yield Finding(Weight.FAULT, "Nothing was traded in this run: there is not a single fill.")
    if run.days.is_empty:
        yield Finding(Weight.FAULT, "There are fewer than two daily closes of TOTAL: no return can be computed.")
    elif run.days.missing:
        yield Finding(
            Weight.FAULT,
            f"{count(run.days.missing)} daily closes are missing; a return over a gap counts as one day, so annual "
            "figures are off.",
        )
    if facts.missing_inputs:
        yield Finding(Weight.NOTE, f"Missing inputs: {' '.join(facts.missing_inputs)}")
    if not run.days.is_empty and len(run.days.day_ms) < 366:
        yield Finding(Weight.NOTE, "The run is shorter than a year, so growth, turnover and costs are not annualised.")
    if facts.open_orders:
        yield Finding(Weight.NOTE, f"Still open at the end: {counted(facts.open_orders, 'order')}.")
    if facts.settings:
        changed = "; ".join(f"{name} = {value}" for name, value in facts.settings.items())
        yield Finding(Weight.NOTE, f"Settings that differ from the specification: {changed}.")


def _books(run: Analysis) -> Iterator[Finding]:
    accounts = run.days.accounts
    if TOTAL in accounts and len(accounts) > 1:
        gap = abs(accounts[TOTAL].equity - sum(each.equity for name, each in accounts.items() if name != TOTAL)).max()
        if gap > BOOK_TOLERANCE * max(accounts[TOTAL].equity.max(), 1.0):
            text = f"The accounts do not add up to TOTAL: they are up to {usdt(gap, 2)} USDT apart."
            yield Finding(Weight.FAULT, text)
    own = sum(leg.gross_usdt for leg in run.legs.legs if leg.category == "linear")
    fills = run.record.fills
    recorded = float(fills.filter(fills["category"] == "linear")["realised_usdt"].fill_null(0.0).sum())
    if abs(own - recorded) > max(1.0, 0.01 * abs(recorded)):
        yield Finding(
            Weight.FAULT,
            f"The perpetuals' realised profit on record ({usdt(recorded)} USDT) is not what the fills give at average "
            f"cost ({usdt(own)} USDT).",
        )
    liquidations = run.books[TOTAL].liquidations
    if liquidations:
        text = f"The exchange liquidated or deleveraged: {counted(liquidations, 'fill')}."
        yield Finding(Weight.FAULT, text)


def _result(run: Analysis) -> Iterator[Finding]:
    if TOTAL not in run.performances or run.days.is_empty:
        return
    total = run.performances[TOTAL]
    book = run.books[TOTAL]
    fall = f", with a worst drawdown of {percent(total.worst.depth)}" if total.worst else ""
    yearly = "" if total.cagr is None else f" ({percent(total.cagr)} a year)"
    span = f"{percent(total.total_return)}{yearly}{fall}"
    if book.profit_usdt < 0 or total.total_return < 0:
        yield Finding(Weight.LOSS, f"The system lost money: {usdt(book.profit_usdt)} USDT, {span}.")
    else:
        yield Finding(Weight.GOOD, f"The system made {usdt(book.profit_usdt)} USDT after costs: {span}.")
    for name in (BTC_HOLD, MIX_HOLD):
        if name not in run.performances:
            if run.has_traded:
                yield Finding(Weight.NOTE, f"{name} cannot be computed: its prices at the start are missing.")
            continue
        other = run.performances[name]
        depth = other.worst.depth if other.worst else 0.0
        comparison = f"{percent(total.total_return)} against {percent(other.total_return)}"
        falls = f"(worst drawdown {percent(total.worst.depth if total.worst else 0.0)} against {percent(depth)})"
        if total.total_return < other.total_return:
            yield Finding(Weight.LOSS, f"The system returned less than {name}: {comparison} {falls}.")
        else:
            yield Finding(Weight.GOOD, f"The system returned more than {name}: {comparison} {falls}.")
    if total.total_return < 0 and CASH in run.performances:
        yield Finding(Weight.LOSS, "Leaving the money in cash would have been better.")


def _engines(run: Analysis) -> Iterator[Finding]:
    if run.days.is_empty or not run.has_traded:
        return
    for name in ENGINES:
        book = run.books.get(name)
        if book is None:
            yield Finding(Weight.NOTE, f"{name} did not take part in this run.")
            continue
        since = (run.record.facts.active_from_ms or {}).get(name)
        if not book.is_active:
            yield Finding(Weight.NOTE, f"{name} has no figures: the market of this run lacks what it trades on.")
        elif since is not None and since > run.record.facts.from_ms:
            text = f"{name} has figures from {day(since)} on: before, the market of this run lacks what it trades on."
            yield Finding(Weight.NOTE, text)
        if not book.is_active:
            continue
        if not book.fills:
            yield Finding(Weight.LOSS, f"{name} never traded.")
        elif book.profit_usdt < 0:
            yield Finding(Weight.LOSS, _lost(book))
        closed = sum(1 for trade in run.trades if trade.engine == name and trade.closed_ms is not None)
        if book.fills and name != "CORE-HODL" and closed < FEW_TRADES:
            yield Finding(
                Weight.NOTE, f"{name} closed {counted(closed, 'trade')}: too few to separate skill from luck."
            )
    funding = run.books.get("FUNDING")
    if funding is not None and funding.fills:
        carry, costs = funding.funding_usdt, funding.costs_usdt
        if costs > carry:
            yield Finding(
                Weight.LOSS,
                f"FUNDING paid more to trade than its carry brought: {usdt(costs)} USDT of fees and slippage against "
                f"{usdt(carry)} USDT of funding.",
            )
        elif costs > 0.5 * carry:
            yield Finding(
                Weight.NOTE,
                f"Costs took {percent(costs / carry, 0)} of FUNDING's carry ({usdt(costs)} of {usdt(carry)} USDT).",
            )


def _lost(book: Book) -> str:
    if book.profit_before_costs_usdt > 0:
        return (
            f"{book.name} made {usdt(book.profit_before_costs_usdt)} USDT before costs and lost "
            f"{usdt(-book.profit_usdt)} USDT after {usdt(book.costs_usdt)} USDT of fees and slippage."
        )
    return f"{book.name} lost {usdt(-book.profit_usdt)} USDT ({usdt(book.costs_usdt)} USDT of it fees and slippage)."


def _capital(run: Analysis) -> Iterator[Finding]:
    if run.days.is_empty:
        return
    for name, book in run.books.items():
        if not book.is_active:
            continue
        if book.mean_equity_usdt <= 0:
            if name != TOTAL:
                yield Finding(Weight.NOTE, f"{name} never had capital.")
            continue
        if book.mean_exposure < LOW_EXPOSURE or book.days_invested < IDLE_DAYS or book.mean_cash > IDLE_CASH:
            yield Finding(
                Weight.NOTE,
                f"Capital of {name} that hardly works: on average {percent(book.mean_cash, 0)} of it was cash, its "
                f"exposure was {percent(book.mean_exposure, 0)} of its equity, and on "
                f"{percent(1 - book.days_invested, 0)} of the days it held nothing.",
            )


def _rules(run: Analysis) -> Iterator[Finding]:
    waiting, _ = never_acted(run.rules)
    if waiting:
        yield Finding(Weight.NOTE, f"Rules that never acted in this run: {listed([rule.rule for rule in waiting])}.")
    refused = len(run.record.refusals)
    if refused:
        first = run.refusals.row(0, named=True)
        often = f"{first['engine']}'s ({counted(first['refusals'], 'time')}): {first['example']}"
        text = f"Refused by the risk manager: {counted(refused, 'order')}; most often {often}"
        yield Finding(Weight.NOTE, text)
    if run.legs.unmatched_usdt > 0:
        yield Finding(
            Weight.NOTE,
            f"Coins worth {usdt(run.legs.unmatched_usdt)} USDT were sold without a purchase on record (received in "
            "kind); trades count them without profit.",
        )
