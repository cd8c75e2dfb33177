"""`eternal alerts`: what the operator should know."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer
from rich.console import RenderableType
from rich.text import Text

from api.cli.asking.options import Before, Json, Limit, Since, Until, asking
from api.cli.asking.output import MARKET_TIME, console, indented, instant, print_json
from api.cli.asking.way import Way
from api.client import models
from api.wording.values import readable

STYLES = {"critical": "bold red", "warning": "yellow"}


alerts_app = typer.Typer(help="What the operator should know; without a command the list.")

Severity = Annotated[str | None, typer.Option(help="info, warning or critical; all without it")]
State = Annotated[str | None, typer.Option(help="standing (not ended), open, changed or ended; all without it")]
Unseen = Annotated[bool, typer.Option("--unseen", help="those without an acknowledgement")]


@alerts_app.callback(invoke_without_command=True)
@asking
def alerts(
    way: Way,
    *,
    context: typer.Context,
    severity: Severity = None,
    state: State = None,
    only_unseen: Unseen = False,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """List alerts, newest first: what happened, what the system did, what action is required."""
    if context.invoked_subcommand is None:
        _list(way, severity, state, since, until, limit, before, only_unseen=only_unseen, as_json=as_json)


@alerts_app.command("list")
@asking
def list_alerts(
    way: Way,
    *,
    severity: Severity = None,
    state: State = None,
    only_unseen: Unseen = False,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """List alerts, newest first, as `eternal alerts` does."""
    _list(way, severity, state, since, until, limit, before, only_unseen=only_unseen, as_json=as_json)


@alerts_app.command()
@asking
def ack(
    way: Way,
    *,
    alert_id: Annotated[str, typer.Argument(metavar="ID", help="as `eternal alerts` lists it")],
    text: Annotated[str, typer.Option(help="what is being done; it is recorded")] = "",
    as_json: Json = False,
) -> None:
    """Acknowledge an alert: it is recorded with your name and no longer repeated. A repeat changes nothing."""
    answer = way.operations.acknowledge(alert_id, {"text": text})
    if as_json:
        print_json(answer)
    else:
        typer.echo(answer["text"])


def _list(
    way: Way,
    severity: str | None,
    state: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    before: str | None,
    *,
    only_unseen: bool,
    as_json: bool,
) -> None:
    page = way.operations.alerts(
        before=before,
        limit=limit,
        from_=since,
        to=until,
        severity=cast(Any, severity),  # the interface judges it, and names what is allowed
        state=cast(Any, state),
        acknowledged=False if only_unseen else None,
    )
    if as_json:
        print_json(page)
        return
    out = console()
    if not page["rows"]:
        out.print("Alerts: none.")
        return
    out.print(Text(f"Alerts, newest first; {MARKET_TIME}", "dim"))
    for one in page["rows"]:
        for line in lines_of(one):
            out.print(line)
    if page["next"] is not None:
        out.print(Text(f"There are older ones: --before {page['next']}", "dim"), soft_wrap=True)


def lines_of(one: models.Alert) -> list[RenderableType]:
    """An alert on lines of its own."""
    seen = "" if one["acknowledged_by"] is None else f"acknowledged by {one['acknowledged_by']}"
    note = f"{seen}: {one['acknowledged_text']}" if seen and one["acknowledged_text"] else seen
    return [head_of(one), indented(readable(one["text"])), *([indented(note, "dim")] if note else [])]


def head_of(one: models.Alert) -> Text:
    """Severity, state, when, what."""
    style = STYLES.get(one["severity"], "") if one["state"] != "ended" else "dim"
    ended = "" if one["ended_ms"] is None or one["ended_ms"] == one["market_ms"] else f" to {instant(one['ended_ms'])}"
    return Text.assemble(
        (f"{one['severity']} {one['state']}", style),
        f"  {instant(one['market_ms'])}{ended}  ",
        (one["title"], "bold"),
        (f"  {one['alert_id']}", "dim"),
    )
