"""RM-4, P2: when the dead-man switch believes that the system is silent, and what it does until the beats return."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.commands import JournalEntry
from statemachines.deadman import switch as module
from statemachines.deadman.beats import Beat, BeatState
from statemachines.deadman.machine import DeadManState
from statemachines.deadman.switch import (
    CLEAN_PAUSE_S,
    CLEAN_READINGS,
    GUARD_PAUSE_S,
    LEAST_LOOKS,
    Cleared,
    DeadManSwitch,
)

SILENCE_S = 300.0
LOOK_S = 5.0
SOURCES = ("file", "database")
W, CANCELLING, CANCELLED, STOPPED = DeadManState
NOTHING = Cleared((), (), 0, ())

Heard = Mapping[str, Beat | None]


def running(number: int) -> Beat:
    return Beat(f"7:{number}", BeatState.RUNNING)


def heard(file: Beat | None = None, database: Beat | None = None) -> Heard:
    return {"file": file, "database": database}


class Bench:
    """A switch with a clock that the test moves."""

    def __init__(self, kind: type[DeadManSwitch] = DeadManSwitch, now_s: float = 1_000.0) -> None:
        self.now_s = now_s
        self.switch = kind(SILENCE_S, now_s, SOURCES)

    def look(self, after_s: float, what: Heard) -> JournalEntry | None:
        self.now_s += after_s
        return self.switch.look(what, self.now_s)

    def silent_for(self, seconds: float, what: Heard) -> JournalEntry | None:
        """Look every five seconds while nothing new is said, and once at the end."""
        until, entry = self.now_s + seconds, None
        while self.now_s + LOOK_S < until:
            entry = self.look(LOOK_S, what) or entry
        return self.look(until - self.now_s, what) or entry

    def clear(self, done: Cleared, after_s: float = 0.0) -> JournalEntry | None:
        self.now_s += after_s
        assert self.switch.clears_now(self.now_s)
        return self.switch.cleared(done, self.now_s)

    def fall_silent(self) -> None:
        self.look(0, heard(running(1), running(1)))
        entry = self.silent_for(SILENCE_S, heard(running(1), running(1)))
        assert entry is not None and entry.trigger == "silence"


# --- what counts as silence: the table, and planted defects that it must find ---

TABLE: tuple[tuple[str, float, Heard, Sequence[str], DeadManState], ...] = (
    ("just below the limit", SILENCE_S - 0.001, heard(running(1), running(1)), (), W),
    ("at the limit", SILENCE_S, heard(running(1), running(1)), (), CANCELLING),
    ("just above the limit", SILENCE_S + 0.001, heard(running(1), running(1)), (), CANCELLING),
    ("no source can be read, below", SILENCE_S - 0.001, heard(), (), W),
    ("no source can be read, at the limit", SILENCE_S, heard(), (), CANCELLING),
    ("the file lives, the database is away", 900.0, heard(running(1), None), ("file",), W),
    ("the database lives, the file is damaged", 900.0, heard(None, running(1)), ("database",), W),
    ("the file lives, the database's row stands still", 900.0, heard(running(1), running(1)), ("file",), W),
    ("the database lives, the file stands still", 900.0, heard(running(1), running(1)), ("database",), W),
    ("ended in order, as the file alone says", 3_600.0, heard(Beat("x", BeatState.STOPPED)), (), STOPPED),
    ("ended in order, as the database alone says", 3_600.0, heard(None, Beat("x", BeatState.STOPPED)), (), STOPPED),
)  # fmt: skip


def outcome(kind: type[DeadManSwitch], seconds: float, said: Heard, living: Sequence[str]) -> DeadManState:
    """What the switch is doing after so many seconds in which the `living` sources bring new beats."""
    bench, number = Bench(kind), 1
    bench.look(0, said)
    until = bench.now_s + seconds
    while bench.now_s < until:
        number += 1
        now = {name: running(number) if name in living else beat for name, beat in said.items()}
        bench.look(min(LOOK_S, until - bench.now_s), now)
    return bench.switch.state


def failures(kind: type[DeadManSwitch]) -> list[str]:
    """The rows of the table that a switch gets wrong."""
    return [name for name, seconds, said, living, state in TABLE if outcome(kind, seconds, said, living) is not state]


def test_rm4_silence_is_no_beat_in_the_file_and_in_the_database_for_five_minutes() -> None:
    assert failures(DeadManSwitch) == []


class _FileOnly(DeadManSwitch):
    """Planted: only the file counts."""

    def look(self, heard: Heard, now_s: float) -> JournalEntry | None:
        return super().look({"file": heard["file"]}, now_s)


class _DatabaseOnly(DeadManSwitch):
    """Planted: only the database counts."""

    def look(self, heard: Heard, now_s: float) -> JournalEntry | None:
        return super().look({"database": heard["database"]}, now_s)


class _AnyReading(DeadManSwitch):
    """Planted: whatever can be read counts as a beat, however old."""

    def look(self, heard: Heard, now_s: float) -> JournalEntry | None:
        self._seen.clear()
        return super().look(heard, now_s)


class _Late(DeadManSwitch):
    """Planted: a second more than five minutes."""

    def __init__(self, silence_s: float, now_s: float, sources: Sequence[str]) -> None:
        super().__init__(silence_s + 1, now_s, sources)


class _Early(DeadManSwitch):
    """Planted: a second less."""

    def __init__(self, silence_s: float, now_s: float, sources: Sequence[str]) -> None:
        super().__init__(silence_s - 1, now_s, sources)


class _EndIsSilence(DeadManSwitch):
    """Planted: a planned end counts as silence."""

    def look(self, heard: Heard, now_s: float) -> JournalEntry | None:
        return super().look(
            {name: one if one and one.state is not BeatState.STOPPED else None for name, one in heard.items()}, now_s
        )


@pytest.mark.parametrize("planted", [_FileOnly, _DatabaseOnly, _AnyReading, _Late, _Early, _EndIsSilence])
def test_a_planted_defect_in_what_counts_as_silence_is_found(planted: type[DeadManSwitch]) -> None:
    assert failures(planted)


def test_a_planned_end_counts_though_the_database_was_away_when_it_came() -> None:
    bench = Bench()
    bench.look(0, heard(running(1), running(1)))
    bench.look(LOOK_S, heard(Beat("launch:1:stopped", BeatState.STOPPED), running(1)))
    bench.silent_for(3_600, heard(Beat("launch:1:stopped", BeatState.STOPPED), running(1)))
    assert bench.switch.state is STOPPED


def test_it_takes_several_looks_however_long_the_clock_says_it_was() -> None:
    """A machine that slept for an hour, or a watching process that was frozen: the orchestrator slept as well."""
    bench = Bench()
    bench.look(0, heard(running(1), running(1)))
    for _look in range(LEAST_LOOKS - 1):
        assert bench.look(3_600, heard(running(1), running(1))) is None
    entry = bench.look(LOOK_S, heard(running(1), running(1)))
    assert entry is not None and entry.trigger == "silence"


def test_a_beat_between_the_looks_of_a_machine_that_slept_is_enough() -> None:
    bench = Bench()
    bench.look(0, heard(running(1), running(1)))
    bench.look(3_600, heard(running(1), running(1)))
    bench.look(LOOK_S, heard(running(2), running(1)))
    bench.look(LOOK_S, heard(running(2), running(1)))
    assert bench.switch.state is W and bench.switch.silent_s(bench.now_s) == LOOK_S


def test_a_clock_that_runs_back_is_no_silence_and_no_error() -> None:
    """The clock it is told counts on; should it step all the same, silence begins anew instead of being negative."""
    bench = Bench()
    bench.look(0, heard(running(1)))
    bench.look(-500, heard(running(1)))
    assert bench.switch.silent_s(bench.now_s) == 0 and bench.switch.state is W


def test_a_beat_that_is_repeated_with_another_age_is_the_same_beat() -> None:
    """Steps of the orchestrator's clock, of the database's or of the file system's make no beat and hide none."""
    assert Beat("7:1", BeatState.RUNNING) == running(1) != running(2)
    assert not {"ms", "s", "at"} & set(Beat._fields)


# --- cancelling ---


def test_rm4_the_accounts_are_looked_at_at_once_and_again_until_two_readings_are_clean() -> None:
    bench = Bench()
    bench.fall_silent()
    assert bench.clear(Cleared(("a", "b"), ("a",), 2, ("TREND-1: b could not be cancelled",))) is None
    assert not bench.switch.clears_now(bench.now_s), "with a pause"
    assert bench.clear(Cleared(("b",), ("b",), 2, ()), after_s=1.0) is None
    assert bench.clear(Cleared((), (), 2, ()), after_s=CLEAN_PAUSE_S) is None, "one clean reading is none"
    entry = bench.clear(Cleared((), (), 2, ()), after_s=CLEAN_PAUSE_S)
    assert entry is not None and (entry.trigger, entry.data["cancelled"], entry.data["kept"]) == ("none_left", 2, 2)
    assert bench.switch.state is CANCELLED


def test_a_clean_reading_between_two_others_does_not_count() -> None:
    bench = Bench()
    bench.fall_silent()
    assert CLEAN_READINGS == 2
    bench.clear(NOTHING)
    bench.clear(Cleared(("a",), ("a",), 0, ()), after_s=CLEAN_PAUSE_S)
    assert bench.clear(NOTHING, after_s=CLEAN_PAUSE_S) is None
    assert bench.clear(NOTHING, after_s=CLEAN_PAUSE_S) is not None


def test_an_exchange_that_does_not_answer_is_asked_with_growing_pauses_and_never_given_up() -> None:
    bench = Bench()
    bench.fall_silent()
    away = Cleared((), (), 0, ("TREND-1: open spot orders cannot be read: no connection",))
    pauses = []
    for _try in range(9):
        bench.clear(away)
        since = bench.now_s
        while not bench.switch.clears_now(bench.now_s):
            bench.now_s += 0.5
        pauses.append(bench.now_s - since)
    assert pauses == [1, 2, 5, 15, 30, 60, 60, 60, 60]
    assert bench.switch.state is CANCELLING
    condition = bench.switch.condition
    assert condition is not None and condition.is_open and "no connection" in condition.text


def test_an_order_that_lands_in_the_silence_is_found_later() -> None:
    """A request that was on its way when everything died."""
    bench = Bench()
    bench.fall_silent()
    bench.clear(NOTHING)
    bench.clear(NOTHING, after_s=CLEAN_PAUSE_S)
    assert bench.switch.state is CANCELLED
    entry = bench.clear(Cleared(("late",), ("late",), 0, ()), after_s=GUARD_PAUSE_S)
    assert entry is not None and entry.trigger == "found" and bench.switch.state is CANCELLING
    bench.clear(NOTHING, after_s=CLEAN_PAUSE_S)
    entry = bench.clear(NOTHING, after_s=CLEAN_PAUSE_S)
    assert entry is not None and entry.data["cancelled"] == 1


@pytest.mark.parametrize("is_clean", [True, False])
def test_rm4_it_is_ready_again_when_beats_return(is_clean: bool) -> None:
    bench = Bench()
    bench.fall_silent()
    if is_clean:
        bench.clear(NOTHING)
        bench.clear(NOTHING, after_s=CLEAN_PAUSE_S)
    entry = bench.look(LOOK_S, heard(running(2), running(1)))
    assert entry is not None and (entry.trigger, bench.switch.state) == ("beat", W)
    assert not bench.switch.clears_now(bench.now_s)
    assert bench.switch.cleared(NOTHING, bench.now_s) is None, "a reading that was under way changes nothing"
    condition = bench.switch.condition
    assert condition is not None and not condition.is_open
    assert bench.silent_for(SILENCE_S - 1, heard(running(2), running(1))) is None
    entry = bench.look(1, heard(running(2), running(1)))
    assert entry is not None and entry.trigger == "silence", "the next silence trips it like the first one"
    assert entry.data["silence_s"] == SILENCE_S


def test_a_planned_end_while_it_cancels_says_that_orders_may_be_left() -> None:
    bench = Bench()
    bench.fall_silent()
    entry = bench.look(LOOK_S, heard(Beat("launch:1:stopped", BeatState.STOPPED), running(1)))
    assert entry is not None and bench.switch.state is STOPPED
    condition = bench.switch.condition
    assert condition is not None and "look at the accounts' open orders" in condition.text


def test_a_start_is_watched_from_its_first_beat_on_though_the_last_end_still_stands_in_one_source() -> None:
    bench = Bench()
    bench.look(0, heard(Beat("launch:1:stopped", BeatState.STOPPED)))
    assert bench.switch.state is STOPPED
    entry = bench.look(9_000, heard(Beat("launch:2:starting", BeatState.STARTING), Beat("old", BeatState.STOPPED)))
    assert entry is not None and bench.switch.state is W
    assert bench.silent_for(SILENCE_S, heard(Beat("launch:2:starting", BeatState.STARTING))) is not None
    assert bench.switch.state is CANCELLING, "a start that never ends is silence"


# --- what a restarted process resumes from ---


def test_a_silence_continues_although_the_watching_process_was_replaced() -> None:
    bench = Bench()
    bench.look(0, heard(running(1), running(1)))
    bench.silent_for(SILENCE_S - 20, heard(running(1), running(1)))
    kept = json.loads(json.dumps(bench.switch.to_data()))
    bench.switch = DeadManSwitch(SILENCE_S, bench.now_s, SOURCES)
    bench.switch.restore(kept, bench.now_s)
    assert bench.silent_for(19, heard(running(1), running(1))) is None
    entry = bench.look(1, heard(running(1), running(1)))
    assert entry is not None and entry.data["silent_s"] == SILENCE_S


def test_a_cancelling_continues_with_what_was_done() -> None:
    bench = Bench()
    bench.fall_silent()
    bench.clear(Cleared(("a",), ("a",), 1, ()))
    kept = json.loads(json.dumps(bench.switch.to_data()))
    bench.switch = DeadManSwitch(SILENCE_S, bench.now_s, SOURCES)
    bench.switch.restore(kept, bench.now_s)
    assert bench.switch.state is CANCELLING
    bench.clear(NOTHING)
    entry = bench.clear(NOTHING, after_s=CLEAN_PAUSE_S)
    assert entry is not None and entry.data["cancelled"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"state": "ASLEEP"},
        {"heard_s": 10_000.0},
        {"heard_s": -1},
        {"heard_s": "nan"},
        {"seen": {"file": ["7:1", "ASLEEP"]}},
        {"seen": 3},
        {"cancelled": None},
        {"condition": 7},
    ],
)
def test_what_was_kept_and_cannot_be_is_refused_whole(change: Mapping[str, Any]) -> None:
    bench = Bench()
    bench.fall_silent()
    kept = {**bench.switch.to_data(), **change}
    fresh = DeadManSwitch(SILENCE_S, 1_400.0, SOURCES)
    with pytest.raises((ValueError, TypeError)):
        fresh.restore(kept, 1_400.0)
    assert fresh.state is W and fresh.condition is None and fresh.silent_s(1_400.0) == 0


# --- any sequence ---

_STEP = st.tuples(
    st.floats(0, 400, allow_nan=False),
    st.sampled_from(["none", "file", "database", "stop", "start"]),
    st.booleans(),
)


@given(st.lists(_STEP, max_size=60))
def test_any_sequence_it_cancels_in_silence_only_and_its_alert_is_open_exactly_then(
    steps: list[tuple[float, str, bool]],
) -> None:
    bench = Bench()
    said: dict[str, Beat | None] = {"file": None, "database": None}
    last_s = bench.now_s
    for number, (after_s, what, is_clean) in enumerate(steps):
        match what:
            case "file" | "database":
                said[what] = running(number)
            case "stop":
                said = {"file": Beat(f"s:{number}", BeatState.STOPPED), "database": said["database"]}
            case "start":
                said = {"file": Beat(f"b:{number}", BeatState.STARTING), "database": said["database"]}
        bench.look(after_s, said)
        if what != "none":
            last_s = bench.now_s
        acts = bench.switch.state in (CANCELLING, CANCELLED)
        assert not acts or bench.now_s - last_s >= SILENCE_S
        assert acts or not bench.switch.clears_now(bench.now_s)
        condition = bench.switch.condition
        assert (condition is not None and condition.is_open) == acts
        if bench.switch.clears_now(bench.now_s):
            bench.switch.cleared(NOTHING if is_clean else Cleared(("x",), (), 0, ("x stands",)), bench.now_s)


def test_every_pause_is_one_that_ends() -> None:
    assert module.RETRY.longest_s == 60 and GUARD_PAUSE_S == 60
