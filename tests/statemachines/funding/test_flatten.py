"""RM-5, R3: FUNDING closes both legs of every pair at the operator's command, at market, whatever a pair is doing."""

from __future__ import annotations

import pytest

from statemachines.messages.control import FlattenOrdered
from statemachines.messages.orders import Intent, Withdraw
from statemachines.values import LINEAR, SPOT, ActorName
from tests.statemachines.funding.synthetic import D, Market
from tests.statemachines.funding.test_faults import is_perp
from tests.statemachines.funding.test_giving import ALL, opened
from tests.statemachines.harness import Outcome


def flatten(market: Market, engine: ActorName = ActorName.FUNDING) -> None:
    market.world.tell(FlattenOrdered(engine=engine, command_id="c", reason="RM-5: flatten: K: test"))
    market.world.settle()


def is_flat(market: Market) -> bool:
    """No short, and no coins that could be sold for 5 USDT."""
    return not market.world.positions and all(
        amount * market.spot[coin] < 5 for coin, amount in market.world.coins.items() if coin != "USDT"
    )


def exits(market: Market) -> list[Intent]:
    return market.intents("exit")


@pytest.mark.parametrize("restarts", [False, True])
def test_r3_every_pair_is_closed_in_both_legs_reduce_only_and_at_market(restarts: bool) -> None:
    market = opened(restarts=restarts)
    flatten(market)
    assert is_flat(market) and [market.state(asset) for asset in ALL] == ["MONITORING"] * 3
    assert {(one.category, one.style, one.reduce_only) for one in exits(market)} == {
        (SPOT, "market", False),
        (LINEAR, "market", True),
    }
    assert all(one.reason.startswith("RM-5") for one in exits(market))


def test_r3_it_does_not_wait_for_fresh_prices() -> None:
    """F5 makes the rules' exits wait for them; the operator has decided (R3: urgent)."""
    market = opened()
    market.stale = {(category, asset) for category in (SPOT, LINEAR) for asset in ALL}
    market.hour()
    flatten(market)
    assert is_flat(market)


@pytest.mark.parametrize("restarts", [False, True])
def test_r3_an_entry_under_way_is_withdrawn_and_the_leg_that_filled_is_closed(restarts: bool) -> None:
    """The perpetual hangs: neither the catching-up nor the unwinding of FU-4 comes first."""
    market = Market(decide=lambda intent: Outcome(hangs=is_perp(intent) and not intent.reduce_only), restarts=restarts)
    market.open("BTC")
    assert market.state() == "ENTRY" and market.world.hanging
    flatten(market)
    assert not market.world.hanging and is_flat(market) and market.state() == "MONITORING"
    assert [one.reason for one in market.world.bodies(Withdraw)] == ["RM-5: flatten: K: test"]
    assert {one.purpose for one in market.intents()} == {"entry", "exit"}


def test_r3_a_pair_that_is_being_entered_in_slices_gets_no_further_slice() -> None:
    market = Market()
    market.hourly_volume = D(1)
    market.open("BTC")
    assert market.row()["pair"]["goal_short"] != "0", "the entry is worked in slices"
    flatten(market)
    for _ in range(20):
        market.hour()
    assert is_flat(market) and market.state() == "MONITORING"


@pytest.mark.parametrize("restarts", [False, True])
def test_r3_an_exit_that_pauses_between_two_attempts_is_tried_at_once(restarts: bool) -> None:
    market = opened(restarts=restarts)
    market.world.decide = lambda intent: Outcome(share=D(0))
    flatten(market)
    tries = len(exits(market))
    assert market.state() == "EXIT" and tries == 6
    market.world.decide = lambda intent: Outcome()
    flatten(market)
    assert is_flat(market) and len(exits(market)) == 2 * tries


def test_an_exit_of_a_rule_that_waits_for_prices_becomes_the_operators() -> None:
    market = opened()
    market.stale = {(category, asset) for category in (SPOT, LINEAR) for asset in ALL}
    market.period(BTC=D("-0.001"))
    assert market.state() == "EXIT" and not is_flat(market)
    flatten(market)
    assert is_flat(market)


def test_a_repeat_and_another_engines_command_change_nothing() -> None:
    market = opened()
    flatten(market, ActorName.TREND_1)
    assert not exits(market)
    flatten(market)
    flatten(market)
    assert len(exits(market)) == 6
