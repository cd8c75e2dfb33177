"""The regime and the weights from day to day (OR-2): dwell (O1), pace (O2), missing bars and the first start (O3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from statemachines.commands import Commands, JournalLine, Remark
from statemachines.facts import BarFact
from statemachines.orchestration.allocation.parameters import AllocationParameters
from statemachines.orchestration.allocation.regime import Dwell, RegimeReading, RegimeWindow, winner
from statemachines.orchestration.allocation.regime_machine import MACHINE, Regime, RegimeMachine
from statemachines.orchestration.allocation.weights import Weights, goal, moved, paced
from statemachines.values import Sleeve


class WeightStep(NamedTuple):
    """The weights before and after the daily close `day_ms`; they are equal on days when nothing moves."""

    day_ms: int
    before: Weights
    after: Weights

    @property
    def is_moving(self) -> bool:
        """Whether any weight changes on this day."""
        return self.before != self.after


class RegimeTracker:
    """Takes one daily close after the other. Mutable; its state is one durable row, its bars are read again at a start.

    `default` are the weights of OR-1, at which the weights start (O3).
    """

    def __init__(self, parameters: AllocationParameters, default: Weights) -> None:
        self._p = parameters
        self._default = default
        self._window = RegimeWindow(parameters.regime)
        self._machine = RegimeMachine(MACHINE)
        self._dwell = Dwell()
        self._last_day_ms: int | None = None
        self._is_started = False
        self._history: list[BarFact] = []
        self._taken: list[tuple[int, BarFact | None]] = []
        self._weights: Weights = dict(default)
        self.step: WeightStep | None = None
        """What the newest day's close has done to the weights; None when it had no bar."""

    @property
    def regime(self) -> Regime:
        """The regime that rules."""
        return self._machine.state

    @property
    def weights(self) -> Weights:
        """The day's paced weights."""
        return self._weights

    @property
    def lacks_history(self) -> bool:
        """Whether no bar is known: recorded ones are read before the next close is judged."""
        return self._window.last_day_ms is None and not self._history

    # --- history ---

    def warm(self, bars: Iterable[BarFact]) -> None:
        """O3: at the first start the dwell is counted on all supplied history, once it is known where the first cycle
        begins; later it is part of the state, and only the bars up to it are read again."""
        if not self._is_started:
            self._history = list(bars)
        elif self._last_day_ms is not None:
            self._window.refill(bar for bar in bars if bar.start_ms <= self._last_day_ms)

    # --- the daily close ---

    def take(self, bar: BarFact | None, day_ms: int) -> None:
        """A day has closed; it is judged when the system has settled."""
        self._taken.append((day_ms, bar))

    def judge(self) -> Commands:
        """Judge the days that have closed, in their order."""
        taken, self._taken = self._taken, []
        return [command for day_ms, bar in taken for command in self.close(bar, day_ms)]

    def close(self, bar: BarFact | None, day_ms: int) -> Commands:
        """One daily close; without a bar dwell and weights rest (O3). One that was taken before changes nothing."""
        if self._last_day_ms is not None and day_ms <= self._last_day_ms:
            return [self._remark("repeat", f"the close of day {day_ms} has been judged already", {"day_ms": day_ms})]
        begun = [] if self._is_started else [self._begin(day_ms)]
        self._is_started = True
        reading = None if bar is None else self._window.take(bar)
        if reading is None:
            self.step = None
            text = "no daily bar of BTC spot: dwell and weights rest (O3)"
            return [*begun, self._remark("no_bar", text, {"day_ms": day_ms})]
        return [*begun, *self._judge(reading)]

    def _begin(self, day_ms: int) -> Remark:
        closes = 0
        for bar in self._history:
            reading = self._window.take(bar) if bar.start_ms < day_ms else None
            if reading is not None:
                self._count(reading)
                closes += 1
        self._history = []
        dwell = self._dwell
        text = f"the regime at the start is {self.regime}, counted on {closes} closes: {_dwell_text(dwell)} (O3)"
        data = {"day_ms": day_ms, "regime": self.regime.value, "closes": closes, "dwell": dwell.closes}
        return self._remark("start", text, data)

    def _judge(self, reading: RegimeReading) -> Commands:
        before = self._weights
        notes: Commands = [self._count(reading)]
        self.step = self.next_step(reading.day_ms)
        self._weights = self.step.after
        if self.step.is_moving:
            points = moved(before, self._weights) * 100
            way = f"{_shown(before)} to {_shown(self._weights)}"
            text = f"weights move by {points:.2f} points toward {self.regime}: {way} (O2)"
            notes.append(self._remark("weights", text, {"day_ms": reading.day_ms, **_texts(self._weights)}))
        return notes

    def next_step(self, day_ms: int) -> WeightStep:
        """What a close would do to the weights if the regime stayed; nothing changes."""
        after = paced(self._weights, goal(self.regime, self._default, self._p.regime), self._p.max_shift)
        return WeightStep(day_ms, self._weights, after)

    def _count(self, reading: RegimeReading) -> JournalLine:
        """O1: count the close; the regime changes with the last close of the dwell. Returns the journal's line."""
        won = winner(reading, self._p.regime)
        self._dwell = self._dwell.after(won, self.regime)
        self._last_day_ms = reading.day_ms
        data = {**reading.data(), "winner": won.value, "dwell": self._dwell.closes}
        if self._dwell.closes < self._p.regime.dwell_closes:
            text = f"{won} wins: {reading.sentence()}; {_dwell_text(self._dwell)} (O1)"
            return self._remark("close", text, data)
        text = f"{won} has won {self._dwell.closes} closes running: {reading.sentence()} (O1)"
        self._dwell = Dwell()
        return self._machine.fire(won.value.lower(), text, data)

    def _remark(self, trigger: str, reason: str, data: Mapping[str, Any]) -> Remark:
        return self._machine.remark(trigger, reason, data)

    # --- durability ---

    def to_data(self) -> dict[str, Any]:
        """The durable state (the regime is the row's state)."""
        step = self.step
        return {
            "candidate": None if self._dwell.candidate is None else self._dwell.candidate.value,
            "closes": self._dwell.closes,
            "last_day_ms": self._last_day_ms,
            "is_started": self._is_started,
            "taken": [[day_ms, None if bar is None else bar.model_dump(mode="json")] for day_ms, bar in self._taken],
            "weights": _texts(self._weights),
            "step": None
            if step is None
            else {"day_ms": step.day_ms, "before": _texts(step.before), "after": _texts(step.after)},
        }

    def restore(self, state: str, data: Mapping[str, Any]) -> None:
        """Restore from the result of `to_data`."""
        self._machine = RegimeMachine.restored(MACHINE, state)
        candidate = data["candidate"]
        self._dwell = Dwell(None if candidate is None else Regime(candidate), int(data["closes"]))
        self._last_day_ms = data["last_day_ms"]
        self._is_started = bool(data["is_started"])
        self._taken = [(day_ms, None if bar is None else BarFact.model_validate(bar)) for day_ms, bar in data["taken"]]
        self._weights = _weights(data["weights"])
        step = data["step"]
        self.step = (
            None if step is None else WeightStep(step["day_ms"], _weights(step["before"]), _weights(step["after"]))
        )


def _texts(weights: Weights) -> dict[str, str]:
    return {sleeve.value: f"{weight:f}" for sleeve, weight in weights.items() if weight}


def _weights(texts: Mapping[str, str]) -> Weights:
    """A sleeve that is not named has none, so that an engine added later does not make the row unreadable."""
    return dict.fromkeys(Sleeve, Decimal(0)) | {Sleeve(name): Decimal(text) for name, text in texts.items()}


def _shown(weights: Weights) -> str:
    return "/".join(f"{weight * 100:.2f}" for weight in weights.values() if weight)


def _dwell_text(dwell: Dwell) -> str:
    return "no other regime is a candidate" if dwell.candidate is None else f"{dwell.candidate} on close {dwell.closes}"
