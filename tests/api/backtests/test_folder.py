"""The folder of the runs: whole or not there, and what cannot be read is said rather than lost (DA-5)."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.backtests import folder
from api.backtests.desk import BacktestsUnavailableError
from api.backtests.folder import ERRORS, REPORT, REQUEST, STATE, Runs
from api.backtests.progress import Progress, read_progress, write_progress
from api.backtests.wanted import BacktestWanted
from api.views.arguments import UnknownNameError
from infra.files import write_text_whole
from statemachines.backtests.run import RunState
from statemachines.fsm import IllegalTransitionError
from tests.api.backtests.made import Clock, desk_on, done, request


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "backtests", Clock())


def test_what_was_written_is_read_again_by_another_process(runs: Runs) -> None:
    made = runs.create(request("first"))
    runs.move(made, "begin", "Its turn has come.", 77, "12345")
    found = Runs(runs.folder).find(made.run_id)
    assert found is not None and found.request == request("first")
    assert (found.state, found.standing.pid, found.standing.begun) == (RunState.RUNNING, 77, "12345")
    assert [(one.trigger, one.source, one.dest) for one in found.standing.moves] == [("begin", "QUEUED", "RUNNING")]
    assert found.created_at.isoformat() == "2026-11-29T12:00:01+00:00"


def test_newest_first_and_nothing_else_is_a_run(runs: Runs) -> None:
    assert Runs(runs.folder).all() == []
    made = [runs.create(request()).run_id for _ in range(3)]
    for name in ("lock", ".20261129-120000-000000.draft", "20269999-120000-000000", "20261129-120000", "notes"):
        (runs.folder / name).mkdir()
    (runs.folder / "20261129-110000-000000").write_text("a file")
    assert [run.run_id for run in runs.all()] == made[::-1]


@pytest.mark.parametrize("name", ["..", "../x", "", "20261129-120001-000000/..", "20261129-120001-000000\n"])
def test_a_name_that_leads_elsewhere_is_no_run(runs: Runs, name: str) -> None:
    runs.create(request())
    assert runs.find(name) is None


BROKEN: dict[str, tuple[str, Any]] = {
    "half of a file": (STATE, '{"format": 1, "state": "DO'),
    "an empty file": (STATE, ""),
    "another state": (STATE, '{"state": "ASLEEP", "moves": [], "pid": 0, "begun": ""}'),
    "a move that lacks its reason": (STATE, '{"state": "DONE", "moves": [{"at": ""}], "pid": 0, "begun": ""}'),
    "a list": (REQUEST, "[]"),
    "another format": (REQUEST, '{"format": 2}'),
    "bytes": (REQUEST, b"\xff\xfe\x00"),
    "deep": (REQUEST, "[" * 100_000),
    "missing": (REQUEST, None),
    "a number beyond all": (STATE, '{"state": "DONE", "moves": [], "pid": 1e999, "begun": ""}'),
    "a version beyond all": (
        REQUEST,
        '{"format": 1, "name": "", "who": "", "market": "", "is_synthetic": true, "policy_version": 1e999,'
        ' "wanted": {}, "settings": [], "arguments": []}',
    ),
    "half a character pair": (
        STATE,
        '{"state": "DONE", "moves": [{"at": "", "trigger": "", "source": "", "dest": "", "reason": "\\ud800"}], "pid"'
        ': 0, "begun": ""}',
    ),
    "moves that are none": (STATE, '{"state": "DONE", "moves": 5, "pid": 0, "begun": ""}'),
    "a number for the moves' names": (STATE, '{"state": "DONE", "moves": [7], "pid": 0, "begun": ""}'),
    "endless": (STATE, " " * (folder.LONGEST_FILE + 1)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_cannot_be_read_is_a_failed_run_that_says_so_and_can_be_removed(runs: Runs, what: str) -> None:
    run = done(runs)
    name, content = BROKEN[what]
    path = run.folder / name
    path.unlink() if content is None else path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = runs.find(run.run_id)
    assert found is not None and found.state is RunState.FAILED
    assert f"The run's file {name} cannot be read" in found.standing.moves[-1].reason
    desk = desk_on(runs.folder)
    shown = desk.page(None, 10, None)["rows"][0]
    assert shown["state"] == "FAILED" and shown["ended_at"] is None and json.dumps(shown)
    desk.remove(run.run_id)
    assert list(runs.folder.iterdir()) == []


CANCELS: dict[str, bytes | None] = {
    "no text": b"\xff\xfeanna",
    "a folder": None,
    "empty": b"",
    "lines": b"anna\n\x1b[2J",
}


@pytest.mark.parametrize("what", CANCELS)
def test_a_run_is_cancelled_whatever_the_file_says(runs: Runs, what: str) -> None:
    """One odd file made the list of all runs fail."""
    run = runs.create(request())
    content, path = CANCELS[what], run.folder / folder.CANCEL
    path.mkdir() if content is None else path.write_bytes(content)
    shown = desk_on(runs.folder).page(None, 10, None)["rows"][0]
    assert shown["is_cancelling"] and shown["canceller"].isprintable() and json.dumps(shown).encode()


@pytest.mark.parametrize(("figure", "odd"), [('"fills": 18', '"fills": "\\ud800"'), ("12.5", "1" + "0" * 400)])
def test_figures_that_cannot_be_shown_are_none(runs: Runs, figure: str, odd: str) -> None:
    run = done(runs)
    summary = run.folder / REPORT / "summary.json"
    text = summary.read_text()
    assert figure in text
    summary.write_text(text.replace(figure, odd))
    desk = desk_on(runs.folder)
    assert json.dumps(desk.page(None, 10, None)["rows"][0], ensure_ascii=False).encode()
    with pytest.raises(UnknownNameError, match="its figures do not"):
        desk.detail(run.run_id)


def test_a_move_that_the_machine_does_not_know_is_not_written(runs: Runs) -> None:
    run = done(runs)
    before = (run.folder / STATE).read_text()
    with pytest.raises(IllegalTransitionError):
        runs.move(run, "begin", "again")
    assert (run.folder / STATE).read_text() == before


@pytest.mark.parametrize("name", [REQUEST, STATE])
def test_a_full_disk_leaves_no_half_of_a_run_and_is_told(
    runs: Runs, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write: Callable[[Path, str], None] = write_text_whole

    def full(path: Path, text: str) -> None:
        if path.name == name:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, text)

    monkeypatch.setattr(folder, "write_text_whole", full)
    desk = desk_on(runs.folder)
    with pytest.raises(BacktestsUnavailableError, match="could not be written down: No space left on device"):
        desk.start(BacktestWanted(market="synthetic"), "anna")
    assert list(runs.folder.iterdir()) == []


def test_what_an_interruption_has_left_is_swept_and_nothing_else(runs: Runs) -> None:
    kept = runs.create(request())
    for name in (".20261129-120009-000000.draft", ".20261129-120009-000001.removed", ".mine", ".mine.draft"):
        (runs.folder / name).mkdir()
    runs.sweep()
    assert {path.name for path in runs.folder.iterdir()} == {kept.run_id, ".mine", ".mine.draft"}


def test_the_last_words_are_one_line_that_can_be_shown(runs: Runs) -> None:
    run = runs.create(request())
    assert run.last_words == ""
    (run.folder / ERRORS).write_bytes(b"first\n" * 5_000 + b"the \x1b[31mlast\xff" + b"x" * 2_000 + b"\n\n")
    assert run.last_words.startswith("the  [31mlast\ufffdxxx") and len(run.last_words) == folder.LONGEST_WORDS


INFINITE = '{"from_ms": 1e999, "to_ms": 1, "reached_ms": 1}'


def test_progress_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    assert read_progress(path) is None
    write_progress(path, 1, 9, 4)
    assert read_progress(path) == Progress(1, 9, 4)
    for broken in (
        "",
        "[1]",
        '{"from_ms": 1}',
        '{"from_ms": null, "to_ms": 1, "reached_ms": 1}',
        "[" * 100_000,
        INFINITE,
        INFINITE.replace("1e999", "1" + "0" * 400),
    ):
        path.write_text(broken)
        assert read_progress(path) is None
