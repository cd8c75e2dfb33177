"""The dead-man switch (RM-4): decides when the system is silent, when to look at the accounts, and what to report.

It is given what was read and when, on a clock that no one can set, and judges a beat by its being another one than
before: the clocks of the orchestrator, of the database and of the file system say nothing here. Silence is silence of
all sources: a database that is away does not trip it while the file is written, nor a full disk while the database is.
A source that cannot be read brings no beat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from statemachines.backoff import Backoff
from statemachines.commands import JournalEntry
from statemachines.deadman.beats import Beat, BeatState
from statemachines.deadman.machine import MACHINE, DeadManMachine, DeadManState

LEAST_LOOKS = 3
"""Looks in a row without a beat before silence is believed, however long it has lasted: after a sleep of the machine,
or of this process alone, the orchestrator is given the time to beat (RM-4: never on one reading)."""

CLEAN_READINGS = 2
CLEAN_PAUSE_S = 5.0
"""Between the two readings that must show no entry order: an order can be on its way."""

GUARD_PAUSE_S = 60.0
"""Between looks at the accounts once they are clean and the silence lasts."""

RETRY = Backoff((1.0, 2.0, 5.0, 15.0, 30.0), 60.0)
"""Between attempts while something is left or the exchange cannot be asked."""

_STATE = DeadManState


class Cleared(NamedTuple):
    """What was found and done in all accounts: client ids of the `cancelled` entry orders, how many orders of ours
    were `kept` as protecting, and why something may be `left`, one clause each (empty: nothing is)."""

    found: Sequence[str]
    cancelled: Sequence[str]
    kept: int
    left: Sequence[str]


class Condition(NamedTuple):
    """The alert of a silence as it stands now: one row, from its beginning to its end."""

    text: str
    is_open: bool


class DeadManSwitch:
    """`silence_s`: wall time without a beat that counts as silence; `sources` are read at every look."""

    def __init__(self, silence_s: float, now_s: float, sources: Sequence[str]) -> None:
        self._silence_s = silence_s
        self._machine = DeadManMachine(MACHINE)
        self._seen: dict[str, Beat | None] = dict.fromkeys(sources)
        self._heard_s = now_s
        self._looks = 0
        self._next_s = now_s
        self._failures = 0
        self._clean = 0
        self._cancelled: list[str] = []
        self._condition: Condition | None = None

    @property
    def state(self) -> DeadManState:
        """What it is doing."""
        return self._machine.state

    @property
    def condition(self) -> Condition | None:
        """The alert of the last silence; None when there was none."""
        return self._condition

    def silent_s(self, now_s: float) -> float:
        """How long no source has brought a beat."""
        return max(now_s - self._heard_s, 0.0)

    def clears_now(self, now_s: float) -> bool:
        """Whether the accounts are to be looked at now."""
        return self.state in (_STATE.CANCELLING, _STATE.CANCELLED) and now_s >= self._next_s

    # --- what is passed to it ---

    def look(self, heard: Mapping[str, Beat | None], now_s: float) -> JournalEntry | None:
        """Take what every source says now (None: nothing that can be read); the transition, if there is one."""
        fresh = []
        for source, beat in heard.items():
            if beat is not None and beat != self._seen.get(source):
                # The first reading of a source that was never read says that there is a beat, not when it was.
                fresh.append((source, beat))
                self._seen[source] = beat
        living = [(source, beat) for source, beat in fresh if beat.state is not BeatState.STOPPED]
        if living:
            return self._beaten(living, now_s)
        self._looks += 1
        if fresh:
            return self._stopped(now_s)
        silent_s = self.silent_s(now_s)
        if self.state is _STATE.WATCHING and silent_s >= self._silence_s and self._looks >= LEAST_LOOKS:
            return self._fall_silent(silent_s, now_s)
        return None

    def cleared(self, done: Cleared, now_s: float) -> JournalEntry | None:
        """Take the result of a look at all accounts; the transition, if there is one."""
        if self.state not in (_STATE.CANCELLING, _STATE.CANCELLED):
            return None  # the system came back meanwhile
        self._cancelled += [one for one in done.cancelled if one not in self._cancelled]
        if done.found or done.left:
            return self._not_clean(done, now_s)
        self._failures = 0
        if self.state is _STATE.CANCELLED:
            self._next_s = now_s + GUARD_PAUSE_S
            return None
        self._clean += 1
        if self._clean < CLEAN_READINGS:
            self._next_s = now_s + CLEAN_PAUSE_S
            return None
        self._next_s = now_s + GUARD_PAUSE_S
        return self._fire(
            "none_left",
            f"{len(self._cancelled)} entry orders were cancelled, {done.kept} reduce-only orders and stops were kept, "
            f"and {CLEAN_READINGS} readings of every account show no entry order of ours",
            {"cancelled": len(self._cancelled), "kept": done.kept, "readings": CLEAN_READINGS},
            is_open=True,
            action="Find out why the system is silent (`eternal status`, its log) and start it again.",
        )

    # --- decisions ---

    def _beaten(self, living: Sequence[tuple[str, Beat]], now_s: float) -> JournalEntry | None:
        silent_s = self.silent_s(now_s)
        self._heard_s, self._looks = now_s, 0
        if self.state is _STATE.WATCHING:
            return None
        sources = ", ".join(source for source, _beat in living)
        return self._fire(
            "beat",
            f"the orchestrator has beaten again ({sources}) after {silent_s:.0f} s; "
            f"{len(self._cancelled)} entry orders had been cancelled",
            {"silent_s": round(silent_s, 1), "cancelled": len(self._cancelled)},
            is_open=False,
            action="No action is required.",
        )

    def _stopped(self, now_s: float) -> JournalEntry | None:
        self._heard_s = now_s
        if self.state is _STATE.STOPPED:
            return None
        is_unfinished = self.state is _STATE.CANCELLING
        return self._fire(
            "stop",
            f"the system was ended in order, which is no silence; {len(self._cancelled)} entry orders were cancelled",
            {"cancelled": len(self._cancelled)},
            is_open=False,
            action="Entry orders may be left: look at the accounts' open orders."
            if is_unfinished
            else "No action is required.",
        )

    def _fall_silent(self, silent_s: float, now_s: float) -> JournalEntry:
        self._next_s, self._failures, self._clean, self._cancelled = now_s, 0, 0, []
        self._condition = None
        return self._fire(
            "silence",
            f"no beat of the orchestrator for {silent_s:.0f} s in {' or '.join(self._seen)}; {self._silence_s:.0f} s "
            "are allowed; our open entry orders are being cancelled, reduce-only orders and stops stay",
            {"silent_s": round(silent_s, 1), "silence_s": self._silence_s, "looks": self._looks},
            is_open=True,
            action="Find out why the system is silent (`eternal status`, its log) and start it again.",
        )

    def _not_clean(self, done: Cleared, now_s: float) -> JournalEntry | None:
        self._clean = 0
        self._failures += 1
        self._next_s = now_s + (RETRY.pause_s(self._failures) if done.left else CLEAN_PAUSE_S)
        if done.left and self._condition is not None:
            text = (
                f"The dead-man switch cannot cancel everything yet and keeps trying: {'; '.join(done.left)}. "
                f"{len(self._cancelled)} entry orders are cancelled so far. Cancel the others on the exchange's page."
            )
            self._condition = Condition(text, True)
        if self.state is not _STATE.CANCELLED or not done.found:
            return None
        return self._fire(
            "found",
            f"{len(done.found)} entry orders of ours have appeared in the silence: {', '.join(done.found)}",
            {"found": len(done.found)},
            is_open=True,
            action="No action is required beyond starting the system again.",
        )

    def _fire(self, trigger: str, reason: str, data: Mapping[str, Any], *, is_open: bool, action: str) -> JournalEntry:
        if is_open or self._condition is not None:
            self._condition = Condition(f"Dead-man switch: {reason}. {action}", is_open)
        return self._machine.fire(trigger, reason, data)

    # --- durable form ---

    def to_data(self) -> dict[str, Any]:
        """What a restarted process resumes from, as JSON values; instants are of the clock it was given."""
        return {
            "state": self.state.value,
            "seen": {source: list(beat) for source, beat in self._seen.items() if beat is not None},
            "heard_s": self._heard_s,
            "cancelled": list(self._cancelled),
            "condition": None if self._condition is None else list(self._condition),
        }

    def restore(self, data: Mapping[str, Any], now_s: float) -> None:
        """Resume: a silence that has begun continues although the watching process was replaced.

        Raises:
            ValueError, KeyError, TypeError: it is not the form of `to_data`; nothing has changed.
        """
        machine = DeadManMachine.restored(MACHINE, str(data["state"]))
        seen = {source: Beat(str(one[0]), BeatState(one[1])) for source, one in dict(data["seen"]).items()}
        heard_s = float(data["heard_s"])
        if not 0 <= heard_s <= now_s:
            raise ValueError(f"field heard_s is {heard_s}; 0 to {now_s:.0f}, which is now, is allowed")
        cancelled = [str(one) for one in data["cancelled"]]
        condition = data["condition"]
        self._condition = None if condition is None else Condition(str(condition[0]), bool(condition[1]))
        self._machine, self._heard_s, self._cancelled = machine, heard_s, cancelled
        self._seen.update({source: beat for source, beat in seen.items() if source in self._seen})
