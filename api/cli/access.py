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
    from api.access.state import Session, StateFile
    from api.client.running_system import Place

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


@access_app.command()
def totp(
    name: Name,
    off: Annotated[bool, typer.Option("--off", help="take the second factor away")] = False,
    as_json: Json = False,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Give a person a second factor for what reaches beyond reading, a new one if there was one; its secret is shown
    once."""
    from api.access.totp import uri

    one = _register(data, config_file).set_totp(name, is_on=not off)
    address = "" if one.totp is None else uri(one.totp, one.person)
    if as_json:
        typer.echo(json.dumps({**_plain(one, datetime.now(UTC)), "uri": address or None}, indent=1))
    elif not address:
        typer.echo(f"{one.person} needs no code any more.")
    else:
        typer.echo(f"{one.person} only reads without a code from now on. For an authenticator application:")
        typer.echo(address)
        typer.echo("It is shown this once. Who has it can make the codes; another `eternal access totp` replaces it.")


@access_app.command()
def sessions(as_json: Json = False, data: Folder = None, config_file: ConfigFile = None) -> None:
    """List who is logged in to the console."""
    place = _place(data, config_file)
    found = _live_sessions(place)
    if as_json:
        typer.echo(json.dumps([_plain_session(one) for one, _ in found], indent=1))
        return
    if not found:
        typer.echo("There is no session.")
    for one, is_withheld in found:
        withheld = " (reads only, no code was given)" if is_withheld else ""
        typer.echo(
            f"{one.session_id:<12} {one.person:<16} {one.scope:<8} by {one.way} from {one.address}, last request "
            f"{one.seen_at:%Y-%m-%d %H:%M} UTC, until {one.ends_at:%Y-%m-%d %H:%M} UTC at the latest{withheld}"
        )


@access_app.command()
def end(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="as `eternal access sessions` lists it")],
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """End a session of the console, from its next request on."""
    from api.access.document import NoSuchAccessError
    from api.access.sessions import Sessions

    place = _place(data, config_file)
    known = [one.session_id for one, _ in _live_sessions(place)]
    ended = Sessions(_state(place)).end(session_id) if session_id in known else None
    if ended is None:
        raise NoSuchAccessError(f"ID '{session_id}' is no session. Those that there are: {', '.join(known) or 'none'}.")
    typer.echo(f"The session of {ended.person} from {ended.address} has ended: its next request is refused.")


@access_app.command()
def link(data: Folder = None, config_file: ConfigFile = None) -> None:
    """Print a link that opens the console on this machine once, within 60 seconds, with the scope control."""
    from api.access.links import LINK_S, Links, link_to
    from api.cli.asking.way import PORT_FILE
    from api.cli.status import NothingRunsError, running_pid
    from infra.files import read_port

    place = _place(data, config_file)
    port = read_port(place.data_folder / PORT_FILE)
    if running_pid(place.data_folder) is None or port is None:
        raise NothingRunsError(f"No system runs on {place.data_folder}; `eternal run` starts one.")
    scheme = "http" if place.certificate is None else "https"
    link_to(scheme, place.host, port, "")  # refused before a link is made
    typer.echo(link_to(scheme, place.host, port, Links(_state(place)).make()))
    typer.echo(f"Open it on this machine within {LINK_S} s; it opens the console once.", err=True)


def _place(data: Path | None, config_file: Path | None) -> Place:
    from api.cli.status import NothingRunsError
    from api.client.running_system import find_place
    from infra.data_folder import demand_data_folder
    from infra.ownership import is_missing

    place = find_place(data, config_file)
    if is_missing(place.data_folder):
        raise NothingRunsError(f"{place.data_folder} does not exist: no system has run on it yet.")
    demand_data_folder(place.data_folder)
    return place


def _register(data: Path | None, config_file: Path | None) -> AccessRegister:
    from api.access.register import REGISTER, AccessRegister

    return AccessRegister(_place(data, config_file).data_folder / REGISTER)


def _state(place: Place) -> StateFile:
    from api.access.state import STATE, state_file

    return state_file(place.data_folder / STATE)


def _live_sessions(place: Place) -> list[tuple[Session, bool]]:
    """Those that can be used (a revoked credential's are not), and whether each waits for a code."""
    from api.access.prover import Prover
    from api.access.register import REGISTER, AccessRegister
    from api.access.sessions import Sessions
    from api.tokens import TokenFile

    prover = Prover(TokenFile(place.token_file), AccessRegister(place.data_folder / REGISTER))
    return [
        (one, holder.reach(one.code_mark) is not holder.scope)
        for one in Sessions(_state(place)).all()
        if (holder := prover.of_session(one)) is not None
    ]


def _plain_session(one: Session) -> dict[str, object]:
    return one.model_dump(mode="json", exclude={"hash", "mark", "code_mark"}) | {"is_confirmed": bool(one.code_mark)}


def _who() -> str:
    from api.cli.asking.control import user_name

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
    factor = "" if one.totp is None else ", with a second factor"
    return f"{one.person:<16} {one.scope:<8} {one.state(now):<8} {made}{until}{ended}{factor}"


def _plain(one: Credential, now: datetime) -> dict[str, object]:
    plain = one.model_dump(mode="json", exclude={"hash", "totp"})
    return {**plain, "state": one.state(now), "has_totp": one.totp is not None}
