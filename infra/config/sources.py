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
from infra.processes.environment import MARK

PREFIX = "ETERNAL__"
DELIMITER = "__"
START = "ETERNAL_"
VARIABLE_FORM = (
    "it is no setting; the names of settings have two underscores after ETERNAL and between their parts, as "
    "ETERNAL__PROFILE and ETERNAL__API__PORT have"
)
DATABASE_VARIABLES = {"DATABASE_URL": "url", "DATABASE_OWNER_URL": "owner_url"}
FILE_VARIABLE = "ETERNAL_CONFIG"
FILE_NAME = "eternal.toml"

URL_VARIABLE, TOKEN_VARIABLE, CREDENTIALS_VARIABLE = "ETERNAL_URL", "ETERNAL_TOKEN", "ETERNAL_CREDENTIALS"
"""Where a command that asks finds a system of another machine, and what opens it (`api.cli.asking.way`)."""

OWN_VARIABLES = frozenset({FILE_VARIABLE, MARK, URL_VARIABLE, TOKEN_VARIABLE, CREDENTIALS_VARIABLE})
"""Variables that begin with ETERNAL_ and are no settings: the file's place, the mark of our processes, the way of a
command to a running system."""

MAX_LEVELS = 20
"""So deep may values be nested; the deepest field there is has a few levels."""


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The values of the environment variables as nested sections, named as they are written.

    Raises:
        ConfigurationError: a variable begins with ETERNAL_ and is no setting; it would be ignored silently.
    """
    if foreign := foreign_variables(environment):
        raise ConfigurationError([f"{name} is refused: {VARIABLE_FORM}." for name in foreign])
    found: dict[str, Any] = {}
    for variable, name in DATABASE_VARIABLES.items():
        if url := environment.get(variable):
            put(found, ("database", name), url)
    for name, text in environment.items():
        if name.upper().startswith(PREFIX):
            put(found, tuple(name[len(PREFIX) :].split(DELIMITER)), value_of(name, text))
    return found


def foreign_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that begin with ETERNAL_ and are neither settings nor the program's own."""
    return [
        name
        for name in environment
        if name.upper().startswith(START) and not name.upper().startswith(PREFIX) and name not in OWN_VARIABLES
    ]


def plain_name(name: str) -> str:
    """A name without regard to capitals and to `-` or `_`."""
    return name.casefold().replace("-", "_")


def looked_up(tree: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """The value at a path, however its names are spelt; None when there is none."""
    here: Any = tree
    for part in path:
        names = {plain_name(str(name)): name for name in here} if isinstance(here, Mapping) else {}
        here = here[names[part]] if part in names else None
    return here


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both trees; the second wins."""
    result = dict(first)
    for name, value in second.items():
        old = result.get(name)
        both = isinstance(value, Mapping) and isinstance(old, Mapping)
        result[name] = merged(old, value) if both and isinstance(old, Mapping) else value
    return result


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
    folder = Path(str(looked_up(from_environment(environment), ("data_folder",)) or ".eternal"))
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
    if len(path) > MAX_LEVELS:
        raise _too_deep(f"{'.'.join(path)[:80]}…")
    for part in path[:-1]:
        inner = tree.get(part)
        if not isinstance(inner, dict):
            inner = tree[part] = {}
        tree = inner
    tree[path[-1]] = value


def value_of(name: str, text: str) -> Any:
    """What a variable or `--set` says: lists, tables and quoted text are JSON or TOML, all else is plain text.

    Raises:
        ConfigurationError: it is nested too deep.
    """
    if text[:1] not in ("[", "{", '"'):
        return text
    found: Any = text
    for read in (_json, _toml):
        try:
            found = read(text)
            break
        except RecursionError:
            raise _too_deep(name) from None
        except ValueError:
            continue  # then it is the other notation, or a text that begins so
    _demand_shallow(name, found)
    return found


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _toml(text: str) -> Any:
    return tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]


def _demand_shallow(origin: str, tree: Any) -> None:
    """What reads it further goes as deep as it is nested. Raises ConfigurationError."""
    level = [tree]
    for _ in range(MAX_LEVELS):
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
    return ConfigurationError([f"{origin} is refused: it is nested too deep; at most {MAX_LEVELS} levels are allowed."])


def _what_is_there(path: Path) -> str:
    if path.is_dir():
        return "it is a folder, and a TOML file is required"
    if path.exists():
        return "it is no regular file, and a TOML file is required"
    if path.is_symlink():
        return "it is a link that leads to no file"
    return "there is no such file"
