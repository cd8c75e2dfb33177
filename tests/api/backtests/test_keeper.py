"""The keeper of the runs: one process at a time, ended with the keeper, its end written down whatever it was (IF-3)."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from api.backtests import folder
from api.backtests.folder import REPORT, Runs, StoredRun
from api.backtests.history import HistoryState, judged
from api.backtests.keeper import INTERRUPTED, LOCK, STOPPED, RunKeeper
from api.backtests.wanted import BacktestWanted
from api.cli.as_child import LOWEST_PRIORITY
from infra.files import write_text_whole
from infra.processes.environment import child_environment
from infra.processes.table import begun, is_alive
from infra.simulator.market.history import HistoryMarket
from statemachines.backtests.run import RunState
from tests.api.backtests.made import Clock, desk_on, request
from tests.infra.simulator.market.make import write_required
from tests.waiting import until

LEAVES = "import os; os.mkdir('report'); open('report/report.html', 'w').write('x')"
SLEEPS = "import time; time.sleep(60)"
ENDS_IN_ORDER = (
    "import os, signal, sys, time\n"
    "def end(*_):\n"
    "    os.mkdir('report'); open('report/report.html', 'w').write('x'); os._exit(143)\n"
    "signal.signal(signal.SIGTERM, end); open('ready', 'w').close(); time.sleep(60)"
)
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('ready', 'w').close(); time.sleep(60)"
)
SAYS_WHY = "import sys; print('Not this one.', file=sys.stderr); sys.exit(2)"


def code(text: str) -> Callable[[Sequence[str]], list[str]]:
    """Runs are this program, whatever their arguments are."""
    return lambda _arguments: [sys.executable, "-c", text]


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "backtests", Clock())


@pytest.fixture
def keeper_of(runs: Runs) -> Iterator[Callable[..., RunKeeper]]:
    made: list[RunKeeper] = []

    def make(text: str, grace_s: float = 30.0) -> RunKeeper:
        made.append(RunKeeper(runs, code(text), 0.02, grace_s))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.stop()


def now(runs: Runs, run: StoredRun) -> StoredRun:
    found = runs.find(run.run_id)
    assert found is not None
    return found


def ends(runs: Runs, run: StoredRun) -> StoredRun:
    """The run once it has ended."""
    until(lambda: now(runs, run).is_ended)
    return now(runs, run)


def begins(runs: Runs, run: StoredRun, file: str = "") -> StoredRun:
    """The run once its process works."""
    until(lambda: now(runs, run).state is RunState.RUNNING and (not file or (run.folder / file).exists()))
    return now(runs, run)


@pytest.mark.parametrize(
    ("text", "state", "told"),
    [
        (LEAVES, RunState.DONE, "The whole period was run."),
        ("", RunState.FAILED, "left no report"),
        (SAYS_WHY, RunState.FAILED, "Not this one."),
        ("import os; os.kill(os.getpid(), 9)", RunState.FAILED, "killed by signal 9"),
    ],
)
def test_the_end_of_a_process_is_written_down(
    runs: Runs, keeper_of: Callable[..., RunKeeper], text: str, state: RunState, told: str
) -> None:
    run = runs.create(request())
    keeper_of(text)
    found = ends(runs, run)
    assert found.state is state and told in found.standing.moves[-1].reason


def test_one_runs_at_a_time_the_oldest_first(runs: Runs, keeper_of: Callable[..., RunKeeper]) -> None:
    first, second = runs.create(request("a")), runs.create(request("b"))
    keeper_of(ENDS_IN_ORDER)
    begins(runs, first, "ready")
    assert now(runs, second).state is RunState.QUEUED
    runs.ask_to_end(first, "anna")
    begins(runs, second, "ready")
    assert now(runs, first).state is RunState.CANCELLED


def test_a_cancelled_run_ends_in_order_and_keeps_its_report(runs: Runs, keeper_of: Callable[..., RunKeeper]) -> None:
    run = runs.create(request())
    keeper_of(ENDS_IN_ORDER)
    begins(runs, run, "ready")
    runs.ask_to_end(run, "anna")
    found = ends(runs, run)
    assert found.state is RunState.CANCELLED and found.report.is_file()
    assert found.standing.moves[-1].reason == "Cancelled by anna. The report covers the part that was run."


def test_one_that_does_not_obey_is_killed(runs: Runs, keeper_of: Callable[..., RunKeeper]) -> None:
    run = runs.create(request())
    keeper_of(STUBBORN, grace_s=0.1)
    pid = begins(runs, run, "ready").standing.pid
    runs.ask_to_end(run, "anna")
    assert ends(runs, run).state is RunState.CANCELLED
    assert not is_alive(pid)


def test_one_that_waits_is_cancelled_without_having_begun(runs: Runs, keeper_of: Callable[..., RunKeeper]) -> None:
    run = runs.create(request())
    runs.ask_to_end(run, "anna")
    keeper_of(LEAVES)
    found = ends(runs, run)
    assert [one.trigger for one in found.standing.moves] == ["cancel"] and not (run.folder / REPORT).exists()


def test_one_that_waits_is_cancelled_while_another_runs(runs: Runs, keeper_of: Callable[..., RunKeeper]) -> None:
    """The planted defect is a look at those that wait only when nothing runs: it would be QUEUED for hours."""
    running, waiting = runs.create(request("a")), runs.create(request("b"))
    keeper_of(SLEEPS)
    begins(runs, running)
    runs.ask_to_end(waiting, "anna")
    until(lambda: now(runs, waiting).is_ended)
    assert now(runs, waiting).standing.moves[-1].reason == "Cancelled by anna before it began."
    assert now(runs, running).state is RunState.RUNNING


def test_a_run_ends_with_its_keeper(runs: Runs, keeper_of: Callable[..., RunKeeper]) -> None:
    run = runs.create(request())
    keeper = keeper_of(SLEEPS)
    pid = begins(runs, run).standing.pid
    keeper.stop()
    found = now(runs, run)
    assert (found.state, found.standing.moves[-1].reason) == (RunState.FAILED, STOPPED)
    assert not is_alive(pid)


def test_after_a_crash_the_run_is_failed_and_its_process_ended(runs: Runs, keeper_of: Callable[..., RunKeeper]) -> None:
    """The planted defect would be an adopted number: another program may have it by now, and must live."""
    orphan, stranger = (subprocess.Popen([sys.executable, "-c", SLEEPS]) for _ in range(2))
    try:
        lost = runs.move(runs.create(request()), "begin", "", orphan.pid, begun(orphan.pid))
        reused = runs.move(runs.create(request()), "begin", "", stranger.pid, "another one's beginning")
        waiting = runs.create(request())
        keeper_of(LEAVES)
        assert ends(runs, waiting).state is RunState.DONE
        for run in (lost, reused):
            found = now(runs, run)
            assert (found.state, found.standing.moves[-1].reason) == (RunState.FAILED, INTERRUPTED)
        assert orphan.wait(10) == -signal.SIGKILL and stranger.poll() is None
    finally:
        for one in (orphan, stranger):
            one.kill()
            one.wait()


def test_a_process_that_cannot_be_started_is_a_failed_run(runs: Runs) -> None:
    run = runs.create(request())
    keeper = RunKeeper(runs, lambda _: ["/nowhere/at-all"], 0.02)
    keeper.start()
    found = ends(runs, run)
    keeper.stop()
    assert [one.trigger for one in found.standing.moves] == ["fail"]
    assert "could not be started: No such file or directory" in found.standing.moves[-1].reason


def test_a_full_disk_stops_nothing_for_good(
    runs: Runs, keeper_of: Callable[..., RunKeeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a run cannot be written down: it is tried again, and no process is left behind meanwhile."""
    write, is_full = write_text_whole, True

    def perhaps(path: Path, text: str) -> None:
        if is_full and path.name == folder.STATE and '"DONE"' in text:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, text)

    monkeypatch.setattr(folder, "write_text_whole", perhaps)
    monkeypatch.setattr("api.backtests.keeper.FAILED_LOOK_S", 0.02)
    run = runs.create(request())
    keeper = keeper_of(LEAVES)
    until(lambda: "No space left on device" in keeper.trouble)
    assert now(runs, run).state is RunState.RUNNING
    is_full = False
    assert ends(runs, run).state is RunState.DONE
    until(lambda: keeper.trouble == "")


def test_two_keepers_on_one_folder_run_nothing_twice(runs: Runs, keeper_of: Callable[..., RunKeeper]) -> None:
    runs.folder.mkdir(parents=True)
    with (runs.folder / LOCK).open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        run = runs.create(request())
        keeper = keeper_of(LEAVES)
        until(lambda: "Another process of the interface" in keeper.trouble)
        assert now(runs, run).state is RunState.QUEUED
    assert ends(runs, run).state is RunState.DONE


def test_a_folder_that_somebody_deletes_ends_its_run(runs: Runs, keeper_of: Callable[..., RunKeeper]) -> None:
    run, after = runs.create(request()), runs.create(request())
    keeper_of(ENDS_IN_ORDER)
    pid = begins(runs, run, "ready").standing.pid
    run.folder.rename(runs.folder.parent / "away")  # at once; deleting file by file would race with what still writes
    begins(runs, after)
    assert not is_alive(pid)


def test_no_secret_reaches_the_process_of_a_run(
    runs: Runs, keeper_of: Callable[..., RunKeeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "BYBIT_MASTER_API_KEY", "RAY_AUTH_TOKEN", "ETERNAL__API__PORT", "ETERNAL_CONFIG"):
        monkeypatch.setenv(name, "a-secret")
    run = runs.create(request())
    keeper_of(f"import os; print(sorted(os.environ), os.environ); {LEAVES}")
    ends(runs, run)
    said = (run.folder / folder.OUTPUT).read_text()
    assert "PATH" in said and "secret" not in said and "TOKEN" not in said


INTERFACE = """
import sys, time
from pathlib import Path
from api.backtests.folder import Runs
from api.backtests.keeper import RunKeeper
RunKeeper(Runs(Path(sys.argv[1])), look_s=0.02).start()
time.sleep(120)
"""


@pytest.mark.slow
def test_a_run_ends_with_an_interface_that_is_killed_and_takes_only_spare_time(runs: Runs) -> None:
    """No word is said to it: the kernel ends it."""
    run = runs.create(replace(request(), arguments=("backtest", "--to=2035-12-31", "--out=report")))
    parent = subprocess.Popen([sys.executable, "-c", INTERFACE, str(runs.folder)], env=child_environment(None, ""))
    try:
        until(lambda: now(runs, run).standing.pid != 0 or parent.poll() is not None)
        pid = now(runs, run).standing.pid
        until(lambda: os.getpriority(os.PRIO_PROCESS, pid) == LOWEST_PRIORITY)
        parent.kill()
        parent.wait()
        until(lambda: not is_alive(pid))
    finally:
        parent.kill()
        parent.wait()


@pytest.mark.slow
def test_a_backtest_is_really_run_from_the_request_to_its_figures(tmp_path: Path) -> None:
    """The only test that runs the command: a wrong word of it, or other files than the figures are read from, fails."""
    runs = Runs(tmp_path)
    keeper = RunKeeper(runs)
    desk = desk_on(tmp_path, keeper=keeper)
    keeper.start()
    try:
        wanted = BacktestWanted(
            market="synthetic", from_day="2025-01-01", to_day="2025-01-03", settings=["trend.adx_threshold=21"]
        )
        run = desk.start(wanted, "anna")
        reached: list[float] = []
        begun_s = time.monotonic()
        while not (found := desk.one(run.run_id)).ended_at and time.monotonic() - begun_s < 120:
            reached += [found.progress.part] if found.progress else []
            time.sleep(0.1)
        assert found.state is RunState.DONE, found.reason
        assert reached == sorted(reached) and found.progress is not None and found.progress.part == 1.0
        detail = desk.detail(run.run_id)
        assert detail.is_synthetic and detail.figures.is_complete and detail.figures.days == 3
        assert detail.figures.capital_usdt == "100000.00" and detail.figures.annual_return is None
        assert [one.engine for one in detail.engines][:2] == ["CORE-HODL", "TREND-1"]
        assert len(detail.curve) == 4 and detail.curve[0].growth == 1.0
        total = float(detail.figures.end_equity_usdt)
        assert detail.curve[-1].growth == pytest.approx(total / 100_000, rel=1e-6)
        assert found.settings == ["engines.trend_1.adx_threshold=21", "engines.trend_2.adx_threshold=21"]
        assert "<script>" in desk.report(run.run_id)
    finally:
        keeper.stop()


@pytest.mark.slow
def test_a_price_history_is_judged_by_a_process_of_its_own(tmp_path: Path) -> None:
    write_required(tmp_path)
    found = judged(tmp_path)
    assert found.state is HistoryState.READY and found.bounds is not None
    market = HistoryMarket(tmp_path)
    assert (found.bounds.first_common_ms, found.bounds.end_ms) == (market.start_ms, market.end_ms)
    (tmp_path / "btc_usdt_spot_1h.csv").unlink()
    flawed = judged(tmp_path)
    assert flawed.state is HistoryState.UNUSABLE and "missing files" in flawed.trouble
