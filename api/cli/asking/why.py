"""`eternal why`: from the bar to the fill, decision by decision, with the numbers (P3)."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import typer
from rich.padding import Padding
from rich.text import Text

from api.cli.asking.lists import FILL_COLUMNS, fill_cells, print_decisions, step_of
from api.cli.asking.options import Json, asking
from api.cli.asking.output import MARKET_TIME, UNKNOWN, console, indented, instant, numbers, print_json, table
from api.cli.asking.way import Way
from api.client import models
from api.client.errors import RefusedError
from api.client.operations import Operations

MOST = 1_000
NOT_FOUND, WRONG = 404, 422


class Story(NamedTuple):
    """What an id leads to: an order's chain with its fills, or the decisions of a trace, oldest first."""

    chain: list[models.ChainLink]
    fills: list[models.Execution]
    decisions: list[models.Decision]


@asking
def why(
    way: Way,
    *,
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="an order's id (`eternal orders`), or the trace of a bar or settlement")
    ],
    short: Annotated[bool, typer.Option("--short", help="without the numbers")] = False,
    as_json: Json = False,
) -> None:
    """Why an order exists: the bar or settlement, every decision on the way with its numbers, the order, its fills."""
    story = told(way.operations, identity)
    if as_json:
        print_json({"id": identity, **story._asdict()})
    elif story.chain:
        _print_chain(identity, story, with_numbers=not short)
    else:
        print_decisions(f"What {identity} led to, oldest first", story.decisions, None, with_numbers=not short)


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
        return Story([], [], decisions[::-1])
    return Story(chain, operations.executions(client_order_id=identity, limit=MOST)["rows"][::-1], [])


def _print_chain(identity: str, story: Story, *, with_numbers: bool) -> None:
    out = console()
    out.print(Text(f"Why order {identity} exists, from its first cause; {MARKET_TIME}", "dim"))
    for number, link in enumerate(story.chain, 1):
        at = f"  {instant(link['market_ms'])}  {link['sender']}  "
        out.print(Text.assemble((f"{number}. {link['kind']}", "bold"), at, (link["id"], "dim")))
        if with_numbers and link["body"]:
            out.print(indented(_body(link["body"]), "dim", 3))
        for one in link["decisions"]:
            step = step_of(one["trigger"], one["source"], one["dest"])
            head = Text.assemble((f"{one['actor']} {one['machine']}", "bold"), f"  {step}")
            out.print(Padding(head, (0, 0, 0, 3)))
            out.print(indented(one["reason"] or UNKNOWN, by=5))
            if with_numbers and one["data"]:
                out.print(indented(numbers(one["data"]), "dim", 5))
    if not story.fills:
        out.print("It has no fill.")
        return
    out.print(Text("Fills", "bold"))
    out.print(Padding(table(FILL_COLUMNS, [fill_cells(one) for one in story.fills], out.width - 3), (0, 0, 0, 3)))


def _body(body: dict[str, Any]) -> str:
    return numbers({name: value for name, value in body.items() if name not in ("kind", "client_order_id")})
