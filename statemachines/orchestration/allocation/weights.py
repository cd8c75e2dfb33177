"""Weights of the sleeves as vectors that add up to exactly 1, and the line along which they move (OR-1, OR-2, O2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from statemachines.orchestration.allocation.parameters import RegimeParameters, SleeveWeights
from statemachines.orchestration.allocation.regime_machine import Regime
from statemachines.values import ENGINES, SLEEVE_OF, ActorName, Sleeve

ZERO, ONE = Decimal(0), Decimal(1)
PLACES = Decimal("1E-12")
"""Weights are kept to 12 places; the largest one takes what rounding leaves, so that they add up to exactly 1."""

NEARLY = 100 * PLACES

Weights = dict[Sleeve, Decimal]
"""A weight for every sleeve; they add up to exactly 1."""


def exact(weights: Mapping[Sleeve, Decimal]) -> Weights:
    """The weights to `PLACES`, adding up to exactly 1.

    Raises:
        ValueError: a weight is negative, or they add up to something else.
    """
    rounded = {s: weights.get(s, ZERO).quantize(PLACES, ROUND_HALF_EVEN).normalize() for s in Sleeve}
    total = sum(rounded.values(), ZERO)
    if min(rounded.values()) < 0 or abs(total - 1) > len(rounded) * PLACES:
        raise ValueError(f"weights {rounded} add up to {total}; they must not be negative and add up to 1 (OR-1)")
    largest = max(rounded, key=lambda sleeve: rounded[sleeve])
    rounded[largest] += ONE - total
    return {sleeve: weight + ZERO for sleeve, weight in rounded.items()}


def by_sleeve(engines: Mapping[ActorName, Decimal]) -> Weights:
    """OR-1: the weights of the sleeves from those of the engines."""
    found = dict.fromkeys(Sleeve, ZERO)
    for engine, weight in engines.items():
        found[SLEEVE_OF[engine]] += weight
    return exact(found)


def shares_within(engines: Mapping[ActorName, Decimal]) -> dict[ActorName, Decimal]:
    """O4: each engine's part of its sleeve, as the default weights have it: 3 : 1 for TREND-1 and TREND-2.

    The engines of a sleeve without a weight share it equally: whatever they still hold can be given."""
    sleeves = by_sleeve(engines)
    sizes = Counter(SLEEVE_OF[engine] for engine in ENGINES)
    return {
        engine: engines.get(engine, ZERO) / sleeves[sleeve] if sleeves[sleeve] else ONE / sizes[sleeve]
        for engine, sleeve in SLEEVE_OF.items()
    }


def goal(regime: Regime, default: Weights, p: RegimeParameters) -> Weights:
    """The weights that a regime leads to (OR-2).

    A sleeve without a default weight has none in any regime, since none of its engines runs; one that the regime does
    not name keeps its default weight. The others share what is left in the regime's proportions.
    """
    if regime is Regime.DEFAULT:
        return default
    given: SleeveWeights = getattr(p.weights, regime.value.lower())
    named = {sleeve: weight for sleeve, weight in given.items() if default[sleeve] > 0}
    kept = {sleeve: weight for sleeve, weight in default.items() if sleeve not in given}
    whole, left = sum(named.values(), ZERO), ONE - sum(kept.values(), ZERO)
    if whole <= 0:
        return default
    return exact(kept | {sleeve: weight * left / whole for sleeve, weight in named.items()})


def paced(now: Weights, aim: Weights, max_shift: Decimal) -> Weights:
    """O2: one day's step along the straight line to the goal; the largest change is at most `max_shift`."""
    largest = max(abs(aim[sleeve] - now[sleeve]) for sleeve in Sleeve)
    if largest <= max_shift + NEARLY:  # what rounding has left is no step of its own
        return dict(aim)
    return exact({sleeve: now[sleeve] + (aim[sleeve] - now[sleeve]) * max_shift / largest for sleeve in Sleeve})


def moved(before: Weights, after: Weights) -> Decimal:
    """What has changed hands: half of the sum of all changes."""
    return sum((abs(after[sleeve] - before[sleeve]) for sleeve in Sleeve), ZERO) / 2
