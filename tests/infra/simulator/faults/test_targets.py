"""A fault is aimed at what exists, and changed filters are possible ones; both by hand and in a scenario file."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.simulator.__main__ import main
from infra.simulator.api import ApiRequest, Exchange
from infra.simulator.config import SimConfig
from infra.simulator.fault_targets import check, check_scenario
from infra.simulator.faults.catalogue import CATALOGUE
from infra.simulator.faults.reading import FaultError, fault_of
from infra.simulator.faults.scenario import read_data, shipped
from infra.simulator.injection import Injection
from infra.simulator.market.synthetic import SyntheticMarket

START_MS = 1_735_689_600_000  # 2025-01-01


@pytest.fixture(scope="module")
def exchange() -> Exchange:
    return Exchange(SyntheticMarket(2, START_MS, 2), SimConfig(rate_limits=False))


def test_what_the_catalogue_and_the_shipped_scenarios_aim_at_exists(exchange: Exchange) -> None:
    for kind in CATALOGUE:
        if kind != "filter-change":  # it has no filter of its own
            check(fault_of({"kind": kind}), exchange.venue)
    for scenario in shipped().values():
        check_scenario(scenario, exchange.venue, START_MS)


FILTER = {"kind": "filter-change"}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            {"kind": "latency", "account": "NOBODY"},
            "latency: account is 'NOBODY'; it must be *, for all, or one of",
        ),
        ({"kind": "disconnect", "account": "NOBODY"}, "account is 'NOBODY'"),
        ({"kind": "liquidation", "account": "NOBODY"}, "account is 'NOBODY'"),
        ({"kind": "latency", "symbol": "NOPE"}, "symbol is 'NOPE'; it must be *, for all, or one of BTCUSDT, ETHUSDT"),
        ({"kind": "partial-fill", "symbol": "NOPE"}, "symbol is 'NOPE'"),
        ({"kind": "price-gap", "symbol": "DOGE"}, "symbol is 'DOGE'"),
        ({"kind": "delisting", "symbol": "XX"}, "symbol is 'XX'; it must be one of BTCUSDT"),
        ({"kind": "delisting", "symbol": "*"}, "symbol is '*'; it must be one of BTCUSDT"),
        ({"kind": "withdrawal-suspension", "coin": "XX"}, "coin is 'XX'; it must be one of USDT, BTC, ETH, SOL."),
        ({"kind": "lost-answer", "endpoint": "/v5/foo"}, "endpoint is '/v5/foo'; it must be the path of an endpoint"),
        ({"kind": "lost-answer", "endpoint": "/v5/foo*"}, "endpoint is '/v5/foo*'"),
        ({"kind": "refusal", "method": "GET"}, "method is GET; for endpoint '/v5/order/create*' it must be * or POST."),
        ({"kind": "late-messages", "topic": "ordr"}, "topic is 'ordr'; it must be a topic of the channel"),
        ({"kind": "frozen-book", "topic": "order"}, "topic is 'order'"),
        ({"kind": "late-messages", "channel": "spot", "topic": "adlAlert.*"}, "topic is 'adlAlert.*'"),
        (FILTER, "no filter is given; at least one of tick"),
        ({**FILTER, "tick": "1e30"}, "tick is 1000000000000000000000000000000; it must be from 0.00000001 to"),
        ({**FILTER, "tick": "5000"}, "1 % of the last price of BTCUSDT (linear)."),
        ({**FILTER, "qty_step": "1e-30"}, "qty_step is 0.000000000000000000000000000001; it must be from 0.00000001"),
        ({**FILTER, "tick": "0.000000015"}, "with at most 8 decimals."),
        ({**FILTER, "min_qty": "1e30"}, "min_qty is 1000000000000000000000000000000; it must be"),
        ({**FILTER, "min_qty": "5", "max_limit_qty": "4"}, "min_qty is 5 and max_limit_qty is 4; min_qty must be at"),
        ({**FILTER, "min_qty": "501"}, "min_qty is 501 and max_market_qty is 500;"),
        ({**FILTER, "qty_step": "501"}, "qty_step is 501 and max_market_qty is 500;"),
        ({**FILTER, "min_notional": "8000001"}, "min_notional is 8000001; it must be at most 8000000."),
        ({**FILTER, "symbol": "NOPE", "tick": 1}, "symbol is 'NOPE'"),
    ],
)
def test_what_can_strike_nothing_is_refused_by_hand_and_in_a_scenario(
    exchange: Exchange, data: dict[str, Any], sentence: str
) -> None:
    injection = Injection(lambda: exchange.venue, exchange.intervene)
    with pytest.raises(FaultError) as by_hand:
        injection.inject(fault_of(data))
    assert sentence in str(by_hand.value) and str(by_hand.value).startswith(f"fault {data['kind']}: ")
    assert injection.desk.active() == [] and not exchange.venue.conditions.active
    scenario = read_data({"name": "mine", "teaches": "a typing error", "step": [{"at_s": 9, "fault": data}]})
    with pytest.raises(FaultError) as in_file:
        check_scenario(scenario, exchange.venue, START_MS)
    assert str(in_file.value) == f"mine: step 1: {by_hand.value}"


def test_patterns_that_match_something_and_filters_within_bounds_pass(exchange: Exchange) -> None:
    for data in (
        {"kind": "lost-answer", "endpoint": "/v5/*/create*", "account": "TREND-1", "symbol": "SOLUSDT"},
        {"kind": "late-messages", "topic": "orderbook.50.*", "channel": "spot"},
        {"kind": "missing-messages", "topic": "exec*"},
        {**FILTER, "tick": "0.00000001", "qty_step": "0.00000001", "min_qty": "0.1", "max_market_qty": "0.1"},
    ):
        check(fault_of(data), exchange.venue)


def test_an_instrument_with_the_largest_tick_is_quoted_in_plain_numbers_also_after_a_fall() -> None:
    """A tick of 1e30 once made GET /v5/market/tickers answer 10016; so would a fall of prices below a legal tick."""
    exchange = Exchange(
        SyntheticMarket(2, START_MS, 2), SimConfig(rate_limits=False, slippage=Decimal("0.0001"), deep_book=True)
    )
    injection = Injection(lambda: exchange.venue, exchange.intervene)
    last = exchange.venue.prices.last("linear", "BTCUSDT")
    injection.inject(fault_of({**FILTER, "tick": f"{(last / 100).quantize(1) - 1}", "qty_step": "0.00000001"}))
    for _ in range(3):
        injection.inject(fault_of({"kind": "price-gap", "change": "-0.9"}))
    while exchange.market_time < START_MS + 2 * 3_600_000:
        exchange.advance(exchange.step, None)
    assert exchange.venue.prices.last("linear", "BTCUSDT") < last / 500
    asked = {"category": "linear", "symbol": "BTCUSDT"}
    for path in ("tickers", "orderbook", "instruments-info", "price-limit"):
        answer = exchange.handle(ApiRequest("GET", f"/v5/market/{path}", asked))
        assert answer["retCode"] == 0, answer
    (row,) = exchange.handle(ApiRequest("GET", "/v5/market/instruments-info", asked))["result"]["list"]
    assert row["lotSizeFilter"]["qtyStep"] == "0.00000001" and "E" not in row["priceFilter"]["tickSize"]


def test_filters_are_possible_together_with_those_that_hold(
    exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    venue = Exchange(SyntheticMarket(2, START_MS, 2))
    injection = Injection(lambda: venue.venue, venue.intervene)
    injection.inject(fault_of({**FILTER, "min_qty": "5"}))
    with pytest.raises(FaultError, match="min_qty is 5 and max_limit_qty is 4 with the faults that are active"):
        injection.inject(fault_of({**FILTER, "max_limit_qty": "4"}))
    steps = [{"at_s": 0, "fault": {**FILTER, **one}} for one in ({"min_qty": 5}, {"max_limit_qty": 4}, {"tick": 1})]
    scenario = read_data({"name": "mine", "teaches": "filters that do not fit", "step": steps})
    other = Exchange(SyntheticMarket(2, START_MS, 2))
    running = Injection(lambda: other.venue, other.intervene, scenario.occurrences(START_MS))
    with caplog.at_level(logging.ERROR):
        running.pump()
    assert [one.id for one in running.desk.active()] == ["mine/1/1", "mine/3/1"]
    assert "The step mine/2/1 of the scenario is left out: fault filter-change: min_qty is 5" in caplog.text


def test_a_step_at_an_instant_that_is_over_is_refused(exchange: Exchange) -> None:
    at = {"at": datetime(2024, 12, 31, tzinfo=UTC), "fault": {"kind": "no-pong"}}
    scenario = read_data({"name": "mine", "teaches": "a step in the past", "step": [at]})
    with pytest.raises(FaultError, match=r"step 1: at is 2024-12-31T00:00:00\+00:00; it must not be before the exch"):
        check_scenario(scenario, exchange.venue, START_MS)


def test_the_process_refuses_a_scenario_that_can_strike_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nteaches = "a typing error"\n'
        '[[step]]\nat_s = 1\nfault = { kind = "latency", account = "NOBODY" }\n'
    )
    market = ["--seed", "1", "--from", "2025-01-01", "--to", "2025-01-03"]
    assert main(["--state", str(tmp_path / "state"), *market, "--scenario", str(path)]) == 2
    assert "mine: step 1: fault latency: account is 'NOBODY'; it must be" in caplog.text
