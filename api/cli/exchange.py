"""`eternal exchange`: the simulated exchange alone, with the faults of a scenario if one is named."""

from __future__ import annotations

from argparse import ArgumentTypeError
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from api.views.days import OptionError
from infra.data_folder import claim_data_folder
from infra.files import whole_path

exchange_app = typer.Typer(invoke_without_command=True)

Settings = Annotated[list[str] | None, typer.Option("--set", help="section.field=value, may be repeated")]
Folder = Annotated[Path | None, typer.Option("--data", help="data folder (default .eternal)")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file (default eternal.toml, if there is one)")]


class ExchangeClock(StrEnum):
    """Who moves the time of the simulated exchange."""

    LOCKSTEP = "lockstep"
    WALL = "wall"


@exchange_app.callback()
def exchange(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(help="port on loopback; 0: a free one")] = 0,
    clock: Annotated[ExchangeClock, typer.Option(help="who moves time: the client, or the clock on the wall")] = (
        ExchangeClock.LOCKSTEP
    ),
    speed: Annotated[int | None, typer.Option(help="market seconds in a second, with --clock wall (default 1)")] = None,
    history: Annotated[Path | None, typer.Option(help="replay the price files of this folder")] = None,
    start: Annotated[str | None, typer.Option("--from", help="first market day, 2020-01-01")] = None,
    seed: Annotated[int | None, typer.Option(help="seed of the synthetic market")] = None,
    scenario: Annotated[
        str | None, typer.Option(help="faults over time: a name of `eternal exchange scenarios`, or a TOML file")
    ] = None,
    stretch: Annotated[int, typer.Option("--scenario-stretch", help="the scenario lasts so many times as long")] = 1,
    impact: Annotated[
        str | None, typer.Option(help="price impact of 0.1 % of the hourly volume, a fraction; 0: a flat book")
    ] = None,
    dcp: Annotated[bool, typer.Option("--dcp", help="accounts may use disconnection protection")] = False,
    settings: Settings = None,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Run only the simulated exchange, in the foreground.

    By the wall clock its time is the present: a synthetic market begins today, and the days of a replay are shown as
    if the first one were today.
    """
    if ctx.invoked_subcommand is not None:
        return
    if speed is not None and clock is not ExchangeClock.WALL:
        raise OptionError("--speed is for --clock wall only; in lockstep the client moves time.")
    given: dict[str, Any] = {}
    if port:
        given["port"] = port
    if history is not None:
        if not history.is_dir():
            raise OptionError(
                f"--history {history} does not exist or is no folder; a folder of history files is needed."
            )
        given["history"] = str(history)
    if start is not None:
        given["from_day"] = start
    if seed is not None:
        given["seed"] = seed
    from api.launch.simulator_process import SimulatorProcess
    from infra.config import load_config

    overrides: dict[str, Any] = {"exchange": given} if given else {}
    if data is not None:
        overrides["data_folder"] = str(data)
    config = load_config(overrides, settings or (), config_file)
    process = SimulatorProcess(
        config,
        speed=_speed(speed) if clock is ExchangeClock.WALL else None,
        options=(*_fault_arguments(scenario, stretch), *_venue_arguments(impact), *(("--dcp",) if dcp else ())),
    )
    claim_data_folder(config.data_folder)
    typer.echo(f"The simulated exchange listens at {process.start()}; its keys are in {process.keys_file}.")
    try:
        process.wait()
    finally:
        process.stop()


@exchange_app.command()
def scenarios() -> None:
    """List the scenarios of faults with what each teaches."""
    from infra.simulator.faults.scenario import lines

    typer.echo("\n".join(lines()))


@exchange_app.command()
def document(target: Annotated[Path, typer.Option(help="file to write")] = Path("docs/exchange.md")) -> None:
    """Bring the tables of endpoints, faults and scenarios in the exchange's document up to date."""
    from infra.files import write_text_whole
    from infra.simulator.documents import up_to_date

    write_text_whole(target, up_to_date(target.read_text(encoding="utf-8")))
    typer.echo(f"{target} is up to date.")


def _speed(asked: int | None) -> int:
    """The speed of the clock; one that it cannot have is refused before anything starts."""
    from infra.simulator.__main__ import UsageError, speed_of

    try:
        return speed_of(asked)
    except UsageError as error:
        raise OptionError(str(error)) from None


def _venue_arguments(impact: str | None) -> tuple[str, ...]:
    """The options about depth; one that is no impact is refused before anything starts."""
    if impact is None:
        return ()
    from infra.simulator.__main__ import fraction

    try:
        fraction(impact)
    except ArgumentTypeError as error:
        raise OptionError(f"--impact: {error}.") from None
    return ("--impact", impact)


def _fault_arguments(scenario: str | None, stretch: int) -> tuple[str, ...]:
    """The options of the exchange's process; a scenario that does not exist is refused before anything starts."""
    if scenario is None:
        return ()
    from infra.simulator.faults.reading import FaultError
    from infra.simulator.faults.scenario import find, shipped

    try:
        find(scenario)
    except FaultError as error:
        raise OptionError(str(error)) from None
    named = scenario if scenario in shipped() else str(whole_path(Path(scenario)))
    return ("--scenario", named, "--scenario-stretch", str(stretch))
