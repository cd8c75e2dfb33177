"""Downloading history: whole, resumable at any page, honest about gaps and contradictions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from api.cli.main import app
from infra.feeds.source import FeedUnavailableError
from infra.history import store
from infra.history.catalog import Kind, Series, series_of
from infra.history.download import Downloader, Outcome
from infra.history.source import Rows
from infra.history.store import HistoryStoreError
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.synthetic import SyntheticMarket
from statemachines.values import DAY_MS, HOUR_MS, LINEAR, SPOT, Category
from tests.conformance.process import SimulatorProcess
from tests.simulation.whole import instant

FROM = instant("2024-01-01")
HOURS = 5_000
UNTIL = FROM + HOURS * HOUR_MS
BARS = Series("btc_usdt_spot_1h", Kind.BARS, SPOT, "BTCUSDT", "60", HOUR_MS)
RATES = Series("funding_btc", Kind.FUNDING, LINEAR, "BTCUSDT", "", HOUR_MS)


class Cut(Exception):
    """The connection, the power, the patience: whatever ends a download."""


class Fake:
    """An exchange of sawtooth bars, without those of `absent`; it is cut off at page `cut`."""

    def __init__(self, absent: range = range(0), cut: int | None = None, factor: float = 1.0) -> None:
        self.absent, self.cut, self.factor = absent, cut, factor
        self.pages: list[tuple[int, int]] = []

    def now_ms(self) -> int:
        return UNTIL + 90_000  # a minute and a half into the running hour

    def page(self, series: Series, from_ms: int, to_ms: int) -> Rows:
        if self.cut is not None and len(self.pages) == self.cut:
            raise Cut
        self.pages.append((from_ms, to_ms))
        step = 8 * HOUR_MS if series.kind is Kind.FUNDING else series.step_ms
        times = range(-(-from_ms // step) * step, min(to_ms, self.now_ms()), step)
        rows: Rows = []
        for at in times:
            number = (at - FROM) // HOUR_MS
            if number in self.absent or at < FROM:
                continue
            price = 100.0 + number % 7 * self.factor
            rows.append((at, 0.0001) if series.kind is Kind.FUNDING else (at, price, price + 1, price - 1, price, 5.0))
        return rows

    def instruments(self, category: Category, symbols: list[str]) -> list[dict[str, Any]]:
        return [{"symbol": symbol, "category": category} for symbol in symbols]


def fetch(folder: Path, source: Fake, series: Series = BARS, until: int | None = None) -> Outcome:
    return Downloader(source, folder, FROM, until, lambda *_args: None).fetch(series)


def test_everything_that_has_closed_is_fetched_and_nothing_that_runs(tmp_path: Path) -> None:
    outcome = fetch(tmp_path, Fake())
    frame = store.read(tmp_path, BARS.stem, Kind.BARS)
    assert outcome.rows == outcome.added == frame.height == HOURS
    assert frame["ts"].dt.timestamp("ms").to_list() == list(range(FROM, UNTIL, HOUR_MS))
    assert outcome.gaps == []


@pytest.mark.parametrize("cut", range(5))
def test_a_download_that_was_cut_off_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path, cut: int) -> None:
    fetch(tmp_path / "whole", Fake())
    folder = tmp_path / "cut"
    with pytest.raises(Cut):
        fetch(folder, Fake(cut=cut))
    kept = store.read(folder, BARS.stem, Kind.BARS).height
    assert kept == min(cut * 1_000, HOURS), "what was complete is kept"
    rest = Fake()
    fetch(folder, rest)
    assert store.read(folder, BARS.stem, Kind.BARS).equals(store.read(tmp_path / "whole", BARS.stem, Kind.BARS))
    assert len(rest.pages) <= 5 - cut + 1, "what was there is not fetched again"


def test_a_gap_is_asked_for_twice_then_told_and_not_asked_for_again(tmp_path: Path) -> None:
    absent = range(1_000, 2_000)  # exactly one page
    source = Fake(absent)
    outcome = fetch(tmp_path, source)
    gap = (FROM + 1_000 * HOUR_MS, FROM + 2_000 * HOUR_MS)
    assert outcome.gaps == [gap]
    assert source.pages.count(gap) == 2
    again = Fake(absent)
    assert fetch(tmp_path, again).gaps == [gap]
    assert again.pages == []


def test_what_is_not_published_yet_is_not_taken_for_a_gap(tmp_path: Path) -> None:
    late = Fake(range(HOURS - 10, HOURS))
    assert fetch(tmp_path, late).gaps == []
    assert fetch(tmp_path, Fake()).rows == HOURS


def test_earlier_history_is_put_before_what_is_there(tmp_path: Path) -> None:
    Downloader(Fake(), tmp_path, FROM + 3_000 * HOUR_MS, None, lambda *_args: None).fetch(BARS)
    assert store.read(tmp_path, BARS.stem, Kind.BARS).height == HOURS - 3_000
    assert fetch(tmp_path, Fake()).rows == HOURS


def test_a_seam_that_tells_otherwise_is_reported_and_the_stored_row_stays(tmp_path: Path) -> None:
    until = FROM + 3 * HOUR_MS
    fetch(tmp_path, Fake(), until=until)
    outcome = fetch(tmp_path, Fake(factor=2.0), until=FROM + 5 * HOUR_MS)
    (conflict,) = outcome.conflicts
    assert conflict.ts_ms == FROM + 2 * HOUR_MS
    assert "stored open 102.0" in str(conflict) and "fetched open 104.0" in str(conflict)
    assert store.read(tmp_path, BARS.stem, Kind.BARS)["open"].to_list()[:3] == [100.0, 101.0, 102.0]


def test_funding_has_no_gaps_between_its_settlements(tmp_path: Path) -> None:
    outcome = fetch(tmp_path, Fake(), RATES)
    assert outcome.gaps == []
    assert outcome.rows == HOURS // 8


def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "btc_usdt_spot_1h.parquet"
    path.write_bytes(b"not parquet")
    with pytest.raises(HistoryStoreError, match=r"btc_usdt_spot_1h.parquet cannot be read.*move it away"):
        fetch(tmp_path, Fake())
    assert path.read_bytes() == b"not parquet"


def test_fear_and_greed_is_kept_by_day_and_nonsense_is_refused(tmp_path: Path) -> None:
    loader = Downloader(Fake(), tmp_path, FROM, None, lambda *_args: None)
    data = [{"value": str(40 + day), "timestamp": str((FROM + day * DAY_MS) // 1000)} for day in (2, 1, 0)]
    assert loader.fear_greed(lambda _path, _parameters: {"data": data}).rows == 3
    kept = store.read(tmp_path, "fear_greed", Kind.FEAR_GREED)
    assert kept["value"].to_list() == [40, 41, 42]
    with pytest.raises(FeedUnavailableError, match="101"):
        loader.fear_greed(lambda _path, _parameters: {"data": [{"value": "101", "timestamp": "1"}]})
    assert store.read(tmp_path, "fear_greed", Kind.FEAR_GREED).equals(kept)


# --- over HTTP, against the simulated exchange (which also stands in for the publisher of Fear & Greed) ---


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimulatorProcess]:
    process = SimulatorProcess(tmp_path / "state")
    try:
        yield process
    finally:
        process.stop()


def download(simulator: SimulatorProcess, folder: Path, *options: str) -> Any:
    where = ["--url", simulator.url, "--fear-greed-url", simulator.url, "--from", "2023-10-01", "--to", "2023-12-31"]
    return CliRunner().invoke(app, ["history", "download", str(folder), *where, *options])


def test_the_command_fetches_what_the_market_had(simulator: SimulatorProcess, tmp_path: Path) -> None:
    """The simulated exchange's own market, through pybit, into files, back into a market: the same bars."""
    folder = tmp_path / "history"
    done = download(simulator, folder, "--symbols", "BTC,ETH")
    assert done.exit_code == 0, done.output
    assert {f"{series.stem}.parquet" for series in series_of(["BTC", "ETH"])} <= {
        path.name for path in folder.iterdir()
    }
    assert (folder / "instruments.json").exists()
    original = SyntheticMarket(7, instant("2024-01-01"), 31)
    market = HistoryMarket(folder, instant("2023-10-01"), instant("2024-01-01"))
    for category in ("spot", "linear"):
        for at in range(instant("2023-11-01"), instant("2023-11-08"), HOUR_MS):
            assert market.hour(category, "ETHUSDT", at) == original.hour(category, "ETHUSDT", at)
    settled = range(instant("2023-11-01"), instant("2023-11-03"), 8 * HOUR_MS)
    assert [market.funding_rate("BTCUSDT", at) for at in settled] == [
        original.funding_rate("BTCUSDT", at) for at in settled
    ]
    again = download(simulator, folder, "--symbols", "BTC,ETH")
    assert again.exit_code == 0
    assert "0 of them new" in again.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--symbols", "BT$"), "--symbols 'BT$' is no coin"),
        (("--from", "soon"), "--from 'soon' is refused"),
        (("--to", "2020-01-01", "--from", "2021-01-01"), "--to 2020-01-01 must not be before --from 2021-01-01"),
        (("--url", "here"), "--url 'here' is no address"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    refused = CliRunner().invoke(app, ["history", "download", str(tmp_path / "new"), *options])
    assert refused.exit_code == 2
    assert told in refused.output
    assert not (tmp_path / "new").exists()


def test_files_are_in_the_schema_the_market_reads(tmp_path: Path) -> None:
    fetch(tmp_path, Fake())
    assert pl.read_parquet(tmp_path / "btc_usdt_spot_1h.parquet").columns == [
        "ts",
        "open",
        "high",
        "low",
        "close",
        "volume",
    ]
