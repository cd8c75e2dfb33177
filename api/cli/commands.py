"""`eternal control history`: what was commanded, by whom, when and why (RM-5)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import typer

from api.cli.client import Unanswered, ask, sentence_of
from api.cli.status import RunningError, running_pid
from api.running_system import find_place

MOST = 1_000


def show_commands(data: Path | None, config_file: Path | None, limit: int) -> None:
    """Print the newest commands. Raises RunningError when no system runs or its interface does not answer."""
    if not 1 <= limit <= MOST:
        raise RunningError(f"limit {limit} is not allowed; whole numbers from 1 to {MOST} are.")
    place = find_place(data, config_file)
    if running_pid(place.data_folder) is None:
        raise RunningError(f"No system runs on {place.data_folder}; `eternal run` starts one.")
    try:
        status, body = ask(place, "GET", f"/api/v1/control/history?limit={limit}")
    except Unanswered as error:
        raise RunningError(f"The interface does not answer ({error}).") from error
    if status != 200:
        raise RunningError(sentence_of(status, body))
    if not body["rows"]:
        typer.echo("Nothing was commanded yet.")
    for row in body["rows"]:
        typer.echo(_line(row))


def _line(row: dict[str, str | int]) -> str:
    when = datetime.fromtimestamp(int(row["given_ms"]) / 1000, UTC)
    return f"{when:%Y-%m-%d %H:%M:%S} market time  {row['action']:<11} {row['scope']:<12} {row['who']}: {row['reason']}"
