"""`eternal config`: the documents that are generated from the configuration's models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infra.files import write_text_whole

config_app = typer.Typer(no_args_is_help=True, help="Write the documented configuration file or its JSON Schema.")


@config_app.command()
def example(
    target: Annotated[Path, typer.Option(help="file to write")] = Path("docs/eternal.example.toml"),
) -> None:
    """Write every setting with its meaning, unit, range, default and rule, as a TOML file of comments."""
    from infra.config.example import example as text

    _write(target, text())


@config_app.command()
def schema(
    target: Annotated[Path, typer.Option(help="file to write")] = Path("docs/eternal.schema.json"),
) -> None:
    """Write the JSON Schema of the configuration file, with which editors complete and check it."""
    from infra.config.schema import schema as text

    _write(target, text())


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text_whole(target, text)
    typer.echo(f"{target} is written.")
