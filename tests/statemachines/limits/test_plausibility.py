"""What a market can produce: the bounds at their edges, and the widest figures of the recorded history inside them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from statemachines.limits.plausibility import quote_problem, rate_problem
from statemachines.requests import Quote
from statemachines.values import DAY_MS
from tests.shared import shared_path

D = Decimal
T = 1_700_000_000_000


def quote(**changes: Any) -> Quote:
    sound = Quote(
        category="linear", symbol="BTCUSDT", bid=D(99), ask=D(101), last=D(100), mark=D(100), index=D(100),
        predicted_funding_rate=D("0.0001"), next_funding_ms=T + DAY_MS, market_ms=T,
    )  # fmt: skip
    return sound.model_copy(update=changes)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, ""),
        ({"mark": None, "index": None, "predicted_funding_rate": None, "next_funding_ms": None}, ""),
        ({"bid": D(101)}, "bid"),
        ({"bid": D(1), "ask": D(1_000_000)}, "ask"),
        ({"bid": D(100), "ask": D(110)}, ""),
        ({"bid": D(100), "ask": D("110.1")}, "ask"),
        ({"last": D(297)}, ""),
        ({"last": D("297.1")}, "last"),
        ({"last": D(33)}, ""),
        ({"last": D("32.9")}, "last"),
        ({"mark": D(298)}, "mark"),
        ({"mark": D("0.01")}, "mark"),
        ({"index": D(1_000_000)}, "index"),
        ({"index": D(32)}, "index"),
        ({"predicted_funding_rate": D("0.05")}, ""),
        ({"predicted_funding_rate": D("-0.0501")}, "funding rate"),
        ({"predicted_funding_rate": D(1)}, "funding rate"),
        ({"next_funding_ms": T + 2 * DAY_MS}, ""),
        ({"next_funding_ms": T + 2 * DAY_MS + 1}, "next funding"),
        ({"next_funding_ms": T - 1}, ""),
    ],
    ids=str,
)
def test_a_quote_that_no_market_can_have_is_named_by_its_field(changes: dict[str, Any], named: str) -> None:
    problem = quote_problem(quote(**changes))
    assert problem.startswith(named) and bool(problem) is bool(named)


@pytest.mark.parametrize(("rate", "is_sound"), [("0.05", True), ("-0.05", True), ("0.0501", False), ("1", False)])
def test_a_funding_rate_is_at_most_5_percent(rate: str, is_sound: bool) -> None:
    assert (rate_problem(D(rate)) == "") is is_sound


@pytest.mark.parametrize("symbol", ["btc", "eth", "sol"])
def test_the_widest_hours_of_the_recorded_history_are_quotes_of_a_market(symbol: str) -> None:
    """March 2020 (a trade at 2.7 times the mark price), May 2021, November 2022: real markets are never refused."""
    import polars as pl

    folder = shared_path("history")
    traded = pl.read_parquet(folder / f"{symbol}_usdt_perp_1h.parquet")
    at = traded.columns[0]
    for reference in ("mark", "spot"):
        joined = traded.join(pl.read_parquet(folder / f"{symbol}_usdt_{reference}_1h.parquet"), on=at, suffix="_other")
        for price in ("open", "high", "low", "close"):
            ratio = joined[price].cast(pl.Float64) / joined[f"{price}_other"].cast(pl.Float64)
            assert joined.height > 1000
            for widest in (ratio.max(), ratio.min()):
                assert isinstance(widest, float)
                last = D(100) * D(str(widest))
                assert quote_problem(quote(bid=last * D("0.9999"), ask=last, last=last)) == ""


@pytest.mark.parametrize("name", ["funding_btc", "funding_eth", "funding_sol_2024", "bybit_funding_sol"])
def test_the_widest_rates_of_the_recorded_history_are_rates_of_a_market(name: str) -> None:
    import polars as pl

    rates = pl.read_parquet(shared_path("history") / f"{name}.parquet")["rate"].cast(pl.Float64)
    for widest in (rates.max(), rates.min()):
        assert isinstance(widest, float) and rate_problem(D(str(widest))) == ""
