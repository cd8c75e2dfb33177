"""The live table of `eternal run`: engines, components in trouble, market day; redrawn from one overview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from api.json_values import day_of

WIDE = 120
"""From this many characters on there is room for a column per language."""


def render(
    overview: Mapping[str, Any], addresses: Mapping[str, str], notices: list[str], hint: str = ""
) -> RenderableType:
    """The whole screen; `addresses` by name, `notices` are sentences of the launch's guard, `hint` is the last line."""
    market = overview["market"]
    head = Text.assemble(
        ("Eternal Engine  ", "bold"),
        f"{market['label']}   market day ",
        (str(market["day"] or "–"), "bold"),
        *([] if not market["state"] or market["state"] == "RUNNING" else [(f"   {market['state']}", "yellow")]),
    )
    health = overview["health"]
    said = ("All is well.", "green") if health["ok"] else (" ".join(health["reasons"]), "red")
    verdict = Text.assemble(f"Equity {money(overview['equity_usdt'])} USDT   ", said)
    where = [Text("   ".join(f"{name}: {address}" for name, address in addresses.items()), "dim")] if addresses else []
    rows: list[RenderableType] = [head, *where, verdict, _Engines(overview), _orders(overview)]
    trouble = [c for c in overview["components"] if c["state"] != "RUNNING"]
    rows += [Text(f"{c['name']}: {c['state']} ({c['russian']}) {c['reason']}", "yellow") for c in trouble]
    rows += [Text(sentence, "magenta") for sentence in notices]
    return Group(*rows, *([Text(hint, "dim")] if hint else []))


class _Engines:
    """The engines' table: both languages side by side, below each other where the screen is narrow."""

    def __init__(self, overview: Mapping[str, Any]) -> None:
        self._overview = overview

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        is_wide = options.max_width >= WIDE
        table = Table(expand=True)
        table.add_column("Engine", no_wrap=True)
        for name in ("State", "Состояние") if is_wide else ("State · Состояние",):
            table.add_column(name, overflow="fold", no_wrap=is_wide)
        table.add_column("Equity", justify="right", no_wrap=True)
        table.add_column("Open", justify="right", no_wrap=True)
        table.add_column("Last transition", overflow="fold", ratio=1)
        for engine in self._overview["engines"]:
            english, russian = _states(engine)
            states = ["\n".join(english), "\n".join(russian)] if is_wide else ["\n".join(_both(english, russian))]
            orders = "–" if engine["open_orders"] is None else str(engine["open_orders"])
            table.add_row(engine["name"], *states, money(engine["equity_usdt"]), orders, _last(engine))
        yield table


def _states(engine: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The states of the engine's machines in English and in Russian; of its actor when that does not run."""
    english = [f"{one['key']} {one['state']}" for one in engine["machines"]] or [engine["state"]]
    russian = [f"{one['key']} {one['russian']}" for one in engine["machines"]] or [engine["russian"]]
    if engine["component"] != "RUNNING":
        return [engine["component"], *english], [engine["component_russian"], *russian]
    return english, russian


def _both(english: list[str], russian: list[str]) -> list[str]:
    return [line for pair in zip(english, russian, strict=True) for line in pair]


def _last(engine: Mapping[str, Any]) -> str:
    last = engine["last_transition"]
    if last is None:
        return ""
    return f"{day_of(last['market_ms'])} {last['machine']} → {last['dest']}: {last['reason']}"


def _orders(overview: Mapping[str, Any]) -> Text:
    counts: dict[str, int] = {}
    for row in overview["orders"]:
        counts[row["state"]] = counts.get(row["state"], 0) + int(row["count"])
    return Text("Orders: " + (", ".join(f"{state} {n}" for state, n in sorted(counts.items())) or "none yet"))


def money(text: str | None) -> str:
    """An amount for the screen; the API has it exactly."""
    return "–" if text is None else f"{float(text):,.2f}"
