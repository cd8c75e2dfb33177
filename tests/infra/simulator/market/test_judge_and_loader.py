"""What the judge calls usable loads and nothing else does; every error of a folder is told in one run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from api.cli.main import app
from infra.simulator.market.findings import HistoryError
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.judge import judge
from tests.infra.simulator.market.judged import (
    DAYS,
    Lines,
    cell,
    moved,
    planted,
    scaled,
)

from .make import BARS_HEADER, by_day, hours_of, write_csv


def remove(*files: Path) -> None:
    for file in files:
        file.unlink()


def folder_instead(file: Path) -> None:
    if not file.is_dir():
        file.unlink(missing_ok=True)
        file.mkdir()


CHANGES: dict[str, Callable[[Path], None]] = {
    "scale": lambda f: void(planted(f, "btc_usdt_perp_1h.csv", scaled(10))),
    "gap": lambda f: void(planted(f, "eth_usdt_spot_1h.csv", lambda lines: lines[:9] + lines[12:])),
    "late": lambda f: void(planted(f, "eth_usdt_perp_1h.csv", moved(1))),
    "text": lambda f: void(planted(f, "funding_btc.csv", cell(2, 1, "much"))),
    "no sol": lambda f: remove(*f.glob("sol_*")),
    "no sol spot": lambda f: (f / "sol_usdt_spot_1h.csv").unlink(missing_ok=True),
    "no perpetual": lambda f: (f / "eth_usdt_perp_1h.csv").unlink(missing_ok=True),
    "no funding": lambda f: (f / "funding_eth.csv").unlink(missing_ok=True),
    "n_src empty": lambda f: write_n_src(f, ""),
    "n_src partial": lambda f: write_n_src(f, "7"),
    "n_src text": lambda f: write_n_src(f, "many"),
    "empty": lambda f: void((f / "fear_greed.csv").write_text("")),
    "binary": lambda f: void((f / "dvol_btc_1d.csv").write_bytes(bytes(range(256)))),
    "short": lambda f: void(planted(f, "btc_usdt_spot_1h.csv", lambda lines: lines[:5])),
    "folder in its place": lambda f: folder_instead(f / "btc_usdt_mark_1h.csv"),
    "double": lambda f: void(
        shutil.copy(f / "sol_usdt_perp_1d.csv", f / "sol_usdt_perp_1d.parquet")
        if (f / "sol_usdt_perp_1d.csv").exists()
        else None
    ),
}


def void(*_: object) -> None:
    """For its arguments' effect alone."""


def write_n_src(folder: Path, value: str) -> None:
    lines = [(*one, value) for one in by_day(hours_of("btc", DAYS))]
    write_csv(folder / "btc_usdt_spot_1d.csv", f"{BARS_HEADER},n_src", lines)


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(CHANGES)), max_size=4, unique=True))
def test_what_the_check_calls_usable_loads_and_nothing_else_does(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    """Two judges disagreed: folders that `check` called sound ended the loader with a traceback, and the reverse."""
    folder = Path(shutil.copytree(sound, tmp_path_factory.mktemp("any") / "history"))
    # What takes a file away comes last: the others change what is there.
    for name in sorted(names, key=lambda name: (name.startswith("no "), name)):
        CHANGES[name](folder)
    errors = judge(folder).errors
    answer = CliRunner().invoke(app, ["history", "check", str(folder)])
    assert answer.exit_code == (1 if errors else 0), answer.output
    try:
        HistoryMarket(folder)
    except HistoryError as refused:
        assert errors and all(str(one) in str(refused) for one in errors)
    else:
        assert not errors


def test_the_command_says_what_can_be_done_with_the_folder(folder: Path, tmp_path: Path) -> None:
    sound_one = CliRunner().invoke(app, ["history", "check", str(folder)])
    assert sound_one.exit_code == 0 and "btc_usdt_spot_1h: 960 rows" in sound_one.output
    period = json.loads(CliRunner().invoke(app, ["history", "check", str(folder), "--json"]).output)["period"]
    market = HistoryMarket(folder)
    assert (period["first_common_ms"], period["end_ms"]) == (market.start_ms, market.end_ms)
    (folder / "btc_usdt_spot_1h.csv").unlink()
    flawed = CliRunner().invoke(app, ["history", "check", str(folder), "--json"])
    assert flawed.exit_code == 1 and '"missing files"' in flawed.output and '"usable": false' in flawed.output
    assert json.loads(flawed.output)["period"] is None
    absent = CliRunner().invoke(app, ["history", "check", str(tmp_path / "x")])
    assert absent.exit_code == 2 and "does not exist" in absent.output


def test_every_kind_of_error_of_a_file_is_told_in_one_run(folder: Path) -> None:
    """Only the first kind was told per file and run: who mended it met the next one, run after run. Each row keeps its
    number in the file."""

    def spoil(lines: Lines) -> Lines:
        lines[3][2] = "none"  # row 4: no number
        lines[5][0] = "31/01/2020"  # row 6: no instant
        lines[7][1] = -5  # row 8: impossible
        lines[9][5] = -1  # row 10: impossible volume
        lines[11][2] = 0.01  # row 12: high below the open
        lines[20][0] = lines[19][0]  # row 21: twice
        lines[30][0] = int(lines[30][0]) + 60_000  # row 31: off the grid
        del lines[40][5]  # row 41: uneven
        del lines[50]  # an hour is missing
        return lines

    found = planted(folder, "btc_usdt_spot_1h.csv", spoil)
    told = {one.kind: " ".join(one.examples) for one in found.findings if one.file == "btc_usdt_spot_1h.csv"}
    for kind, row in {
        "values of high that are no number": 4,
        "values that are no instant": 6,
        "impossible values of open": 8,
        "impossible values of volume": 10,
        "inconsistent bars": 12,
        "duplicate rows": 21,
        "rows off the grid": 31,
        "uneven rows": 41,
    }.items():
        assert f"row {row}" in told[kind], (kind, told[kind])
    assert "missing hours" in told


def test_an_error_of_one_file_does_not_hide_what_others_contradict_each_other_in(folder: Path) -> None:
    (folder / "sol_usdt_spot_1h.csv").write_text("nothing")
    found = planted(folder, "eth_usdt_perp_1h.csv", scaled(10))
    files = {one.file for one in found.errors}
    assert {"sol_usdt_spot_1h.csv", "eth_usdt_perp_1h.csv"} <= files


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"ts,open\n", b"\xff\xfe"])
@pytest.mark.parametrize("name", ["fear_greed.parquet", "btc_usdt_mark_1h.csv"])
def test_a_broken_file_is_not_called_missing(folder: Path, name: str, content: bytes) -> None:
    stem = name.partition(".")[0]
    (folder / f"{stem}.csv").unlink()
    assert f"{stem}: missing; " in CliRunner().invoke(app, ["history", "check", str(folder)]).output
    (folder / name).write_bytes(content)
    result = CliRunner().invoke(app, ["history", "check", str(folder)])
    assert result.exit_code == 1
    assert f"{stem}: not usable, see the errors" in result.output
    assert f"{stem}: missing" not in result.output
