"""What the ways in may do with backtests: ask for one, look, cancel, remove, compare. It runs nothing itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.backtests.figures import FiguresReader, UnreadableFiguresError, detail_of
from api.backtests.folder import PROGRESS, RUN_ID, Moved, Runs, StoredRun
from api.backtests.history import HistoryDesk, HistoryFound, HistoryState
from api.backtests.models import (
    Backtest,
    BacktestComparison,
    BacktestDetail,
    BacktestOptions,
    BacktestProgress,
    BacktestRemoved,
    ComparedBacktest,
    HistoryOffered,
)
from api.backtests.options import NAMES
from api.backtests.plan import NO_HISTORY, Place, RefusedRequestError, planned
from api.backtests.progress import read_progress
from api.backtests.wanted import BacktestWanted
from api.json_values import day_of
from api.text import quoted
from api.views.arguments import UnknownNameError, limit_of, one_of
from api.views.paging import decode, page_of
from infra.config import EternalConfig
from infra.database.reading.paging import PageKey
from infra.database.registers import PolicyVersion
from statemachines.backtests.run import MAX_KEPT, MAX_WAITING, RUN_TABLE, RunState, refusal_of_another

KEY = PageKey(("created_ms", "run_id"), (int, str), "created_ms")
LEAST_COMPARED, MOST_COMPARED = 2, 4
REMOVED = "It is removed with its report; nothing of it is kept."


class BacktestsUnavailableError(Exception):
    """Backtests are not to be had now (HTTP 503); the text says why and what to do."""


class BacktestConflictError(Exception):
    """The state of a run, or of the queue, does not allow it (HTTP 409); nothing was done."""

    def __init__(self, sentence: str, field: str, value: str, allowed: Sequence[str] = ()) -> None:
        self.field, self.value, self.allowed = field, value, list(allowed)
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a desk works with. `policy` reads the newest version (None: there is none yet) and may raise OSError or an
    error of the database; `wake` informs the keeper of something new, `trouble` is why it keeps no runs."""

    runs: Runs
    config: EternalConfig
    policy: Callable[[], PolicyVersion | None]
    history: HistoryDesk
    wake: Callable[[], None]
    trouble: Callable[[], str]


class BacktestDesk:
    """Safe for several threads. Blocks: it reads files, and for a start the database. `parts` None: this way in runs no
    backtests, and every question is answered so."""

    def __init__(self, parts: Parts | None) -> None:
        self._given = parts
        self._figures = FiguresReader()
        self._guard = threading.Lock()

    @property
    def _parts(self) -> Parts:
        if self._given is None:
            raise BacktestsUnavailableError("This interface runs no backtests; use `eternal backtest`.")
        return self._given

    # --- reading ---

    def options(self) -> BacktestOptions:
        """What can be asked for here. Raises BacktestsUnavailableError."""
        parts = self._parts
        states = parts.runs.states()
        found = parts.history.found()
        policy = self._policy(parts)
        market = "synthetic" if found.state in (HistoryState.NONE, HistoryState.UNUSABLE) else "history"
        return BacktestOptions(
            history=_offered(parts.history.folder, found),
            defaults=BacktestWanted.model_validate({"market": market}),
            engines=list(NAMES),
            policy_version=0 if policy is None else policy.version,
            kept=len(states),
            most_kept=MAX_KEPT,
            most_waiting=MAX_WAITING,
            obstacle=refusal_of_another(states) or parts.trouble(),
        )

    def page(self, before: str | None, limit: int, state: str | None) -> dict[str, Any]:
        """The runs, newest first. Raises BadValueError and BacktestsUnavailableError."""
        parts, wanted = self._parts, one_of("state", state, [one.value for one in RunState])
        size, place = limit_of(limit), decode(before, KEY)
        runs = parts.runs.all()
        waiting = _waiting(runs)
        asked = [
            {"created_ms": _ms(run.created_at), "run_id": run.run_id, "run": run}
            for run in runs
            if wanted is None or run.state == wanted
        ]
        behind = [row for row in asked if (row["created_ms"], row["run_id"]) < place][: size + 1]
        page = page_of(behind, size, KEY)
        return page | {"rows": [self._shown(row["run"], waiting).model_dump(mode="json") for row in page["rows"]]}

    def one(self, run_id: str) -> Backtest:
        """One run. Raises UnknownNameError."""
        run = self._found(run_id)
        return self._shown(run, _waiting(self._parts.runs.all()))

    def detail(self, run_id: str) -> BacktestDetail:
        """All figures of a run. Raises UnknownNameError for a run without a report, and for none."""
        run = self._with_report(run_id)
        try:
            return detail_of(run_id, run.report.parent)
        except UnreadableFiguresError as error:
            raise UnknownNameError("run_id", run_id, hint=f"its figures do not: {error}") from None

    def report(self, run_id: str) -> str:
        """The page of a run's report. Raises UnknownNameError."""
        run = self._with_report(run_id)
        try:
            return run.report.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise UnknownNameError("run_id", run_id, hint=f"its report cannot be read: {error}") from None

    def compare(self, text: str) -> BacktestComparison:
        """Two to four runs side by side. Raises RefusedRequestError and UnknownNameError."""
        names = [one.strip() for one in text.split(",")]
        if not LEAST_COMPARED <= len(names) <= MOST_COMPARED or len(set(names)) != len(names):
            allowed = f"{LEAST_COMPARED} to {MOST_COMPARED} different ids of runs"
            sentence = f"runs {quoted(text)} is not allowed; {allowed} are."
            raise RefusedRequestError("runs", text, sentence, (allowed,))
        found = [ComparedBacktest(run=self.one(name), detail=self.detail(name)) for name in names]
        return BacktestComparison(runs=found, differences=_differences(found))

    # --- changing ---

    def start(self, wanted: BacktestWanted, who: str) -> Backtest:
        """Take a run in the name of `who`; it waits until its turn has come.

        Raises RefusedRequestError, BacktestConflictError when no further run can be taken, and
        BacktestsUnavailableError when it cannot be written down or the policy cannot be read.
        """
        parts = self._parts
        policy = self._policy(parts)
        request = planned(
            wanted,
            who,
            Place(
                config=parts.config,
                policy=None if policy is None else policy.policy,
                policy_version=0 if policy is None else policy.version,
                history=parts.history.folder,
                bounds=parts.history.found().bounds,
            ),
        )
        with self._guard:
            if sentence := refusal_of_another(parts.runs.states()):
                raise BacktestConflictError(sentence, "runs", str(len(parts.runs.ids())))
            try:
                run = parts.runs.create(request)
            except OSError as error:
                raise BacktestsUnavailableError(
                    f"The backtest could not be written down: {error.strerror}. Nothing was started; see the disk."
                ) from None
        parts.wake()
        return self.one(run.run_id)

    def cancel(self, run_id: str, who: str) -> Backtest:
        """Have the keeper end a run; a repeat changes nothing. Raises UnknownNameError, BacktestConflictError and
        BacktestsUnavailableError."""
        run = self._found(run_id)
        if run.is_ended and run.state is not RunState.CANCELLED:
            raise BacktestConflictError(
                f"run_id '{run_id}' has ended already, in the state {run.state}; only one that waits or runs can be "
                "cancelled.",
                "run_id",
                run_id,
                [str(RunState.QUEUED), str(RunState.RUNNING)],
            )
        if not run.is_ended and not run.canceller:
            try:
                self._parts.runs.ask_to_end(run, who)
            except OSError as error:
                raise BacktestsUnavailableError(f"It could not be cancelled: {error.strerror}; try again.") from None
            self._parts.wake()
        return self.one(run_id)

    def remove(self, run_id: str) -> BacktestRemoved:
        """Delete a run that has ended. Raises UnknownNameError, BacktestConflictError and BacktestsUnavailableError."""
        run = self._found(run_id)
        if not run.is_ended:
            raise BacktestConflictError(
                f"run_id '{run_id}' is {run.state}; cancel it first, then it can be removed.", "run_id", run_id
            )
        try:
            self._parts.runs.remove(run)
        except FileNotFoundError:
            raise UnknownNameError("run_id", run_id) from None
        except OSError as error:
            raise BacktestsUnavailableError(f"It could not be removed: {error.strerror}; try again.") from None
        return BacktestRemoved(run_id=run_id, text=REMOVED)

    # --- pieces ---

    def _policy(self, parts: Parts) -> PolicyVersion | None:
        try:
            return parts.policy()
        except Exception as error:  # whatever the database's driver raises
            raise BacktestsUnavailableError(
                f"The policy in force cannot be read now: {type(error).__name__}. Nothing was started; try again."
            ) from error

    def _found(self, run_id: str) -> StoredRun:
        runs = self._parts.runs
        run = runs.find(run_id) if RUN_ID.fullmatch(run_id) else None
        if run is None:
            raise UnknownNameError("run_id", run_id, hint="GET /api/v1/backtests lists them")
        return run

    def _with_report(self, run_id: str) -> StoredRun:
        run = self._found(run_id)
        if not run.is_ended or not run.report.is_file():
            raise UnknownNameError("run_id", run_id, hint=f"the run is {run.state} and has no report")
        return run

    def _shown(self, run: StoredRun, waiting: Sequence[str]) -> Backtest:
        request, moves, is_waiting = run.request, run.standing.moves, run.state is RunState.QUEUED
        has_report = run.is_ended and run.report.is_file()
        return Backtest(
            run_id=run.run_id,
            name="" if request is None else request.name,
            who="" if request is None else request.who,
            state=run.state,
            russian=RUN_TABLE.russian[run.state],
            reason=moves[-1].reason if moves else "",
            created_at=run.created_at.isoformat(timespec="milliseconds"),
            started_at=_when(moves, "begin"),
            ended_at=_when(moves, "finish", "cancel", "fail"),
            waits_for=waiting.index(run.run_id) if is_waiting and run.run_id in waiting else 0,
            is_cancelling=not run.is_ended and bool(run.canceller),
            canceller=run.canceller,
            is_synthetic=request is None or request.is_synthetic,
            market="" if request is None else request.market,
            policy_version=0 if request is None else request.policy_version,
            settings=[] if request is None else list(request.settings),
            wanted=None if request is None else _wanted(request.wanted),
            progress=_progress(run),
            has_report=has_report,
            figures=self._figures.key_figures(run.report.parent) if has_report else None,
        )


def _waiting(runs: Sequence[StoredRun]) -> list[str]:
    """What runs and what waits, in the order of their turns."""
    running = [run.run_id for run in runs if run.state is RunState.RUNNING]
    return running + sorted(run.run_id for run in runs if run.state is RunState.QUEUED)


def _when(moves: Sequence[Moved], *triggers: str) -> str | None:
    return next((one.at for one in moves if one.trigger in triggers and one.at), None)


def _wanted(found: Any) -> BacktestWanted | None:
    try:
        return BacktestWanted.model_validate(found)
    except ValueError:  # of another version of this program
        return None


def _progress(run: StoredRun) -> BacktestProgress | None:
    if run.state is RunState.QUEUED:
        return None
    found = read_progress(run.folder / PROGRESS)
    if found is None:
        return None
    whole = max(found.to_ms - found.from_ms, 1)
    part = min(max((found.reached_ms - found.from_ms) / whole, 0.0), 1.0)
    return BacktestProgress(from_ms=found.from_ms, to_ms=found.to_ms, reached_ms=found.reached_ms, part=part)


def _offered(folder: Path | None, found: HistoryFound) -> HistoryOffered:
    bounds = found.bounds
    text = {
        HistoryState.NONE: NO_HISTORY,
        HistoryState.READING: "The price history is being read; a run from it can be started meanwhile.",
        HistoryState.READY: "",
        HistoryState.UNUSABLE: f"The price history cannot be used. {found.trouble}",
    }[found.state]
    first, earliest, last = (
        (None, None, None)
        if bounds is None
        else (day_of(bounds.first_common_ms), day_of(bounds.earliest_ms), day_of(bounds.end_ms - 1))
    )
    if bounds is not None:
        text = f"Recorded prices from {earliest} to {last}."
    return HistoryOffered(
        state=found.state,
        folder="" if folder is None else folder.name,
        first_day=first,
        earliest_day=earliest,
        last_day=last,
        text=text,
    )


def _differences(found: Sequence[ComparedBacktest]) -> list[str]:
    """What differs beside the parameters, as sentences: who compares must know it."""
    details = [one.detail for one in found]
    sentences = []
    if any(one.is_synthetic for one in details):
        sentences.append("A synthetic market is among them: its figures say nothing about what strategies would earn.")
    if len({(one.market, one.data_hash) for one in details}) > 1:
        sentences.append("The markets or their data differ.")
    if len({(one.figures.from_ms, one.figures.ended_ms) for one in details}) > 1:
        sentences.append("The periods differ: compare figures a year, not those of the whole period.")
    if len({(one.version, one.commit) for one in details}) > 1:
        sentences.append("Different versions of the program ran them.")
    if not all(one.figures.is_complete for one in details):
        sentences.append("Not all of them ran to the end of their period.")
    return sentences


def _ms(at: datetime) -> int:
    return round(at.astimezone(UTC).timestamp() * 1_000)
