"""The live table of `eternal run`: engines, components in trouble, market day; redrawn from one overview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from api.plain import day_of


def render(overview: Mapping[str, Any], addresses: Mapping[str, str], events: list[str]) -> RenderableType:
    """The whole screen; `addresses` by name, `events` are sentences of the launch's guard."""
    market = overview["market"]
    head = Text.assemble(
        ("Eternal Engine  ", "bold"),
        f"{market['label']}   market day ",
        (str(market["day"] or "–"), "bold"),
        f"   equity {money(overview['equity_usdt'])} USDT   ",
        *([] if not market["state"] or market["state"] == "RUNNING" else [(f"{market['state']} ", "yellow")]),
    )
    health = overview["health"]
    verdict = Text("All is well.", "green") if health["ok"] else Text(" ".join(health["reasons"]), "red")
    where = Text("   ".join(f"{name}: {address}" for name, address in addresses.items()), "dim")
    rows: list[RenderableType] = [head, where, verdict, _engines(overview), _orders(overview)]
    trouble = [c for c in overview["components"] if c["state"] != "RUNNING"]
    rows += [Text(f"{c['name']}: {c['state']} ({c['russian']}) {c['reason']}", "yellow") for c in trouble]
    rows += [Text(sentence, "magenta") for sentence in events[-5:]]
    return Group(*rows, Text("Ctrl-C ends everything; the next start goes on from here.", "dim"))


def _engines(overview: Mapping[str, Any]) -> Table:
    table = Table(expand=True)
    for name in ("Engine", "State", "Состояние"):
        table.add_column(name, overflow="fold", ratio=2)
    table.add_column("Equity", justify="right", no_wrap=True)
    table.add_column("Open", justify="right")
    table.add_column("Last transition", overflow="fold", ratio=5)
    for engine in overview["engines"]:
        last = engine["last_transition"]
        when = (
            "" if last is None else f"{day_of(last['market_ms'])} {last['machine']} → {last['dest']}: {last['reason']}"
        )
        state = engine["state"] if engine["component"] == "RUNNING" else f"{engine['component']}: {engine['state']}"
        orders = "–" if engine["open_orders"] is None else str(engine["open_orders"])
        table.add_row(engine["name"], state, engine["russian"], money(engine["equity_usdt"]), orders, when)
    return table


def _orders(overview: Mapping[str, Any]) -> Text:
    counts: dict[str, int] = {}
    for row in overview["orders"]:
        counts[row["state"]] = counts.get(row["state"], 0) + int(row["count"])
    return Text("Orders: " + (", ".join(f"{state} {n}" for state, n in sorted(counts.items())) or "none yet"))


def money(text: str | None) -> str:
    """An amount for the screen; the API has it exactly."""
    return "–" if text is None else f"{float(text):,.2f}"
