"""The state machines as documents: Mermaid text, plain HTML and Markdown, all generated from the tables."""

from __future__ import annotations

from html import escape
from typing import Any

from actors.runtime.registry import MACHINE_OF, MACHINES, machine_of_row, table_of
from statemachines.values import ActorName

DOCUMENT_HEAD = """# The state machines

Generated from the tables in the code by `eternal diagrams`; a test compares them. Every arrow names its trigger; the
tables say which rule of the specification it carries out.
"""


def russian(machine: str, state: str) -> str | None:
    """The specification's Russian name of a state (given by name or value); None when the table has no such state."""
    table = table_of(machine)
    return next((table.russian[one] for one in table.states if state in (one.name, one.value)), None)


def description(name: str) -> dict[str, Any]:
    """A machine as data: its states with their Russian names and its arrows with their rules."""
    table = table_of(name)
    return {
        "name": name,
        "about": MACHINES[name].about,
        "initial": table.initial.name,
        "states": [{"state": one.name, "russian": table.russian[one]} for one in table.states],
        "transitions": [
            {"trigger": row.trigger, "source": row.source.name, "dest": row.dest.name, "why": row.why}
            for row in table.rows
        ],
    }


def mermaid(name: str) -> str:
    """The diagram as Mermaid text."""
    return table_of(name).mermaid() + "\n"


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
    for name in MACHINES:
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


def engine_table(engine: str) -> str:
    """The name of the table that shows what an engine does; the stages of its day have tables of their own."""
    return table_of(MACHINE_OF[ActorName(engine)]).name


__all__ = [
    "MACHINES",
    "MACHINE_OF",
    "description",
    "engine_table",
    "html",
    "machine_of_row",
    "markdown",
    "mermaid",
    "russian",
    "table_of",
]
