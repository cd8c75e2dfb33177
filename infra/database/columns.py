"""Which fields of a fact are columns; apart from the schema, since every actor writes and few build tables."""

from __future__ import annotations

from statemachines import facts

_SPLIT_OFF: dict[type[facts.Fact], frozenset[str]] = {facts.PostingFact: frozenset({"lines"})}
"""Fields that have a table of their own."""


def fact_columns(fact: type[facts.Fact]) -> tuple[str, ...]:
    """The fields of a fact that are columns of its table."""
    return tuple(name for name in fact.model_fields if name not in _SPLIT_OFF.get(fact, frozenset()))
