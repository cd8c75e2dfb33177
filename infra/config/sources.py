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

MOST_LEVELS = 20
"""So deep may values be nested; the deepest field there is has a few levels."""


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The values of the environment variables as nested sections; lists and tables are written as JSON."""
    found: dict[str, Any] = {}
    for variable, name in DATABASE_VARIABLES.items():
        if url := environment.get(variable):
            put(found, ("database", name), url)
    for name, text in environment.items():
        if name.upper().startswith(PREFIX):
            path = tuple(part.lower() for part in name[len(PREFIX) :].split(DELIMITER))
            put(found, path, _value(name, text))
    return found


def find_file(environment: Mapping[str, str]) -> Path | None:
    """The TOML file: ETERNAL_CONFIG, else `eternal.toml` here, else in the data folder; None without one.

    Raises:
        ConfigurationError: ETERNAL_CONFIG names something that is no file.
    """
    if named := environment.get(FILE_VARIABLE):
        path = Path(named)
        if not path.is_file():
            raise ConfigurationError([f"{FILE_VARIABLE} = {named!r} is refused: {_what_is_there(path)}."])
        return path
    folder = Path(environment.get(f"{PREFIX}DATA_FOLDER", ".eternal"))
    return next((path for path in (Path(FILE_NAME), folder / FILE_NAME) if path.is_file()), None)


def read_file(path: Path) -> dict[str, Any]:
    """The file's values; numbers with a point stay exact.

    Raises:
        ConfigurationError: the file is not TOML, or nested too deep.
    """
    origin = f"the file {path}"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except RecursionError:
        raise _too_deep(origin) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"the file {path} is not valid TOML: {error}."]) from None
    _demand_shallow(origin, found)
    return found


def put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a value deep inside nested sections.

    Raises:
        ConfigurationError: the path has too many parts.
    """
    if len(path) > MOST_LEVELS:
        raise _too_deep(f"{'.'.join(path)[:80]}…")
    for part in path[:-1]:
        inner = tree.get(part)
        if not isinstance(inner, dict):
            inner = tree[part] = {}
        tree = inner
    tree[path[-1]] = value


def _value(name: str, text: str) -> Any:
    if text[:1] not in ("[", "{"):
        return text
    try:
        found = json.loads(text, parse_float=Decimal)
    except RecursionError:
        raise _too_deep(name) from None
    except ValueError:
        return text
    _demand_shallow(name, found)
    return found


def _demand_shallow(origin: str, tree: Any) -> None:
    """What reads it further goes as deep as it is nested. Raises ConfigurationError."""
    level = [tree]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise _too_deep(origin)


def _too_deep(origin: str) -> ConfigurationError:
    return ConfigurationError(
        [f"{origin} is refused: it is nested too deep; at most {MOST_LEVELS} levels are allowed."]
    )


def _what_is_there(path: Path) -> str:
    if path.is_dir():
        return "it is a folder, and a TOML file is required"
    if path.exists():
        return "it is no regular file, and a TOML file is required"
    if path.is_symlink():
        return "it is a link that leads to no file"
    return "there is no such file"
