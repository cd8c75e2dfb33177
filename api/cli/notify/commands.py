"""`eternal notify`: send a test message over each channel, or show how the channels are (RM-5, IF-4)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.asking.options import Json as AsOne
from api.cli.asking.options import asking
from api.cli.asking.output import print_json
from api.cli.asking.way import Way
from api.cli.notify.report import report
from api.client import models

if TYPE_CHECKING:
    from infra.config import EternalConfig

notify_app = typer.Typer(
    no_args_is_help=True, help="Messages to people: try the channels, see how they are, look at a report."
)
notify_app.command()(report)

Channel = Annotated[str | None, typer.Option(help="telegram, email, pagerduty or webhook; without it, all")]
Json = Annotated[bool, typer.Option("--json", help="as JSON")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="section.field=value, may be repeated")]
Folder = Annotated[Path | None, typer.Option("--data", help="data folder (default .eternal)")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file (default eternal.toml, if there is one)")]


@notify_app.command()
def test(
    channel: Channel = None,
    as_json: Json = False,
    settings: Settings = None,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Send a message that is labelled a test over every configured channel, and say what came of it.

    The system need not run. Exit code 0: every channel has taken it; 1: one has not; 2: nothing was sent, since no
    channel is configured or a setting is not allowed.
    """
    from api.cli.notify.trial import try_channels

    found = try_channels(_config(settings, data, config_file), channel)
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in found], indent=1))
    else:
        for one in found:
            typer.echo(one.sentence)
    if not all(one.is_delivered for one in found):
        raise typer.Exit(1)


@notify_app.command()
@asking
def status(way: Way, *, as_json: AsOne = False) -> None:
    """Show how each channel is and what waits for it, from the running system.

    Exit code 0: every channel that is on works, or none is configured; 1: one fails; others as in the manual.
    """
    found = way.operations.status()
    if as_json:
        print_json(found)
    else:
        typer.echo("\n".join(lines_of(found)))
    if any(one["state"] not in ("OFF", "WORKING") for one in found["channels"]):
        raise typer.Exit(1)


def lines_of(status: models.NotificationStatus) -> list[str]:
    """The status for people, one line per channel."""
    count = status["critical_unacknowledged"]
    head = {
        "OFF": "No channel is configured: alerts are shown in the console only ([notifications]).",
        "CUT_OFF": "No channel works: alerts are shown in the console only.",
    }.get(status["state"], f"The notifier is {status['state']}.")
    lines = [f"{head} {count} critical alerts stand and are not acknowledged."]
    for one in status["channels"]:
        line = f"{one['channel']:<10} {one['state']:<8}"
        if one["state"] != "OFF":
            newest = one["delivered_at"] or "never"
            line += f" {one['delivered']} delivered, newest {newest}; {one['waiting']} waiting"
        if one["failures"]:
            line += f"; {one['failures']} failures in a row: {one['last_error']}; next try {one['next_at']}"
        lines.append(line.rstrip())
    return lines


def _config(settings: list[str] | None, data: Path | None, file: Path | None) -> EternalConfig:
    from infra.config import load_config

    return load_config({} if data is None else {"data_folder": str(data)}, settings or (), file)
