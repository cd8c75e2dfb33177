"""The command line `eternal`. Heavy libraries are imported inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import logging
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer._click.exceptions import UsageError
from typer.core import TyperGroup

from api.cli.access import access_app
from api.cli.asking.alerts import alerts_app
from api.cli.asking.control import control
from api.cli.asking.equity import equity
from api.cli.asking.ledger import show as ledger_show
from api.cli.asking.lists import decisions, fills, orders, positions
from api.cli.asking.look import status
from api.cli.asking.top import top
from api.cli.asking.why import why
from api.cli.configuration import config_app
from api.cli.exchange import exchange_app
from api.cli.exits import ASKED_FOR_JSON, ExitCode, end_with, exit_code_of, sentence_of
from api.cli.history import history_app
from api.cli.ledger import ledger_app
from api.cli.notify.commands import notify_app
from api.cli.policies.commands import policy_app
from api.cli.standard_streams import open_standard_streams, output_trouble, silence_output, watch_output
from api.client.errors import RefusedError, UnansweredError
from api.views.days import parse_day
from infra.data_folder import claim_data_folder, demand_data_folder, discard
from infra.faults import OperatorError
from infra.files import whole_path
from infra.ownership import ForeignFolderError, is_missing

if TYPE_CHECKING:
    from infra.config import EternalConfig


UNWRITTEN = "The output cannot be written: {}. What the command does beside that was done."


class _Sentences(TyperGroup):
    """The one place that turns an operator's mistake, or a fault of the machine, into a sentence and an exit code
    (`api.cli.exits`), in JSON where the command was given `--json`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Note whether JSON is asked for, before anything can be refused."""
        ctx.meta[ASKED_FOR_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command."""
        as_json = bool(ctx.meta[ASKED_FOR_JSON])
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except (OperatorError, RefusedError, UnansweredError) as error:
            raise end_with(exit_code_of(error), sentence_of(error), as_json=as_json) from None
        except UsageError as error:
            if not as_json:
                raise
            raise end_with(ExitCode.BAD_ARGUMENT, error.format_message(), as_json=True) from None
        except BrokenPipeError:  # the reader has seen enough, e.g. `head`; nothing is left to be flushed at the end
            silence_output()
            raise typer.Exit(0) from None
        except OSError as error:
            if why := output_trouble():
                raise end_with(ExitCode.UNWRITTEN, UNWRITTEN.format(why), as_json=as_json) from None
            place = f"{error.filename}: " if error.filename else ""
            sentence = (
                f"{place}{error.strerror or error}. Nothing further was done; check the path and its permissions."
            )
            raise end_with(ExitCode.BAD_ARGUMENT, sentence, as_json=as_json) from None


app = typer.Typer(
    cls=_Sentences,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Eternal Engine: four engines, one risk manager, one ledger, on Bybit or on a simulated exchange.",
)

app.add_typer(access_app, name="access")
app.add_typer(alerts_app, name="alerts")
app.add_typer(history_app, name="history")
app.add_typer(config_app, name="config")
app.add_typer(ledger_app, name="ledger")
app.add_typer(notify_app, name="notify")
app.add_typer(exchange_app, name="exchange")
app.add_typer(policy_app, name="policy")

ASKING = (status, why, equity, orders, fills, positions, decisions, top, control)
for _command in ASKING:
    app.command()(_command)
ledger_app.command()(ledger_show)

Settings = Annotated[list[str] | None, typer.Option("--set", help="section.field=value, may be repeated")]
Folder = Annotated[Path | None, typer.Option("--data", help="data folder (default .eternal)")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file (default eternal.toml, if there is one)")]
LIVE_WORDS = "trade with real money"


def _say_version(is_asked: bool) -> None:
    if is_asked:
        from infra.backtest.version import version_of_the_code

        typer.echo(version_of_the_code())
        raise typer.Exit


@app.callback()
def _first(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="show the program's version")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the program."""
    open_standard_streams()
    watch_output()
    try:
        app()
    except OSError as error:  # of the help, which is printed before a command begins
        if not (why := output_trouble()):
            raise
        typer.echo(UNWRITTEN.format(why), err=True)
        raise SystemExit(int(ExitCode.UNWRITTEN)) from error


@app.command()
def run(
    profile: Annotated[str | None, typer.Option(help="paper (default), demo, testnet or live")] = None,
    history: Annotated[Path | None, typer.Option(help="replay the price files of this folder")] = None,
    first: Annotated[str | None, typer.Option("--from", help="first market day, e.g. 2020-01-01")] = None,
    last: Annotated[str | None, typer.Option("--to", help="last market day")] = None,
    pace: Annotated[float | None, typer.Option(help="least seconds per market day; 0: as fast as it settles")] = None,
    seed: Annotated[int | None, typer.Option(help="seed of the synthetic market")] = None,
    address: Annotated[str | None, typer.Option(help="join a running Ray cluster: auto or HOST:PORT")] = None,
    until_end: Annotated[bool, typer.Option("--until-end", help="stop at the market's end, print a summary")] = False,
    settings: Settings = None,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Start the whole system and show it live; Ctrl-C ends it, the next start resumes from the saved state."""
    exchange: dict[str, Any] = {}
    if history is not None:
        exchange["history"] = str(history)
    if first is not None:
        exchange["from_day"] = first
    if last is not None:
        exchange["to_day"] = _next_day(last)
    if pace is not None:
        exchange["pace_s"] = str(pace)
    if seed is not None:
        exchange["seed"] = seed
    overrides: dict[str, Any] = {"exchange": exchange} if exchange else {}
    if profile is not None:
        overrides["profile"] = profile
    if address is not None:
        overrides["ray"] = {"address": address}
    if history is not None and data is None:
        data = Path(".eternal-replay")  # a replay never mixes with the paper account's own history
    config = _config(overrides, settings, data, config_file)
    if config.profile.value == "live":
        _confirm_live(config)
    config = _with_whole_paths(config)
    replayed = config.exchange.history
    if config.is_simulated and replayed is not None and not replayed.is_dir():
        _refuse(f"exchange.history: {replayed} does not exist or is no folder; it must be a folder of history files.")
    _log_to_file(config)
    from api.cli.run import show_run

    if not show_run(config, until_end=until_end):
        raise typer.Exit(1)


@app.command()
def stop(data: Folder = None, config_file: ConfigFile = None) -> None:
    """End the system that runs on this data folder, as Ctrl-C would."""
    from api.cli.status import stop_running
    from api.client.running_system import find_place

    typer.echo(stop_running(find_place(data, config_file).data_folder))


@app.command()
def deadman(
    profile: Annotated[str | None, typer.Option(help="demo, testnet or live")] = None,
    settings: Settings = None,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Run the dead-man switch alone, on another machine than the system: from its database and the exchange."""
    from api.cli.deadman import watch_from_elsewhere

    config = _config({} if profile is None else {"profile": profile}, settings, data, config_file)
    watch_from_elsewhere(_with_whole_paths(config))


@app.command()
def doctor(
    profile: Annotated[str | None, typer.Option(help="paper (default), demo, testnet or live")] = None,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Look at ports, database, exchange, clock, disk and keys; say what is wrong and how to fix it."""
    from api.cli.doctor import examine

    overrides = {} if profile is None else {"profile": profile}
    findings = examine(_config(overrides, None, data, config_file))
    for finding in findings:
        typer.echo(f"{'ok  ' if finding.ok else 'WRONG'} {finding.what}: {finding.text}")
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Discard all state of the paper profile: database, simulated exchange, token."""
    config = _config({}, None, data, config_file)
    if not config.is_simulated:
        _refuse("reset discards the paper profile only; a database with real orders is never removed by a command.")
    if config.database.url is not None:
        _refuse("reset discards the embedded database only; the one that DATABASE_URL names is yours to drop.")
    folder = config.data_folder
    if is_missing(folder):
        typer.echo(f"There is nothing to discard: {folder} does not exist.")
        return
    try:
        demand_data_folder(folder)
    except ForeignFolderError as error:
        _refuse(f"{error} Nothing was deleted.")
    from api.cli.status import running_pid
    from api.launch.ray_folder import own_ray_folder

    pid = running_pid(folder)
    if pid is not None:
        _refuse(f"A system runs on {folder} (process {pid}); end it first: eternal stop.")
    if not yes:
        typer.confirm(f"Discard all of {folder}?", abort=True)
    from infra.deadman.left_over import end_left_over

    end_left_over(folder)
    if not config.database_folder.is_symlink():
        from infra.database.server.embedded import EmbeddedPostgres

        EmbeddedPostgres(config.database_folder).destroy()
    shutil.rmtree(own_ray_folder(folder).parent, ignore_errors=True)
    left = discard(folder)
    typer.echo(f"All state in {folder} is discarded; the next start begins anew.")
    if left.strangers:
        typer.echo(f"These files are not of this program and were left: {', '.join(left.strangers)}.")
    if left.links:
        typer.echo(f"Links were not followed, what they lead to was left: {', '.join(left.links)}.")


@app.command()
def backtest(
    history: Annotated[Path | None, typer.Option(help="price files; without it a synthetic market is used")] = None,
    first: Annotated[str | None, typer.Option("--from", help="first market day, e.g. 2018-01-01")] = None,
    last: Annotated[str | None, typer.Option("--to", help="last market day")] = None,
    engines: Annotated[str | None, typer.Option(help="e.g. trend,funding; all four without it")] = None,
    capital: Annotated[str, typer.Option(help="USDT at the start")] = "100000",
    deposit: Annotated[str | None, typer.Option(help="USDT paid in each day, week or month, e.g. 1000/month")] = None,
    fees: Annotated[str | None, typer.Option(help="spot taker, maker, perpetual taker, maker; VIP 0 without")] = None,
    slippage_bps: Annotated[str, typer.Option(help="what a taker pays, hundredths of a per cent of the price")] = "2",
    seed: Annotated[int, typer.Option(help="seed of the synthetic market")] = 2,
    out: Annotated[Path, typer.Option(help="folder of the report")] = Path("backtest-report"),
    progress: Annotated[Path | None, typer.Option(help="JSON file that states how far it is, for a program")] = None,
    settings: Settings = None,
    config_file: ConfigFile = None,
) -> None:
    """Run the engines over history, in process, and write a report (HTML, Parquet, CSV, JSON)."""
    config = _config({}, settings, None, config_file)
    from api.backtests.options import Options
    from api.cli.backtest import run_backtest

    options = Options(history, first, last, engines, capital, deposit, fees, slippage_bps, seed)
    raise typer.Exit(run_backtest(options, config, out, progress))


@app.command()
def diagrams(target: Annotated[Path, typer.Option(help="file to write")] = Path("docs/machines.md")) -> None:
    """Write the diagrams of all state machines, generated from the code."""
    from api.machines import markdown

    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(markdown(), encoding="utf-8")
    typer.echo(f"{target} is written.")


# --- helpers ---


def _config(
    overrides: dict[str, Any], settings: list[str] | None, data: Path | None, file: Path | None
) -> EternalConfig:
    from infra.config import load_config

    if data is not None:
        overrides = {**overrides, "data_folder": str(data)}
    return load_config(overrides, settings or (), file)


def _with_whole_paths(config: EternalConfig) -> EternalConfig:
    """The actors' processes need not stand in our folder, least of all on a cluster."""
    history = config.exchange.history
    exchange = config.exchange.model_copy(update={"history": None if history is None else whole_path(history)})
    files = {
        name: whole_path(path)
        for name in ("tls_certificate", "tls_key", "backtest_history")
        if (path := getattr(config.api, name)) is not None
    }
    api = config.api.model_copy(update={"token_file": whole_path(config.token_file), **files})
    return config.model_copy(update={"data_folder": whole_path(config.data_folder), "exchange": exchange, "api": api})


def _next_day(text: str) -> str:
    return (parse_day("--to", text) + timedelta(days=1)).isoformat()


def _confirm_live(config: EternalConfig) -> None:
    limit = config.capital_limit_usdt
    typer.echo(f"Profile live trades with real money; the engines use at most {limit or 'all'} USDT together.")
    if not sys.stdin.isatty() or typer.prompt(f"Type '{LIVE_WORDS}' to continue").strip() != LIVE_WORDS:
        _refuse("Nothing was started.")


def _log_to_file(config: EternalConfig) -> None:
    """The screen belongs to the table; what happens in the background goes to a file."""
    claim_data_folder(config.data_folder)
    logging.basicConfig(
        filename=config.data_folder / "eternal.log",
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


def _refuse(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(2)
