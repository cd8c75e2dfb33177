"""Takes RM-4's readings of the exchange once a second: from the actors' health and from the exchange's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from statemachines.messages.control import ReadingChanged
from statemachines.orchestration.exchange_readings import ExchangeReadings, Readings
from statemachines.risk.parameters import ReadingPolicies

PERIOD_S = 1.0
REST = "REST"


class ExchangeClock(Protocol):
    """What the exchange's clock measures of the way to it."""

    @property
    def silence_s(self) -> float:
        """Seconds since the exchange last answered."""
        ...

    @property
    def certainly_off_ms(self) -> int | None:
        """By how much our clock is off at least; None when not known."""
        ...


class ExchangeWatch:
    """`look` takes healths and monotonic wall time and returns what is to be reported. `limits` reads those of a
    version of the policy from its document.

    An actor that is down reports no age: the last one grows on, as what it does not receive does.
    """

    def __init__(
        self,
        readings: ExchangeReadings,
        clock: ExchangeClock,
        limits: Callable[[Mapping[str, Any]], ReadingPolicies],
    ) -> None:
        self._readings = readings
        self._clock = clock
        self._limits = limits
        self._recorded: dict[int, Mapping[str, Any]] = {}
        self._version = 0
        self._looked_s = float("-inf")
        self._silence_at: dict[str, float] = {}
        self._data_at: dict[str, float] = {}

    def look(self, healths: Iterable[Mapping[str, Any]], now_s: float) -> Sequence[ReadingChanged]:
        """News, at most once a second."""
        if now_s - self._looked_s < PERIOD_S:
            return ()
        self._looked_s = now_s
        for health in healths:
            # A data stream's silence is staleness; a private one has nothing to say at rest but pongs.
            ages = health.get("data_age_s") or {}
            _note(self._data_at, ages, now_s)
            _note(self._silence_at, health.get("silence_s") or {}, now_s, except_for=ages)
        silence = {name: now_s - at for name, at in self._silence_at.items()} | {REST: self._clock.silence_s}
        ages_s = {name: now_s - at for name, at in self._data_at.items()}
        return self._readings.look(Readings(silence, ages_s, self._clock.certainly_off_ms), now_s)

    def recorded(self, version: int, policy: Mapping[str, Any]) -> None:
        """A version of the policy that is to come into force (RM-6)."""
        self._recorded[version] = policy

    def in_force(self, version: int) -> None:
        """Judge by the limits of this version of the policy from now on; what was counted so far counts on (RM-6)."""
        if version != self._version and version in self._recorded:
            self._version = version
            self._readings.policies = self._limits(self._recorded[version])


def _note(known: dict[str, float], ages_s: Mapping[str, float], now_s: float, except_for: Iterable[str] = ()) -> None:
    """The instant of the last sign of each connection. Health is asked for several times a second, so the same one is
    reported again with a greater age; an instant never moves back."""
    for name, age_s in ages_s.items():
        if name not in except_for:
            known[name] = max(known.get(name, float("-inf")), now_s - float(age_s))
