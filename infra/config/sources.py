"""Where configuration comes from: environment variables and a TOML file. The standard library is enough for it, so that
a command that only needs the place of the data folder starts at once."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from infra.faults import ConfigurationError

PREFIX = "ETERNAL__"
DELIMITER = "__"
DATABASE_VARIABLES = {"DATABASE_URL": "url", "DATABASE_OWNER_URL": "owner_url"}
FILE_VARIABLE = "ETERNAL_CONFIG"
FILE_NAME = "eternal.toml"


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The values of the environment variables as nested sections; lists and tables are written as JSON."""
    found: dict[str, Any] = {}
    for variable, name in DATABASE_VARIABLES.items():
        if url := environment.get(variable):
            put(found, ("database", name), url)
    for name, text in environment.items():
        if name.upper().startswith(PREFIX):
            path = tuple(part.lower() for part in name[len(PREFIX) :].split(DELIMITER))
            put(found, path, _value(text))
    return found


def find_file(environment: Mapping[str, str]) -> Path | None:
    """The TOML file: ETERNAL_CONFIG, else `eternal.toml` here, else in the data folder; None without one.

    Raises:
        ConfigurationError: ETERNAL_CONFIG names a file that does not exist.
    """
    if named := environment.get(FILE_VARIABLE):
        path = Path(named)
        if not path.is_file():
            raise ConfigurationError([f"{FILE_VARIABLE} = {named!r} is refused: there is no such file."])
        return path
    folder = Path(environment.get(f"{PREFIX}DATA_FOLDER", ".eternal"))
    return next((path for path in (Path(FILE_NAME), folder / FILE_NAME) if path.is_file()), None)


def read_file(path: Path) -> dict[str, Any]:
    """The file's values; numbers with a point stay exact.

    Raises:
        ConfigurationError: the file is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"the file {path} is not valid TOML: {error}."]) from None


def put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a value deep inside nested sections."""
    for part in path[:-1]:
        inner = tree.get(part)
        if not isinstance(inner, dict):
            inner = tree[part] = {}
        tree = inner
    tree[path[-1]] = value


def _value(text: str) -> Any:
    if text[:1] in ("[", "{"):
        try:
            return json.loads(text, parse_float=Decimal)
        except ValueError:
            return text
    return text
