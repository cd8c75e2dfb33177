"""What a report says: its sections as titles, sentences and tables. Page and plain text are drawn from it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from api.health import Trouble
from api.json_values import time_of
from api.reports.facts import Facts, PeriodReturn, Row, day_of, falls, missing_days, period_return
from api.wording.expected import ACT, expected_of
from statemachines.performance.tracker import TOTAL
from statemachines.reports.schedule import Period, ReportKind
from statemachines.values import ACCOUNT_OF, ENGINES

NOTHING = "–"
NOT_KNOWN = "not known"
MOST_ROWS = 15
SHORT = 280
UNREAD = Trouble(
    "The state of the system could not be read when this report was made: the command eternal status shows it."
)


class Table(NamedTuple):
    """`heads` with, per column, whether it holds words; the first column names the row. `note`: what the reader must
    know of it."""

    heads: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[str]]
    note: str = ""


class Section(NamedTuple):
    """One part. `items` are sentences of a list; `curves`: names of the curves that are drawn here; `is_urgent`: the
    reader has to act."""

    title: str
    text: str = ""
    items: Sequence[str] = ()
    table: Table | None = None
    curves: Sequence[str] = ()
    is_urgent: bool = False


class Words(NamedTuple):
    """A whole report. `tiles`: the figures at its head, as name, value, remark."""

    title: str
    subtitle: str
    notices: Sequence[str]
    tiles: Sequence[tuple[str, str, str]]
    sections: Sequence[Section]
    footer: Sequence[str]


# --- figures ---


def usdt(value: object, *, is_signed: bool = False) -> str:
    """As "12,345.67" with a true minus sign; "–" for what is not known."""
    if value is None:
        return NOTHING
    number = Decimal(str(value)).quantize(Decimal("0.01"))
    number = number or Decimal(0)  # without the sign of a negative zero
    text = f"{number:+,.2f}" if is_signed and number else f"{number:,.2f}"
    return text.replace("-", "−")


def percent(value: object, *, is_signed: bool = False) -> str:
    """0.1234 as "12.34 %"."""
    return NOTHING if value is None else f"{usdt(Decimal(str(value)) * 100, is_signed=is_signed)} %"


def date_of(day: date) -> str:
    """As "28 November 2026"."""
    return f"{day.day} {day:%B %Y}"


def named(period: Period) -> str:
    """The period in words."""
    if period.kind is ReportKind.MONTHLY and not period.is_summary:
        return f"{period.first:%B %Y}"
    if period.kind is ReportKind.MONTHLY:
        return f"{period.first:%B %Y} to {period.last:%B %Y}"
    if period.is_summary:
        return f"{date_of(period.first)} to {date_of(period.last)}"
    return date_of(period.first)


def _short(text: str, most: int = SHORT) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


# --- the report ---


def words_of(facts: Facts) -> Words:
    """The report about these facts."""
    period = facts.due.period
    kind = "Daily" if period.kind is ReportKind.DAILY else "Monthly"
    market = {} if facts.overview is None else facts.overview["market"]
    label = str(market.get("label") or "")
    subtitle = f"Market days are UTC. Profile {facts.profile}{f', {label}' if label else ''}"
    sections = [
        _expected(facts),
        Section("Equity and drawdown", curves=("equity", "drawdown"), text=_performance_text(facts)),
        _engines(facts),
        _days(facts) if period.kind is ReportKind.DAILY or not facts.months else _months(facts),
        _windows(facts),
        *_lists(facts),
    ]
    return Words(
        title=f"{kind} report · {named(period)}",
        subtitle=f"{subtitle}.",
        notices=_notices(facts, is_simulated=bool(market.get("is_simulated"))),
        tiles=_tiles(facts),
        sections=[one for one in sections if one is not None],
        footer=_footer(facts, market),
    )


def subject_of(facts: Facts) -> str:
    """The line by which the report is found in a mailbox: period, result, and whether something is to be done."""
    words = words_of(facts)
    total = _total(facts)
    equity = NOT_KNOWN if total is None else f"{usdt(total['equity_usdt'])} USDT"
    change = _change(period_return(facts))
    urgent = " · action required" if any(one.is_urgent for one in words.sections) else ""
    late = " · late" if facts.due.is_late else ""
    return f"{words.title}: equity {equity}{f' ({change})' if change else ''}{urgent}{late}"


def _total(facts: Facts) -> Row | None:
    return next((row for row in facts.results if row["engine"] == TOTAL), None)


def _change(counted: PeriodReturn | None) -> str:
    """The return for the subject; "" when it is not known."""
    if counted is None:
        return ""
    since = "" if counted.since is None else f" since {date_of(counted.since)}"
    return f"{percent(counted.value, is_signed=True)}{since}"


def _notices(facts: Facts, *, is_simulated: bool) -> list[str]:
    period, found = facts.due.period, []
    if is_simulated or facts.profile == "paper":
        found.append("Simulated exchange: no real money. Days of market time may pass within seconds.")
    if facts.first_day is not None and period.first < facts.first_day <= period.last:
        began = date_of(facts.first_day)
        found.append(
            f"The system began on {began}: this period counts from that day, its return from that day's close."
        )
    if facts.due.is_late:
        found.append("This report is late: the system was down, or could not make or send it in time.")
    if period.is_summary:
        found.append(f"{len(period.days)} market days in one report, since many were due at once.")
    if period.kind is ReportKind.MONTHLY and (period.last + timedelta(days=1)).day != 1:
        found.append(f"The month is not over: this is how it stood at the close of {period.last}.")
    missing = missing_days(facts)
    if missing:
        shown = ", ".join(str(day) for day in missing[:5]) + (f" and {len(missing) - 5} more" if missing[5:] else "")
        found.append(
            f"{len(missing)} of {len(period.days)} market days have no record ({shown}): nothing is known of them, and "
            "the sums below are without them."
        )
    return found


def _tiles(facts: Facts) -> list[tuple[str, str, str]]:
    total, counted = _total(facts), period_return(facts)
    if total is None:
        return [("Equity", NOT_KNOWN, "no record of this period")]
    fall, below = _newest_fall(facts)
    profit = total["profit_usdt"] if total["days_counted"] == total["days"] and total["days"] else None
    return [
        ("Equity", f"{usdt(total['equity_usdt'])} USDT", f"at the close of {day_of(total['last_day_ms'])}"),
        ("Result", f"{usdt(profit, is_signed=True)} USDT" if profit is not None else NOT_KNOWN,
         "return not known" if counted is None else f"{percent(counted.value, is_signed=True)} without flows"
         f"{'' if counted.since is None else f', since the close of {date_of(counted.since)}'}"),
        ("Drawdown", NOT_KNOWN if fall is None else percent(fall), below),
        ("Flows", f"{usdt(total['flow_usdt'], is_signed=True)} USDT", "paid in less withdrawn"),
    ]  # fmt: skip


def _newest_fall(facts: Facts) -> tuple[object, str]:
    """Of the window over all days, if that ends with this period; else the end of the report's own curve, with the
    close that it counts from."""
    so_far = "below the highest close so far"
    whole = next((row for row in facts.windows if row["window_days"] is None), None)
    if whole is not None and day_of(whole["last_day_ms"]) == facts.due.period.last:
        return whole["present_fall"], so_far
    curve = falls(facts.days)
    if len(curve) < 2 or curve[-1][0] != facts.due.period.last or any(value is None for _, value in curve[1:]):
        return None, so_far
    (first, _), (_, fall) = curve[0], curve[-1]
    return fall, so_far if first == facts.first_day else f"below the highest close since {first}"


def _performance_text(facts: Facts) -> str:
    if not facts.days:
        return "There is no daily record of this time: no curve can be drawn."
    gaps = "A day without a record, or without a return, interrupts the curve."
    return f"Daily closes of the whole. Drawdown is without deposits and withdrawals. {gaps}"


def _expected(facts: Facts) -> Section:
    """By the rule of console and command line (`api.wording.expected`)."""
    title = "What is expected of you"
    expected = expected_of([UNREAD], [], facts.open_alerts) if facts.overview is None else facts.overview["expected"]
    if not expected["items"]:
        return Section(title, "Nothing. All was well when this report was made.")
    items = [
        _short(one["text"] if one["alert_id"] is None else f"Open alert {one['alert_id']}: {one['text']}")
        for one in expected["items"]
    ]
    if len(items) > MOST_ROWS:
        items = [*items[:MOST_ROWS], f"{len(items) - MOST_ROWS} more: see the console."]
    is_urgent = expected["urgency"] == ACT
    text = "As it was when this report was made:"
    if not is_urgent:
        text = f"{text[:-1]}, nothing of it urgent:"
    return Section(title, text, items, is_urgent=is_urgent)


def _engines(facts: Facts) -> Section:
    of = {row["engine"]: row for row in facts.results}
    if not of:
        return Section("Engines", "There is no record of the engines for this period.")
    states = {} if facts.overview is None else {one["name"]: one for one in facts.overview["engines"]}
    rows = []
    for name in (*map(str, ENGINES), TOTAL):
        row, state = of.get(name), states.get(name)
        shown = "TOTAL" if name == TOTAL else next(ACCOUNT_OF[one].value for one in ENGINES if str(one) == name)
        now = "" if name == TOTAL else (NOT_KNOWN if state is None else state["risk_state"])
        if row is None:
            rows.append([shown, *[NOTHING] * 7, now])
            continue
        is_whole = row["days_counted"] == row["days"]
        rows.append([
            shown,
            usdt(row["equity_usdt"]),
            usdt(row["profit_usdt"], is_signed=True) if is_whole else NOTHING,
            usdt(row["flow_usdt"], is_signed=True),
            usdt(row["realised_usdt"], is_signed=True),
            usdt(row["fees_usdt"]),
            usdt(row["funding_usdt"], is_signed=True),
            str(row["fills"]),
            now,
        ])  # fmt: skip
    heads = [("Engine", True), ("Equity", False), ("Result", False), ("Flows", False), ("Realised", False),
             ("Fees paid", False), ("Funding", False), ("Fills", False), ("State now", True)]  # fmt: skip
    note = (
        "USDT. TOTAL includes the master account. Result is the change of equity without flows (capital moved in or "
        "out), fees and funding included. "
        "Realised: closed derivatives, as the exchange booked them. – : not known, or no record."
    )
    return Section("Engines", table=Table(heads, rows, note))


def _days(facts: Facts) -> Section | None:
    rows = [
        [str(day_of(row["day_ms"])), usdt(row["equity_usdt"]), percent(row["day_return"], is_signed=True),
         usdt(row["flow_usdt"], is_signed=True), usdt(row["fees_usdt"]),
         usdt(row["funding_usdt"], is_signed=True)]
        for row in facts.days[:7]
    ]  # fmt: skip
    if not rows:
        return None
    heads = [("Day", True), ("Equity", False), ("Return", False), ("Flows", False), ("Fees paid", False), ("Funding", False)]
    return Section("The newest days", table=Table(heads, rows, "USDT; the whole. Return is without flows."))


def _months(facts: Facts) -> Section:
    rows = [
        [row["period"], usdt(row["equity_usdt"]),
         usdt(row["profit_usdt"], is_signed=True) if row["days_counted"] == row["days"] else NOTHING,
         usdt(row["flow_usdt"], is_signed=True), usdt(row["fees_usdt"]),
         usdt(row["funding_usdt"], is_signed=True)]
        for row in facts.months
    ]  # fmt: skip
    heads = [("Month", True), ("Equity", False), ("Result", False), ("Flows", False), ("Fees paid", False),
             ("Funding", False)]  # fmt: skip
    return Section("Months", table=Table(heads, rows, "USDT; the whole, at most twelve months."))


def _windows(facts: Facts) -> Section | None:
    if not facts.windows or day_of(facts.windows[0]["last_day_ms"]) != facts.due.period.last:
        return None  # they reach to the newest day, and a late report is of an earlier one
    rows = [
        ["all" if row["window_days"] is None else f"{row['window_days']} days", str(row["days"]),
         percent(row["total_return"], is_signed=True), percent(row["volatility"]), _ratio(row["sharpe"]),
         percent(row["deepest_fall"])]
        for row in facts.windows
    ]  # fmt: skip
    heads = [("Newest", True), ("Days", False), ("Return", False), ("Volatility", False), ("Sharpe", False),
             ("Deepest fall", False)]  # fmt: skip
    ends = day_of(facts.windows[0]["last_day_ms"])
    note = f"The whole, up to {ends}, without flows. Volatility and Sharpe ratio per year, without a risk-free rate."
    return Section("Performance", table=Table(heads, rows, note))


def _ratio(value: object) -> str:
    return NOTHING if value is None else usdt(value)


def _lists(facts: Facts) -> list[Section]:
    """Moves, alerts and commands; those that are empty are said together."""
    found = {"moves of capital": _moves(facts), "alerts": _alerts(facts), "commands": _commands(facts)}
    empty = [name for name, section in found.items() if section is None]
    none = [Section("Nothing else", f"In this period there were no {' and no '.join(empty)}.")] if empty else []
    return [*(section for section in found.values() if section is not None), *none]


def _moves(facts: Facts) -> Section | None:
    if not facts.moves.rows:
        return None
    rows = [
        [time_of(row["requested_ms"])[:16], f"{row['from_account']} → {row['to_account']}",
         f"{usdt(row['amount'])} {row['coin']}", row["state"], _short(str(row["purpose"]), 90)]
        for row in facts.moves.rows[:MOST_ROWS]
    ]  # fmt: skip
    heads = [("Requested", True), ("Between", True), ("Amount", False), ("State", True), ("Purpose", True)]
    return Section("Moves of capital", table=Table(heads, rows, _more(len(facts.moves.rows), facts.moves.has_more)))


def _alerts(facts: Facts) -> Section | None:
    if not facts.alerts.rows:
        return None
    counts: dict[tuple[str, str], list[Any]] = {}
    for row in facts.alerts.rows:  # newest first
        counts.setdefault((row["severity"], row["title"]), []).append(row)
    order = ("critical", "warning", "info")
    listed = sorted(counts.items(), key=lambda one: order.index(one[0][0]) if one[0][0] in order else -1)
    rows = [
        [severity, title, str(len(raised)), time_of(raised[0]["market_ms"])[:16],
         "ended" if all(one["state"] == "ended" for one in raised) else "open"]
        for (severity, title), raised in listed[:MOST_ROWS]
    ]  # fmt: skip
    heads = [("Severity", True), ("Alert", True), ("Times", False), ("Newest", True), ("State", True)]
    return Section("Alerts", table=Table(heads, rows, _more(len(listed), facts.alerts.has_more)))


def _commands(facts: Facts) -> Section | None:
    if not facts.commands.rows:
        return None
    rows = [
        [time_of(row["given_ms"])[:16], row["action"], row["scope"], row["who"], _short(str(row["reason"]), 120)]
        for row in facts.commands.rows[:MOST_ROWS]
    ]
    heads = [("Given", True), ("Command", True), ("Scope", True), ("By", True), ("Reason", True)]
    return Section("Commands", table=Table(heads, rows, _more(len(facts.commands.rows), facts.commands.has_more)))


def _more(count: int, has_more: bool) -> str:
    if count <= MOST_ROWS and not has_more:
        return "Times are market time (UTC)."
    at_least = " at least" if has_more else ""
    return f"Times are market time (UTC). There are{at_least} {count}; the first {min(count, MOST_ROWS)} are shown."


def _footer(facts: Facts, market: Row) -> list[str]:
    made = facts.made_at.astimezone(ZoneInfo(facts.zone))
    market_ms = market.get("market_ms")
    at = NOT_KNOWN if not market_ms else time_of(market_ms)
    return [
        f"Made on {_wall(made)} ({facts.zone}). Market time then: {at}.",
        "Equity is USDT plus coins at the last closed spot price plus unrealised profit of derivatives. What is not "
        "known is shown as such and never as zero. The console shows everything behind these figures.",
    ]


def _wall(instant: datetime) -> str:
    return f"{date_of(instant.date())}, {instant:%H:%M}"
