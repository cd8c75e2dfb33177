"""The capital that moves on one day, as pure arithmetic on equity and weights: OR-2 (O2), OR-4 (O5), OR-5 (O6).

Amounts are USDT. Nothing here asks whether an engine can give it: it answers that itself (C10, O4, A8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from statemachines.orchestration.allocation.parameters import AllocationParameters
from statemachines.orchestration.allocation.weights import ZERO, Weights
from statemachines.values import ENGINES, SLEEVE_OF, ActorName, Sleeve, floor_to_step

Rule = Literal["OR-2", "OR-4", "OR-5"]
Equities = Mapping[Sleeve, Decimal]
"""Equity of each sleeve in USDT, with what is already on its way to it and without what is on its way from it."""


class SleeveMove(NamedTuple):
    """Capital from one sleeve to another; from the master account when `giver` is None."""

    giver: Sleeve | None
    receiver: Sleeve
    amount_usdt: Decimal
    rule: Rule


class EngineMove(NamedTuple):
    """The same between two engines; from the master account when `giver` is None."""

    giver: ActorName | None
    receiver: ActorName
    amount_usdt: Decimal
    rule: Rule


def regime_moves(before: Weights, after: Weights, total_usdt: Decimal) -> list[SleeveMove]:
    """O2: each engine receives or gives (w_new − w_old) × portfolio value; each giver's part is split among the
    receivers by what they receive."""
    changes = {sleeve: (after[sleeve] - before[sleeve]) * total_usdt for sleeve in Sleeve}
    receives = {sleeve: amount for sleeve, amount in changes.items() if amount > 0}
    found: list[SleeveMove] = []
    for giver, change in changes.items():
        if change < 0:
            found += [SleeveMove(giver, to, part, "OR-2") for to, part in _split(-change, receives).items()]
    return found


class Trim(NamedTuple):
    """OR-4: an engine's excess over its weight. `waits`: it is below the smallest trim (O7)."""

    giver: Sleeve
    excess_usdt: Decimal
    weight_now: Decimal
    weight: Decimal
    waits: bool


def trims(equities: Equities, weights: Weights, total_usdt: Decimal, p: AllocationParameters) -> list[Trim]:
    """OR-4, O5: engines 10 points or more above the day's weight, TREND first."""
    if total_usdt <= 0:
        return []
    found = []
    for sleeve in sorted(Sleeve, key=lambda one: one is not Sleeve.TREND):
        now = equities[sleeve] / total_usdt
        if now - weights[sleeve] >= p.trim_excess:
            excess = equities[sleeve] - weights[sleeve] * total_usdt
            found.append(Trim(sleeve, excess, now, weights[sleeve], excess < p.min_trim * total_usdt))
    return found


def trim_moves(
    found: Sequence[Trim], equities: Equities, weights: Weights, total_usdt: Decimal, p: AllocationParameters
) -> list[SleeveMove]:
    """OR-4, O5: TREND's excess 50 / 30 / 20 as long as the receiver is under its weight, what is left and any other
    engine's excess by shortfall."""
    lacks = shortfalls(equities, weights, total_usdt)
    moves: list[SleeveMove] = []
    for trim in found:
        if trim.waits:
            continue
        parts: dict[Sleeve, Decimal] = {}
        if trim.giver is Sleeve.TREND:
            wanted = {to: share * trim.excess_usdt for to, share in p.trend_harvest.items()}
            parts = {to: min(amount, lacks[to]) for to, amount in wanted.items() if min(amount, lacks[to]) > 0}
        left = {to: lack - parts.get(to, ZERO) for to, lack in lacks.items() if to is not trim.giver}
        rest = min(trim.excess_usdt - sum(parts.values(), ZERO), sum(left.values(), ZERO))
        for to, amount in _split(rest, left).items():
            parts[to] = parts.get(to, ZERO) + amount
        for to in Sleeve:
            if parts.get(to, ZERO) > 0:
                moves.append(SleeveMove(trim.giver, to, parts[to], "OR-4"))
                lacks[to] -= parts[to]
    return moves


def contributions(amount_usdt: Decimal, equities: Equities, weights: Weights, total_usdt: Decimal) -> list[SleeveMove]:
    """OR-5, O6: the largest shortfall in USDT is filled first, then the next; with all at their weights, by weights.
    `total_usdt` includes the contribution."""
    lacks = shortfalls(equities, weights, total_usdt)
    parts = dict.fromkeys(Sleeve, ZERO)
    left = amount_usdt
    for sleeve in sorted(Sleeve, key=lambda one: lacks[one], reverse=True):
        parts[sleeve] = min(lacks[sleeve], left)
        left -= parts[sleeve]
    for sleeve, part in _split(left, weights).items():
        parts[sleeve] += part
    return [SleeveMove(None, sleeve, part, "OR-5") for sleeve, part in parts.items() if part > 0]


def shortfalls(equities: Equities, weights: Weights, total_usdt: Decimal) -> dict[Sleeve, Decimal]:
    """What each sleeve lacks of its weight, never negative."""
    return {sleeve: max(ZERO, weights[sleeve] * total_usdt - equities[sleeve]) for sleeve in Sleeve}


def between_engines(
    moves: Iterable[SleeveMove], shares: Mapping[ActorName, Decimal], step_usdt: Decimal
) -> list[EngineMove]:
    """O4: the moves between engines; a sleeve's amount is split by the engines' shares of it and rounded down to the
    step of a transfer. What is rounded to nothing does not move."""
    found = []
    for move in moves:
        givers: Sequence[tuple[ActorName | None, Decimal]] = [(None, Decimal(1))]
        if move.giver is not None:
            givers = _engines(move.giver, shares)
        for giver, giver_share in givers:
            for receiver, share in _engines(move.receiver, shares):
                amount = floor_to_step(move.amount_usdt * giver_share * share, step_usdt)
                if amount > 0:
                    found.append(EngineMove(giver, receiver, amount, move.rule))
    return found


def _engines(sleeve: Sleeve, shares: Mapping[ActorName, Decimal]) -> list[tuple[ActorName, Decimal]]:
    return [(engine, shares[engine]) for engine in ENGINES if SLEEVE_OF[engine] is sleeve and shares[engine] > 0]


def _split(amount_usdt: Decimal, by: Mapping[Sleeve, Decimal]) -> dict[Sleeve, Decimal]:
    """The amount in the proportions of `by`; nothing where those are 0 altogether."""
    whole = sum(by.values(), ZERO)
    if whole <= 0 or amount_usdt <= 0:
        return {}
    return {sleeve: amount_usdt * part / whole for sleeve, part in by.items() if part > 0}
