"""Configuration: defaults of the specification, a TOML file, environment variables, options of the command line.

Read once at the start; a wrong value stops it with a sentence per problem. Rules have no default values of their own.
"""

from infra.config.errors import ConfigurationError
from infra.config.load import load_config
from infra.config.model import EternalConfig, Profile

__all__ = ["ConfigurationError", "EternalConfig", "Profile", "load_config"]
