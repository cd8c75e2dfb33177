"""The bot's answers: plain text of a bounded length, figures with their units, market time said. Pure, from the rows of
the operator service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from api.json_values import time_of
from api.telegram.codes import CODE_S
from api.telegram.commands import CONFIRM, Asked
from api.wording.expected import sentence_of
from api.wording.holdings import QUOTE, holdings_of
from api.wording.story import heading, story_of
from statemachines.risk.machine import RiskStateName

Row = Mapping[str, Any]

MOST = 3_500
"""Characters of an answer; Telegram takes 4,096."""

MOST_LINES = 40
UNKNOWN = "not known"


def bounded(lines: Iterable[str]) -> str:
    """The lines as one text; what does not fit is counted."""
    every = [line if len(line) <= MOST // 4 else f"{line[: MOST // 4 - 1]}…" for line in lines]
    kept: list[str] = []
    size = 0
    for line in every[:MOST_LINES]:
        size += len(line) + 1
        if size > MOST:
            break
        kept.append(line)
    left = len(every) - len(kept)
    return "\n".join([*kept, *([f"… and {left} more lines"] if left else [])])


def money(value: object) -> str:
    """USDT with two digits and its unit; what is not known is said."""
    return UNKNOWN if value is None else f"{Decimal(str(value)):,.2f} USDT"


def percent(value: object) -> str:
    """A fraction as per cent."""
    return UNKNOWN if value is None else f"{round(Decimal(str(value)) * 100, 2) + 0:.2f} %"


def market_time(market_ms: int | None) -> str:
    """The line that says at which market time the answer is."""
    return f"Market time: {UNKNOWN if not market_ms else time_of(market_ms)}"


def status(overview: Row) -> str:
    """What is expected of the person first; then equity and the engines."""
    expected, market = overview["expected"], overview["market"]
    label = f" ({market['label']})" if market.get("label") else ""
    lines = [sentence_of(expected), *(f"- {_expectation(one)}" for one in expected["items"])]
    lines += ["", f"Equity {money(overview['equity_usdt'])}", market_time(market["market_ms"]) + label, ""]
    for engine in overview["engines"]:
        state, own = engine["risk_state"], engine["component"]
        marks = [
            mark for mark, is_shown in ((state, state != RiskStateName.NORMAL), (own, own != "RUNNING")) if is_shown
        ]
        lines.append(f"{engine['name']}: {money(engine['equity_usdt'])}; {', '.join([*marks, engine['state']])}")
    return bounded(lines)


def _expectation(one: Row) -> str:
    return str(one["text"]) if one["alert_id"] is None else f"{one['alert_id']}: {one['text']}"


def equity(portfolio: Row, days: Sequence[Row]) -> str:
    """The newest portfolio, and the last recorded day of each engine."""
    if portfolio["version"] is None:
        return "There is no portfolio yet: equity is not known."
    lines = [f"Equity {money(portfolio['equity_usdt'])}", market_time(portfolio["market_ms"]), ""]
    lines += [f"{view['account']}: {money(view['equity_usdt'])}" for view in portfolio["accounts"]]
    newest = max((row["day_ms"] for row in days), default=None)
    if newest is not None:
        lines += ["", f"Return of the market day {time_of(newest)[:10]}, without deposits and withdrawals:"]
        of_day = [row for row in days if row["day_ms"] == newest]
        lines += [f"{row['engine']}: {percent(row['day_return'])}" for row in of_day]
    return bounded(lines)


def positions(rows: Sequence[Row], portfolio: Row, market_ms: int | None) -> str:
    """Derivative positions, and coins and cash of every account."""
    lines = [market_time(market_ms)]
    if not rows:
        lines += ["", "No derivative position is open."]
    for row in rows:
        lines += [
            "",
            f"{row['engine']} {row['symbol']}: {row['quantity']} at {row['average_price']} USDT",
            f"  mark {_price(row['mark_price'])}{_of(row['mark_ms'])}, unrealised {money(row['unrealised_pnl_usdt'])}",
            f"  stop {_stop(row)}; liquidation {_liquidation(row['liquidation_price'])}",
        ]
    held = holdings_of(portfolio)
    if held:
        lines += ["", f"Coins and cash at the prices of {time_of(portfolio['market_ms'])}:"]
    for one in held:
        if one.coin == QUOTE:
            lines.append(f"{one.account}: {money(one.amount)} cash")
        else:
            lines.append(f"{one.account}: {one.amount.normalize():f} {one.coin}, worth {money(one.value_usdt)}")
    return bounded(lines)


def _of(mark_ms: int | None) -> str:
    return "" if mark_ms is None else f" of {time_of(mark_ms)}"


def orders(rows: Sequence[Row], market_ms: int | None) -> str:
    """Open orders."""
    if not rows:
        return bounded(["No order is open.", market_time(market_ms)])
    lines = [f"{len(rows)} open orders", market_time(market_ms), ""]
    for row in rows:
        price = row["price"] if row["price"] is not None else row["trigger_price"]
        lines.append(
            f"{row['client_order_id']} {row['engine']}: {row['side']} {row['quantity']} {row['symbol']} "
            f"{row['order_type']}{f' at {price} USDT' if price is not None else ''}, {row['state']}, filled "
            f"{row['filled_quantity']}"
        )
    return bounded([*lines, "", "/why ID shows why an order exists."])


def why(chain: Sequence[Row]) -> str:
    """What led to an order, from its first cause."""
    lines = [f"{heading(chain)}."]
    before = None
    for event in story_of(chain):
        if event.at_ms and event.at_ms != before:
            lines += ["", time_of(event.at_ms, with_seconds=True)]
            before = event.at_ms
        lines += [f"{event.kind}: {event.text}", *([f"  {event.why}"] if event.why else [])]
    return bounded([*lines, "", "Times are market time."])


def asks_for_code(asked: Asked, code: str, effect: Row | None) -> str:
    """The first step of a dangerous command: what it would do now, and how to give it."""
    lines = [f"{asked.command.action} of {asked.subject} does: {asked.command.about}."]
    if effect is None:
        lines.append("What it would do just now cannot be read.")
    else:
        lines += [
            f"It would cancel {len(effect['orders_cancelled'])} open orders and close "
            f"{len(effect['positions_closed'])} positions now.",
            *(f"{one['scope']}: {one['before']} becomes {one['after']}" for one in effect["states"]),
        ]
    return bounded([*lines, "", f"To give it, send /{CONFIRM} {code} within {CODE_S:.0f} s."])


def too_old(asked: Asked, age_s: float) -> str:
    """A command that waited for too long."""
    return (
        f"/{asked.name} was sent {age_s / 60:.0f} min ago, while the bot did not read its messages. It was not carried "
        "out: send it again if it still holds."
    )


def _price(value: object) -> str:
    return UNKNOWN if value is None else f"{Decimal(str(value)):,.2f} USDT"


def _liquidation(value: object) -> str:
    """At 0 there is none: a long position that its account carries down to nothing."""
    return "none" if value is not None and not Decimal(str(value)) else _price(value)


def _stop(row: Row) -> str:
    if row["stop_price"] is None:
        return "none is resting"
    return f"{_price(row['stop_price'])} ({percent(row['stop_distance'])} away)"
