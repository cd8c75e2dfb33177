"""A folder of sound history, whole and as a copy in which a defect can be planted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infra.simulator.market.path import DAY_MS
from tests.infra.simulator.market.judged import DAYS, RATES, rates
from tests.infra.simulator.market.make import BARS_HEADER, START_MS, beside, by_day, hours_of, write_csv, write_required


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty days of three coins: hours, days, marks, funding, Fear & Greed, DVOL."""
    folder = tmp_path_factory.mktemp("sound")
    write_required(folder, DAYS, coins=("btc", "eth", "sol"))
    for coin in ("btc", "eth", "sol"):
        spot = hours_of(coin, DAYS)
        write_csv(folder / f"{coin}_usdt_spot_1d.csv", BARS_HEADER, by_day(spot))
        write_csv(folder / f"{coin}_usdt_perp_1d.csv", BARS_HEADER, by_day(beside(spot)))
        write_csv(folder / f"{coin}_usdt_mark_1h.csv", "ts,open,high,low,close", [one[:5] for one in beside(spot)])
        write_csv(folder / f"funding_{coin}.csv", RATES, rates())
    days = range(DAYS)
    write_csv(folder / "fear_greed.csv", "date,value", [(START_MS + day * DAY_MS, 20 + day) for day in days])
    write_csv(folder / "dvol_btc_1d.csv", "ts,dvol", [(START_MS + day * DAY_MS, 60.5) for day in days])
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A copy in which a defect can be planted."""
    return Path(shutil.copytree(sound, tmp_path / "history"))
