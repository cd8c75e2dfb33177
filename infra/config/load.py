"""Reading the configuration at the start."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from infra.config.engines import EnginesConfig
from infra.config.errors import explain
from infra.config.model import EternalConfig
from infra.config.shared import refusals
from infra.config.sources import FILE_VARIABLE, find_file, from_environment, put, read_file
from infra.faults import ConfigurationError

SHORT_NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "trend": (("engines", "trend_1"), ("engines", "trend_2")),
    **{name: (("engines", name),) for name in EnginesConfig.model_fields},
}
"""What `--set trend.adx_threshold=20` may leave out: the word `engines`; `trend` means both parameter sets."""


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
    path = find_file(environment)
    layers = [
        ("the command line", merged(overrides or {}, parse_settings(settings))),
        ("the environment", from_environment(environment)),
        (str(path), {} if path is None else read_file(path)),
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


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """`name.name=value` as nested values.

    Raises:
        ConfigurationError: an entry has no `=` or no name.
    """
    found: dict[str, Any] = {}
    for entry in settings:
        name, separator, value = entry.partition("=")
        parts = tuple(part.strip().replace("-", "_") for part in name.split("."))
        if not separator or not all(parts):
            raise ConfigurationError([f"--set {entry!r} is refused: write it as section.field=value."])
        for start in SHORT_NAMES.get(parts[0], ((parts[0],),)):
            put(found, (*start, *parts[1:]), value.strip())
    return found


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both trees; the second wins."""
    result = dict(first)
    for name, value in second.items():
        old = result.get(name)
        both = isinstance(value, Mapping) and isinstance(old, Mapping)
        result[name] = merged(old, value) if both and isinstance(old, Mapping) else value
    return result
