"""`eternal equity`: the curve, its drawdown, the newest days (P4)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, cast

import typer
from rich.text import Text

from api.cli.asking.options import Json, Since, Until, asking
from api.cli.asking.output import Column, amount, console, percent, print_json, table
from api.cli.asking.way import Way
from api.client import models
from api.client.operations import Operations
from api.json_values import day_of
from api.text import quoted
from api.views.days import OptionError

PAGE = 1_000
RANGES = {"7d": 7, "30d": 30, "90d": 90, "1y": 365, "all": None}
TOTAL = "total"
BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-=+*%#"
COLUMNS = (
    Column("Day"), Column("Equity USDT", True), Column("Return", True), Column("Below high", True),
    Column("Flow USDT", True), Column("Fees paid USDT", True, True), Column("Funding USDT", True, True),
)  # fmt: skip


class Curve(NamedTuple):
    """Closes of one engine, or of the whole, oldest first. Without flows: `below` is the distance of each close from
    the highest one up to it (a fraction, 0 or negative), `gained` the return from the first close to the last."""

    days: list[models.PerformanceDay]
    below: list[float]
    gained: float | None


@asking
def equity(
    way: Way,
    *,
    engine: Annotated[str, typer.Option("--engine", help="an engine, or total")] = TOTAL,
    span: Annotated[str, typer.Option("--range", help=", ".join(RANGES))] = "90d",
    since: Since = None,
    until: Until = None,
    rows: Annotated[int, typer.Option(min=0, max=PAGE, help="of the newest days so many in the table")] = 10,
    as_json: Json = False,
) -> None:
    """Equity by market day with its drawdown: a curve, and the newest days as a table."""
    if span not in RANGES:
        raise OptionError(f"--range {quoted(span)} is refused; allowed: {', '.join(RANGES)}.")
    newest = None if since or until else RANGES[span]
    curve = read_curve(way.operations, engine, newest, since, until)
    if as_json:
        print_json(
            {
                "engine": engine,
                "days": curve.days,
                "drawdown": curve.below,
                "deepest_drawdown": min(curve.below, default=None),
                "return_without_flows": curve.gained,
            }
        )
        return
    _print(engine, curve, rows)


def read_curve(
    operations: Operations, engine: str, newest: int | None, since: str | None = None, until: str | None = None
) -> Curve:
    """The newest so many days (all with None) within the given time."""
    days: list[models.PerformanceDay] = []
    before: str | None = None
    while newest is None or len(days) < newest:
        size = PAGE if newest is None else min(PAGE, newest - len(days))
        page = operations.equity(engine=cast(Any, engine), before=before, limit=size, from_=since, to=until)
        days += page["rows"]
        before = page["next"]
        if before is None:
            break
    days.reverse()
    return curve_of(days)


def curve_of(days: list[models.PerformanceDay]) -> Curve:
    """The closes with what their returns make of them."""
    if not days:
        return Curve([], [], None)
    import numpy as np

    from infra.returns import drawdowns, growth

    returns = np.array([float(one["day_return"] or 0) for one in days[1:]], dtype=np.float64)
    gained = float(growth(returns)[-1]) - 1.0 if len(days) > 1 else None
    return Curve(days, [float(one) for one in drawdowns(returns)], gained)


def sparkline(values: Sequence[float], width: int, blocks: str = BLOCKS) -> str:
    """The values as one line of blocks, from the lowest to the highest; of more values than `width` the newest of each
    equal part of them."""
    if not values:
        return ""
    count = min(len(values), max(1, width))
    kept = [values[(at + 1) * len(values) // count - 1] for at in range(count)]
    low, high = min(kept), max(kept)
    step = (high - low) / (len(blocks) - 1)
    return "".join(blocks[round((one - low) / step) if step else 0] for one in kept)


def blocks_for(encoding: str) -> str:
    """Blocks that an output of this encoding can show."""
    return BLOCKS if encoding.lower().replace("-", "").startswith("utf") else PLAIN_BLOCKS


def _print(engine: str, curve: Curve, rows: int) -> None:
    out = console()
    if not curve.days:
        out.print(f"Of {engine} no market day has closed yet in this time.")
        return
    first, last = curve.days[0], curve.days[-1]
    flows = sum((Decimal(one["flow_usdt"]) for one in curve.days[1:]), Decimal(0))
    head = f"{engine}  {_day(first)} to {_day(last)}, {len(curve.days)} closed market days (UTC)"
    out.print(Text(head, "bold"))
    out.print(
        f"equity {amount(last['equity_usdt'])} USDT   return without flows {percent(curve.gained, is_signed=True)}   "
        f"flows {flows:+,.2f} USDT"
    )
    width, blocks = min(out.width, 120) - 10, blocks_for(out.encoding)
    values = [float(one["equity_usdt"]) for one in curve.days]
    out.print(Text.assemble("equity    ", (sparkline(values, width, blocks), "cyan")))
    out.print(f"          {min(values):,.2f} to {max(values):,.2f} USDT")
    deepest = min(curve.below)
    fall = [-one for one in curve.below]
    out.print(Text.assemble("drawdown  ", (sparkline(fall, width, blocks) if deepest else "none", "red")))
    if deepest:
        at = curve.days[curve.below.index(deepest)]
        out.print(f"          deepest {percent(deepest)} on {_day(at)}, now {percent(curve.below[-1])} below the high")
    if rows:
        out.print()
        newest = list(zip(curve.days, curve.below, strict=True))[-rows:][::-1]
        out.print(table(COLUMNS, [_cells(*one) for one in newest], out.width))


def _cells(day: models.PerformanceDay, below: float) -> list[str | Text]:
    made = day["day_return"]
    style = "" if made is None else "red" if made.startswith("-") else "green"
    return [
        _day(day), amount(day["equity_usdt"]), Text(percent(made, is_signed=True), style), percent(below),
        amount(day["flow_usdt"]), amount(day["fees_usdt"]), amount(day["funding_usdt"]),
    ]  # fmt: skip


def _day(one: models.PerformanceDay) -> str:
    return day_of(one["day_ms"]) or f"{one['day_ms']} ms"
