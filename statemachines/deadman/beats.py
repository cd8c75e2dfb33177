"""The orchestrator's beat: what it says, how it is written, and what of a damaged one is left (RM-4)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

BEAT_S = 5.0
"""The orchestrator beats this often, in wall time."""

LONGEST_TEXT = 1_000
_ID = re.compile(r"[0-9A-Za-z:._-]{1,80}")


class BeatState(StrEnum):
    """What the system was doing when it beat. STARTING and STOPPED are written by the launch."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


class Beat(NamedTuple):
    """One beat. `beat_id` distinguishes it from every other one: what has the same id is the same beat, however often
    it is read. It carries no time, so that no step of a clock makes it older or newer."""

    beat_id: str
    state: BeatState


def text_of(beat: Beat) -> str:
    """The beat as the content of a file."""
    return json.dumps({"beat_id": beat.beat_id, "state": beat.state.value})


def parse_text(text: str) -> Beat:
    """The beat that a file holds.

    Raises:
        ValueError: it holds none; the sentence names the field, its value and what is allowed.
    """
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"a beat has at most {LONGEST_TEXT} characters, this text has more")
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{text[:40]!r} is no JSON object of a beat") from None
    if not isinstance(found, Mapping):
        raise ValueError(f"{text[:40]!r} is no JSON object of a beat")
    return parse_beat(found.get("beat_id"), found.get("state"))


def parse_beat(beat_id: object, state: object) -> Beat:
    """The beat of these two values, from a file or a row.

    Raises:
        ValueError: they are none.
    """
    if not isinstance(beat_id, str) or not _ID.fullmatch(beat_id):
        raise ValueError(f"field beat_id is {str(beat_id)[:40]!r}; 1 to 80 of 0-9 A-Z a-z : . _ - are allowed")
    if not isinstance(state, str) or state not in frozenset(BeatState):
        raise ValueError(f"field state is {str(state)[:40]!r}; one of {', '.join(BeatState)} is allowed")
    return Beat(beat_id, BeatState(state))
