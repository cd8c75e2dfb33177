"""Where a running system is: its data folder, its address, its token. Enough for the commands that only talk to it.

Reads the same sources in the same order as the whole configuration (the command line, the environment, the file), but
only these few values and without the libraries that judge the rest: `status`, `control` and `stop` start at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from infra.addresses import reachable
from infra.config.sources import FILE_VARIABLE, find_file, from_environment, looked_up, read_file
from infra.faults import ConfigurationError, OperatorError
from infra.files import read_port

DEFAULT_FOLDER = ".eternal"
DEFAULT_HOST = "127.0.0.1"
TOKEN_FILE = "api-token"
DATABASE_FOLDER = "database"
OVERVIEW = "overview"
"""Under this name the launch's own socket answers what `eternal run` shows."""


@dataclass(frozen=True, slots=True)
class Place:
    """`host` is what the interface listens on, `token_file` what opens it, `certificate` what it shows if it talks
    TLS."""

    data_folder: Path
    host: str = DEFAULT_HOST
    token_file: Path = Path(DEFAULT_FOLDER) / TOKEN_FILE
    certificate: Path | None = None

    @property
    def reachable_host(self) -> str:
        """An address of this machine that reaches `host`."""
        return reachable(self.host)


def find_place(data: Path | None, config_file: Path | None) -> Place:
    """Where the command line, the environment or the file say that the system is.

    Raises:
        ConfigurationError: the file does not exist or is not TOML, or one of the values is no text.
    """
    layers = _layers(config_file)
    folder = data or Path(_text(layers, ("data_folder",)) or DEFAULT_FOLDER)
    token, certificate = (_text(layers, ("api", name)) for name in ("token_file", "tls_certificate"))
    return Place(
        folder,
        _text(layers, ("api", "host")) or DEFAULT_HOST,
        Path(token) if token else folder / TOKEN_FILE,
        Path(certificate) if certificate else None,
    )


class DatabaseWay(NamedTuple):
    """URLs of a system's database, with passwords: never to be shown."""

    for_writing: str
    for_reading: str


def own_database(config_file: Path | None) -> bool:
    """Whether the database is one of the operator's own, which is up without the system."""
    return bool(_text(_layers(config_file), ("database", "url")))


def find_database(place: Place, config_file: Path | None) -> DatabaseWay:
    """The database of the system at this place, for a command that must not load the whole configuration. A database
    of your own has the login of its URL.

    Raises:
        ConfigurationError: a file or a value cannot be read.
        OperatorError: the embedded database has never been started, or this user may not read its passwords.
    """
    layers = _layers(config_file)
    own = _text(layers, ("database", "url"))
    if own:
        return DatabaseWay(_text(layers, ("database", "owner_url")) or own, own)
    writing, reading = (
        embedded_url(place.data_folder / DATABASE_FOLDER, role) for role in ("eternal_app", "eternal_reader")
    )
    if writing is None or reading is None:
        raise OperatorError(f"the passwords below {place.data_folder / DATABASE_FOLDER} cannot be read")
    return DatabaseWay(writing, reading)


def embedded_url(folder: Path, role: str, port: int = 0) -> str | None:
    """The URL of the embedded database in this folder for this role, with its password: never to be shown. None: it was
    never started, or this user may not read the password."""
    from infra.database.server.cluster import HOST, PASSWORD_FILE
    from infra.database.server.embedded import DATABASE
    from infra.database.server.files import reachable_home, server_user

    home = reachable_home(folder, server_user())
    port = port or read_port(home / "port") or 0
    try:
        password = (home / f"{PASSWORD_FILE}-{role}").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        password = ""
    return f"postgresql://{role}:{password}@{HOST}:{port}/{DATABASE}" if port and password else None


def _layers(config_file: Path | None) -> list[dict[str, Any]]:
    environment = dict(os.environ)
    if config_file is not None:
        environment[FILE_VARIABLE] = str(config_file)
    path = find_file(environment)
    return [from_environment(environment), {} if path is None else read_file(path)]


def _text(layers: list[dict[str, Any]], path: tuple[str, ...]) -> str:
    for layer in layers:
        value = looked_up(layer, path)
        if value is not None:
            if not isinstance(value, str):
                raise ConfigurationError([f"{'.'.join(path)} = {value!r} is refused: a text is required."])
            return value
    return ""
