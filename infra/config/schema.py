"""The JSON Schema of the configuration file for editors, generated from the models.

pydantic's schema holds types and bounds; meaning, unit, rules and the default of each place are added to it (TREND-2's
averages differ from those of its class).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

from infra.config.fields import FieldFacts, SectionFacts, facts_of
from infra.config.model import EternalConfig
from infra.config.names import SHORT_NAMES
from statemachines.parameters import SET_BY_KEY

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = "#/$defs/"


def schema() -> str:
    """The text of `docs/eternal.schema.json`."""
    source = _settable(TypeAdapter(EternalConfig).json_schema())
    definitions = source.pop("$defs")
    document = {"$schema": DIALECT, **_table(facts_of(EternalConfig()), source, definitions)}
    document["properties"] |= _short_names()
    document["title"] = "Configuration of Eternal Engine (eternal.toml)"
    document["$defs"] = _used(document, definitions)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _short_names() -> dict[str, Any]:
    """Every name that may stand instead of `engines.NAME`; the defaults are those of the first engine meant."""
    return {
        name: {"$ref": f"#/properties/engines/properties/{engines[0]}"} for name, engines in sorted(SHORT_NAMES.items())
    }


def _settable(node: Any) -> Any:
    """The schema without the fields whose value is set elsewhere (`SetBy`)."""
    if isinstance(node, list):
        return [_settable(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {name: _settable(one) for name, one in node.items()}
    if isinstance(fields := kept.get("properties"), dict):
        kept["properties"] = {n: one for n, one in fields.items() if not isinstance(one, dict) or SET_BY_KEY not in one}
    return kept


def _table(section: SectionFacts, source: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """One table. No field is required: what the file leaves out keeps its default."""
    found: dict[str, Any] = {
        "type": "object",
        "title": source["title"],
        "additionalProperties": False,
        "properties": {name: _stripped(one) for name, one in source["properties"].items()},
    }
    if section.meaning:
        found["description"] = section.meaning
    for field in section.fields:
        found["properties"][field.name] |= _documented(field)
    for inner in section.sections:
        name, *keys = inner.path[len(section.path) :]
        table = _table(inner, definitions[inner.model.__name__], definitions)
        if not keys:
            found["properties"][name] = table
            continue
        place = found["properties"][name]  # a table of tables; a key that is not there yet needs what has no default
        if patterns := place.pop("patternProperties", None):  # they would apply to the keys that are there, too
            ((pattern, place["additionalProperties"]),) = patterns.items()
            place["propertyNames"] = {"pattern": pattern}
        place.setdefault("properties", {})[keys[0]] = table
    return found


def _documented(field: FieldFacts) -> dict[str, Any]:
    facts = {"Unit": field.unit, "Allowed": field.allowed, "Rules": ", ".join(field.rules)}
    parts = [field.meaning, *(f"{name}: {text}." for name, text in facts.items() if text)]
    found: dict[str, Any] = {"description": " ".join(parts)}
    if field.default is not None:
        found["default"] = json_value(field.default)
    return found


def json_value(value: Any) -> Any:
    """A value as an editor inserts it: numbers as numbers, sets in order."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, BaseModel):
        return json_value(value.model_dump())
    if isinstance(value, dict):
        return {str(to_jsonable_python(key)): json_value(one) for key, one in value.items()}
    if isinstance(value, frozenset):
        return sorted(json_value(one) for one in value)
    if isinstance(value, tuple | list):
        return [json_value(one) for one in value]
    return to_jsonable_python(value)


def _stripped(source: dict[str, Any]) -> dict[str, Any]:
    """Without the defaults and descriptions of the class; those of the place are added."""
    return {name: copy.deepcopy(one) for name, one in source.items() if name not in ("default", "description")}


def _used(document: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions that the document refers to, and those that they refer to."""
    found: dict[str, Any] = {}
    waiting = list(_references(document))
    while waiting:
        name = waiting.pop().removeprefix(REFERENCE)
        if name not in found:
            found[name] = _without_defaults(definitions[name])
            waiting += _references(found[name])
    return dict(sorted(found.items()))


def _without_defaults(definition: dict[str, Any]) -> dict[str, Any]:
    properties = definition.get("properties", {})
    kept = {name: {key: one for key, one in inner.items() if key != "default"} for name, inner in properties.items()}
    return {**definition, **({"properties": kept} if kept else {})}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str) and reference.startswith(REFERENCE):
            yield reference
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from _references(one)
