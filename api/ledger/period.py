"""The span of a journal, as `--from` and `--to` give it."""

from __future__ import annotations

from dataclasses import dataclass

FOREVER_MS = 2**62


@dataclass(frozen=True, slots=True)
class Period:
    """Entries with `from_ms` <= time < `until_ms`, ms UTC; without bounds the whole ledger."""

    from_ms: int = 0
    until_ms: int = FOREVER_MS
