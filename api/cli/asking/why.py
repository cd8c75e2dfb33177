"""`eternal why`: from the bar to the fill, decision by decision (P3): what led to an order, or the whole chain."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from api.cli.asking.lists import FILL_COLUMNS, fill_cells, print_decisions, step_of
from api.cli.asking.options import Json, asking
from api.cli.asking.output import MARKET_TIME, UNKNOWN, console, indented, instant, numbers, print_json, table
from api.cli.asking.way import Way
from api.client import models
from api.client.errors import RefusedError
from api.client.operations import Operations
from api.wording.story import Event, heading, story_of

MOST = 1_000
MOST_EFFECTS = 3
"""Decisions on the order's last fill that are shown."""

NOT_FOUND, WRONG = 404, 422


class Story(NamedTuple):
    """What an id leads to: an order's chain with its fills and what its engine decided on the last of them, or the
    decisions of a trace; oldest first."""

    chain: list[models.ChainLink]
    fills: list[models.Execution]
    decisions: list[models.Decision]
    effects: list[models.Decision]


@asking
def why(
    way: Way,
    *,
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="an order's id (`eternal orders`), or the trace of a bar or settlement")
    ],
    is_whole: Annotated[
        bool, typer.Option("--all", help="every message and decision of the chain, with all numbers")
    ] = False,
    as_json: Json = False,
) -> None:
    """Why an order exists: the bar or settlement, the decisions that led to it, the order, its fills, their effect."""
    story = told(way.operations, identity)
    if as_json:
        print_json({"id": identity, **story._asdict()})
    elif not story.chain:
        print_decisions(f"What {identity} led to, oldest first", story.decisions, None, with_numbers=is_whole)
    elif is_whole:
        _print_chain(identity, story)
    else:
        _print_events(story)


def told(operations: Operations, identity: str) -> Story:
    """The story of an id. Raises RefusedError (404) when there is neither an order nor a decision of it."""
    try:
        chain = operations.chain(identity)
    except RefusedError as error:
        if error.status not in (NOT_FOUND, WRONG):
            raise
        decisions = operations.decisions(trace=identity, limit=MOST)["rows"] if identity else []
        if not decisions:
            raise RefusedError(
                NOT_FOUND,
                f"There is neither an order nor a decision of '{identity}'; `eternal orders` and `eternal decisions "
                "--json` list the ids.",
            ) from None
        return Story([], [], decisions[::-1], [])
    fills = operations.executions(client_order_id=identity, limit=MOST)["rows"][::-1]
    return Story(chain, fills, [], _effects(operations, fills))


def _effects(operations: Operations, fills: list[models.Execution]) -> list[models.Decision]:
    """What the order's engine decided on its last fill."""
    if not fills:
        return []
    last = fills[-1]
    trace = f"execution:{last['account']}:{last['execution_id']}"
    rows = operations.decisions(trace=trace, limit=MOST)["rows"]
    return [one for one in rows if one["actor"] == last["engine"]][::-1][:MOST_EFFECTS]


def _print_events(story: Story) -> None:
    out = console()
    out.print(Text(heading(story.chain), "bold"))
    lines = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    lines.add_column(no_wrap=True)
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    before = None
    for event in story_of(story.chain, story.fills, story.effects):
        at = UNKNOWN if event.at_ms is None else instant(event.at_ms)
        lines.add_row("" if at == before else at, Text(event.kind, "bold"), _sentence(event))
        before = at
    out.print(lines)
    if not story.fills:
        out.print("It has no fill.")
    out.print(Text("Times are market time, UTC; --all shows the whole chain with all numbers.", "dim"))


def _sentence(event: Event) -> Text:
    return Text.assemble(event.text, *([] if not event.why else [(f"\n{event.why}", "dim")]))


def _print_chain(identity: str, story: Story) -> None:
    out = console()
    out.print(Text(f"Why order {identity} exists, from its first cause; {MARKET_TIME}", "dim"))
    for number, link in enumerate(story.chain, 1):
        at = f"  {instant(link['market_ms'])}  {link['sender']}  "
        out.print(Text.assemble((f"{number}. {link['kind']}", "bold"), at, (link["id"], "dim")))
        if link["body"]:
            out.print(indented(_body(link["body"]), "dim", 3))
        for one in link["decisions"]:
            step = step_of(one["trigger"], one["source"], one["dest"])
            head = Text.assemble((f"{one['actor']} {one['machine']}", "bold"), f"  {step}")
            out.print(Padding(head, (0, 0, 0, 3), expand=False))
            out.print(indented(one["reason"] or UNKNOWN, by=5))
            if one["data"]:
                out.print(indented(numbers(one["data"]), "dim", 5))
    if not story.fills:
        out.print("It has no fill.")
        return
    out.print(Text("Fills", "bold"))
    out.print(Padding(table(FILL_COLUMNS, [fill_cells(one) for one in story.fills], out.width - 3), (0, 0, 0, 3)))


def _body(body: dict[str, Any]) -> str:
    return numbers({name: value for name, value in body.items() if name not in ("kind", "client_order_id")})
