"""The state machines as documents: Mermaid text, plain HTML and Markdown, all generated from the tables."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from statemachines.core_hodl.machine import TABLE as CORE_HODL_TABLE
from statemachines.execution.orders.child_order_machine import TABLE as ORDER_TABLE
from statemachines.fsm import Table
from statemachines.funding.machine import TABLE as FUNDING_TABLE
from statemachines.orchestration.daily_cycle import CYCLE_TABLE
from statemachines.risk.machine import RISK_TABLE
from statemachines.supervision.life import COMPONENT_TABLE
from statemachines.tactical.machine import TABLE as TACTICAL_TABLE
from statemachines.trend.machine import TREND_TABLE
from statemachines.values import ActorName

TABLES: Mapping[str, Table[Any]] = {
    "core-hodl": CORE_HODL_TABLE,
    "trend": TREND_TABLE,
    "funding": FUNDING_TABLE,
    "tactical": TACTICAL_TABLE,
    "order": ORDER_TABLE,
    "risk": RISK_TABLE,
    "component": COMPONENT_TABLE,
    "daily-cycle": CYCLE_TABLE,
}

ABOUT: Mapping[str, str] = {
    "core-hodl": "CH-5: the engine that builds, holds and rebalances BTC and ETH.",
    "trend": "TR-15: one machine per asset in TREND-1 and in TREND-2.",
    "funding": "FU-10: one machine per asset, spot long against perpetual short.",
    "tactical": "TA-11: one machine per deployment of the crash fund.",
    "order": "EX-1: the life of every order.",
    "risk": "RM-2: one machine for everything (GLOBAL) and one per engine.",
    "component": "OR-8, OR-9: the life of every supervised component.",
    "daily-cycle": "OR-3: one cycle per market day.",
}

MACHINE_OF: Mapping[ActorName, str] = {
    ActorName.CORE_HODL: "core-hodl",
    ActorName.TREND_1: "trend",
    ActorName.TREND_2: "trend",
    ActorName.FUNDING: "funding",
    ActorName.TACTICAL: "tactical",
    ActorName.ORCHESTRATOR: "daily-cycle",
    ActorName.RISK_MANAGER: "risk",
}
"""Which table the machines of an actor follow."""

DOCUMENT_HEAD = """# The state machines

Generated from the tables in the code by `eternal diagrams`; a test compares them. Every arrow names its trigger; the
tables say which rule of the specification it carries out.
"""


def russian(machine: str, state: str) -> str | None:
    """The specification's Russian name of a state (given by name or value); None when the table has no such state."""
    table = TABLES[machine]
    return next((table.russian[one] for one in table.states if state in (one.name, one.value)), None)


def description(name: str) -> dict[str, Any]:
    """A machine as data: its states with their Russian names and its arrows with their rules."""
    table = TABLES[name]
    return {
        "name": name,
        "about": ABOUT[name],
        "initial": table.initial.name,
        "states": [{"state": one.name, "russian": table.russian[one]} for one in table.states],
        "transitions": [
            {"trigger": row.trigger, "source": row.source.name, "dest": row.dest.name, "why": row.why}
            for row in table.rows
        ],
    }


def mermaid(name: str) -> str:
    """The diagram as Mermaid text."""
    return TABLES[name].mermaid() + "\n"


def html(name: str) -> str:
    """The machine as a plain page: one table of states, one of arrows. No script, no picture."""
    machine = description(name)
    states = "".join(f"<tr><td>{escape(s['state'])}</td><td lang=ru>{escape(s['russian'])}</td></tr>"
                     for s in machine["states"])  # fmt: skip
    arrows = "".join(
        f"<tr><td>{escape(t['source'])}</td><td>{escape(t['trigger'])} →</td><td>{escape(t['dest'])}</td>"
        f"<td>{escape(t['why'])}</td></tr>"
        for t in machine["transitions"]
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Machine {escape(name)}</title>"
        f"<h1>{escape(name)}</h1><p>{escape(machine['about'])} It begins in {escape(machine['initial'])}.</p>"
        f"<table><caption>States</caption><tr><th>State</th><th>Russian</th></tr>{states}</table>"
        "<table><caption>Transitions</caption>"
        f"<tr><th>From</th><th>Trigger</th><th>To</th><th>Rule</th></tr>{arrows}</table></html>"
    )


def markdown() -> str:
    """The document docs/machines.md."""
    parts = [DOCUMENT_HEAD]
    for name in TABLES:
        machine = description(name)
        rows = "\n".join(
            f"| {t['source']} | {t['trigger']} | {t['dest']} | {t['why'].replace('|', '/')} |"
            for t in machine["transitions"]
        )
        parts.append(
            f"## {name}\n\n{machine['about']}\n\n```mermaid\n{mermaid(name)}```\n\n"
            f"| From | Trigger | To | Rule |\n|---|---|---|---|\n{rows}\n"
        )
    return "\n".join(parts)
