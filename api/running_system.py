"""Where a running system is: its data folder, its address, its token. Enough for the commands that only talk to it.

Reads the same sources in the same order as the whole configuration (the command line, the environment, the file), but
only these few values and without the libraries that judge the rest: `status`, `control` and `stop` start at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.addresses import reachable
from infra.config.sources import FILE_VARIABLE, find_file, from_environment, looked_up, read_file
from infra.faults import ConfigurationError

DEFAULT_FOLDER = ".eternal"
DEFAULT_HOST = "127.0.0.1"
TOKEN_FILE = "api-token"
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
    environment = dict(os.environ)
    if config_file is not None:
        environment[FILE_VARIABLE] = str(config_file)
    path = find_file(environment)
    layers = [from_environment(environment), {} if path is None else read_file(path)]
    folder = data or Path(_text(layers, ("data_folder",)) or DEFAULT_FOLDER)
    token, certificate = (_text(layers, ("api", name)) for name in ("token_file", "tls_certificate"))
    return Place(
        folder,
        _text(layers, ("api", "host")) or DEFAULT_HOST,
        Path(token) if token else folder / TOKEN_FILE,
        Path(certificate) if certificate else None,
    )


def _text(layers: list[dict[str, Any]], path: tuple[str, ...]) -> str:
    for layer in layers:
        value = looked_up(layer, path)
        if value is not None:
            if not isinstance(value, str):
                raise ConfigurationError([f"{'.'.join(path)} = {value!r} is refused: a text is required."])
            return value
    return ""
