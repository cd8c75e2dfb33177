"""`eternal alerts`: what the operator should know."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from api.cli.asking.options import Before, Json, Limit, Since, Until, asking
from api.cli.asking.output import MARKET_TIME, console, indented, instant, print_json
from api.cli.asking.way import Way
from api.client import models

STYLES = {"critical": "bold red", "warning": "yellow"}


@asking
def alerts(
    way: Way,
    *,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """List alerts, newest first: what happened, what the system did, what action is required."""
    page = way.operations.alerts(before=before, limit=limit, from_=since, to=until)
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
    return [head_of(one), indented(one["text"])]


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
