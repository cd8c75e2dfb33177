"""Versions of the policy that are recorded while the system runs (RM-6): capital moves and orders are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from api.logics import PolicyLogics
from infra.config import EternalConfig
from infra.config.policy import changed, policy_of, with_policy
from statemachines.messages.control import PolicyRecorded
from statemachines.messages.envelope import Body
from statemachines.orchestration.allocation.weights import by_sleeve
from statemachines.values import Sleeve
from tests.simulation.whole import INSTALLATION

FIRST = 1
SETTINGS: tuple[tuple[str, ...], ...] = (
    ("orchestrator.allocation.trim_excess=0.005", "orchestrator.allocation.min_trim=0.001"),
    ("orchestrator.allocation.regime.dwell_closes=1",),
    (
        'orchestrator.weights={"core-hodl": 0.40, "trend-1": 0.15, "trend-2": 0.05, "funding": 0.30, "tactical": 0.10}',
        "orchestrator.allocation.trim_excess=0.01",
    ),
    ("risk.capital_limit_usdt=1000",),
)
"""Every engine is soon asked to give; one close makes a regime; other weights; most entries are refused."""

KINDS = len(SETTINGS)


@cache
def ports() -> PolicyLogics:
    """What makes the logics under a policy."""
    return PolicyLogics(EternalConfig(), INSTALLATION, FIRST)


@cache
def document(settings: tuple[str, ...]) -> Mapping[str, Any]:
    """The default policy with these settings."""
    config = EternalConfig()
    return changed(config, policy_of(config), settings) if settings else policy_of(config)


class Bounds(NamedTuple):
    """Between which the weight of a sleeve lies, whatever the regime and under whatever of these policies."""

    least: Decimal
    most: Decimal


@cache
def bounds() -> Mapping[Sleeve, Bounds]:
    """The extremes of all goals: weights move between them along straight lines (OR-1, OR-2, O2)."""
    goals = [*_goals()]
    return {sleeve: Bounds(min(one[sleeve] for one in goals), max(one[sleeve] for one in goals)) for sleeve in Sleeve}


@cache
def max_shift() -> Decimal:
    """Largest change of a weight in a day, under all of these policies (O2)."""
    shift: Decimal = max(parameters.allocation.max_shift for parameters in _parameters())
    return shift


def _goals() -> Iterator[Mapping[Sleeve, Decimal]]:
    for parameters in _parameters():
        yield by_sleeve(parameters.weights)
        weights = parameters.allocation.regime.weights
        yield from (getattr(weights, name) for name in type(weights).model_fields)


def _parameters() -> Iterator[Any]:
    for settings in ((), *SETTINGS):
        yield with_policy(EternalConfig(), document(settings), "a test").in_force("orchestrator")


class Policies:
    """Records versions; `tell` brings one to the orchestrator."""

    def __init__(self, tell: Callable[[Body], None]) -> None:
        self._tell = tell
        self._newest = FIRST
        self._is_changed = False

    def act(self, extent: int) -> None:
        """One event; `extent` is 1 to `KINDS`."""
        self._record(SETTINGS[(extent - 1) % KINDS])

    def back(self) -> None:
        """The settings of the beginning, if others were recorded."""
        if self._is_changed:
            self._record(())

    def _record(self, settings: tuple[str, ...]) -> None:
        self._newest += 1
        self._is_changed = bool(settings)
        policy = dict(document(settings))
        self._tell(PolicyRecorded(version=self._newest, policy=policy, who="operator", reason="a drill"))
