"""The options that every asking command has, added in one place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, get_type_hints

import typer

from api.cli.asking.way import Asked, Way

P = ParamSpec("P")


def begins(choices: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Completion of a value by the shell; the choices are loaded when they are asked for."""

    def complete(incomplete: str) -> list[str]:
        return [one for one in choices() if one.startswith(incomplete)]

    return complete


def engines() -> list[str]:
    """The engines' names."""
    from statemachines.values import ENGINES

    return [str(one) for one in ENGINES]


Json = Annotated[bool, typer.Option("--json", help="one JSON document; errors are JSON too")]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="rows at most")]
Before = Annotated[str | None, typer.Option(help="the page after the one that ended with this cursor")]
Since = Annotated[str | None, typer.Option("--from", help="not earlier than this market time, e.g. 2025-01-31")]
Until = Annotated[str | None, typer.Option("--to", help="earlier than this market time")]
EngineName = Annotated[
    str | None,
    typer.Option("--engine", help="an engine, e.g. trend-1; all without it", autocompletion=begins(engines)),
]
SymbolName = Annotated[str | None, typer.Option("--symbol", help="such as BTCUSDT; all without it")]

COMMON = {
    "data": Annotated[Path | None, typer.Option("--data", help="data folder of this machine (default .eternal)")],
    "config_file": Annotated[
        Path | None, typer.Option("--config", help="TOML file (default eternal.toml, if there is one)")
    ],
    "url": Annotated[str | None, typer.Option("--url", help="a system elsewhere: https://HOST:PORT (or ETERNAL_URL)")],
    "token": Annotated[
        str | None,
        typer.Option("--token", help="a person's token; better ETERNAL_TOKEN or a file: others see a command line"),
    ],
    "credentials": Annotated[
        Path | None,
        typer.Option(
            "--credentials", help="TOML file with url, token, certificate, mode 0600 (or ETERNAL_CREDENTIALS)"
        ),
    ],
    "code": Annotated[str | None, typer.Option("--code", help="of a second factor, where the credential has one")],
}


def asking(command: Callable[Concatenate[Way, P], None]) -> Callable[..., None]:
    """A command with the common options; it is given the way to the interface that they name."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        way = Way(Asked(**{name: given.pop(name) for name in COMMON}))
        command(way, **given)  # type: ignore[call-arg]

    hints = get_type_hints(command, include_extras=True)
    own = [one.replace(annotation=hints[one.name]) for one in list(inspect.signature(command).parameters.values())[1:]]
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in COMMON.items()
    ]
    run.__signature__ = inspect.Signature([*own, *common])  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in (*own, *common)}
    return run
