"""Looking history over: each defect is found, named with file, instant and value; a sound file is called sound."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from api.cli import app
from infra.history.check import FileReport, FolderError, check_file, check_folder
from tests.shared import shared_path

START = datetime(2024, 1, 1, tzinfo=UTC)
STEM = "btc_usdt_spot_1h"


def bars(count: int = 200) -> list[dict[str, Any]]:
    rows = []
    for number in range(count):
        price = 100.0 + number % 5
        rows.append(
            {
                "ts": START + timedelta(hours=number),
                "open": price,
                "high": price + 1,
                "low": price - 1,
                "close": price,
                "volume": 3.0,
            }
        )
    return rows


def checked(folder: Path, rows: list[dict[str, Any]], stem: str = STEM) -> FileReport:
    path = folder / f"{stem}.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return check_file(path)


def kinds(report: FileReport) -> dict[str, int]:
    return {finding.kind: finding.count for finding in report.findings}


def test_a_sound_file_has_no_findings(tmp_path: Path) -> None:
    report = checked(tmp_path, bars())
    assert report.findings == ()
    assert (report.rows, report.first) == (200, "2024-01-01 00:00")


def test_gaps_are_counted_in_rows_and_the_longest_comes_first(tmp_path: Path) -> None:
    rows = bars()
    del rows[100:103]
    del rows[10]
    report = checked(tmp_path, rows)
    assert kinds(report) == {"missing hours": 4}
    assert report.findings[0].examples[0] == "3 from 2024-01-05 04:00"


def test_repeats_and_disorder(tmp_path: Path) -> None:
    rows = bars()
    rows.insert(5, dict(rows[5]))
    assert kinds(checked(tmp_path, rows)) == {"duplicate rows": 1}
    rows = bars()
    rows[7], rows[8] = rows[8], rows[7]
    assert kinds(checked(tmp_path, rows))["rows out of order"] == 1


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"high": 90.0}, "inconsistent bars"),
        ({"low": 200.0}, "inconsistent bars"),
        ({"open": float("nan")}, "impossible values of open"),
        ({"close": -5.0}, "impossible values of close"),
        ({"volume": -1.0}, "impossible values of volume"),
        ({"ts": START + timedelta(hours=20, minutes=7)}, "rows off the grid"),
    ],
)
def test_impossible_rows_are_named_with_instant_and_value(tmp_path: Path, change: dict[str, Any], kind: str) -> None:
    rows = bars()
    rows[20] = rows[20] | change
    found = {finding.kind: finding for finding in checked(tmp_path, rows).findings}
    assert kind in found
    assert found[kind].count == 1
    assert "2024-01-01 20:0" in found[kind].examples[0]


def test_a_spike_is_an_outlier_and_an_ordinary_move_is_not(tmp_path: Path) -> None:
    rows = bars()
    rows[50] |= {"close": 160.0, "high": 161.0}
    assert kinds(checked(tmp_path, rows)) == {"outliers": 2}, "there and back"


def test_hours_without_volume_are_told_but_not_of_mark_prices(tmp_path: Path) -> None:
    rows = bars()
    for number in range(30, 34):
        rows[number]["volume"] = 0.0
    assert kinds(checked(tmp_path, rows)) == {"runs without volume": 1}
    assert checked(tmp_path, rows, "btc_usdt_mark_1h").findings == ()


def test_funding_and_fear_and_greed_have_their_own_bounds(tmp_path: Path) -> None:
    rates = [{"ts": START + timedelta(hours=8 * n), "rate": 0.0001} for n in range(30)]
    assert checked(tmp_path, rates, "funding_btc").findings == ()
    rates[3]["rate"] = 0.5
    del rates[10]
    assert kinds(checked(tmp_path, rates, "funding_btc")) == {"missing settlements": 1, "impossible values of rate": 1}
    mood = [{"date": START + timedelta(days=n), "value": 50 + n} for n in range(60)]
    assert kinds(checked(tmp_path, mood, "fear_greed")) == {"impossible values of value": 9}


def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="does not exist"):
        check_folder(tmp_path / "nowhere")
    with pytest.raises(FolderError, match="holds no history file"):
        check_folder(tmp_path)
    (tmp_path / f"{STEM}.csv").write_text("ts,open,high,low\n2024-01-01,1,1,1\n")
    with pytest.raises(FolderError, match="has no column close"):
        check_folder(tmp_path)
    (tmp_path / f"{STEM}.csv").write_text("ts,open,high,low,close,volume\nlater,1,1,1,1,1\n")
    with pytest.raises(FolderError, match="row 1, column 'ts': 'later' is no instant"):
        check_folder(tmp_path)


def test_the_command_answers_by_its_exit_code(tmp_path: Path) -> None:
    checked(tmp_path, bars())
    sound = CliRunner().invoke(app, ["history", "check", str(tmp_path)])
    assert sound.exit_code == 0 and "200 rows" in sound.output
    rows = bars()
    del rows[50]
    checked(tmp_path, rows)
    flawed = CliRunner().invoke(app, ["history", "check", str(tmp_path), "--json"])
    assert flawed.exit_code == 1 and '"missing hours"' in flawed.output
    absent = CliRunner().invoke(app, ["history", "check", str(tmp_path / "x")])
    assert absent.exit_code == 2 and "does not exist" in absent.output


def test_the_known_defects_of_the_recorded_history_are_found() -> None:
    found = {report.file: kinds(report) for report in check_folder(shared_path("history"))}
    assert found["btc_usdt_spot_1h.parquet"]["missing hours"] == 122
    assert found["eth_usdt_spot_1h.parquet"]["missing hours"] == 122
    assert found["fear_greed.parquet"]["missing days"] == 4
    assert "missing settlements" not in found["funding_btc.parquet"]
    assert all(not kind.startswith("impossible") for defects in found.values() for kind in defects)
