"""The tables of docs/exchange.md, generated from the code: endpoints, faults, scenarios."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.simulator.api.routes import ROUTES
from infra.simulator.faults.catalogue import CATALOGUE, Fault
from infra.simulator.faults.scenario import shipped


def up_to_date(text: str) -> str:
    """The document with each generated part made anew. Raises ValueError when it lacks one."""
    for name, make in PARTS.items():
        begin, end = f"<!-- generated: {name} -->", "<!-- end -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        count = len(pattern.findall(text))
        if count != 1:
            raise ValueError(f"The document has {count} parts {begin} ... {end}; it must have exactly one.")
        before, after = pattern.split(text)
        text = f"{before}{begin}\n\n{make()}\n\n{end}{after}"
    return text


def endpoints() -> str:
    """Every endpoint with its limits."""
    rows = ["| Endpoint | Signed | Requests per second (linear, spot) | What it answers |", "|---|---|---|---|"]
    for (method, path), route in ROUTES.items():
        limits = "by address only" if route.limits is None else f"{route.limits[0]}, {route.limits[1]}"
        each = " (each order of a batch counts)" if route.per_order else ""
        told = _first(route.handler.__doc__ or "").partition(": ")[2] or "as documented by Bybit"
        rows.append(f"| `{method} {path}` | {'yes' if route.signed else 'no'} | {limits}{each} | {told.rstrip('.')} |")
    return "\n".join(rows)


def faults() -> str:
    """Every fault with its fields, by family."""
    parts = []
    for family in dict.fromkeys(model.family for model in CATALOGUE.values()):
        models = {kind: model for kind, model in CATALOGUE.items() if model.family == family}
        shared = set.intersection(*(set(model.model_fields) for model in models.values())) - {"kind"}
        base = next(iter(models.values()))
        rows = [f"#### Faults of {family}", ""]
        if shared:
            rows += [f"All of them have: {'; '.join(_fields(base, shared))}.", ""]
        rows += ["| Kind | What happens | Further fields |", "|---|---|---|"]
        for kind, model in models.items():
            own = set(model.model_fields) - shared - {"kind"}
            own |= {name for name in shared if _default(model, name) != _default(base, name)}
            rows.append(f"| `{kind}` | {_whole(model.__doc__ or '')} | {'; '.join(_fields(model, own)) or 'none'} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def scenarios() -> str:
    """Every shipped scenario with what it teaches and which faults it uses."""
    rows = ["| Scenario | Faults | What it teaches |", "|---|---|---|"]
    for name, scenario in shipped().items():
        kinds = ", ".join(dict.fromkeys(f"`{step.fault.kind}`" for step in scenario.step))
        rows.append(f"| `{name}` | {kinds} | {scenario.teaches} |")
    return "\n".join(rows)


PARTS: Mapping[str, Callable[[], str]] = {"endpoints": endpoints, "faults": faults, "scenarios": scenarios}


def _first(text: str) -> str:
    return _whole(text.strip().split("\n\n")[0])


def _whole(text: str) -> str:
    return " ".join(text.split())


def _default(model: type[Fault], name: str) -> object:
    return model.model_fields[name].default


def _fields(model: type[Fault], names: set[str]) -> Iterator[str]:
    schema = model.model_json_schema(mode="validation")["properties"]
    for name in model.model_fields:
        if name in names:
            default = _default(model, name)
            told = "none" if default is None else f"`{default}`"
            yield f"`{name}` ({_allowed(schema[name])}, default {told})"


def _allowed(schema: Mapping[str, Any]) -> str:
    """What a field may be, in words."""
    options = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    numbers = [one for one in options if one.get("type") in ("number", "integer")]
    one = (numbers or options)[0]
    if "enum" in one:
        return " or ".join(f"`{value}`" for value in one["enum"])
    if one.get("type") not in ("number", "integer"):
        return "text, `*` for all" if schema.get("default") == "*" else "text"
    low = "above " + _number(one["exclusiveMinimum"]) if "exclusiveMinimum" in one else ""
    low = "from " + _number(one["minimum"]) if "minimum" in one else low
    high = f" to {_number(one['maximum'])}" if "maximum" in one else ""
    return f"{low}{high}"


def _number(value: float) -> str:
    return f"{value:,.10g}"
