"""What a run does otherwise than a calm one: drawn from a seed, or replayed from a list."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from tests.simulation.faults.points import FAULT_PAIRS, FAULTS, OUTSIDE, OUTSIDE_PAIRS, Fault, Pair, Point, Situation


class Choice(NamedTuple):
    """One deviation from the calm run: the `number`-th time (from 1) that `who` came to this point. `extent`: how
    many times or how far, where the fault has a measure."""

    point: Point
    who: str
    number: int
    fault: Fault
    extent: int = 1

    def __str__(self) -> str:
        extent = f" ({self.extent})" if self.extent != 1 else ""
        return f"{self.who}, occasion {self.number} of {self.point!s}: {self.fault}{extent}"


class Chooser(Protocol):
    """Decides at each occasion whether something happens there."""

    taken: list[Choice]

    def at(self, point: Point, who: str, most: int = 4) -> Choice | None:
        """The deviation at this occasion, if any; its extent is at most `most`."""
        ...

    def stop(self) -> None:
        """From now on nothing is chosen."""
        ...


class _Occasions:
    """Counts the occasions, so that each has a name of its own."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[Point, str]] = Counter()

    def next(self, point: Point, who: str) -> int:
        self._counts[point, who] += 1
        return self._counts[point, who]


BACKGROUND = 0.0006
"""How likely any fault is at any occasion."""

FOCUS_PAIRS = 5
RARE = frozenset({Point.CANCEL, Point.AMEND, Point.TRANSFER, Point.STAKING, Point.LEVERAGE})
"""Points with an occasion or two in a run."""

SELDOM = frozenset(
    {
        Point.PLACE,
        Point.BATCH,
        Point.ORDER_FRAME,
        Point.EXECUTION_FRAME,
        Point.MARKET_FRAME,
        Point.RESTING_ORDER,
        Point.OPEN_ORDER,
        Point.POSITION,
    }
)
_WEIGHTS = {
    Point.CANCEL: 10,
    Point.AMEND: 5,
    Point.TRANSFER: 8,
    Point.STAKING: 24,
    Point.LEVERAGE: 12,
    Point.BATCH: 14,
    Point.PLACE: 8,
}
"""How often a point leads a seed; a stake has one occasion in its run, and what comes from outside may prevent it."""

_REPEATED = frozenset({Fault.NOT_SENT, Fault.RATE_LIMITED})
"""Faults after which the request is sent again, so that they are hit several times where others are hit once."""


def _weight(pair: Pair) -> int:
    return _WEIGHTS.get(pair.point, 1) * (1 if pair.fault in _REPEATED else 3)


_LEADING = [pair for pair in FAULT_PAIRS for _ in range(_weight(pair))]

MAX_PER_PAIR = 4
MOST = 40
SHUFFLES = 0.25

CALM_OUTSIDE = 0.25
"""The share of seeds in which nothing comes from outside: what fails alone is found there."""

CALM_WHERE_STAKING_LEADS = 0.6
"""Most of what comes from outside puts off the one stake of the run until the faults are over."""

OUTSIDE_PAIRS_OF_A_SEED = 5
_WITH: dict[Fault, tuple[Fault, ...]] = {
    Fault.RESET: (Fault.FAULTED,),
    Fault.RESUME: (Fault.PAUSE,),
    Fault.REPEAT: (Fault.HALT, Fault.NORMAL),
    Fault.REUSE: (Fault.PAUSE,),
}
"""What these are nothing without."""

MAX_FROM_OUTSIDE = 8
ORDINARY_CHANCE, EVENTFUL_CHANCE = 0.001, 0.05
"""How likely one of a seed's pairs is at an occasion: there is one after every act, of which a run has thousands."""

CHANCES: Mapping[str, float] = {
    Situation.ORDINARY: ORDINARY_CHANCE,
    Situation.CUT_OFF: 0.6,
    Situation.FREEING: 0.1,
    Situation.SENDING: 0.01,
}
"""What lasts for an act or two must be met more often; orders wait to be sent again and again."""

SENDING_COMMAND_CHANCE = 0.3
"""How likely a command of the operator is while an order waits to be sent: the switch must hold it back (RM-5)."""


def _focus_chance(point: Point) -> float:
    if point is Point.STAKING:
        return 1.0
    return 0.8 if point in RARE else 0.3 if point in SELDOM else 0.12


class Dice:
    """Everything from `random.Random(seed)`. A seed concentrates on a few pairs, so that rare points are hit too;
    `leading` is the point of the one that decides where the run begins."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        leading = self._random.choice(_LEADING)
        self.leading = leading.point
        self._focus = {leading, *self._random.sample(FAULT_PAIRS, FOCUS_PAIRS)}
        self._is_shuffling = self._random.random() < 0.5
        self._occasions = _Occasions()
        self._hits: Counter[Pair] = Counter()
        # Dice of their own: what comes from outside does not change which faults a seed draws.
        self._outside = random.Random(f"outside {seed}")
        calm_share = CALM_WHERE_STAKING_LEADS if self.leading is Point.STAKING else CALM_OUTSIDE
        is_calm = self._outside.random() < calm_share
        drawn = () if is_calm else self._outside.sample(OUTSIDE_PAIRS, OUTSIDE_PAIRS_OF_A_SEED)
        self._from_outside = {*drawn, *(Pair(one.point, other) for one in drawn for other in _WITH.get(one.fault, ()))}
        self._outside_hits: Counter[Pair] = Counter()
        self._is_stopped = False
        self.taken: list[Choice] = []

    def one_of(self, names: Sequence[str]) -> str:
        """What is chosen once per run."""
        return self._random.choice(names)

    def at(self, point: Point, who: str, most: int = 4) -> Choice | None:
        number = self._occasions.next(point, who)
        if self._is_stopped:
            return None
        if point in OUTSIDE:
            return self._at_outside(point, who, number, most)
        if point is Point.TURN:
            if most < 2 or not self._is_shuffling or self._random.random() >= SHUFFLES:
                return None
            return self._take(Choice(point, who, number, Fault.SHUFFLED, self._random.randrange(1, most)))
        for fault in FAULTS[point]:
            pair = Pair(point, fault)
            chance = _focus_chance(point) if pair in self._focus else BACKGROUND
            if self._random.random() < chance and self._hits[pair] < MAX_PER_PAIR and self._hits.total() < MOST:
                self._hits[pair] += 1
                return self._take(Choice(point, who, number, fault, self._random.randint(1, most)))
        return None

    def _at_outside(self, point: Point, who: str, number: int, most: int) -> Choice | None:
        chance = CHANCES.get(who, EVENTFUL_CHANCE)
        if who == Situation.SENDING and point is Point.OPERATOR:
            chance = SENDING_COMMAND_CHANCE
        for fault in OUTSIDE[point]:
            pair, hits = Pair(point, fault), self._outside_hits
            if pair not in self._from_outside or hits[pair] >= MAX_PER_PAIR or hits.total() >= MAX_FROM_OUTSIDE:
                continue
            if self._outside.random() < chance:
                hits[pair] += 1
                return self._take(Choice(point, who, number, fault, self._outside.randint(1, most)))
        return None

    def stop(self) -> None:
        self._is_stopped = True

    def _take(self, choice: Choice) -> Choice:
        self.taken.append(choice)
        return choice


class Script:
    """Exactly the given deviations, at their occasions."""

    def __init__(self, choices: Iterable[Choice]) -> None:
        self._planned = {(one.point, one.who, one.number): one for one in choices}
        self._occasions = _Occasions()
        self._is_stopped = False
        self.taken: list[Choice] = []

    def at(self, point: Point, who: str, most: int = 4) -> Choice | None:
        found = self._planned.get((point, who, self._occasions.next(point, who)))
        if found is None or self._is_stopped:
            return None
        if point is Point.TURN and found.extent >= most:
            return None
        self.taken.append(found)
        return found

    def stop(self) -> None:
        self._is_stopped = True


def hits(choices: Sequence[Choice]) -> Counter[Pair]:
    """How often each pair was hit."""
    return Counter(Pair(one.point, one.fault) for one in choices)
