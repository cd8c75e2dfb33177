"""`eternal notify`: send a test message over each channel, or show how the channels are (RM-5, IF-4)."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.asking.options import Json as AsOne
from api.cli.asking.options import asking
from api.cli.asking.output import print_json
from api.cli.asking.way import Way
from api.cli.notify.report import report
from api.client import models
from api.json_values import time_of

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

    typer.echo(f"Configuration: {_source(config_file)}.", err=True)
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
        is_unused = one["state"] == "WORKING" and not one["delivered"] and not one["failures"]
        line = f"{one['channel']:<10} {'UNUSED' if is_unused else one['state']:<8}"
        if is_unused:
            line += " no alert was sent over it yet; `eternal notify test` tries it and is not counted here"
            line += f"; {one['waiting']} waiting"
        elif one["state"] != "OFF":
            newest = "never" if one["delivered_at"] is None else wall_time(one["delivered_at"])
            line += f" {one['delivered']} delivered, newest {newest}; {one['waiting']} waiting"
        if one["failures"]:
            line += f"; {one['failures']} failures in a row: {one['last_error']}"
            line += "" if one["next_at"] is None else f"; next try {wall_time(one['next_at'])}"
        lines.append(line.rstrip())
    return lines


def wall_time(text: str) -> str:
    """An instant of the interface (ISO 8601) as people read it everywhere, to the second."""
    return time_of(round(datetime.fromisoformat(text).timestamp() * 1000), with_seconds=True)


def _config(settings: list[str] | None, data: Path | None, file: Path | None) -> EternalConfig:
    from infra.config import load_config

    return load_config({} if data is None else {"data_folder": str(data)}, settings or (), file)


def _source(file: Path | None) -> str:
    """Which file the settings come from, beside environment and options."""
    from infra.config.sources import FILE_NAME, FILE_VARIABLE, find_file

    environment = {**os.environ, **({} if file is None else {FILE_VARIABLE: str(file)})}
    found = find_file(environment)
    if found is not None:
        return f"the file {found.resolve()}"
    return f"no file (there is no {FILE_NAME} here, and --config names none); environment and options alone"
