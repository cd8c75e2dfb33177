"""A scenario: faults over time, read from a TOML file. Times are seconds of exchange time since the scenario began."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, model_validator

from infra.simulator.faults.catalogue import Fault
from infra.simulator.faults.gaps import check_gaps_over_time
from infra.simulator.faults.reading import FaultError, fault_of, read, shown

SHIPPED = Path(__file__).with_name("scenarios")
LONGEST_S = 400 * 86_400
MAX_STEPS = 200
LONGEST_PATH = 300
LONGEST_REASON = 200
Seconds = Annotated[float, Field(ge=0, le=LONGEST_S)]


class Step(BaseModel):
    """One fault of a scenario: it begins ``at_s`` seconds after the scenario (or ``at`` an instant, UTC), lasts
    ``for_s`` seconds (without it: to the end) and comes again every ``every_s`` seconds, ``times`` times in all."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    at_s: Seconds | None = None
    at: datetime | None = None
    for_s: Seconds | None = None
    every_s: Annotated[float, Field(gt=0, le=LONGEST_S)] | None = None
    times: Annotated[int, Field(ge=1, le=10_000)] = 1
    fault: Annotated[InstanceOf[Fault], BeforeValidator(fault_of)]

    @model_validator(mode="after")
    def _fits(self) -> Step:
        if (self.at_s is None) == (self.at is None):
            raise ValueError("exactly one of at_s and at must be given")
        if self.times > 1 and self.every_s is None:
            raise ValueError("times above 1 needs every_s")
        if self.times > 1 and (self.for_s is None or self.for_s > (self.every_s or 0)):
            raise ValueError("for_s must be given and at most every_s when the step is repeated")
        return self

    def first_ms(self, began_ms: int, stretch: int = 1) -> int:
        """When it begins first, in a scenario that began at ``began_ms``."""
        return _ms(self.at) if self.at is not None else began_ms + round((self.at_s or 0) * 1_000 * stretch)


class Occurrence(NamedTuple):
    """One step at one time: ``key`` names it within its scenario."""

    begin_ms: int
    end_ms: int | None
    key: str
    fault: Fault


class Scenario(BaseModel):
    """A named list of steps; ``teaches`` says what a client under it must get right. ``seed`` decides all chances."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
    teaches: Annotated[str, Field(min_length=10, max_length=400)]
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    step: Annotated[tuple[Step, ...], Field(min_length=1, max_length=MAX_STEPS)]

    def occurrences(self, began_ms: int, stretch: int = 1) -> list[Occurrence]:
        """Every occurrence in order of its begin, with all seconds ``stretch`` times as long. Raises ``FaultError``
        for price gaps that together would move prices too far."""
        found = []
        for number, step in enumerate(self.step, 1):
            first_ms = step.first_ms(began_ms, stretch)
            for turn in range(step.times):
                begin_ms = first_ms + round(turn * (step.every_s or 0) * 1_000 * stretch)
                end_ms = None if step.for_s is None else begin_ms + round(step.for_s * 1_000 * stretch)
                found.append(Occurrence(begin_ms, end_ms, f"{self.name}/{number}/{turn + 1}", step.fault))
        found.sort(key=lambda one: (one.begin_ms, one.key))
        check_gaps_over_time(found)
        return found


def _ms(instant: datetime) -> int:
    return int(instant.replace(tzinfo=instant.tzinfo or UTC).timestamp() * 1_000)


def read_scenario(path: Path) -> Scenario:
    """The scenario of a file. Raises ``FaultError`` with one sentence."""
    if "\0" in str(path):
        raise FaultError(f"{_shown(path)} cannot be read: no file has such a name.")
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FaultError(f"{_shown(path)} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FaultError(f"{_shown(path)} is no TOML file: {str(error)[:LONGEST_REASON]}.") from None
    except RecursionError:
        raise FaultError(f"{_shown(path)} cannot be read: it is nested too deeply.") from None
    except ValueError:
        raise FaultError(f"{_shown(path)} cannot be read: it holds a number of too many digits.") from None
    return read_data(data, f"{path.name}: ")


def _shown(path: Path) -> str:
    text = str(path)
    return text if len(text) <= LONGEST_PATH and text.isprintable() else shown(text)


def read_data(data: dict[str, Any], place: str = "") -> Scenario:
    """The scenario of this data. Raises ``FaultError``."""
    if (steps := data.get("step")) is not None:
        if not isinstance(steps, list):
            raise FaultError(f"{place}step is {shown(steps)}; it must be a list of [[step]] tables.")
        made = []
        for number, step in enumerate(steps, 1):
            try:
                made.append(read(Step, step, f"{place}step {number}: "))
            except FaultError as error:
                raise FaultError(str(error) if str(error).startswith(place) else f"{place}{error}") from None
        data = {**data, "step": made}
    return read(Scenario, data, place)


@cache
def shipped() -> dict[str, Scenario]:
    """The scenarios of this package by name, in alphabetical order."""
    found = (read_scenario(path) for path in sorted(SHIPPED.glob("*.toml")))
    return {one.name: one for one in found}


def find(name: str) -> Scenario:
    """A shipped scenario by name, or the scenario of a file. Raises ``FaultError`` with the list of names."""
    if name in shipped():
        return shipped()[name]
    path = Path(name)
    try:
        is_file = bool(name) and (path.suffix == ".toml" or path.is_file())
    except OSError:  # a name that no file can have
        is_file = False
    if is_file:
        return read_scenario(path)
    names = ", ".join(shipped())
    raise FaultError(f"--scenario is {shown(name)}; it must be a scenario file (.toml) or one of: {names}.")


def lines() -> Iterator[str]:
    """The shipped scenarios, one line each."""
    width = max(len(name) for name in shipped())
    for name, scenario in shipped().items():
        yield f"{name:<{width}}  {scenario.teaches}"
