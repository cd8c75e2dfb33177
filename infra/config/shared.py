"""Limits that two parts apply and that have one setting (`statemachines.parameters.SetBy`): where their value comes
from, and the message for a setting of the other name."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

from statemachines.parameters import SetBy, section_of, set_by, with_shared

REMOVED: Mapping[str, str] = {"risk.insurance_fund_fall": "engines.funding.insurance_fall"}
"""Settings of earlier versions by their dotted name, and what is set instead."""

_Model = TypeVar("_Model", bound=BaseModel)


def in_force(parameters: _Model, config: BaseModel) -> _Model:
    """The parameters with every shared limit as `config` sets it; not for settings that name `{engine}`."""

    def look_up(shared: SetBy) -> object | None:
        if "{engine}" in shared.setting:
            return None
        *sections, name = shared.setting.split(".")
        here: Any = config
        for section in sections:
            here = getattr(here, section)
        return getattr(here, shared.read or name)  # type: ignore[no-any-return]

    return with_shared(parameters, look_up)


def refusals(model: type[BaseModel], layers: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """A sentence for every name in the layers that is set elsewhere: the name to use instead."""
    found: list[str] = []
    for origin, layer in layers:
        for path in _paths(layer):
            setting = _setting_instead(model, path)
            if setting is None:
                continue
            found.append(f"{'.'.join(path)} (set in {origin}) is refused: {setting}.")
    return found


def model_at(model: type[BaseModel], path: Sequence[Any]) -> type[BaseModel] | None:
    """The model of the section that `path` leads to; None when it leads to no section."""
    here: Any = model
    for part in path:
        if isinstance(here, type) and issubclass(here, BaseModel) and part in here.model_fields:
            here = here.model_fields[part].annotation
        else:  # a key of a table or an index of a list: its last type argument
            arguments = [argument for argument in get_args(here) if argument is not Ellipsis]
            here = arguments[-1] if arguments else None
        if get_origin(here) in (Union, types.UnionType):
            here = next(argument for argument in get_args(here) if argument is not type(None))
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def without_shared(model: BaseModel, document: dict[str, Any]) -> dict[str, Any]:
    """`model` as `document` shows it, without the limits that are set elsewhere."""
    shown = dict(document)
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if set_by(field) is not None:
            shown.pop(name, None)
        elif isinstance(value, BaseModel) and name in shown:
            shown[name] = without_shared(value, shown[name])
        elif isinstance(value, Mapping) and name in shown:
            models = {str(key): one for key, one in value.items() if isinstance(one, BaseModel)}
            shown[name] = shown[name] | {key: without_shared(one, shown[name][key]) for key, one in models.items()}
    return shown


def with_sets_in_order(value: Any, shown: Any) -> Any:
    """`value` as `shown` shows it, its sets as sorted lists: their own order is another one in every process, and what
    is recorded would differ without a change."""
    if isinstance(value, frozenset):
        return sorted(shown, key=str)
    if isinstance(value, BaseModel):
        return {name: with_sets_in_order(getattr(value, name), one) for name, one in shown.items()}
    if isinstance(value, Mapping):
        return {str(key): with_sets_in_order(one, shown[str(key)]) for key, one in value.items()}
    if isinstance(value, tuple):
        return [with_sets_in_order(one, two) for one, two in zip(value, shown, strict=True)]
    return shown


def _paths(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in tree.items():
        yield (*path, str(name))
        if isinstance(value, Mapping):
            yield from _paths(value, (*path, str(name)))


def _setting_instead(model: type[BaseModel], path: tuple[str, ...]) -> str | None:
    instead = REMOVED.get(".".join(path))
    if instead is not None:
        return f"the limit is set once, as {instead}"
    section = model_at(model, path[:-1])
    field = None if section is None else section.model_fields.get(path[-1])
    shared = None if field is None else set_by(field)
    if shared is None:
        return None
    engine = path[-2] if "{engine}" in shared.setting else ""
    setting = shared.setting.format(engine=section_of(engine))
    *sections, name = setting.split(".")
    source = model_at(model, sections)
    if source is None or name not in source.model_fields:
        return f"no rule gives {engine} a limit of this kind"
    return f"the limit is set once, as {setting}"
