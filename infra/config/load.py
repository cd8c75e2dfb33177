"""Reading the configuration at the start."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from infra.config.errors import explain
from infra.config.model import EternalConfig
from infra.config.names import canonical, defaults, variables
from infra.config.shared import refusals
from infra.config.sources import (
    DELIMITER,
    FILE_VARIABLE,
    VARIABLE_FORM,
    find_file,
    foreign_variables,
    from_environment,
    merged,
    put,
    read_file,
    value_of,
)
from infra.faults import ConfigurationError

COMMAND_LINE = "the command line"
ENVIRONMENT = "the environment"


def load_config(
    overrides: Mapping[str, Any] | None = None, settings: Sequence[str] = (), file: Path | None = None
) -> EternalConfig:
    """The configuration in force.

    `overrides` are nested values from the command line's own options, `settings` its `--set name=value`; `file` stands
    for ETERNAL_CONFIG.

    Raises:
        ConfigurationError: one sentence per problem, naming field, value, origin and what is allowed.
    """
    environment = dict(os.environ)
    if file is not None:
        environment[FILE_VARIABLE] = str(file)
    if foreign := foreign_variables(environment):
        raise ConfigurationError([_foreign(name) for name in foreign])
    try:
        defaults()
    except ValidationError as error:  # an engine that was added
        raise explain(error, EternalConfig, []) from None
    path = find_file(environment)
    command = canonical(overrides or {}, COMMAND_LINE)
    for setting in settings:
        command = merged(command, canonical(parse_setting(setting), COMMAND_LINE))
    layers = [
        (COMMAND_LINE, command),
        (ENVIRONMENT, canonical(from_environment(environment), ENVIRONMENT)),
        (str(path), {} if path is None else canonical(read_file(path), str(path))),
    ]
    wrong_names = refusals(EternalConfig, layers)
    if wrong_names:
        raise ConfigurationError(wrong_names)
    values: dict[str, Any] = {}
    for _, layer in reversed(layers):
        values = merged(values, layer)
    try:
        return EternalConfig(**values)
    except ValidationError as error:
        raise explain(error, EternalConfig, layers) from None


def parse_setting(entry: str) -> dict[str, Any]:
    """`name.name=value` as nested values; lists and tables are written as JSON or TOML.

    Raises:
        ConfigurationError: the entry has no `=` or no name.
    """
    name, separator, value = entry.partition("=")
    parts = tuple(part.strip() for part in name.split("."))
    if not separator or not all(parts):
        raise ConfigurationError([f"--set {entry!r} is refused: write it as section.field=value."])
    found: dict[str, Any] = {}
    put(found, parts, value_of(f"--set {name}", value.strip()))
    return found


def _foreign(name: str) -> str:
    """The sentence about a variable that would be ignored, with the one that was probably meant."""
    meant = next((one for one in variables() if one.replace(DELIMITER, "_") == name.upper()), None)
    return f"{name} is refused: {VARIABLE_FORM}{'' if meant is None else f'; write {meant}'}."
