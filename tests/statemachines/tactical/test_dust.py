"""TA-6, OR-6: proceeds below the step of a transfer are kept and return to CORE-HODL with the next ones."""

from __future__ import annotations

from decimal import Decimal

from statemachines.tactical.parameters import TacticalParameters
from tests.statemachines.tactical.synthetic import Market

D = Decimal


def test_what_a_transfer_rounds_off_goes_with_the_next_one() -> None:
    """Half is sold young (TA-7), the rest at the target (TA-6); both together return all but less than one step."""
    market = Market(parameters=TacticalParameters(usdt_transfer_step=D(1)))
    market.close(5_000)
    market.eth = D(751)
    before = market.world.cash
    market.close(7_500)
    first = market.world.cash - before
    (wanted,) = market.returns()
    assert wanted.amount == first // 1 and first % 1 > 0
    assert D(market.world.rows["ENGINE"].data["dust_usdt"]) == first % 1
    market.world.complete_transfers()
    market.eth = D(1_100)
    before = market.world.cash
    market.close(11_000)
    second = market.world.cash - before
    assert sum(one.amount for one in market.returns()) == (first + second) // 1
    assert D(market.world.rows["ENGINE"].data["dust_usdt"]) == (first + second) % 1
