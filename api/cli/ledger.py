"""`eternal ledger`: prove the ledger against the exchange, or write it as a journal for accounting and taxes."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.standard_streams import silence_output
from api.json_values import DAY_MS
from api.ledger.period import FOREVER_MS, Period
from api.text import quoted
from api.views.days import OptionError, parse_day, start_ms
from infra.faults import OperatorError

ledger_app = typer.Typer(no_args_is_help=True, help="Prove the ledger against the exchange, or export it.")

FORMATS = ("beancount", "csv")
POLL_S = 0.5
LONGEST_CHECK_S = 1_800.0
"""A year of a busy account's log takes minutes within the exchange's limits."""

Settings = Annotated[list[str] | None, typer.Option("--set", help="section.field=value, may be repeated")]
Folder = Annotated[Path | None, typer.Option("--data", help="data folder (default .eternal)")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file (default eternal.toml, if there is one)")]


class CheckFailedError(OperatorError):
    """The check could not be made; that says nothing about the ledger."""


@ledger_app.command()
def check(
    first: Annotated[str | None, typer.Option("--from", help="compare entries since this day; all without it")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
    settings: Settings = None,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Compare balances, positions, fees, funding, equity and every entry with the exchange. Exit code 0: equal to the
    last unit; 1: the differences are named; 2: the check could not be made."""
    from infra.config import load_config

    period = parse_period(first, None)
    overrides = {} if data is None else {"data_folder": str(data)}
    config = load_config(overrides, settings or (), config_file)
    from api.cli.status import running_pid

    if running_pid(config.data_folder) is not None:
        report = _ask_the_launch(config.data_folder, period.from_ms)
    else:
        from api.cli.ledger_sources import stopped_system
        from api.ledger.check import check_ledger
        from api.ledger.exchange import lag_ms
        from statemachines.values import Account

        with stopped_system(config) as (url, exchange):
            report = check_ledger(url, exchange, Account, period.from_ms, lag_ms=lag_ms(config)).as_data()
    typer.echo(json.dumps(report, indent=1) if as_json else "\n".join(table(report)))
    raise typer.Exit(1 if report["differences"] else 0)


@ledger_app.command()
def export(
    form: Annotated[str, typer.Option("--format", help="beancount (plain-text accounting) or csv (for taxes)")],
    first: Annotated[str | None, typer.Option("--from", help="first day, UTC")] = None,
    last: Annotated[str | None, typer.Option("--to", help="last day, UTC")] = None,
    out: Annotated[Path | None, typer.Option(help="file to write; without it the journal is printed")] = None,
    settings: Settings = None,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Write the journal: every entry of the ledger, with the exchange's own ids."""
    if form not in FORMATS:
        raise OptionError(f"--format {quoted(form)} is refused: {' or '.join(FORMATS)} is required.")
    period = parse_period(first, last)
    from api.cli.ledger_sources import database_of
    from api.ledger import beancount, tax_csv
    from infra.config import load_config
    from infra.database.ledger_rows import reading
    from infra.files import write_whole

    overrides = {} if data is None else {"data_folder": str(data)}
    config = load_config(overrides, settings or (), config_file)
    with database_of(config) as url, reading(url) as rows:
        lines = beancount.journal(rows, period) if form == "beancount" else tax_csv.table(rows, period)
        if out is None:
            _print(lines)
            return
        write_whole(out, lambda draft: _write(draft, lines))
    typer.echo(f"{out} is written.", err=True)


def parse_period(first: str | None, last: str | None) -> Period:
    """Whole days, the last included. Raises OptionError."""
    from_ms = 0 if first is None else start_ms(parse_day("--from", first))
    until_ms = FOREVER_MS if last is None else start_ms(parse_day("--to", last)) + DAY_MS
    if until_ms <= from_ms:
        raise OptionError(f"--to {last} is before --from {first}; it must be the same day or a later one.")
    return Period(from_ms, until_ms)


def _print(lines: Iterator[str]) -> None:
    try:
        for line in lines:
            typer.echo(line)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, e.g. `head`; nothing is left to be flushed at the end
        silence_output()


def _write(draft: Path, lines: Iterator[str]) -> None:
    with draft.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(line + "\n")


def _ask_the_launch(folder: Path, from_ms: int) -> Mapping[str, Any]:
    """Have the running system check; its keys stay with it."""
    from api.launch.ledger_desk import LEDGER_CHECK
    from infra.secrets.server import SOCKET, SecretsUnavailableError, fetch

    name = f"{LEDGER_CHECK}:{from_ms}:{uuid.uuid4().hex}"
    until = time.monotonic() + LONGEST_CHECK_S
    while time.monotonic() < until:
        try:
            answer = fetch(folder / SOCKET, name, patience_s=5.0)
        except SecretsUnavailableError as error:
            raise CheckFailedError(
                f"The running system does not check its ledger now ({error}): it is still starting. Try again when "
                "`eternal status` shows it."
            ) from None
        if answer["state"] == "done":
            report: Mapping[str, Any] = answer["report"]
            return report
        if answer["state"] == "failed":
            raise CheckFailedError(str(answer["text"]))
        time.sleep(POLL_S)
    raise CheckFailedError(f"The check did not end within {LONGEST_CHECK_S:.0f} s; use --from to compare less.")


def table(report: Mapping[str, Any]) -> Iterator[str]:
    """The figures, then the differences, then one sentence."""
    from api.ledger.beancount import instant

    head = ("account", "what", "unit", "ledger", "exchange", "")
    rows = [
        (one["account"], one["what"], one["unit"], one["ledger"], one["exchange"], "ok" if one["ok"] else "DIFFERS")
        for one in report["figures"]
    ]
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    for row in (head, *rows):
        cells = [
            text.rjust(width) if at in (3, 4) else text.ljust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
    yield ""
    for one in report["differences"]:
        at = f" at {instant(one['time_ms'])}" if one["time_ms"] else ""
        entry = f" {one['entry']}" if one["entry"] else ""
        values = f"ledger {one['ledger']}, exchange {one['exchange']}"
        yield f"{one['account']} {one['fault']}{entry}{at}: {one['text']}; {values}."
    more = report["differences_in_all"] - len(report["differences"])
    if more:
        yield f"{more} further differences are not shown."
    yield from report["notes"]
    as_of = instant(report["as_of_ms"])
    if report["differences"]:
        count = report["differences_in_all"]
        yield f"{count} {'difference' if count == 1 else 'differences'} as of {as_of}, market time."
    else:
        yield f"The ledger equals the exchange to the last unit: {report['entries']} entries compared as of {as_of}."
