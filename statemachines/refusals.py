"""Why the exchange refused a request, as far as it decides what follows (EX-4, X1, X3, RM-4)."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from statemachines.requests import Blocked, ExchangeResponse, Refused, Unknown

Fault = Literal["transient", "funds", "permanent", "halt", "duplicate"]


class RefusalCause(StrEnum):
    """The causes of refusals that are handled differently."""

    PASSING = "passing"
    """Rate limits and busy servers: the same request may succeed in a moment."""
    CLOSED = "closed"
    """The instrument is not open for trading: the order itself is valid and must wait."""
    PRICE = "price"
    """Outside the venue's price band, off its tick, or a post-only price that would take liquidity (X3)."""
    CROSSED = "crossed"
    """A stop whose trigger the market has already passed (T6)."""
    FUNDS = "funds"
    OTHER = "other"


_CLOSED = frozenset({30228, 110023, 110042, 110074, 170121, 170151, 170157, 170221})
_PRICE = frozenset(
    {
        *(30208, 30209, 110003, 110120, 110121, 170132, 170133, 170193, 170194, 170371, 170372),  # outside the band
        *(170217, 170218),  # post-only
        170134,  # decimals of the price
    }
)

_CROSSED = frozenset({110092, 110093})


def cause_of(code: int, fault: Fault) -> RefusalCause:
    """The cause of a refusal with the exchange's `code`, which the gateway has classified as `fault`."""
    if code in _CLOSED:
        return RefusalCause.CLOSED
    if code in _PRICE:
        return RefusalCause.PRICE
    if code in _CROSSED:
        return RefusalCause.CROSSED
    if fault == "transient":
        return RefusalCause.PASSING
    return RefusalCause.FUNDS if fault == "funds" else RefusalCause.OTHER


def is_undecided(outcome: ExchangeResponse) -> bool:
    """Whether the exchange has not decided the request: no answer, not sent, or a transient refusal (EX-4)."""
    return isinstance(outcome, Unknown | Blocked) or (isinstance(outcome, Refused) and outcome.fault == "transient")


def outcome_in_words(outcome: ExchangeResponse) -> str:
    """An unsuccessful outcome, as a clause."""
    match outcome:
        case Refused():
            return f"refused with {outcome.code}: {outcome.message}"
        case Unknown() | Blocked():
            return f"{outcome.kind}: {outcome.why}"
        case _:
            return outcome.kind
