"""TACTICAL gives capital (OR-2, OR-4, A8): only its cash, never a deployment; what cannot be given is waived."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from statemachines.messages.accounts import CapitalFreed
from statemachines.state_store import UnreadableRowError
from statemachines.tactical.engine import TacticalEngine
from statemachines.tactical.parameters import TacticalParameters
from statemachines.values import ActorName
from tests.kit.capital import free, moved
from tests.kit.restoring import restore_logic
from tests.statemachines.harness import Outcome
from tests.statemachines.tactical.synthetic import Market

TACTICAL = ActorName.TACTICAL


def answers(market: Market) -> list[D]:
    return [body.freed_usdt for body in market.world.bodies(CapitalFreed)]


def test_a8_cash_is_given_at_once() -> None:
    market = Market()
    market.world.tell(free(TACTICAL, 4_000))
    market.world.settle()
    assert answers(market) == [4_000]


@pytest.mark.parametrize("restarts", [False, True])
def test_a8_a_deployment_is_never_sold_for_it(restarts: bool) -> None:
    """Level 1 has deployed half of the cash: of 9,000 the other half can be given, and nothing is sold."""
    market = Market(restarts=restarts)
    market.close(5_000)
    assert market.deployed() == ["TA-1 level 1"]
    count = len(market.intents())
    market.world.tell(free(TACTICAL, 9_000))
    market.world.settle()
    assert answers(market) == [pytest.approx(market.world.cash, abs=D("0.0001"))]
    assert len(market.intents()) == count


def test_a8_what_is_kept_aside_is_not_deployed() -> None:
    """Fear & Greed below 20 deploys a quarter of the cash that stays."""
    market = Market()
    market.world.tell(free(TACTICAL, 6_000))
    market.world.settle()
    market.close(10_000, market.fear(10))
    assert market.amounts() == [pytest.approx(D(1_000))]


def test_or6_a_transfer_that_fails_leaves_the_cash_to_the_engine() -> None:
    market = Market()
    market.world.tell(free(TACTICAL, 6_000))
    market.world.settle()
    market.world.tell(moved(TACTICAL, "6000", succeeded=False))
    market.close(10_000, market.fear(10))
    assert market.amounts() == [pytest.approx(D(2_500))]


def test_a8_cash_that_an_open_purchase_may_still_take_is_not_given() -> None:
    market = Market(decide=lambda intent: Outcome(hangs=True))
    market.close(5_000)
    market.world.tell(free(TACTICAL, 10_000))
    market.world.settle()
    (given,) = answers(market)
    assert D(4_900) < given < D(5_000), "half of the cash, less slippage and fee of the other half"


def test_o7_less_than_the_least_is_given_as_nothing() -> None:
    market = Market(cash=D(900))
    market.world.tell(free(TACTICAL, 5_000, 1_000))
    market.world.settle()
    assert answers(market) == [0]
    assert market.world.rows["RELEASES"].data == {"open": None, "kept": {}}


def test_rm6_a_coin_that_a_deployment_holds_cannot_be_left_out_of_the_shares() -> None:
    """A version of the policy without it was taken, and the next close found no price of it."""
    market = Market()
    market.close(5_000)
    only_btc = TacticalEngine(TacticalParameters(shares={"BTC": D(1)}))
    with pytest.raises(UnreadableRowError, match="D1 holds or trades ETH, and shares name only BTC"):
        restore_logic(only_btc, market.world.rows)
