"""`eternal history`: fetch price history into files that `--history` reads, and look files over."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from api.json_values import DAY_MS
from api.views.days import OptionError, parse_day, start_ms
from infra.ownership import FolderKind, claim, is_missing

history_app = typer.Typer(no_args_is_help=True, help="Download price history, or look over a folder of it.")

PRICE_FILES = (".parquet", ".csv", ".json", ".md", ".txt")
BYBIT = "https://api.bybit.com"
ALTERNATIVE_ME = "https://api.alternative.me"


@history_app.command()
def download(
    folder: Annotated[Path, typer.Argument(help="where the files are kept; what is there is gone on with")],
    first: Annotated[str, typer.Option("--from", help="first day")] = "2018-01-01",
    last: Annotated[str | None, typer.Option("--to", help="last day; without it everything that has closed")] = None,
    symbols: Annotated[str, typer.Option(help="coins against USDT")] = "BTC,ETH,SOL",
    url: Annotated[str, typer.Option(help="the exchange's REST address")] = BYBIT,
    fear_greed_url: Annotated[str, typer.Option(help="where Fear & Greed is published")] = ALTERNATIVE_ME,
) -> None:
    """Fetch bars, mark prices, funding, filters and Fear & Greed; no keys are needed. Ctrl-C loses nothing."""
    from infra.bybit.errors import GatewayError
    from infra.feeds.source import FeedUnavailableError
    from infra.history.store import HistoryStoreError

    try:
        from_ms = start_ms(parse_day("--from", first))
        until_ms = None if last is None else start_ms(parse_day("--to", last)) + DAY_MS
    except OptionError as error:
        _refuse(str(error))
    coins = [coin.strip().upper() for coin in symbols.split(",")]
    bad = [coin for coin in coins if not coin.isalnum()]
    if bad:
        _refuse(f"--symbols {bad[0]!r} is no coin; e.g. BTC,ETH,SOL.")
    if until_ms is not None and until_ms <= from_ms:
        _refuse(f"--to {last} must not be before --from {first}.")
    for option, address in (("--url", url), ("--fear-greed-url", fear_greed_url)):
        if not address.startswith(("https://", "http://")):
            _refuse(f"{option} {address!r} is no address; https://HOST is required.")
    try:
        claim(folder, "The folder of price history", FolderKind.HISTORY, _price_files(folder))
        is_whole = _download(folder, from_ms, until_ms, coins, url, fear_greed_url)
    except KeyboardInterrupt:
        _refuse("Interrupted; the same command resumes from here.", 130)
    except (GatewayError, FeedUnavailableError, HistoryStoreError, OSError) as error:
        _refuse(f"{error}\nWhat was fetched is kept; the same command resumes from here.")
    raise typer.Exit(0 if is_whole else 1)


@history_app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="the folder to look over")],
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Judge a folder as the loader does: errors (exit code 1; it cannot be used), warnings and known events."""
    from infra.simulator.market.findings import Severity
    from infra.simulator.market.history import bounds_of
    from infra.simulator.market.judge import judge

    if not folder.is_dir():
        why = "does not exist; it must be" if is_missing(folder) else "is no folder; what is looked over is"
        _refuse(f"{folder} {why} a folder of history files.")
    found = judge(folder)
    errors = found.errors
    if as_json:
        document = {
            "folder": str(folder),
            "usable": not errors,
            "period": None if errors else bounds_of(found)._asdict(),
            "files": [asdict(one) for one in found.files],
            "findings": [asdict(one) for one in found.findings],
        }
        typer.echo(json.dumps(document, indent=2))
    else:
        for file in found.files:
            typer.echo(str(file))
        for severity in Severity:
            for finding in found.findings:
                if finding.severity is severity:
                    typer.echo(f"  {finding}")
        counts = ", ".join(f"{sum(one.severity is each for one in found.findings)} {each}s" for each in Severity)
        typer.echo(f"{counts}: the folder {'cannot be used' if errors else 'can be used'}.")
    raise typer.Exit(1 if errors else 0)


def _download(
    folder: Path, from_ms: int, until_ms: int | None, coins: list[str], url: str, fear_greed_url: str
) -> bool:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from infra.feeds.source import HttpJson
    from infra.history.catalog import series_of
    from infra.history.download import Downloader
    from infra.history.source import HistorySource
    from infra.simulator.market.findings import utc

    console = Console(soft_wrap=True)
    outcomes = []
    columns = (TextColumn("{task.description:<22}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        task = bars.add_task("", total=None)

        def progress(stem: str, done: int, whole: int) -> None:
            bars.update(task, description=stem, completed=done, total=whole)

        downloader = Downloader(HistorySource(url), folder, from_ms, until_ms, progress)
        for series in series_of(coins):
            outcomes.append(downloader.fetch(series))
        downloader.instruments([f"{coin}USDT" for coin in coins])
        outcomes.append(downloader.fear_greed(HttpJson(fear_greed_url)))
    for outcome in outcomes:
        console.print(f"{outcome.stem}: {outcome.rows:,} rows, {outcome.added:,} of them new")
        for start, end in outcome.gaps:
            console.print(f"  GAP: the exchange has nothing from {utc(start)} to {utc(end)}")
        for conflict in outcome.conflicts:
            console.print(f"  CONFLICT: {conflict}")
        if not outcome.rows:
            console.print("  EMPTY: the exchange has nothing in this period")
    return not any(outcome.gaps or outcome.conflicts or not outcome.rows for outcome in outcomes)


def _price_files(folder: Path) -> frozenset[str]:
    """Files that may lie in a folder without a mark: history from elsewhere, or of an earlier version."""
    return frozenset(path.name for path in folder.glob("*") if path.suffix in PRICE_FILES)


def _refuse(text: str, code: int = 2) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(code)
