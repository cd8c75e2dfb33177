"""X4 for FUNDING: a pair too large for its markets is worked in slices of both legs; FU-4's clock runs per pair."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.funding.pair import PairMarket, pair_slice
from statemachines.funding.rules import PairSize, pair_size, spot_order_for
from statemachines.messages.control import RiskState
from statemachines.messages.orders import Intent
from statemachines.values import LINEAR, MINUTE_MS, SPOT
from tests.statemachines.funding.synthetic import Market
from tests.statemachines.harness import instrument

D = Decimal
FEE = D("0.001")


def market_of(spot_most: Decimal, perp_most: Decimal) -> PairMarket:
    spot, perp = instrument(SPOT, "BTC"), instrument(LINEAR, "BTC")
    return PairMarket(spot, perp, D(10_000), D(10_000), FEE, spot_most, perp_most)


@given(
    room=st.decimals(min_value=1_000, max_value=10**8, places=2),
    spot_most=st.decimals(min_value="0.1", max_value=500, places=1),
    perp_most=st.decimals(min_value="0.1", max_value=500, places=1),
)
def test_both_legs_of_a_slice_are_sent_whole_and_hedge_each_other(
    room: Decimal, spot_most: Decimal, perp_most: Decimal
) -> None:
    market = market_of(spot_most, perp_most)
    size = pair_size(room, market.spot_price, FEE, market.spot, market.perp)
    assert size is not None
    piece = pair_slice(size, market)
    assert piece.spot_order <= spot_most and piece.short <= perp_most
    assert piece.spot_order == spot_order_for(piece.short, FEE, market.spot.qty_step) > 0
    if size.spot_order <= spot_most and size.short <= perp_most:
        assert piece == size


def test_slices_are_equal_so_that_the_last_one_is_no_remainder() -> None:
    assert pair_slice(PairSize(D("1.01"), D("1.012")), market_of(D(1), D(1))).short == D("0.505")


def at(intents: list[tuple[int, Intent]], purpose: str) -> list[tuple[int, str, Decimal]]:
    first = intents[0][0]
    return [(ms - first, one.category, one.quantity) for ms, one in intents if one.purpose == purpose]


def sent(market: Market) -> list[tuple[int, Intent]]:
    return [(ms, body) for ms, body in market.world.sent if isinstance(body, Intent)]


def sliced(**more: object) -> Market:
    """BTC: the pair is 0.074 short; a slice is at most 1 % of 3 BTC an hour."""
    market = Market(**more)  # type: ignore[arg-type]
    market.hourly_volume = D(3)
    return market


@pytest.mark.parametrize("restarts", [False, True])
def test_an_entry_places_one_pair_of_slices_a_minute_until_it_is_whole(restarts: bool) -> None:
    market = sliced(restarts=restarts)
    market.open("BTC")
    market.hour()
    orders = at(sent(market), "entry")
    assert [ms for ms, _, _ in orders] == [0, 0, MINUTE_MS, MINUTE_MS, 2 * MINUTE_MS, 2 * MINUTE_MS]
    shorts = [quantity for _, category, quantity in orders if category == LINEAR]
    assert sum(shorts) == D("0.074") and max(shorts) <= D("0.03")
    row = market.row()
    assert (row["pair"]["short"], row["pair"]["goal_short"], row["pair"]["next_slice_ms"]) == ("0.074", "0", None)
    assert market.state() == "FUNDING_COLLECTION"


def test_an_exit_closes_both_legs_slice_by_slice_without_pause() -> None:
    market = sliced()
    market.open("BTC")
    market.hour()
    market.period(BTC=D("-0.0001"))
    orders = at(sent(market), "exit")
    assert len({ms for ms, _, _ in orders}) == 1 and len(orders) >= 6
    assert all(quantity <= D("0.03") for _, _, quantity in orders)
    assert market.state() == "MONITORING" and market.row()["pair"]["short"] == "0"


def test_a_block_of_entries_ends_the_slices_and_keeps_the_pair() -> None:
    market = sliced()
    market.open("BTC")
    before = len(at(sent(market), "entry"))
    assert 0 < before < 6, "the first slices of three"
    market.world.tell(RiskState(scope="funding", state="REDUCE_ONLY", size_factor=D(0), reason="test"))
    market.hour()
    assert len(at(sent(market), "entry")) == before, "no further slice"
    assert market.state() == "FUNDING_COLLECTION" and market.row()["pair"]["goal_short"] == "0"
