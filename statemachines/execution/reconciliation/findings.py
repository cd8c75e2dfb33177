"""The findings of a comparison."""

from __future__ import annotations

from typing import Literal, NamedTuple

from statemachines.facts import DiscrepancyFact
from statemachines.values import Account

Kind = Literal[
    "execution",
    "contradiction",
    "order",
    "own_order",
    "position",
    "external_position",
    "average_price",
    "balance",
    "earn",
    "earn_move",
    "deposit",
    "withdrawal",
    "transaction",
    "suspense",
    "opening",
]

RECOVERED: frozenset[Kind] = frozenset(
    {"execution", "deposit", "withdrawal", "transaction", "suspense", "own_order", "earn_move"}
)
"""Kinds that the exchange's own records explain: they are listed but do not count as mismatches (RM-4)."""

EXTERNAL: frozenset[Kind] = frozenset({"order", "external_position"})
"""Orders and positions that are none of ours: they alert, they are no mismatch (R2)."""


class Finding(NamedTuple):
    """One difference: our value, the exchange's value, and the resolution."""

    account: Account
    kind: Kind
    subject: str
    ours: str
    theirs: str
    resolution: str

    @property
    def is_mismatch(self) -> bool:
        """Whether the difference is unexplained and counts as a mismatch."""
        return self.kind not in RECOVERED | EXTERNAL

    def sentence(self) -> str:
        """For alerts and reports."""
        return f"{self.account} {self.kind} {self.subject}: ours {self.ours}, exchange {self.theirs}; {self.resolution}"

    def fact(self, found_ms: int) -> DiscrepancyFact:
        return DiscrepancyFact(
            discrepancy_id=f"{self.account}:{self.kind}:{self.subject}:{found_ms}",
            account=self.account,
            kind=self.kind,
            subject=self.subject,
            ours=self.ours,
            theirs=self.theirs,
            resolution=self.resolution,
            found_ms=found_ms,
        )
