"""The one judge of history: each planted defect is found and named, sound data pass, and the loader says the same."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from infra.simulator.market.findings import Severity
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.judge import judge
from infra.simulator.market.path import DAY_MS, HOUR_MS
from tests.infra.simulator.market.judged import (
    DAYS,
    RATES,
    Lines,
    cell,
    error,
    kinds,
    moved,
    planted,
    scaled,
)
from tests.infra.simulator.market.make import times
from tests.shared import shared_path

from .make import BARS_HEADER, START_MS, Row, beside, hours_of, write_csv, write_required


def test_sound_data_pass_without_a_word(folder: Path) -> None:
    assert judge(folder).findings == []
    assert HistoryMarket(folder).start_ms == START_MS


def test_the_recorded_history_is_sound_and_its_dislocations_are_known() -> None:
    """Exit code 0: gaps are warnings; FTX, the basis spikes and Black Thursday are known events."""
    path = shared_path("history")
    found = judge(path)
    assert found.errors == []
    texts = [str(one) for one in found.findings]
    assert any("btc_usdt_spot_1h.parquet: warning: missing hours (122)" in text for text in texts)
    assert any("fear_greed.parquet: warning: missing days (4)" in text for text in texts)
    assert any("known event" in text and "fall of FTX" in text for text in texts)
    answer = CliRunner().invoke(app, ["history", "check", str(path)])
    assert answer.exit_code == 0 and answer.output.endswith("the folder can be used.\n")


# --- one file ---


@pytest.mark.parametrize(
    ("column", "value", "kind", "allowed"),
    [
        (0, "yesterday", "values that are no instant", "ISO date"),
        (0, START_MS + 7 * 60_000, "rows off the grid", "on a full hour"),
        (0, START_MS, "rows out of order", "later than the row before it"),
        (0, (START_MS + 4 * HOUR_MS), "duplicate rows", "later than the row before it"),
        (0, 1_704_067_200_000_000, "values that are no instant", "looks like microseconds"),
        (0, 1_704_067_200_000_000_000, "values that are no instant", "looks like nanoseconds"),
        (0, "01/31/2024 05:00", "values that are no instant", "which part of it is the month is ambiguous"),
        (0, "9" * 5000, "values that are no instant", "ISO date"),
        (1, "twelve", "values of open that are no number", "a number with a decimal point"),
        (1, "-3", "impossible values of open", "a price above 0"),
        (4, "1e300", "impossible values of close", "a price above 0"),
        (4, "", "impossible values of close", "a price above 0"),
        (2, "0.5", "inconsistent bars", "at or above the open and the close"),
        (3, "9999", "inconsistent bars", "at or below the open and the close"),
        (5, "-1", "impossible values of volume", "0 or more"),
        (5, "nan", "impossible values of volume", "0 or more"),
    ],
)
def test_a_bad_value_is_named_with_row_value_and_what_is_allowed(
    folder: Path, column: int, value: object, kind: str, allowed: str
) -> None:
    text = error(planted(folder, "eth_usdt_perp_1h.csv", cell(5, column, value)), "eth_usdt_perp_1h.csv", kind)
    assert "row 6, column" in text and allowed in text and len(text) < 600


def test_everything_is_told_in_one_run(folder: Path) -> None:
    """It used to stop at the first file; a user mended one file an hour."""
    (folder / "eth_usdt_spot_1h.csv").write_text("ts,open,high,low\n2024-01-01,1,1,1\n")
    (folder / "funding_btc.csv").write_bytes(b"ts,rate\n\xff\xfe\n")
    (folder / "fear_greed.csv").write_text("date,value\n")
    (folder / "btc_usdt_perp_1h.csv").unlink()
    (folder / "sol_usdt_spot_1h.parquet").write_text("no parquet")
    (folder / "sol_usdt_mark_1h.csv").write_text(f"{BARS_HEADER}\n2024-01-01,1\n")
    found = planted(folder, "sol_usdt_perp_1h.csv", cell(3, 4, "-1"))
    assert {(one.file, one.kind) for one in found.errors} == {
        ("eth_usdt_spot_1h.csv", "missing columns"),
        ("funding_btc.csv", "unreadable files"),
        ("fear_greed.csv", "empty files"),
        ("the folder", "missing files"),
        ("the folder", "two files of one name"),
        ("sol_usdt_mark_1h.csv", "uneven rows"),
        ("sol_usdt_perp_1h.csv", "impossible values of close"),
    }
    assert "the hourly bars of linear BTCUSDT, is required" in error(found, "the folder", "missing files")


def test_gaps_silence_and_misspelt_names_are_warnings(folder: Path) -> None:
    shutil.copy(folder / "btc_usdt_spot_1h.csv", folder / "BTC_USDT_spot_1h.csv")
    planted(folder, "btc_usdt_spot_1h.csv", lambda lines: lines[:100] + lines[103:])
    planted(folder, "funding_btc.csv", lambda lines: lines[:10] + lines[11:])
    found = planted(
        folder,
        "btc_usdt_spot_1h.csv",
        lambda lines: [[*line[:5], 0 if 30 <= row < 34 else line[5]] for row, line in enumerate(lines)],
    )
    assert found.errors == []
    assert kinds(found, Severity.WARNING) == {
        ("btc_usdt_spot_1h.csv", "missing hours"),
        ("btc_usdt_spot_1h.csv", "runs without volume"),
        ("funding_btc.csv", "missing settlements"),
        ("the folder", "files that are not read"),
    }
    HistoryMarket(folder)


def test_an_unusual_move_of_a_whole_market_is_a_warning(folder: Path) -> None:
    """Both the spot and the perpetual fall by a quarter: improbable, but not impossible."""
    for stem in ("spot", "perp"):
        for step in ("1h", "1d"):
            (folder / f"sol_usdt_{stem}_{step}.csv").unlink()
    (folder / "sol_usdt_mark_1h.csv").unlink()
    fallen: list[Row] = hours_of("sol", DAYS)
    fallen = [one if number < 500 else times(one, 0.7) for number, one in enumerate(fallen)]
    write_csv(folder / "sol_usdt_spot_1h.csv", BARS_HEADER, fallen)
    write_csv(folder / "sol_usdt_perp_1h.csv", BARS_HEADER, beside(fallen))
    found = judge(folder)
    assert found.errors == []
    assert kinds(found, Severity.WARNING) == {
        ("sol_usdt_spot_1h.csv", "outliers"),
        ("sol_usdt_perp_1h.csv", "outliers"),
    }


def test_what_happened_in_a_known_event_is_told_as_known(tmp_path: Path) -> None:
    """SOL's perpetual stood 24 % below spot on 2022-11-09 20:00."""
    first = round(datetime(2022, 11, 7, tzinfo=UTC).timestamp()) * 1000
    write_required(tmp_path, 5, first, coins=("btc", "eth", "sol"))
    found = planted(tmp_path, "sol_usdt_perp_1h.csv", scaled(0.76, 67, 69))
    assert found.errors == []
    assert ("sol_usdt_perp_1h.csv", "closes far from sol_usdt_spot_1h.csv") in kinds(found, Severity.KNOWN)
    HistoryMarket(tmp_path)


# --- files side by side ---


@pytest.mark.parametrize("factor", [10.0, 0.1, 1000.0, 0.001])
@pytest.mark.parametrize("file", ["btc_usdt_perp_1h.csv", "eth_usdt_spot_1d.csv", "sol_usdt_mark_1h.csv"])
def test_another_scale_is_told_with_its_factor(folder: Path, file: str, factor: float) -> None:
    text = error(planted(folder, file, scaled(factor)), file, "scale")
    assert "row 1, 2024-01-01" in text and f"{factor:.4g}"[:3] in text.replace("1e+03", "1000")


def test_another_scale_in_a_part_of_a_file_is_told_too(folder: Path) -> None:
    found = planted(folder, "btc_usdt_perp_1h.csv", scaled(10.0, 500, 520))
    text = error(found, "btc_usdt_perp_1h.csv", "closes that contradict btc_usdt_spot_1h.csv")
    assert "(20)" in text and "row 501, 2024-01-21 20:00" in text


def test_coins_that_are_mixed_up_are_told(folder: Path) -> None:
    shutil.copy(folder / "eth_usdt_perp_1h.csv", folder / "btc_usdt_perp_1h.csv")
    text = error(judge(folder), "btc_usdt_perp_1h.csv", "rows of another coin")
    assert "btc_usdt_perp_1h.csv looks like eth_usdt" in text


def test_one_coin_under_two_names_is_told(folder: Path) -> None:
    for stem in ("spot_1h", "spot_1d", "perp_1h", "perp_1d", "mark_1h"):
        shutil.copy(folder / f"btc_usdt_{stem}.csv", folder / f"eth_usdt_{stem}.csv")
    assert "closes are those of btc_usdt_spot_1h.csv" in error(
        judge(folder), "eth_usdt_spot_1h.csv", "rows of another coin"
    )


def test_two_coins_under_each_other_s_name_are_told(folder: Path) -> None:
    for stem in ("spot_1h", "spot_1d", "perp_1h", "perp_1d", "mark_1h"):
        one, other = folder / f"btc_usdt_{stem}.csv", folder / f"sol_usdt_{stem}.csv"
        texts = one.read_text(), other.read_text()
        one.write_text(texts[1])
        other.write_text(texts[0])
    assert "has always cost more than" in error(judge(folder), "btc_usdt_spot_1h.csv", "rows of another coin")


@pytest.mark.parametrize("hours", [1, -1, 2, 8, -5])
@pytest.mark.parametrize("file", ["btc_usdt_perp_1h.csv", "eth_usdt_mark_1h.csv"])
def test_stamps_at_the_close_or_in_local_time_are_told(folder: Path, file: str, hours: int) -> None:
    assert f"{hours:+d} hours" in error(planted(folder, file, moved(hours)), file, "shifted stamps")


@pytest.mark.parametrize("hours", [2, *(pytest.param(hours, marks=pytest.mark.soak) for hours in (1, -7))])
def test_all_hours_in_local_time_contradict_the_days(folder: Path, hours: int) -> None:
    """Spot, perpetual and mark agree with each other; only the day's close tells that they are all shifted."""
    for coin in ("btc", "eth", "sol"):
        for kind in ("spot", "perp", "mark"):
            planted(folder, f"{coin}_usdt_{kind}_1h.csv", moved(hours))
    assert f"{hours:+d} hours" in error(judge(folder), "btc_usdt_spot_1d.csv", "shifted stamps")


def test_days_stamped_with_their_close_are_told(folder: Path) -> None:
    error(planted(folder, "eth_usdt_perp_1d.csv", moved(24)), "eth_usdt_perp_1d.csv", "shifted stamps")


def test_local_time_with_summer_time_is_told_for_its_months(tmp_path: Path) -> None:
    """A zone that leaves UTC only in summer agrees for half of the file."""
    first = round(datetime(2024, 2, 1, tzinfo=UTC).timestamp()) * 1000
    write_required(tmp_path, 120, first)
    summer = round(datetime(2024, 3, 31, 1, tzinfo=UTC).timestamp()) * 1000

    def local(lines: Lines) -> Lines:
        return [[int(line[0]) + (HOUR_MS if int(line[0]) >= summer else 0), *line[1:]] for line in lines]

    text = error(planted(tmp_path, "eth_usdt_perp_1h.csv", local), "eth_usdt_perp_1h.csv", "shifted stamps")
    assert "+1 hours" in text and "2024-04-01" in text


@pytest.mark.parametrize(("column", "name", "factor"), [(2, "high", 3.0), (3, "low", 0.2)])
@pytest.mark.parametrize("file", ["btc_usdt_perp_1h.csv", "sol_usdt_spot_1h.csv"])
def test_a_high_or_low_that_no_neighbour_shows_is_told(
    folder: Path, file: str, column: int, name: str, factor: float
) -> None:
    def change(lines: Lines) -> Lines:
        lines[77][column] = float(lines[77][column]) * factor
        return lines

    text = error(planted(folder, file, change), file, f"impossible values of {name}")
    assert "row 78, 2024-01-04 05:00" in text


def test_a_wide_wick_of_one_market_is_a_warning(folder: Path) -> None:
    found = planted(folder, "btc_usdt_perp_1h.csv", cell(77, 2, 125.0))
    assert ("btc_usdt_perp_1h.csv", "outliers of high") in kinds(found, Severity.WARNING)


def test_a_close_that_leaves_and_comes_back_is_no_price(folder: Path) -> None:
    def spike(lines: Lines) -> Lines:
        lines[50][4], lines[50][2] = 300.0, 301.0
        return lines

    found = planted(folder, "eth_usdt_spot_1d.csv", lambda lines: lines[:3])
    found = planted(folder, "btc_usdt_spot_1h.csv", spike)
    assert "row 51, 2024-01-03 02:00: close 300 after" in error(found, "btc_usdt_spot_1h.csv", "impossible closes")


def test_a_day_that_its_hours_contradict_is_told(folder: Path) -> None:
    found = planted(folder, "eth_usdt_perp_1d.csv", scaled(1.2, 20, 21))
    kind = "values of close that contradict eth_usdt_perp_1h.csv"
    assert "row 21, 2024-01-21: close" in error(found, "eth_usdt_perp_1d.csv", kind)


def test_funding_in_per_cent_is_told(folder: Path) -> None:
    def per_cent(lines: Lines) -> Lines:
        return [[line[0], float(line[1]) * 100] for line in lines]

    text = error(planted(folder, "funding_eth.csv", per_cent), "funding_eth.csv", "rates of implausible magnitude")
    assert "look like per cent" in text and "row 1, 2024-01-01 00:00: rate 0.01" in text


def test_one_extreme_settlement_is_not_per_cent(folder: Path) -> None:
    assert planted(folder, "funding_eth.csv", cell(60, 1, -0.02)).errors == []


@pytest.mark.parametrize("hours", [1, -3])
def test_settlements_in_local_time_are_told(folder: Path, hours: int) -> None:
    found = planted(folder, "funding_btc.csv", moved(hours))
    assert "00:00, 08:00 and 16:00 UTC" in error(found, "funding_btc.csv", "settlements in another time zone")


def test_rates_that_settle_every_four_hours_are_not_in_local_time(folder: Path) -> None:
    write_csv(folder / "funding_sol.csv", RATES, [(START_MS + number * 4 * HOUR_MS, 0.0001) for number in range(200)])
    assert judge(folder).findings == []


def test_a_volatility_index_as_a_fraction_is_told(folder: Path) -> None:
    found = planted(folder, "dvol_btc_1d.csv", lambda lines: [[line[0], 0.6] for line in lines])
    assert "percentages are required" in error(found, "dvol_btc_1d.csv", "implausible magnitude")


def test_stamps_with_a_zone_are_taken_by_it(folder: Path) -> None:
    zone = timezone(timedelta(hours=5))

    def stamped(lines: Lines) -> Lines:
        return [[datetime.fromtimestamp(int(line[0]) / 1000, zone).isoformat(), *line[1:]] for line in lines]

    assert planted(folder, "btc_usdt_perp_1h.csv", stamped).findings == []


def test_files_without_a_day_in_common_are_told(tmp_path: Path) -> None:
    write_required(tmp_path, 2)
    write_csv(tmp_path / "eth_usdt_perp_1h.csv", BARS_HEADER, beside(hours_of("eth", 2, START_MS + 40 * DAY_MS)))
    assert "no whole UTC day in common" in error(judge(tmp_path), "the folder", "no common period")


# --- one judge ---
