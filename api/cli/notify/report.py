"""`eternal notify report`: the report as it would be sent now, written to a file to look at."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.faults import NothingThereError

if TYPE_CHECKING:
    from api.reports.facts import Facts
    from infra.config import EternalConfig
    from statemachines.reports.schedule import ReportKind

Settings = Annotated[list[str] | None, typer.Option("--set", help="section.field=value, may be repeated")]
Folder = Annotated[Path | None, typer.Option("--data", help="data folder (default .eternal)")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file (default eternal.toml, if there is one)")]
DEFAULT_FILE = Path("eternal-report.html")


class NoReportError(NothingThereError):
    """There is nothing that a report could be about."""


def report(
    is_monthly: Annotated[
        bool, typer.Option("--monthly/--daily", help="of the present month as far as it is, or of the newest day")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="file to write; .txt: the plain text")] = DEFAULT_FILE,
    shown: Annotated[Path | None, typer.Option("--open", help="file to write, and to show in the browser")] = None,
    settings: Settings = None,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Write the newest report to a file. It is not sent, and the one that is due is sent all the same."""
    from api.cli.ledger_sources import database_of
    from api.reports.page import page, text
    from infra.config import load_config
    from infra.files import write_whole
    from statemachines.reports.schedule import ReportKind

    overrides = {} if data is None else {"data_folder": str(data)}
    config = load_config(overrides, settings or (), config_file)
    kind = ReportKind.MONTHLY if is_monthly else ReportKind.DAILY
    with database_of(config) as url:
        facts = asyncio.run(_gathered(config, url, kind, _overview(data, config_file)))
    file = shown or out
    content = text(facts) if file.suffix == ".txt" else page(facts)
    write_whole(file, lambda draft: draft.write_text(content, encoding="utf-8"))
    typer.echo(f"{file} is written: {facts.due.period.key}.")
    if shown is not None and not webbrowser.open(file.resolve().as_uri()):
        typer.echo("No browser could be started here.", err=True)


async def _gathered(config: EternalConfig, url: str, kind: ReportKind, overview: Mapping[str, Any] | None) -> Facts:
    from api.reports.facts import closed_days, gather
    from api.service import OperatorService
    from api.snapshot import SnapshotCache
    from infra.database.queries import Queries
    from statemachines.reports.schedule import Due, latest

    service = OperatorService(Queries(url), SnapshotCache(dict), lambda: "", config.is_simulated)
    try:
        closed = await closed_days(service)
        if closed is None:
            raise NoReportError("There is no daily record yet: a report needs one market day that has closed.")
        due = Due(latest(kind, closed.newest), is_late=False)
        zone = config.notifications.rules.time_zone
        return await gather(service, due, datetime.now(UTC), zone, str(config.profile), overview)
    finally:
        service.close()


def _overview(data: Path | None, config_file: Path | None) -> Mapping[str, Any] | None:
    """The state of the running system; None while there is none, or it does not answer."""
    from api.cli.asking.way import Asked, Way
    from api.cli.status import NothingRunsError
    from api.client.errors import RefusedError, UnansweredError

    try:
        return Way(Asked(data, config_file), {}).operations.overview()
    except (NothingRunsError, RefusedError, UnansweredError):
        return None
