"""Configuration: defaults of the specification, a TOML file, environment variables, options of the command line.

Read once at the start; a wrong value stops it with a sentence per problem. Rules have no default values of their own.
The names below are loaded when they are first used: `infra.config.sources` alone needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from infra.faults import ConfigurationError

if TYPE_CHECKING:
    from infra.config.load import load_config
    from infra.config.model import EternalConfig, Profile

_MODULE_OF = {
    "EternalConfig": "infra.config.model",
    "Profile": "infra.config.model",
    "load_config": "infra.config.load",
}

__all__ = ["ConfigurationError", "EternalConfig", "Profile", "load_config"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)
