"""The policy (RM-6): the sections of the configuration that say how much is risked and by which rules.

Only these can be changed by `eternal policy`; where the system runs, its keys and its ports stay in the configuration.
A policy is a document of JSON values as `EternalConfig.public` shows them, and is validated as a part of the whole
configuration: by the same models, bounds and demands of one section on another. Those are loaded when a policy is
validated: showing and comparing versions needs none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

from infra.config.sources import merged
from infra.faults import ConfigurationError

if TYPE_CHECKING:
    from infra.config.model import EternalConfig

SECTIONS = ("engines", "risk", "orders", "orchestrator")
"""Limits, weights and the engines' parameters."""

Policy = Mapping[str, Any]


class Difference(NamedTuple):
    """One setting that two policies have differently, by its dotted name; None where one of them lacks it."""

    setting: str
    before: Any
    after: Any


class Setting(NamedTuple):
    """A setting of the policy that can be changed: its value as JSON, its unit if it is a number, what is allowed and
    what it means, in words."""

    setting: str
    value: Any
    unit: str | None
    allowed: str
    meaning: str


def settings_of(config: EternalConfig) -> list[Setting]:
    """Every setting of the policy, in the order of the sections; of a table of values each entry, and the table itself
    where it has none yet."""
    from infra.config.fields import facts_of

    document = policy_of(config)
    facts = facts_of(config)
    chosen = {one.path[0]: one for one in facts.sections if one.path[0] in SECTIONS}
    found = []
    for section in (inner for name in SECTIONS for inner in chosen[name].walk()):
        for field in section.fields:
            value: Any = document
            for part in field.path:
                value = value[part]
            name = ".".join(field.path)
            entries = {f"{name}.{key}": one for key, one in value.items()} if isinstance(value, Mapping) else {}
            for here, one in (entries or {name: value}).items():
                found.append(Setting(here, one, field.unit, field.allowed, field.meaning))
    return found


def policy_of(config: EternalConfig) -> dict[str, Any]:
    """The policy that a configuration holds."""
    document = config.public()
    return {name: document[name] for name in SECTIONS}


def with_policy(config: EternalConfig, policy: Policy, origin: str) -> EternalConfig:
    """The configuration with this policy in place of its own. A setting that the policy lacks, as one of an earlier
    version does, keeps the configuration's value. `origin` names the policy in refusals.

    Raises:
        ConfigurationError: it is none that this configuration could hold; one sentence per problem.
    """
    from pydantic import ValidationError

    from infra.config.errors import explain
    from infra.config.model import EternalConfig

    if foreign := sorted(set(policy) - set(SECTIONS)):
        raise ConfigurationError(
            [f"{one} (set in {origin}) is refused: a policy has the sections {', '.join(SECTIONS)}." for one in foreign]
        )
    others = {name: getattr(config, name) for name in EternalConfig.model_fields if name not in SECTIONS}
    values = _over(policy_of(config), policy)
    try:
        return EternalConfig(**others, **values)
    except ValidationError as error:
        raise explain(error, EternalConfig, [(origin, values)]) from None


def _over(own: Mapping[str, Any], policy: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[str, Any]:
    """The policy over the configuration's own. A table of values, as weights by coin, is one setting: the policy's as a
    whole, since a coin that it does not name has no weight in it."""
    from infra.config.model import EternalConfig
    from infra.config.shared import model_at

    result = dict(own)
    for name, value in policy.items():
        here, old = (*path, name), own.get(name)
        is_section = any(model_at(EternalConfig, one) is not None for one in (here, (*here, "")))
        both = isinstance(value, Mapping) and isinstance(old, Mapping) and is_section
        result[name] = _over(old, value, here) if both and isinstance(old, Mapping) else value
    return result


def changed(
    config: EternalConfig, policy: Policy, settings: Sequence[str], origin: str = "the command line"
) -> dict[str, Any]:
    """The policy with settings as on the command line (`risk.price_collar=0.01`, `trend.…=…`), validated. `origin`
    names where they were given in refusals.

    Raises:
        ConfigurationError: a setting is none of a policy, or is refused; one sentence per problem.
    """
    from infra.config.load import parse_setting
    from infra.config.model import EternalConfig
    from infra.config.names import canonical
    from infra.config.shared import refusals

    given: dict[str, Any] = {}
    for setting in settings:
        given = merged(given, canonical(parse_setting(setting), origin))
    if wrong := refusals(EternalConfig, [(origin, given)]):
        raise ConfigurationError(wrong)
    if foreign := sorted(set(given) - set(SECTIONS)):
        raise ConfigurationError(
            [
                f"{one} (set in {origin}) is refused: a policy has the sections {', '.join(SECTIONS)}; other settings "
                "are set in the configuration file and apply from the next start on."
                for one in foreign
            ]
        )
    return policy_of(with_policy(config, merged(policy, given), origin))


def differences(before: Policy, after: Policy) -> list[Difference]:
    """What differs, by the dotted names of the settings, in their order."""
    first, second = dict(_settings(before)), dict(_settings(after))
    return [
        Difference(name, first.get(name), second.get(name))
        for name in sorted(first.keys() | second.keys())
        if not is_same(first.get(name), second.get(name))
    ]


def is_same(before: Any, after: Any) -> bool:
    """Whether two values of a setting are one: 0.1 and 0.10 are."""
    if before == after or before is None or after is None:
        return bool(before == after)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(is_same, before, after))
    if isinstance(before, str) and isinstance(after, str):
        try:
            return Decimal(before) == Decimal(after)
        except InvalidOperation:
            return False
    return False


def _settings(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        here = f"{path}.{name}" if path else str(name)
        if isinstance(value, Mapping):
            yield from _settings(value, here)
        else:
            yield here, value
