"""The folder of the runs, `backtests` in the data folder: one folder a run, whole or not there at all.

`request.json` is what was asked, `state.json` where the run is (written by the keeper alone), `cancel` that a
person has cancelled it, `progress.json`, `log.txt` and `errors.txt` come from its process, `report/` is what it leaves.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.files import write_text_whole
from statemachines.backtests.run import ENDED, RunMachine, RunState
from statemachines.fsm import UnknownStateError

RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{6}", re.ASCII)
_STAMP = "%Y%m%d-%H%M%S-%f"
"""A run's id is the wall time at which it was asked for, UTC, to the microsecond: ids sort by age."""

REQUEST, STATE, CANCEL, PROGRESS = "request.json", "state.json", "cancel", "progress.json"
OUTPUT, ERRORS, REPORT = "log.txt", "errors.txt", "report"
FORMAT = 1
LONGEST_FILE = 1 << 20
LONGEST_WORDS = 500


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, by whom, and the command that carries it out. `wanted` are the fields as they were given;
    `settings` all that differ from the specification's; `policy_version` 0: the configuration's own parameters."""

    name: str
    who: str
    is_synthetic: bool
    market: str
    policy_version: int
    wanted: Mapping[str, Any]
    settings: tuple[str, ...]
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """One change of a run's state; `at` is wall time, ISO 8601, UTC."""

    at: str
    trigger: str
    source: str
    dest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run is, how it came there, and its process while it has one (`begun` distinguishes it from a later
    one with the same number)."""

    state: RunState = RunState.QUEUED
    moves: tuple[Moved, ...] = ()
    pid: int = 0
    begun: str = ""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as its folder has it. `request` None: its file cannot be read, `trouble` says why."""

    run_id: str
    folder: Path
    request: Request | None
    standing: Standing
    trouble: str = ""
    report: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "report", self.folder / REPORT / "report.html")

    @property
    def created_at(self) -> datetime:
        """Wall time."""
        return _created(self.run_id)

    @property
    def state(self) -> RunState:
        return self.standing.state

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED

    @property
    def canceller(self) -> str:
        """Who has cancelled it; "" for none. That the file is there cancels it, whatever it says."""
        try:
            with (self.folder / CANCEL).open("rb") as file:
                text = file.read(4 * LONGEST_WORDS).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        except OSError:
            text = ""
        return _shown(text)[:LONGEST_WORDS].strip() or "an unknown person"

    @property
    def last_words(self) -> str:
        """The last line of its process's errors, as far as it can be shown; "" for none."""
        try:
            with (self.folder / ERRORS).open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - 8_192))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return _shown(lines[-1])[:LONGEST_WORDS] if lines else ""


class Runs:
    """All runs below one folder, which is made when it is first written to. Safe for several processes: a run appears
    and disappears in one step, and `state.json` has one writer."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = folder
        self._now = now

    def ids(self) -> list[str]:
        """The ids of the runs, newest first."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted((name for name in names if _is_id(name)), reverse=True)

    def all(self) -> list[StoredRun]:
        """The runs, newest first."""
        return [run for run_id in self.ids() if (run := self.find(run_id)) is not None]

    def states(self) -> dict[str, RunState]:
        """The state of each run by its id."""
        return {run.run_id: run.state for run in self.all()}

    def find(self, run_id: str) -> StoredRun | None:
        """The run of this id; None if there is none. What cannot be read makes it FAILED, with the reason."""
        folder = self.folder / run_id
        if not _is_id(run_id) or not folder.is_dir():
            return None
        request, trouble = _read(folder / REQUEST, _request)
        standing, lost = _read(folder / STATE, _standing)
        if trouble or lost:
            if not folder.is_dir():  # it was removed meanwhile
                return None
            sentence = trouble or lost
            standing = Standing(RunState.FAILED, (Moved("", "fail", "QUEUED", "FAILED", sentence),))
        assert standing is not None
        return StoredRun(run_id, folder, request, standing, trouble or lost)

    def create(self, request: Request) -> StoredRun:
        """A new run that waits. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        run_id = self._now().astimezone(UTC).strftime(_STAMP)
        draft = self.folder / f".{run_id}.draft"
        draft.mkdir(mode=0o700)
        try:
            write_text_whole(draft / REQUEST, json.dumps({"format": FORMAT, **asdict(request)}, indent=2))
            write_text_whole(draft / STATE, _document(Standing()))
            draft.rename(self.folder / run_id)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return StoredRun(run_id, self.folder / run_id, request, Standing())

    def move(self, run: StoredRun, trigger: str, reason: str, pid: int = 0, begun: str = "") -> StoredRun:
        """Move the run along its machine and write it down. Raises IllegalTransitionError and OSError; nothing has
        changed then."""
        machine = RunMachine.restored(run.run_id, run.state)
        entry = machine.fire(trigger, reason, {})
        at = self._now().isoformat(timespec="milliseconds")
        moves = (*run.standing.moves, Moved(at, entry.trigger, entry.source, entry.dest, reason))
        standing = Standing(machine.state, moves, pid, begun)
        write_text_whole(run.folder / STATE, _document(standing))
        return StoredRun(run.run_id, run.folder, run.request, standing)

    def ask_to_end(self, run: StoredRun, who: str) -> None:
        """Leave the keeper the request to end this run. Raises OSError."""
        write_text_whole(run.folder / CANCEL, who)

    def remove(self, run: StoredRun) -> None:
        """Delete the run with all that it has left. Raises OSError."""
        gone = self.folder / f".{run.run_id}.removed"
        run.folder.rename(gone)
        shutil.rmtree(gone)

    def sweep(self) -> None:
        """Delete what an interrupted `create` or `remove` has left."""
        for path in self.folder.glob(".*"):
            name, _, what = path.name[1:].rpartition(".")
            if what in ("draft", "removed") and _is_id(name):
                shutil.rmtree(path, ignore_errors=True)


def _is_id(name: str) -> bool:
    if not RUN_ID.fullmatch(name):
        return False
    try:
        _created(name)
    except ValueError:
        return False
    return True


def _created(run_id: str) -> datetime:
    return datetime.strptime(run_id, _STAMP).replace(tzinfo=UTC)


def _read(path: Path, parse: Callable[[Any], Any]) -> tuple[Any, str]:
    try:
        if path.stat().st_size > LONGEST_FILE:
            raise ValueError(f"it is longer than {LONGEST_FILE:,} bytes")
        found = json.loads(path.read_bytes())
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()  # half a character pair, or no number
        return parse(found), ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        why = _shown(str(error.strerror if isinstance(error, OSError) else error))[:200]
        return None, f"The run's file {path.name} cannot be read ({why}); remove the run and start it again."


def _shown(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)


def _request(found: Any) -> Request:
    if found["format"] != FORMAT:
        raise ValueError(f"format {found['format']!r} is not known; {FORMAT} is allowed")
    texts = {name: str(found[name]) for name in ("name", "who", "market")}
    return Request(
        **texts,
        is_synthetic=bool(found["is_synthetic"]),
        policy_version=int(found["policy_version"]),
        wanted=dict(found["wanted"]),
        settings=tuple(map(str, found["settings"])),
        arguments=tuple(map(str, found["arguments"])),
    )


def _standing(found: Any) -> Standing:
    try:
        state: RunState = RunMachine.restored("", str(found["state"])).state
    except UnknownStateError as error:
        raise ValueError(str(error)) from None
    moves = tuple(Moved(**{name: str(one[name]) for name in Moved.__slots__}) for one in found["moves"])
    return Standing(state, moves, int(found["pid"]), str(found["begun"]))


def _document(standing: Standing) -> str:
    return json.dumps({"format": FORMAT, **asdict(standing)}, indent=2)
