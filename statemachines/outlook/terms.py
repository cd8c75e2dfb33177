"""What would make an engine act next: its conditions, each with the number it reads, the limit and how far it is.

The terms are those by which the rules decide: a rule asks `all_hold` of them, and the operator sees their distance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple, Protocol, runtime_checkable

ZERO, ONE = Decimal(0), Decimal(1)

Side = Literal["above", "below", "at_least", "at_most"]
"""On which side of its limit a number must be; `above` and `below` exclude the limit itself."""

AT_THE_LIMIT = Decimal("0.99")
"""The closeness of a number at a limit that it must pass."""

PRICE_RANGE_ATR = 3
"""A price this many ATR away from its limit has closeness 0."""


class Term(NamedTuple):
    """One number of a rule against its limit, both in `unit`; `value` is None when it is not known, which never holds.

    `span` is the distance at which the closeness is 0; None: the distance is not measured against anything.
    """

    what: str
    value: Decimal | None
    side: Side
    limit: Decimal
    unit: str
    span: Decimal | None = None

    @property
    def holds(self) -> bool:
        """Whether the rule is met by this number."""
        if self.value is None:
            return False
        if self.side == "above":
            return self.value > self.limit
        if self.side == "below":
            return self.value < self.limit
        return self.value >= self.limit if self.side == "at_least" else self.value <= self.limit

    @property
    def distance(self) -> Decimal | None:
        """How far the number is from its limit, in `unit`; 0 when the term holds, None when the number is unknown."""
        if self.value is None:
            return None
        return ZERO if self.holds else abs(self.limit - self.value)

    @property
    def closeness(self) -> Decimal | None:
        """1 when the term holds, else 1 - distance / span, from 0 to 0.99, so that 1 is never said of what does not
        hold; None when that is not known."""
        if self.holds:
            return ONE
        if self.distance is None or not self.span:
            return None
        return min(AT_THE_LIMIT, max(ZERO, ONE - self.distance / self.span))


class Prospect(NamedTuple):
    """Something that the engine would do if all its terms held.

    `subject` is the coin or the deployment. `judged_ms` is the market time at which the rule is read next; None:
    whenever its numbers change. `barred` says why it would not be done even then; empty when nothing bars it.
    """

    subject: str
    event: str
    rule: str
    terms: tuple[Term, ...]
    judged_ms: int | None = None
    barred: str = ""

    @property
    def closeness(self) -> Decimal | None:
        """That of the term that is furthest away; 1 when there is none, None when one of them is not known."""
        known = [term.closeness for term in self.terms]
        return None if None in known else min((one for one in known if one is not None), default=ONE)


@runtime_checkable
class HasOutlook(Protocol):
    """A logic that can say what would make it act next."""

    def outlook(self, now_ms: int) -> Sequence[Prospect]:
        """What it would do next, as of its newest data; changes nothing."""
        ...


def all_hold(terms: Iterable[Term]) -> bool:
    """Whether every term holds."""
    return all(term.holds for term in terms)
