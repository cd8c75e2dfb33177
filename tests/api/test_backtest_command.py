"""`eternal backtest` as its user types it: a report, clear refusals, and Ctrl-C that leaves what was done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from api.backtests.options import NAMES
from api.cli.backtest import missing_inputs
from api.cli.main import app
from infra.simulator.market.judge import Coverage
from tests.infra.simulator.market.make import write_required
from tests.simulation.whole import instant

pytestmark = pytest.mark.slow

PATIENCE_S = 120.0
SHORT = ("--from", "2025-01-01", "--to", "2025-01-20")


def command(*options: str) -> Sequence[str]:
    return [sys.executable, "-c", "from api.cli.main import main; main()", "backtest", *options]


def run(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*options),
        check=False,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command as it is typed in an empty folder, without a process of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *options, **environment: CliRunner().invoke(app, ["backtest", *options], env=environment)


def test_a_run_leaves_its_report_and_says_where(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        *SHORT,
        *("--out", "report", "--engines", "core,trend", "--set", "trend.adx_threshold=20"),
        ETERNAL__ENGINES__TREND_1__MAX_HOLD_CLOSES="25",
        DATABASE_URL="postgresql://user:secret@localhost/x",
    )
    assert done.returncode == 0, done.stderr
    assert "The run completed: 480 market hours" in done.stdout
    assert "synthetic" in done.stdout
    summary = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert summary["facts"]["engines"] == ["CORE-HODL", "TREND-1", "TREND-2"]
    assert summary["facts"]["settings"] == {
        "database.embedded": "False",
        "engines.trend_1.adx_threshold": "20",
        "engines.trend_2.adx_threshold": "20",
        "engines.trend_1.max_hold_closes": "25",
    }
    assert summary["facts"]["configuration"]["engines"]["trend_1"]["max_hold_closes"] == 25
    assert summary["facts"]["version"] and summary["facts"]["commit"]
    assert "secret" not in json.dumps(summary)
    assert done.stdout.count(" % after ") == 10, "without a terminal progress is a line per tenth"
    assert summary["facts"]["is_synthetic"]
    assert (tmp_path / "report" / "report.html").stat().st_size > 1_000_000


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--from", "yesterday"), "--from 'yesterday' is refused: a day is written like"),
        (("--to", "9999-12-31"), "--to '9999-12-31' is refused: allowed is 2009-01-01 to 2099-12-31"),
        (("--from", "0001-01-01"), "--from '0001-01-01' is refused: allowed is 2009-01-01 to 2099-12-31"),
        (("--from", "2025-02-01", "--to", "2025-01-01"), "--from 2025-02-01 must not be after --to 2025-01-01"),
        (("--engines", "core,luck"), "--engines 'luck' is no engine; allowed are core-hodl"),
        (("--capital", "lots"), "--capital 'lots' is no number; allowed is 1000 to"),
        (("--capital", "-5"), "--capital -5 is refused; allowed is 1000 to"),
        (("--capital", "NaN"), "--capital NaN is refused"),
        (("--fees", "0.001"), "--fees '0.001' has 1 parts; four fractions are required"),
        (("--fees", "0.001,0.001,0.5,0.001"), "--fees 0.5 is refused; allowed is"),
        (("--deposit", "1000"), "--deposit '1000' is refused; an amount of USDT per day, week, month is allowed"),
        (("--deposit", "1000/year"), "--deposit '1000/year' is refused; an amount of USDT per day, week, month is"),
        (("--deposit", "0/month"), "--deposit 0 is refused; allowed is 1 to"),
        (("--deposit", "lots/day"), "--deposit 'lots' is no number; allowed is 1 to"),
        (("--deposit", "1.123456789/day"), "--deposit 1.123456789 has more than the eight decimals"),
        (("--slippage-bps", "99999"), "--slippage-bps 99999 is refused; allowed is 0 to 1,000"),
        (("--history", "nowhere"), "The history folder nowhere does not exist"),
        (("--set", "trend.luck=7"), "luck"),
        (
            ("--set", "trend.adx_bars=1"),
            "engines.trend_1.adx_bars = '1' (set in the command line) is refused: ",
        ),
        (
            ("--engines", "tactical", "--set", "orchestrator.weights={tactical = 0, core-hodl = 0.65}"),
            "--engines 'tactical' is refused: its weight orchestrator.weights.tactical is 0, so that it has no",
        ),
    ],
)
def test_nonsense_is_refused_with_field_value_and_what_is_allowed(
    tmp_path: Path, typed: Callable[..., Result], options: tuple[str, ...], told: str
) -> None:
    refused = typed(*options)
    assert refused.exit_code == 2 and isinstance(refused.exception, SystemExit)
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_process_of_its_own_is_refused_alike(tmp_path: Path) -> None:
    refused = run(tmp_path, "--capital", "-5")
    assert refused.returncode == 2
    assert "--capital -5 is refused; allowed is 1000 to" in refused.stderr and "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.soak)]
)
def test_ctrl_c_and_sigterm_leave_a_report_of_what_was_done(tmp_path: Path, number: int, code: int) -> None:
    process = subprocess.Popen(
        command("--from", "2025-01-01", "--to", "2030-01-01", "--out", "part"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert "Market:" in process.stdout.readline()
        process.send_signal(number)
        told, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == code, told
    assert "ended early" in told
    summary = json.loads((tmp_path / "part" / "summary.json").read_text())
    assert not summary["facts"]["is_complete"]
    assert any("incomplete" in one["text"] for one in summary["findings"])


def test_the_folder_of_the_report_is_tried_first_and_a_strangers_one_is_left_alone(
    tmp_path: Path, typed: Callable[..., Result]
) -> None:
    """The work of minutes was lost when the report could not be written, and files of others were written over."""
    (tmp_path / "file").write_text("text")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "summary.json").write_text("precious")
    for out, told in (("file", "file is not a folder"), ("mine", "is not ours"), ("/proc/report", "cannot be used")):
        refused = typed(*SHORT, "--out", out)
        assert refused.exit_code == 2 and told in refused.stderr and "Traceback" not in refused.stderr
        assert "Market:" not in refused.stdout, "nothing is run before the folder is known to be usable"
    assert (tmp_path / "file").read_text() == "text"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["summary.json"]
    assert (tmp_path / "mine" / "summary.json").read_text() == "precious"


def test_a_profile_that_trades_elsewhere_is_refused(tmp_path: Path, typed: Callable[..., Result]) -> None:
    refused = typed(*SHORT, ETERNAL__PROFILE="testnet")
    assert refused.exit_code == 2 and "profile 'testnet' is refused, paper is allowed" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.soak
def test_a_folder_without_sol_trades_what_there_is(tmp_path: Path) -> None:
    """It ended with a traceback at the first hour: the bars of every symbol were asked for, listed or not."""
    (tmp_path / "history").mkdir()
    write_required(tmp_path / "history", days=6)
    done = run(tmp_path, "--history", "history", "--out", "report")
    assert done.returncode == 0, done.stderr
    assert "sol_usdt_spot_1h is missing; spot SOLUSDT is not traded." in done.stdout
    facts = json.loads((tmp_path / "report" / "summary.json").read_text())["facts"]
    assert len(facts["data_hash"]) == 64
    symbols = set(pl.read_parquet(tmp_path / "report" / "fills.parquet")["symbol"])
    assert {"BTCUSDT", "ETHUSDT"} == symbols


def test_missing_and_late_files_are_told_as_inactive_rules() -> None:
    files = [
        Coverage("dvol_btc_1d", 0, None, None, 0, "TA-3 has no volatility"),
        Coverage("eth_usdt_perp_1h", 10, instant("2019-11-27"), instant("2020-01-01"), 0, ""),
        Coverage("btc_usdt_spot_1h", 10, instant("2018-01-01"), instant("2020-01-01"), 0, ""),
    ]
    missing, late = missing_inputs(files, instant("2018-01-01"))
    assert "dvol_btc_1d is missing; TA-3 has no volatility" in missing
    assert "eth_usdt_perp_1h begins on 2019-11-27" in late


def test_every_engine_has_a_name() -> None:
    assert len({engine for engines in NAMES.values() for engine in engines}) == 5
