"""Price gaps that hold together stay within a thousand times: 30 gaps down and 40 up once ended the exchange for good.

A price of 46 digits failed in the take-over of a position, and at every restart of the folder again.
"""

from __future__ import annotations

import itertools
import logging
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.simulator.api import Exchange
from infra.simulator.config import SimConfig
from infra.simulator.faults.catalogue import PriceGap
from infra.simulator.faults.desk import FaultDesk
from infra.simulator.faults.gaps import LARGEST
from infra.simulator.faults.reading import FaultError
from infra.simulator.faults.scenario import Occurrence, read_data
from infra.simulator.injection import Injection
from infra.simulator.market.synthetic import SyntheticMarket
from tests.infra.simulator.faults.test_scenarios import START_MS, traded

CHANGES = st.decimals("-0.9", "10", places=2)


def _world() -> tuple[Exchange, Injection]:
    exchange = Exchange(SyntheticMarket(2, START_MS, 2), SimConfig(rate_limits=False))
    return exchange, Injection(lambda: exchange.venue, exchange.intervene)


def _gaps(*changes: str, **common: Any) -> list[dict[str, Any]]:
    return [{**common, "fault": {"kind": "price-gap", "change": one}} for one in changes]


def test_stacked_gaps_are_refused_in_one_sentence_and_the_exchange_lives_on() -> None:
    exchange, injection = _world()
    for account, side in (("TREND-1", "Buy"), ("TREND-2", "Sell")):
        traded(exchange, account, symbol="BTCUSDT", side=side, orderType="Market", qty="0.1")
    refused = 0
    for change, number in (("-0.9", 30), ("10", 40)):
        for _ in range(number):
            try:
                injection.inject(PriceGap(change=Decimal(change)))
            except FaultError as error:
                refused += 1
                assert "up to 1,000 times and down to 1/1,000." in str(error) and "all coins" in str(error)
        for _ in range(3):
            exchange.advance(exchange.step, injection.sooner(None))
            injection.pump()
        for one in list(itertools.islice(injection.desk.active(), 3)):
            injection.clear(one.id)  # the gaps down end first: what is left are those up
    assert refused == 27 + 38
    for _ in range(20):
        exchange.advance(exchange.step, injection.sooner(None))
    assert exchange.dump()


@given(changes=st.lists(st.tuples(st.sampled_from(["*", "BTCUSDT", "ETHUSDT"]), CHANGES), max_size=9))
@settings(max_examples=60, deadline=None)
def test_no_part_of_what_holds_together_is_beyond_the_bounds(changes: list[tuple[str, Decimal]]) -> None:
    desk = FaultDesk()
    for symbol, change in changes:
        try:
            desk.inject(PriceGap(symbol=symbol, change=change), START_MS)
        except FaultError:
            continue
    holding = [fault for _, fault in desk.of(PriceGap)]
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        factors = [1 + one.change for one in holding if one.symbol in ("*", symbol)]
        for size in range(len(factors) + 1):
            for chosen in itertools.combinations(factors, size):
                product = Decimal(1)
                for one in chosen:
                    product *= one
                assert Decimal(1) / LARGEST <= product <= LARGEST


def test_a_scenario_whose_gaps_overlap_too_far_is_refused_at_load_and_one_whose_gaps_follow_is_not() -> None:
    named = {"name": "mine", "teaches": "prices beyond what a market does"}
    apart = [{**one, "at_s": 60 * number} for number, one in enumerate(_gaps(*["10"] * 5, for_s=60))]
    assert len(read_data({**named, "step": apart}).occurrences(START_MS)) == 5
    together = read_data({**named, "step": [{**one, "at_s": 5} for one in _gaps("10", "10", "10", for_s=60)]})
    with pytest.raises(FaultError, match=r"^step mine/3/1: change is 10; .*1,000 times") as refused:
        together.occurrences(START_MS)
    assert "\n" not in str(refused.value)


def test_a_step_that_does_not_fit_beside_other_gaps_is_left_out_with_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exchange = Exchange(SyntheticMarket(2, START_MS, 2), SimConfig(rate_limits=False))
    step = Occurrence(START_MS + 1, None, "mine/1/1", PriceGap(change=Decimal(10)))
    injection = Injection(lambda: exchange.venue, exchange.intervene, [step])
    for _ in range(2):
        injection.inject(PriceGap(change=Decimal(10)))
    with caplog.at_level(logging.ERROR):
        while exchange.market_time <= START_MS + 1:
            exchange.advance(exchange.step, injection.sooner(None))
            injection.pump()
    assert [one.getMessage() for one in caplog.records if "mine/1/1 of the scenario is left out" in one.getMessage()]
    assert "mine/1/1" not in exchange.venue.conditions.active
