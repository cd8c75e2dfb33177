"""The parameters of a run: the policy in force with the settings that were asked for, as `--set` of the command."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from infra.config import EternalConfig
from infra.config.load import COMMAND_LINE, parse_setting
from infra.config.names import canonical
from infra.config.policy import SECTIONS, changed, differences, policy_of
from infra.config.sources import merged
from infra.faults import ConfigurationError

MARKET_DATA = "market_data"
"""What is read from the exchange is no part of a policy, and a run reads as the installation does."""


class NotRepeatableError(RuntimeError):
    """Settings do not lead to the parameters that they were made from: a defect of this program."""


def settings_for(config: EternalConfig, policy: Mapping[str, Any] | None, asked: Sequence[str]) -> tuple[str, ...]:
    """All settings that differ from the specification's under this policy (None: the configuration's own) with the
    settings that were asked for.

    Raises:
        ConfigurationError: a setting is none of a policy, or is refused.
    """
    base = policy_of(config) if policy is None else policy
    wanted = changed(config, base, asked) | {MARKET_DATA: config.public()[MARKET_DATA]}
    defaults = _shown(EternalConfig())
    settings = tuple(f"{one.setting}={_text(one.setting, one.after)}" for one in differences(defaults, wanted))
    if differences(_shown(config_of(settings)), wanted):
        raise NotRepeatableError(f"the settings {', '.join(settings)} do not lead to the parameters asked for")
    return settings


def config_of(settings: Sequence[str]) -> EternalConfig:
    """The configuration of a run with these settings: nothing of this process's environment or files is in it.

    Raises:
        ConfigurationError: a setting is refused.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        values = merged(values, canonical(parse_setting(setting), COMMAND_LINE))
    return EternalConfig(**values)


def _shown(config: EternalConfig) -> dict[str, Any]:
    document = config.public()
    return {name: document[name] for name in (*SECTIONS, MARKET_DATA)}


def _text(name: str, value: Any) -> str:
    """As `--set` reads it again."""
    if isinstance(value, str):
        return json.dumps(value) if value[:1] in ("[", "{", '"') else value
    if value is None:
        raise ConfigurationError(
            [f"{name} has no value in the policy in force, which no option can express; give it one in the settings."]
        )
    return json.dumps(value, ensure_ascii=False)
