"""One seed: the run, what it violated, and the shortest list of deviations that still does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.simulation.faults.choices import Choice, Chooser, Dice, Script
from tests.simulation.faults.invariants import Invariants, ViolationError, is_healthy
from tests.simulation.faults.points import Point
from tests.simulation.faults.world import World, opening, openings_for
from tests.simulation.outside.invariants import OutsideInvariants
from tests.simulation.outside.world import OutsideWorld

MAX_REPLAYS = 150
"""Runs spent on shrinking one trace."""

SHORT = 2
MAX_MOVES = 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run came to. `violated` is the name of the invariant, "" when all held."""

    opening: str
    choices: tuple[Choice, ...]
    violated: str = ""
    problem: str = ""
    log: tuple[str, ...] = field(default=(), compare=False)

    def trace(self) -> str:
        """The deviations one per line, and what they led to."""
        lines = [f"  {number}. {choice}" for number, choice in enumerate(self.choices, 1)]
        return "\n".join([f"From the moment when {self.opening}:", *lines, f"  -> {self.problem or 'all is well'}"])


def seeded(seed: int) -> Outcome:
    """The run of a seed: the same seed, the same run."""
    dice = Dice(seed)
    return _run(dice.one_of(openings_for(dice.leading)), dice)


def replayed(name: str, choices: Sequence[Choice]) -> Outcome:
    """The run with exactly these deviations."""
    return _run(name, Script(choices))


def _run(name: str, chooser: Chooser) -> Outcome:
    world, invariants, outside = OutsideWorld(opening(name), chooser), Invariants(), OutsideInvariants()
    judge_flat = world.watch

    def at_each_instant(_world: World) -> None:
        judge_flat(world)
        invariants.at_each_instant(world)
        outside.at_each_instant(world)

    def at_each_write(_world: World) -> None:
        invariants.at_each_write(world)
        outside.at_each_write(world)

    world.watch, world.watch_write = at_each_instant, at_each_write
    try:
        world.run(is_healthy)
        invariants.at_rest(world)
        outside.at_rest(world)
    except ViolationError as violation:
        return Outcome(name, tuple(chooser.taken), violation.name, str(violation))
    except Exception as error:  # noqa: BLE001 - whatever production code raises here is a finding of its own
        name_of_it = type(error).__name__
        return Outcome(name, tuple(chooser.taken), name_of_it, f"{name_of_it}: {error}")
    return Outcome(name, tuple(chooser.taken))


def shrunk(found: Outcome) -> Outcome:
    """Delta debugging: leave out ever smaller parts of the trace while the same invariant still fails."""
    best, size, replays = found, max(len(found.choices) // 2, 1), 0
    while replays < MAX_REPLAYS:
        is_shorter = False
        start = 0
        while start < len(best.choices) and replays < MAX_REPLAYS:
            kept = best.choices[:start] + best.choices[start + size :]
            replays += 1
            tried = replayed(best.opening, kept)
            if tried.violated == best.violated:
                best, is_shorter = tried, True
            else:
                start += size
        if size == 1 and not is_shorter:
            break
        size = max(size // 2, 1)
    return _moved(best)


def _moved(found: Outcome) -> Outcome:
    """Some choices only decide how often the system comes to the point of another one: one fault alone, a few
    occasions earlier or later, often does as well."""
    if len(found.choices) <= SHORT:
        return found
    for choice in reversed(found.choices):
        if choice.point is Point.TURN:
            continue
        for number in range(max(choice.number - MAX_MOVES, 1), choice.number + MAX_MOVES // 2):
            tried = replayed(found.opening, [choice._replace(number=number)])
            if tried.violated == found.violated:
                return tried
    return found
