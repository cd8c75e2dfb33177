"""The one reader of JSON of the exchange: answers and frames alike."""

from __future__ import annotations

import json
from typing import Any

from infra.bybit.parsing.fields import UnparsableError, shown_text


def read_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        UnparsableError: an object names a field twice, so that it is undecidable which of the two holds.
        ValueError, RecursionError: it is no JSON, or none that Python reads.
    """
    return json.loads(text, object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UnparsableError(f"JSON object: field {shown_text(twice, 80)!r} is given twice; once is required.")
    return made
