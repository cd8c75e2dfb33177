"""`eternal access`: who else may see or steer this system, and how far (DE-3)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.access.scopes import Scope

if TYPE_CHECKING:
    from api.access.register import AccessRegister, Credential, Made

access_app = typer.Typer(no_args_is_help=True, help="Credentials of persons: who may see or steer this system.")

Name = Annotated[str, typer.Argument(help="the person: small letters, digits, hyphens")]
Days = Annotated[int | None, typer.Option(help="it ends after so many days; without it, when it is revoked")]
Json = Annotated[bool, typer.Option("--json", help="as JSON")]
Folder = Annotated[Path | None, typer.Option("--data", help="data folder (default .eternal)")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file (default eternal.toml, if there is one)")]


@access_app.command()
def add(
    name: Name,
    scope: Annotated[Scope, typer.Option(help="read: see everything; control: also command; admin: also Ray")],
    days: Days = None,
    as_json: Json = False,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Make a credential for a person; its token is shown once."""
    _show_made(_register(data, config_file).add(name, scope, _who(), days), as_json)


@access_app.command("list")
def list_all(as_json: Json = False, data: Folder = None, config_file: ConfigFile = None) -> None:
    """List every credential that was ever made, with its state. Tokens are not kept."""
    now = datetime.now(UTC)
    found = _register(data, config_file).all()
    if as_json:
        typer.echo(json.dumps([_plain(one, now) for one in found], indent=1))
        return
    if not found:
        typer.echo("There is no credential of a person; the owner's token is in the file api-token of the data folder.")
    for one in found:
        typer.echo(_line(one, now))


@access_app.command()
def revoke(name: Name, data: Folder = None, config_file: ConfigFile = None) -> None:
    """End a person's access, from the next request on."""
    one = _register(data, config_file).revoke(name, _who())
    typer.echo(f"The credential of {one.person} ({one.scope}) is revoked: its next request is refused.")


@access_app.command()
def rotate(
    name: Name, days: Days = None, as_json: Json = False, data: Folder = None, config_file: ConfigFile = None
) -> None:
    """End a person's credential and make a new one of the same scope; its token is shown once."""
    _show_made(_register(data, config_file).rotate(name, _who(), days), as_json)


def _register(data: Path | None, config_file: Path | None) -> AccessRegister:
    from api.access.register import REGISTER, AccessRegister
    from api.running_system import find_place
    from infra.data_folder import demand_data_folder

    place = find_place(data, config_file)
    demand_data_folder(place.data_folder)
    return AccessRegister(place.data_folder / REGISTER)


def _who() -> str:
    from api.cli.client import user_name

    return user_name()


def _show_made(made: Made, as_json: bool) -> None:
    now = datetime.now(UTC)
    if as_json:
        typer.echo(json.dumps({**_plain(made.credential, now), "token": made.token}, indent=1))
        return
    typer.echo(_line(made.credential, now))
    typer.echo(f"Token: {made.token}")
    typer.echo("It is shown this once and not kept. It is sent as the header 'Authorization: Bearer TOKEN'.")


def _line(one: Credential, now: datetime) -> str:
    until = "" if one.expires_at is None else f", until {one.expires_at:%Y-%m-%d %H:%M} UTC"
    ended = "" if one.revoked_at is None else f", revoked {one.revoked_at:%Y-%m-%d %H:%M} UTC by {one.revoked_by}"
    made = f"made {one.made_at:%Y-%m-%d %H:%M} UTC by {one.made_by}"
    return f"{one.person:<16} {one.scope:<8} {one.state(now):<8} {made}{until}{ended}"


def _plain(one: Credential, now: datetime) -> dict[str, object]:
    return {**one.model_dump(mode="json", exclude={"hash"}), "state": one.state(now)}
