"""The state machines as documents: Mermaid text, plain HTML and Markdown, all generated from the tables."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from statemachines.core_hodl.machine import DAY_TABLE
from statemachines.core_hodl.machine import TABLE as CORE_HODL_TABLE
from statemachines.execution.orders.child_order_machine import TABLE as ORDER_TABLE
from statemachines.execution.orders.parent_order import PREFIX as PARENT_PREFIX
from statemachines.execution.orders.parent_order_machine import PARENT_TABLE
from statemachines.execution.orders.transfer_order import PREFIX as TRANSFER_PREFIX
from statemachines.execution.orders.transfer_order_machine import TRANSFER_TABLE
from statemachines.fsm import Table
from statemachines.funding.machine import EVALUATION_TABLE
from statemachines.funding.machine import TABLE as FUNDING_TABLE
from statemachines.market_data.logic import STATE_KEY as MARKET_DATA_KEY
from statemachines.market_data.machine import MARKET_DATA_TABLE
from statemachines.orchestration.daily_cycle import CYCLE_TABLE
from statemachines.orchestration.transfers import MOVEMENT_TABLE
from statemachines.risk.intent_verdict import VERDICT_TABLE
from statemachines.risk.machine import RISK_TABLE
from statemachines.supervision.life import COMPONENT_TABLE
from statemachines.tactical.machine import RETURN_TABLE
from statemachines.tactical.machine import TABLE as TACTICAL_TABLE
from statemachines.trend.machine import TREND_CYCLE_TABLE, TREND_TABLE
from statemachines.unusable import USABILITY_TABLE
from statemachines.values import ActorName

TABLES: Mapping[str, Table[Any]] = {
    "core-hodl": CORE_HODL_TABLE,
    "core-hodl-day": DAY_TABLE,
    "trend": TREND_TABLE,
    "trend-cycle": TREND_CYCLE_TABLE,
    "funding": FUNDING_TABLE,
    "funding-evaluation": EVALUATION_TABLE,
    "tactical": TACTICAL_TABLE,
    "tactical-return": RETURN_TABLE,
    "intent": VERDICT_TABLE,
    "parent-order": PARENT_TABLE,
    "order": ORDER_TABLE,
    "transfer": TRANSFER_TABLE,
    "movement": MOVEMENT_TABLE,
    "risk": RISK_TABLE,
    "market-data": MARKET_DATA_TABLE,
    "usability": USABILITY_TABLE,
    "component": COMPONENT_TABLE,
    "daily-cycle": CYCLE_TABLE,
}

ABOUT: Mapping[str, str] = {
    "core-hodl": "CH-5: the engine that builds, holds and rebalances BTC and ETH.",
    "core-hodl-day": "O7: the decisions of one day, stage after stage.",
    "trend": "TR-15: one machine per asset in TREND-1 and in TREND-2.",
    "trend-cycle": "D1, T7: the decisions of one daily close, exits before entries.",
    "funding": "FU-10: one machine per asset, spot long against perpetual short.",
    "funding-evaluation": "F3, F8: the evaluation of one settlement, exits before entries.",
    "tactical": "TA-11: one machine per deployment of the crash fund.",
    "tactical-return": "TA-6: one movement of a deployment to CORE-HODL.",
    "intent": "RM-1: what the risk manager says of an intent.",
    "parent-order": "EX-1, EX-3: the life of every approved intent, above its child orders.",
    "order": "EX-1: the life of every child order, which is what goes to the exchange.",
    "transfer": "OR-6: the life of every transfer at the exchange.",
    "movement": "OR-6: the life of every wish of an engine for money to move.",
    "risk": "RM-2: one machine for everything (GLOBAL) and one per engine.",
    "market-data": "DA-1, OR-9: nothing is announced before the history is complete.",
    "usability": "DA-3: whether one kind of data of a market or account may be used.",
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
"""Which table the rows of an actor follow, where all its machines are of one kind."""


def engine_table(engine: str) -> str:
    """The name of the table that tells what an engine does; the stages of its day have tables of their own."""
    return TABLES[MACHINE_OF[ActorName(engine)]].name


_ROWS_OF: tuple[tuple[ActorName, str, str], ...] = (
    (ActorName.ORDER_MANAGER, PARENT_PREFIX, "parent-order"),
    (ActorName.ORDER_MANAGER, TRANSFER_PREFIX, "transfer"),
    (ActorName.MARKET_DATA, MARKET_DATA_KEY, "market-data"),
)
"""Actors with machines of several kinds: the beginning of a row's key tells which."""


def table_of(actor: ActorName, key: str) -> str | None:
    """The table that a durable row follows; None when the row is no machine."""
    found = (table for who, prefix, table in _ROWS_OF if who is actor and key.startswith(prefix))
    return next(found, MACHINE_OF.get(actor))


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
