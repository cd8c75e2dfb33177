"""IF-4: the interface's own description is complete. Every number, decimal and instant has its unit, every parameter
its bounds, every refusal its schema."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.api.client.document import openapi

UNIT_IN_NAME = re.compile(r"_(ms|s|usdt)$")
UNITS = re.compile(
    r"\b(USDT|base coin|in this coin|in that coin|in the coin|fractions?|multiple of|counts?|numbers?|seconds"
    r"|milliseconds|id of its process|without unit|with its unit|TCP port|version)\b|in `unit`"
)
INSTANT_IN_NAME = re.compile(r"_at$")
NUMBERS = frozenset({"integer", "number"})
REFUSED = frozenset({"401", "403", "422", "429", "503"})
"""What any request with a credential may be answered."""

Faults = Iterator[str]


def variants(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schema and its alternatives."""
    return [schema, *schema.get("anyOf", [])]


def text_of(schema: Mapping[str, Any]) -> str:
    return " ".join(str(one.get("description", "")) for one in variants(schema))


def is_measured(schema: Mapping[str, Any]) -> bool:
    """Whether a value of this schema needs a unit: a number, an exact decimal, a map or a list of them."""
    for one in variants(schema):
        inner = one.get("additionalProperties")
        if one.get("type") in NUMBERS or one.get("format") == "decimal":
            return True
        if inner is True or (isinstance(inner, dict) and inner) or (inner is not None and one.get("type") == "object"):
            return True
        if one.get("type") == "array" and "$ref" not in one["items"] and is_measured(one["items"]):
            return True
    return False


def without_unit(document: Mapping[str, Any]) -> Faults:
    """Fields of the answers and requests whose unit is neither in their name nor in their description."""
    for name, schema in document["components"]["schemas"].items():
        for field, found in schema.get("properties", {}).items():
            text = text_of(found)
            if is_measured(found) and not UNIT_IN_NAME.search(field) and not UNITS.search(text):
                yield f"{name}.{field}: no unit"
            if INSTANT_IN_NAME.search(field) and "ISO 8601" not in text:
                yield f"{name}.{field}: not said in which form and zone the instant is"
            if field.endswith("_ms") and not text:
                yield f"{name}.{field}: not said which time it is"


def is_bounded(schema: Mapping[str, Any]) -> bool:
    """Whether the document says what is allowed."""
    whole = variants(schema)
    if any("enum" in one or "const" in one for one in whole):
        return True
    if any(one.get("type") in NUMBERS for one in whole):
        return any({"minimum", "maximum"} <= set(one) for one in whole)
    if any(one.get("type") == "string" for one in whole):
        return any({"maxLength", "pattern"} & set(one) for one in whole)
    if any(one.get("type") == "array" for one in whole):
        return any("maxItems" in one and is_bounded(one["items"]) for one in whole)
    return any(one.get("type") == "boolean" or "$ref" in one for one in whole)


def without_bounds(document: Mapping[str, Any]) -> Faults:
    """Parameters and fields of request bodies that do not say what is allowed."""
    for path, ways in document["paths"].items():
        for way, operation in ways.items():
            for one in operation.get("parameters", []):
                if not is_bounded(one["schema"]):
                    yield f"{way} {path}: {one['name']} has no bounds"
                if not one.get("description"):
                    yield f"{way} {path}: {one['name']} is not described"
            body = operation.get("requestBody")
            if body is not None:
                name = next(
                    one["$ref"] for one in variants(body["content"]["application/json"]["schema"]) if "$ref" in one
                )
                name = name.rpartition("/")[2]
                fields = document["components"]["schemas"][name]["properties"]
                yield from (f"{name}.{field} has no bounds" for field, one in fields.items() if not is_bounded(one))


def without_refusals(document: Mapping[str, Any]) -> Faults:
    """Operations that do not document each refusal with its meaning and schema."""
    for path, ways in document["paths"].items():
        for way, operation in ways.items():
            answers = operation["responses"]
            if path != "/health":
                yield from (f"{way} {path}: {status} is not documented" for status in sorted(REFUSED - set(answers)))
            for status, answer in answers.items():
                if not answer.get("description") or not answer.get("content"):
                    yield f"{way} {path}: {status} has no description or no schema"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi()


def test_every_number_decimal_and_instant_has_its_unit(document: dict[str, Any]) -> None:
    assert list(without_unit(document)) == []


def test_every_parameter_has_bounds_and_a_description(document: dict[str, Any]) -> None:
    assert list(without_bounds(document)) == []


def test_every_refusal_is_documented(document: dict[str, Any]) -> None:
    assert list(without_refusals(document)) == []


def test_what_is_left_out_is_noticed(document: dict[str, Any]) -> None:
    """Planted: an amount, a map and an instant without unit, a parameter without bounds, a refusal without words."""
    planted = copy.deepcopy(document)
    schemas, orders = planted["components"]["schemas"], planted["paths"]["/api/v1/orders"]["get"]
    del schemas["PostingLine"]["properties"]["amount"]["description"]
    del schemas["Portfolio"]["properties"]["prices"]["description"]
    del schemas["PolicyVersion"]["properties"]["recorded_at"]["description"]
    for one in orders["parameters"]:
        if one["name"] == "limit":
            del one["schema"]["maximum"]
    orders["responses"]["429"]["description"] = ""
    del orders["responses"]["403"]
    assert len(list(without_unit(planted))) == 3
    assert list(without_bounds(planted)) == ["get /api/v1/orders: limit has no bounds"]
    assert len(list(without_refusals(planted))) == 2
