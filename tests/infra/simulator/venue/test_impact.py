"""X4: a taker pays more the larger its volume of 60 minutes is against the market's."""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.config import SimConfig
from infra.simulator.venue.impact import FREE_SHARE, mean_volume, own_volume
from tests.infra.simulator.venue.world import World, at

D = Decimal
SLIPPAGE = D("0.0002")
HOURLY = D(10)
"""The volume of each hour of the tiny market."""


def world(hour: int = 3) -> World:
    made = World(config=SimConfig(slippage=SLIPPAGE))
    made.run_to(at(hour))
    return made


def paid(made: World, quantity: str, account: str = "TREND-1", category: str = "linear") -> Decimal:
    """The slippage of one purchase at market."""
    link = f"x{len(made.exchange.venue.slippages)}"
    extra = {"marketUnit": "baseCoin"} if category == "spot" else {}
    made.order(account, side="Buy", qty=quantity, orderLinkId=link, category=category, **extra)
    return made.exchange.venue.slippages[link]


def test_up_to_a_tenth_of_a_per_cent_of_the_volume_costs_the_configured_slippage() -> None:
    made = world()
    assert mean_volume(made.exchange.venue, "linear", "BTCUSDT") == HOURLY
    assert paid(made, str(HOURLY * FREE_SHARE)) == SLIPPAGE


def test_four_times_that_costs_twice_as_much_in_one_order_or_in_several_within_the_hour() -> None:
    assert paid(world(), "0.04") == 2 * SLIPPAGE
    made = world()
    for _ in range(3):
        paid(made, "0.01")
    assert paid(made, "0.01") == 2 * SLIPPAGE, "slices do not hide the size"
    assert own_volume(made.exchange.venue, "linear", "BTCUSDT") == D("0.04")
    made.run_to(at(4, 1))
    assert paid(made, "0.01") == SLIPPAGE, "an hour later it is forgotten"


def test_the_accounts_of_one_operator_count_together_and_each_market_for_itself() -> None:
    made = world()
    paid(made, "0.03")
    assert paid(made, "0.01", "TREND-2") == 2 * SLIPPAGE
    assert paid(made, "0.01", "CORE-HODL", "spot") == SLIPPAGE


def test_while_the_volume_is_unknown_the_configured_slippage_applies() -> None:
    made = world(0)
    assert mean_volume(made.exchange.venue, "linear", "BTCUSDT") is None
    assert paid(made, "0.04") == SLIPPAGE


def test_the_price_moves_by_it() -> None:
    made = world()
    order = made.order(side="Buy", qty="0.04")
    assert order["avgPrice"] == "40016", "40000 moved by 0.04 %"
