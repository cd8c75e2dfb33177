"""RM-4: the switches that are read off the exchange itself: whether it answers, how old its data are, its clock.

Pure: `look` takes readings and granted wall time. A reading is an age or an error now; one that does not arrive any
more grows old by itself, so that silence trips what it should have reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from statemachines.facts import SwitchReading
from statemachines.messages.control import ReadingChanged
from statemachines.risk.parameters import ReadingPolicies, Switch

READINGS: tuple[Switch, ...] = (Switch.EXCHANGE_UNREACHABLE, Switch.MARKET_DATA_STALE, Switch.CLOCK_OFF)


@dataclass(frozen=True, slots=True)
class Readings:
    """What was measured at one moment. None: not measured (yet), which is neither good nor bad.

    `silence_s` by way to the exchange (REST, each private stream): seconds since it last lived. `data_age_s`
    by public stream: seconds since it last brought data. `clock_off_ms`: by how much our clock is off for certain.
    """

    silence_s: Mapping[str, float]
    data_age_s: Mapping[str, float]
    clock_off_ms: int | None


class _Bad(NamedTuple):
    """A bad reading: where and what was measured, the limit, and all of it as a sentence."""

    source: str
    value: str
    limit: str
    why: str


_GOOD = _Bad("", "", "", "")


@dataclass(slots=True)
class _Watched:
    bad: list[tuple[float, _Bad]] = field(default_factory=list)
    good_since_s: float | None = None
    is_tripped: bool | None = None


@dataclass(slots=True)
class ExchangeReadings:
    """Counts bad readings running, and the time since the last bad one. What had tripped before this one existed is
    not known to it: after the good time it reports that once in any case."""

    policies: ReadingPolicies
    _watched: dict[Switch, _Watched] = field(default_factory=lambda: {name: _Watched() for name in READINGS})

    def look(self, readings: Readings, now_s: float) -> Sequence[ReadingChanged]:
        """What has changed by these readings: switches that trip, and those that end."""
        found = (
            self._judge(Switch.EXCHANGE_UNREACHABLE, self._unreachable(readings.silence_s), now_s),
            self._judge(Switch.MARKET_DATA_STALE, self._stale(readings.data_age_s), now_s),
            self._judge(Switch.CLOCK_OFF, self._clock(readings.clock_off_ms), now_s),
        )
        return [change for change in found if change is not None]

    def _judge(self, switch: Switch, reading: _Bad | None, now_s: float) -> ReadingChanged | None:
        """A reading that is bad, or `_GOOD`; None without a reading, which changes nothing."""
        if reading is None:
            return None
        one = self._watched[switch]
        if reading is not _GOOD:
            one.bad, one.good_since_s = [*one.bad, (now_s, reading)][-self.policies.consecutive :], None
            if one.is_tripped or len(one.bad) < self.policies.consecutive:
                return None
            one.is_tripped = True
            readings = tuple(
                SwitchReading(source=bad.source, value=bad.value, limit=bad.limit, age_ms=round((now_s - at_s) * 1000))
                for at_s, bad in one.bad
            )
            return ReadingChanged(switch=switch.value, is_bad=True, reason=f"RM-4: {reading.why}", readings=readings)
        one.bad = []
        if one.good_since_s is None:
            one.good_since_s = now_s
        if one.is_tripped is False or now_s - one.good_since_s < self.policies.good_s:
            return None
        one.is_tripped = False
        reason = f"RM-4: {switch.value} has been good for {self.policies.good_s} s"
        return ReadingChanged(switch=switch.value, is_bad=False, reason=reason)

    def _unreachable(self, silence_s: Mapping[str, float]) -> _Bad | None:
        limit_s = self.policies.unreachable_s
        return _longest(
            silence_s, limit_s, "nothing was received from the exchange for {age:.0f} s ({name}), limit {limit} s"
        )

    def _stale(self, data_age_s: Mapping[str, float]) -> _Bad | None:
        limit_s = self.policies.stale_s
        return _longest(data_age_s, limit_s, "the newest market data are {age:.0f} s old ({name}), limit {limit} s")

    def _clock(self, off_ms: int | None) -> _Bad | None:
        if off_ms is None:
            return None
        limit_ms = self.policies.clock_off_ms
        if off_ms <= limit_ms:
            return _GOOD
        why = f"our clock is off by {off_ms} ms or more, limit {limit_ms} ms"
        return _Bad("the exchange's clock", f"{off_ms} ms", f"{limit_ms} ms", why)


def _longest(ages_s: Mapping[str, float], limit_s: int, text: str) -> _Bad | None:
    """The greatest age, and with it every way or stream that is beyond the limit: they are independent sources."""
    if not ages_s:
        return None
    name, age_s = max(ages_s.items(), key=lambda one: one[1])
    if age_s <= limit_s:
        return _GOOD
    beyond = {name: age for name, age in sorted(ages_s.items()) if age > limit_s}
    value = ", ".join(f"{name} {age:.1f} s" for name, age in beyond.items())
    return _Bad(", ".join(beyond), value, f"{limit_s} s", text.format(age=age_s, name=name, limit=limit_s))
