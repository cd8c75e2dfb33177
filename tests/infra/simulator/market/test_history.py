"""A user's history folder: formats, refusals, coverage, period (D1, D3) - on invented files, Parquet and CSV alike."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal as D
from pathlib import Path

import polars as pl
import pytest

from infra.simulator.market.findings import HistoryError
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.port import Bar, UnsupportedInterval

from .make import BARS_HEADER, START_MS, Row, beside, by_day, hours_of, rows, write_csv, write_required

BAD_ROWS: list[tuple[str, int, object, str]] = [
    ("ts", 0, "yesterday", "ISO date"),
    ("ts", 0, "2024-01-01T03:30:00", "full hour"),
    ("ts", 0, START_MS, "later than the row before"),
    ("ts", 0, 1_704_067_200_000_000, "looks like microseconds since the epoch: divide it by 1,000"),
    ("ts", 0, 1_704_067_200_000_000_000, "looks like nanoseconds since the epoch: divide it by 1,000,000"),
    ("ts", 0, "01/31/2024 03:00", "which part of it is the month is ambiguous"),
    ("ts", 0, 17, "between 2009 and 2100"),
    ("open", 1, "-3", "price above 0"),
    ("open", 1, "12,5", "number with a decimal point"),
    ("open", 1, "inf", "price above 0"),
    ("high", 2, "0.01", "at or above the open and the close"),
    ("low", 3, "9999", "at or below the open and the close"),
    ("close", 4, "", "price above 0"),
    ("volume", 5, "-1", "0 or more"),
    ("volume", 5, "nan", "0 or more"),
]


def iso(start_ms: int) -> str:
    return datetime.fromtimestamp(start_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def all_days(market: HistoryMarket, category: str, symbol: str) -> list[Bar]:
    return market.bars(category, symbol, "D", 0, market.end_ms, 10_000, "last", market.end_ms)


def test_a_folder_of_csv_files_is_a_market(tmp_path: Path) -> None:
    write_required(tmp_path)
    market = HistoryMarket(tmp_path)
    assert market.label == f"history, folder {tmp_path.name}"
    assert (market.start_ms, market.end_ms) == (START_MS, START_MS + 3 * DAY_MS)
    assert market.symbols() == [("spot", "BTCUSDT"), ("linear", "BTCUSDT"), ("spot", "ETHUSDT"), ("linear", "ETHUSDT")]
    first = market.hour("spot", "BTCUSDT", START_MS)
    assert first is not None
    expected = rows(72, seed=0)[0]
    assert first[:6] == (START_MS, *(D(repr(value)) for value in expected[1:]))
    assert market.path_point("spot", "BTCUSDT", START_MS, 0) == first.open
    assert market.path_point("spot", "BTCUSDT", START_MS, 3) == first.close


@pytest.mark.parametrize(
    "stamp", [iso, lambda ms: iso(ms).replace(" ", "T") + "Z", lambda ms: ms, lambda ms: ms // 1000]
)
def test_times_may_be_iso_or_epoch_seconds_or_milliseconds(tmp_path: Path, stamp: object) -> None:
    assert callable(stamp)
    write_required(tmp_path)
    made = rows(72, seed=0)
    write_csv(tmp_path / "btc_usdt_spot_1h.csv", BARS_HEADER, [(stamp(row[0]), *row[1:]) for row in made])
    market = HistoryMarket(tmp_path)
    assert market.listed_from_ms("spot", "BTCUSDT") == START_MS
    bars = market.bars("spot", "BTCUSDT", "60", 0, market.end_ms, 100, "last", market.end_ms)
    assert [bar.start_ms for bar in bars] == [row[0] for row in made]


def test_parquet_and_csv_of_the_same_data_are_the_same_market(tmp_path: Path) -> None:
    csv_folder, parquet_folder = tmp_path / "csv", tmp_path / "parquet"
    for folder in (csv_folder, parquet_folder):
        folder.mkdir()
        write_required(folder)
    made = rows(72, seed=0)
    (parquet_folder / "btc_usdt_spot_1h.csv").unlink()
    frame = pl.DataFrame(made, schema=BARS_HEADER.split(","), orient="row")
    frame = frame.with_columns(pl.from_epoch("ts", time_unit="ms").dt.replace_time_zone("UTC"))
    frame.write_parquet(parquet_folder / "btc_usdt_spot_1h.parquet")
    one, other = HistoryMarket(csv_folder), HistoryMarket(parquet_folder)
    for row in made:
        assert one.hour("spot", "BTCUSDT", row[0]) == other.hour("spot", "BTCUSDT", row[0]) is not None


@pytest.mark.parametrize(("column", "row", "value", "allowed"), BAD_ROWS)
def test_a_malformed_row_is_refused_with_file_row_column_value_and_what_is_allowed(
    tmp_path: Path, column: str, row: int, value: object, allowed: str
) -> None:
    write_required(tmp_path)
    made: list[list[object]] = [list(one) for one in rows(72, seed=0)]
    at = row + 3
    made[at][BARS_HEADER.split(",").index(column)] = value
    write_csv(tmp_path / "btc_usdt_spot_1h.csv", BARS_HEADER, made)
    with pytest.raises(HistoryError) as refused:
        HistoryMarket(tmp_path)
    text = str(refused.value)
    assert "btc_usdt_spot_1h.csv" in text and f"row {at + 1}" in text and repr(column) in text and allowed in text
    shown = "nan" if value == "nan" else str(value)
    assert shown in text


def test_a_malformed_parquet_row_is_refused_too(tmp_path: Path) -> None:
    write_required(tmp_path)
    made = rows(72, seed=0)
    made[10] = (*made[10][:2], 0.5, *made[10][3:])
    (tmp_path / "btc_usdt_spot_1h.csv").unlink()
    frame = pl.DataFrame(made, schema=BARS_HEADER.split(","), orient="row")
    frame.write_parquet(tmp_path / "btc_usdt_spot_1h.parquet")
    with pytest.raises(HistoryError, match=r"btc_usdt_spot_1h\.parquet.*row 11, column 'high': the value 0\.5"):
        HistoryMarket(tmp_path)


@pytest.mark.parametrize(
    ("stem", "header", "line", "allowed"),
    [
        ("funding_btc", "ts,rate", ("2024-01-01 00:00", "0.5"), "fraction from -0.1 to 0.1"),
        ("funding_btc", "ts,rate", ("2024-01-01 00:05", "0.0001"), "within a minute of a full hour"),
        ("funding_btc", "ts,premium", ("2024-01-01 00:00", "0.0001"), "must have a column rate"),
        ("fear_greed", "date,value", ("2024-01-01", "101"), "whole number from 0 to 100"),
        ("fear_greed", "date,value", ("2024-01-01", "20.5"), "whole number from 0 to 100"),
        ("dvol_btc_1d", "ts,dvol", ("2024-01-01", "0"), "percentage between 0 and 1000"),
        ("btc_usdt_spot_1d", BARS_HEADER, ("2024-01-01 06:00", 1, 1, 1, 1, 1), "a day at 00:00 UTC"),
        ("btc_usdt_spot_1d", BARS_HEADER, ("2024-01-01", 1, 1, 1, 1), "6 fields of the header"),
    ],
)
def test_malformed_optional_files_are_refused(
    tmp_path: Path, stem: str, header: str, line: tuple[object, ...], allowed: str
) -> None:
    write_required(tmp_path)
    write_csv(tmp_path / f"{stem}.csv", header, [line])
    with pytest.raises(HistoryError, match=allowed) as refused:
        HistoryMarket(tmp_path)
    assert f"{stem}.csv" in str(refused.value)


def test_files_that_are_not_what_they_claim_are_refused(tmp_path: Path) -> None:
    write_required(tmp_path)
    (tmp_path / "funding_btc.parquet").write_text("ts,rate\n")
    with pytest.raises(HistoryError, match=r"funding_btc\.parquet is not readable as Parquet"):
        HistoryMarket(tmp_path)
    (tmp_path / "funding_btc.parquet").unlink()
    (tmp_path / "funding_btc.csv").write_bytes(b"ts,rate\n\xff\xfe\n")
    with pytest.raises(HistoryError, match=r"funding_btc\.csv is not readable as CSV"):
        HistoryMarket(tmp_path)
    (tmp_path / "funding_btc.csv").write_text("ts,rate\n")
    with pytest.raises(HistoryError, match=r"funding_btc\.csv.* has no rows"):
        HistoryMarket(tmp_path)


def test_two_files_of_one_stem_are_refused(tmp_path: Path) -> None:
    write_required(tmp_path)
    (tmp_path / "btc_usdt_spot_1h.parquet").touch()
    with pytest.raises(HistoryError, match=r"holds both btc_usdt_spot_1h\.parquet and btc_usdt_spot_1h\.csv"):
        HistoryMarket(tmp_path)


def test_a_folder_without_the_required_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="does not exist"):
        HistoryMarket(tmp_path / "nowhere")
    write_required(tmp_path)
    (tmp_path / "eth_usdt_perp_1h.csv").unlink()
    with pytest.raises(HistoryError, match="the hourly bars of linear ETHUSDT, is required"):
        HistoryMarket(tmp_path)


def test_missing_optional_files_are_tolerated_and_reported(tmp_path: Path) -> None:
    write_required(tmp_path)
    market = HistoryMarket(tmp_path)
    missing = {one.stem: one.note for one in market.coverage() if one.first_ms is None}
    assert missing["sol_usdt_perp_1h"] == "linear SOLUSDT is not traded"
    assert missing["btc_usdt_mark_1h"] == "the last price stands for the mark"
    assert missing["funding_btc"] == "no funding of BTCUSDT is settled"
    assert {"fear_greed", "dvol_btc_1d", "btc_usdt_spot_1d"} <= set(missing)
    found = next(one for one in market.coverage() if one.stem == "btc_usdt_spot_1h")
    assert (found.rows, found.gaps) == (72, 0)
    assert str(found) == "btc_usdt_spot_1h: 72 rows, 2024-01-01 00:00 to 2024-01-03 23:00, 0 missing"
    now_ms = market.end_ms
    assert market.fear_greed(now_ms, 5) == [] and market.dvol(now_ms) == []
    assert market.funding_rate("BTCUSDT", START_MS) is None
    assert market.funding_history("BTCUSDT", 0, now_ms, 5, now_ms) == []
    assert market.predicted_rate("BTCUSDT", now_ms) == 0
    assert market.mark_hour("BTCUSDT", START_MS) == market.hour("linear", "BTCUSDT", START_MS)


def test_funding_and_feeds_are_read(tmp_path: Path) -> None:
    write_required(tmp_path)
    late = [(START_MS + 8 * HOUR_MS + 7, "0.0001"), (START_MS + 16 * HOUR_MS, "-0.00025")]
    write_csv(tmp_path / "funding_eth.csv", "ts,rate", late)
    write_csv(tmp_path / "fear_greed.csv", "date,value", [("2024-01-01", 19), ("2024-01-02", 25)])
    write_csv(tmp_path / "dvol_btc_1d.csv", "ts,dvol", [("2024-01-01", "61.25"), ("2024-01-02", "70")])
    market = HistoryMarket(tmp_path)
    assert market.funding_rate("ETHUSDT", START_MS + 8 * HOUR_MS) == D("0.0001")
    newest_first = [(START_MS + 16 * HOUR_MS, D("-0.00025")), (START_MS + 8 * HOUR_MS, D("0.0001"))]
    assert market.funding_history("ETHUSDT", 0, market.end_ms, 9, market.end_ms) == newest_first
    assert market.fear_greed(START_MS + DAY_MS - 1, 9) == [(START_MS, 19)]
    assert market.fear_greed(START_MS + DAY_MS, 9) == [(START_MS + DAY_MS, 25), (START_MS, 19)]
    assert market.fear_greed(START_MS + DAY_MS, 1) == [(START_MS + DAY_MS, 25)]
    assert market.dvol(START_MS + DAY_MS - 1) == []
    assert market.dvol(START_MS + DAY_MS) == [(START_MS, D("61.25"))]


@pytest.mark.parametrize("stem", ["funding_sol", "funding_sol_2024"])
def test_sol_funding_goes_by_either_name(tmp_path: Path, stem: str) -> None:
    write_required(tmp_path, coins=("btc", "eth", "sol"))
    write_csv(tmp_path / f"{stem}.csv", "ts,rate", [(START_MS + 8 * HOUR_MS, "0.0002")])
    assert HistoryMarket(tmp_path).funding_rate("SOLUSDT", START_MS + 8 * HOUR_MS) == D("0.0002")


def test_the_period_narrows_the_market_and_the_rest_before_it_is_warm_up(tmp_path: Path) -> None:
    write_required(tmp_path, days=5)
    start_ms, end_ms = START_MS + 2 * DAY_MS, START_MS + 4 * DAY_MS
    market = HistoryMarket(tmp_path, start_ms, end_ms)
    assert (market.start_ms, market.end_ms) == (start_ms, end_ms)
    known = market.bars("linear", "BTCUSDT", "D", 0, end_ms, 10, "last", start_ms)
    assert [bar.start_ms for bar in known] == [START_MS, START_MS + DAY_MS, start_ms]
    assert known[-1].volume == 0 and known[-1].open == known[-1].close


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "text"),
    [
        (START_MS - DAY_MS, None, "cannot start at 2023-12-31 00:00"),
        (START_MS + HOUR_MS, None, "cannot start at 2024-01-01 01:00"),
        (START_MS, START_MS, "cannot end at 2024-01-01 00:00"),
        (START_MS, START_MS + 4 * DAY_MS, "no later than 2024-01-04 00:00"),
        (START_MS, START_MS + 90_000, "full hour"),
    ],
)
def test_an_impossible_period_is_refused(tmp_path: Path, start_ms: int, end_ms: int | None, text: str) -> None:
    write_required(tmp_path)
    with pytest.raises(HistoryError, match=text):
        HistoryMarket(tmp_path, start_ms, end_ms)


def test_the_default_start_is_the_first_whole_day_of_all_required_files(tmp_path: Path) -> None:
    write_required(tmp_path)
    write_csv(tmp_path / "eth_usdt_perp_1h.csv", BARS_HEADER, beside(hours_of("eth", 3))[7:67])
    market = HistoryMarket(tmp_path)
    assert market.start_ms == START_MS + DAY_MS
    assert market.end_ms == START_MS + 67 * HOUR_MS
    assert market.listed_from_ms("linear", "ETHUSDT") == START_MS + 7 * HOUR_MS
    # The listing day is not complete: no daily bar, neither closed nor running (D1).
    assert all_days(market, "linear", "ETHUSDT")[0].start_ms == START_MS + DAY_MS
    assert market.bars("linear", "ETHUSDT", "D", 0, market.end_ms, 9, "last", START_MS + 20 * HOUR_MS) == []


def daily(first_ms: int, count: int, n_src: int) -> list[tuple[object, ...]]:
    """Days that the hours do not know, and those that they make."""
    counts = [n_src] + [24] * (count - 1)
    known = {one[0]: one[1:] for one in by_day(hours_of("btc", 4))}
    starts = [first_ms + day * DAY_MS for day in range(count)]
    return [
        (start, *known.get(start, (500, 900, 400, 600, 7)), number)
        for start, number in zip(starts, counts, strict=True)
    ]


def test_a_daily_file_is_authoritative_where_it_reaches_and_hours_stand_for_the_rest(tmp_path: Path) -> None:
    """Before the hourly history begins only the daily file knows (D3: BTC since 2017). Its volume of 7 tells it."""
    write_required(tmp_path, days=4)
    lines = [(*one[:5], 7, 24) for one in daily(START_MS - 10 * DAY_MS, 12, 24)]
    write_csv(tmp_path / "btc_usdt_spot_1d.csv", BARS_HEADER + ",n_src", lines)
    market = HistoryMarket(tmp_path)
    days = all_days(market, "spot", "BTCUSDT")
    assert [bar.start_ms for bar in days if bar.start_ms < market.end_ms] == [
        START_MS + number * DAY_MS for number in range(-10, 4)
    ]
    assert all(bar.volume == 7 for bar in days[:12])
    assert days[12].volume != 7
    assert days[12].close == D(repr(hours_of("btc", 4)[71][4]))
    # The file does not tell the running day before it is over.
    assert market.bars("spot", "BTCUSDT", "D", START_MS, START_MS, 1, "last", START_MS + DAY_MS - 1)[0].volume != 7


@pytest.mark.parametrize(("n_src", "kept"), [(23, 3), (24, 4), ("", 4)])
def test_an_incomplete_first_day_of_a_daily_file_is_dropped(tmp_path: Path, n_src: int, kept: int) -> None:
    """An empty `n_src` says nothing about the day: it stays (and used to end the program)."""
    write_required(tmp_path, days=3)
    write_csv(tmp_path / "btc_usdt_perp_1d.csv", BARS_HEADER + ",n_src", daily(START_MS - 4 * DAY_MS, 4, n_src))
    market = HistoryMarket(tmp_path)
    before = [bar for bar in all_days(market, "linear", "BTCUSDT") if bar.start_ms < START_MS]
    assert len(before) == kept
    note = next(one.note for one in market.coverage() if one.stem == "btc_usdt_perp_1d")
    assert ("incomplete: dropped" in note) == (kept == 3)


def test_an_incomplete_last_day_of_a_daily_file_is_dropped(tmp_path: Path) -> None:
    """A file written during the day tells a close that is none; the hours make that day."""
    write_required(tmp_path, days=3)
    lines = [(*one, 24) for one in by_day(hours_of("btc", 3))]
    lines[-1] = (*lines[-1][:5], 7, 11)
    write_csv(tmp_path / "btc_usdt_spot_1d.csv", BARS_HEADER + ",n_src", lines)
    market = HistoryMarket(tmp_path)
    assert all_days(market, "spot", "BTCUSDT")[-2].volume != 7
    note = next(one.note for one in market.coverage() if one.stem == "btc_usdt_spot_1d")
    assert note == "the last day 2024-01-03 is incomplete: dropped"


def test_a_first_day_in_which_the_hours_begin_is_dropped_without_n_src(tmp_path: Path) -> None:
    write_required(tmp_path)
    made = hours_of("btc", 3)
    write_csv(tmp_path / "btc_usdt_spot_1h.csv", BARS_HEADER, made[6:])
    write_csv(tmp_path / "btc_usdt_spot_1d.csv", BARS_HEADER, by_day(made))
    days = all_days(HistoryMarket(tmp_path), "spot", "BTCUSDT")
    assert days[0].start_ms == START_MS + DAY_MS


def test_a_gap_has_no_bar_and_the_mark_stands_still_in_it(tmp_path: Path) -> None:
    write_required(tmp_path)
    made: list[Row] = beside(hours_of("btc", 3))
    gap_ms = START_MS + 30 * HOUR_MS
    write_csv(tmp_path / "btc_usdt_perp_1h.csv", BARS_HEADER, [row for row in made if row[0] != gap_ms])
    market = HistoryMarket(tmp_path)
    assert market.hour("linear", "BTCUSDT", gap_ms) is None
    assert market.path_point("linear", "BTCUSDT", gap_ms, 2) is None
    assert market.bars("linear", "BTCUSDT", "60", gap_ms, gap_ms, 1, "last", gap_ms + DAY_MS) == []
    before = market.hour("linear", "BTCUSDT", gap_ms - HOUR_MS)
    assert before is not None and market.mark_point("BTCUSDT", gap_ms, 2) == before.close
    # The day with the gap stays: its bar is made of the hours there are.
    assert (
        len(market.bars("linear", "BTCUSDT", "D", START_MS + DAY_MS, START_MS + DAY_MS, 1, "last", market.end_ms)) == 1
    )
    assert next(one.gaps for one in market.coverage() if one.stem == "btc_usdt_perp_1h") == 1
    with pytest.raises(LookupError, match="no mark price at or before"):
        market.mark_point("BTCUSDT", START_MS - HOUR_MS, 0)


def test_a_mark_file_makes_mark_bars_and_the_last_price_fills_what_it_lacks(tmp_path: Path) -> None:
    write_required(tmp_path)
    made = [(*one[:1], *(round(price * 1.01, 2) for price in one[1:5]), one[5]) for one in hours_of("btc", 3)[24:48]]
    write_csv(tmp_path / "btc_usdt_mark_1h.csv", "ts,open,high,low,close", [row[:5] for row in made])
    market = HistoryMarket(tmp_path)
    assert market.mark_point("BTCUSDT", START_MS, 0) == market.path_point("linear", "BTCUSDT", START_MS, 0)
    assert market.mark_point("BTCUSDT", START_MS + DAY_MS, 0) == D("101.05")
    end_ms = market.end_ms
    mark = market.bars("linear", "BTCUSDT", "60", START_MS + DAY_MS, START_MS + DAY_MS, 1, "mark", end_ms)
    assert mark[0].open == D("101.05") and mark[0].volume == 0
    index = market.bars("linear", "BTCUSDT", "60", START_MS, START_MS, 1, "index", end_ms)
    assert index == [market.hour("spot", "BTCUSDT", START_MS)]


def test_longer_intervals_are_made_of_the_hours(tmp_path: Path) -> None:
    write_required(tmp_path, days=15)
    market = HistoryMarket(tmp_path)
    end_ms = market.end_ms
    hours = market.bars("spot", "ETHUSDT", "60", START_MS, START_MS + 3 * HOUR_MS, 4, "last", end_ms)
    four = market.bars("spot", "ETHUSDT", "240", START_MS, START_MS, 1, "last", end_ms)[0]
    assert (four.open, four.close) == (hours[0].open, hours[-1].close)
    assert (four.high, four.low) == (max(h.high for h in hours), min(h.low for h in hours))
    assert four.volume == sum(h.volume for h in hours)
    weeks = market.bars("spot", "ETHUSDT", "W", 0, end_ms, 9, "last", end_ms - 1)
    assert [bar.start_ms for bar in weeks] == [START_MS, START_MS + 7 * DAY_MS, START_MS + 14 * DAY_MS]
    assert len(market.bars("spot", "ETHUSDT", "60", 0, end_ms, 5, "last", end_ms - 1)) == 5
    assert market.bars("spot", "ETHUSDT", "60", 0, end_ms, 0, "last", end_ms) == []
    with pytest.raises(UnsupportedInterval, match="'7' is not one of 1, 3, 5, 15"):
        market.bars("spot", "ETHUSDT", "7", 0, end_ms, 5, "last", end_ms)
    with pytest.raises(LookupError, match="has no spot DOGEUSDT"):
        market.hour("spot", "DOGEUSDT", START_MS)
