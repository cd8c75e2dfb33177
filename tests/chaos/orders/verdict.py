"""Whether a burst was executed exactly once. Pure: by what the engines were told, our records and the exchange's.

Three records must agree on every intent: the tally of the engine that issued it, our orders and executions, and the
exchange's own lists. The exchange's alone says what happened.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from statemachines.execution.orders.order_ids import parse_client_order_id

FINAL = frozenset({"FILLED", "CANCELLED", "REJECTED", "DENIED", "EXPIRED"})
FILLED = "FILLED"
ZERO = Decimal(0)


class End(NamedTuple):
    """What an engine was told of an intent: its outcome in one word, the quantity filled, and why."""

    outcome: str
    filled: Decimal
    why: str = ""


class KeptOrder(NamedTuple):
    """An order in our database."""

    client_order_id: str
    intent_id: str
    state: str
    filled: Decimal


class TheirOrder(NamedTuple):
    """An order at the exchange; `order_id` is its own."""

    order_id: str
    client_order_id: str
    executed: Decimal


class Execution(NamedTuple):
    """One execution, on either side."""

    execution_id: str
    client_order_id: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Records:
    """Everything on record about the intents of one account in one burst, each of `quantity`.

    `repeated` are intents of whose end the engine was told twice.
    """

    installation: str
    quantity: Decimal
    issued: Sequence[str]
    ends: Mapping[str, End]
    repeated: Sequence[str]
    our_orders: Sequence[KeptOrder]
    our_executions: Sequence[Execution]
    their_orders: Sequence[TheirOrder]
    their_executions: Sequence[Execution]


@dataclass(slots=True)
class Verdict:
    """Sentences about intents lost, intents doubled, and records that differ; all empty when all is well."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.differing)

    def add(self, other: Verdict) -> None:
        """Take over what another verdict found."""
        self.lost += other.lost
        self.doubled += other.doubled
        self.differing += other.differing

    def sentences(self) -> list[str]:
        """All findings, each with its kind."""
        kinds = (("lost", self.lost), ("doubled", self.doubled), ("differing", self.differing))
        return [f"{kind}: {one}" for kind, found in kinds for one in found]


def judged(records: Records) -> Verdict:
    """Compare the three records."""
    verdict = Verdict()
    _judge_intents(records, verdict)
    _judge_orders(records, verdict)
    _judge_executions(records, verdict)
    return verdict


def _judge_intents(records: Records, verdict: Verdict) -> None:
    executed = _by_intent(records, records.their_executions)
    booked = _by_intent(records, records.our_executions)
    for intent in records.issued:
        theirs, ours, end = executed.pop(intent, ZERO), booked.pop(intent, ZERO), records.ends.get(intent)
        if end is None:
            verdict.lost.append(f"{intent} has no end; the exchange executed {theirs} of it")
            continue
        told = end.filled
        if theirs > records.quantity:
            verdict.doubled.append(f"{intent} is for {records.quantity}, the exchange executed {theirs}")
        elif theirs < (records.quantity if end.outcome == FILLED else told):
            verdict.lost.append(f"{intent} ended {end.outcome} with {told}, the exchange executed {theirs}")
        elif theirs > told:
            verdict.lost.append(f"{intent}: its engine was told {told}, the exchange executed {theirs}")
        if ours != theirs:
            (verdict.lost if ours < theirs else verdict.doubled).append(
                f"{intent}: our executions are {ours}, the exchange's {theirs}"
            )
    for intent in sorted({*executed, *booked}):
        verdict.doubled.append(f"{intent} was executed, but no engine issued it in this burst")
    for intent in records.repeated:
        verdict.doubled.append(f"{intent}: its engine was told of its end twice")


def _by_intent(records: Records, executions: Sequence[Execution]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for one in executions:
        parts = parse_client_order_id(records.installation, one.client_order_id)
        found[parts.intent_id if parts is not None else f"order {one.client_order_id!r}"] += one.quantity
    return dict(found)


def _judge_orders(records: Records, verdict: Verdict) -> None:
    effective = Counter(one.client_order_id for one in records.their_orders if one.executed)
    for link, count in effective.items():
        if count > 1:
            verdict.doubled.append(f"order {link} was executed by {count} orders of the exchange")
    theirs = {one.client_order_id: one.executed for one in records.their_orders}
    for one in records.our_orders:
        if one.state not in FINAL:
            verdict.lost.append(f"order {one.client_order_id} is still {one.state}")
        if one.filled != theirs.get(one.client_order_id, ZERO):
            verdict.differing.append(
                f"order {one.client_order_id} has {one.filled} in our records, "
                f"{theirs.get(one.client_order_id, ZERO)} at the exchange"
            )
    unknown = set(theirs) - {one.client_order_id for one in records.our_orders}
    verdict.differing += [f"order {link} at the exchange is not in our records" for link in sorted(unknown)]


def _judge_executions(records: Records, verdict: Verdict) -> None:
    for name, found in (("ours", records.our_executions), ("the exchange's", records.their_executions)):
        for execution_id, count in Counter(one.execution_id for one in found).items():
            if count > 1:
                verdict.doubled.append(f"execution {execution_id} stands {count} times in {name}")
    ours, theirs = set(records.our_executions), set(records.their_executions)
    verdict.differing += [f"{one} is not in our records" for one in sorted(theirs - ours)]
    verdict.differing += [f"{one} is not among the exchange's" for one in sorted(ours - theirs)]
