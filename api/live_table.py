"""The live table of `eternal run`: engines, components in trouble, market day; redrawn from one overview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from api.json_values import day_of, time_of
from api.wording.expected import ACT, NONE, sentence_of
from api.wording.values import readable

MOST_EXPECTED = 6
STYLES = {ACT: "bold red", NONE: "green"}


def render(
    overview: Mapping[str, Any], addresses: Mapping[str, str], notices: list[str], hint: str = ""
) -> RenderableType:
    """The whole screen, what is expected of the operator first; `addresses` by name, `notices` are sentences of the
    launch's guard, `hint` is the last line."""
    market = overview["market"]
    head = Text.assemble(
        ("Eternal Engine  ", "bold"),
        f"{market['label']}   market time ",
        ("–" if not market["market_ms"] else time_of(market["market_ms"]), "bold"),
        *([] if not market["state"] or market["state"] == "RUNNING" else [(f"   {market['state']}", "yellow")]),
    )
    where = [Text("   ".join(f"{name}: {address}" for name, address in addresses.items()), "dim")] if addresses else []
    equity = Text(f"Equity {money(overview['equity_usdt'])} USDT")
    rows: list[RenderableType] = [head, *where, *expected_lines(overview["expected"]), equity]
    rows += [_Engines(overview), _orders(overview)]
    rows += [Text(sentence, "magenta") for sentence in notices]
    return Group(*rows, *([Text(hint, "dim")] if hint else []))


def expected_lines(expected: Mapping[str, Any]) -> list[Text]:
    """What is expected of the operator, and why."""
    items = expected["items"]
    lines = [Text(sentence_of(expected), STYLES.get(expected["urgency"], "yellow"))]
    lines += [Text(f"- {one['text']}", "red" if one["urgency"] == ACT else "yellow") for one in items[:MOST_EXPECTED]]
    more = len(items) - MOST_EXPECTED
    return [*lines, *([Text(f"- … and {more} more: `eternal alerts`", "dim")] if more > 0 else [])]


class _Engines:
    """The engines' table."""

    def __init__(self, overview: Mapping[str, Any]) -> None:
        self._overview = overview

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        table = Table(expand=True)
        table.add_column("Engine", no_wrap=True)
        table.add_column("State", overflow="fold")
        table.add_column("Equity USDT", justify="right", no_wrap=True)
        table.add_column("Open orders", justify="right")
        table.add_column("Last transition (market day)", overflow="fold", ratio=1)
        for engine in self._overview["engines"]:
            orders = "–" if engine["open_orders"] is None else str(engine["open_orders"])
            states = "\n".join(_states(engine))
            table.add_row(engine["name"], states, money(engine["equity_usdt"]), orders, _last(engine))
        yield table


def _states(engine: Mapping[str, Any]) -> list[str]:
    """The states of the engine's machines; before them that of its actor when that does not run."""
    states = [f"{one['key']} {one['state']}" for one in engine["machines"]] or [engine["state"]]
    return states if engine["component"] == "RUNNING" else [engine["component"], *states]


def _last(engine: Mapping[str, Any]) -> str:
    last = engine["last_transition"]
    if last is None:
        return ""
    return f"{day_of(last['market_ms'])} {last['machine']} → {last['dest']}: {readable(last['reason'])}"


def _orders(overview: Mapping[str, Any]) -> Text:
    counts: dict[str, int] = {}
    for row in overview["orders"]:
        counts[row["state"]] = counts.get(row["state"], 0) + int(row["count"])
    return Text("Orders: " + (", ".join(f"{state} {n}" for state, n in sorted(counts.items())) or "none yet"))


def money(text: str | None) -> str:
    """An amount for the screen; the API has it exactly."""
    return "–" if text is None else f"{float(text):,.2f}"
