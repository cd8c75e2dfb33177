"""Filters that allow no order end the intent with an alarm; amendments that fail are repeated ever more rarely.

A tick above the price raised a division by zero in the order manager, which then could not start any more.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from statemachines.messages.market import InstrumentsKnown
from statemachines.messages.orders import IntentEnded
from statemachines.requests import AmendOrder, ExchangeRequest, ExchangeResponse, PlaceOrder, Refused, Unknown
from statemachines.values import Account
from tests.kit import builders
from tests.statemachines.execution.fake_exchange import FakeExchange
from tests.statemachines.execution.rig import START_MS, Rig, maker

D = Decimal
FILTERS: dict[str, dict[str, Any]] = {
    "a tick above the price": {"tick_size": D(10) ** 9},
    "a tick just above the price": {"tick_size": D(150)},
    "a lot step above the maximum": {"qty_step": D(10) ** 6},
    "a minimum above the maximum": {"min_qty": D(10) ** 6},
    "a maximum below the lot step": {"max_limit_qty": D("1E-9"), "max_market_qty": D("1E-9")},
}


@pytest.mark.parametrize("style", ["maker", "market"])
@pytest.mark.parametrize("changes", FILTERS.values(), ids=FILTERS.keys())
def test_filters_that_allow_no_order_end_the_intent_with_an_alarm(changes: dict[str, Any], style: str) -> None:
    rig = Rig().start()
    rig.price("100")
    odd = builders.instrument("spot", "BTCUSDT").model_copy(update=changes)
    rig.tell(InstrumentsKnown(instruments=(odd,)))
    rig.approve(**maker(quantity=D(1)) | {"style": style})
    rig.settle()
    assert [done.ended_as for done in rig.bodies(IntentEnded)] == ["DENIED"]
    assert not [ask for ask in rig.asked if isinstance(ask.request, PlaceOrder)]
    assert [one for one in rig.alerts if one.title == "no order of BTCUSDT can be made" and one.severity == "critical"]
    rig.crash()
    rig.settle()
    rig.tell(InstrumentsKnown(instruments=(builders.instrument("spot", "BTCUSDT"),)))
    rig.approve(**maker(number=2, quantity=D(1)))
    rig.settle()
    assert [ask for ask in rig.asked if isinstance(ask.request, PlaceOrder)]


class Refusing(FakeExchange):
    """Answers every amendment with `outcome`."""

    outcome: ExchangeResponse = Unknown(why="time-out")

    def perform(self, account: Account, request: ExchangeRequest) -> ExchangeResponse:
        return self.outcome if isinstance(request, AmendOrder) else super().perform(account, request)


FAILURES: dict[str, ExchangeResponse] = {
    "permanent": Refused(code=110001, message="no", fault="permanent"),
    "transient": Refused(code=10006, message="busy", fault="transient"),
    "unknown": Unknown(why="time-out"),
}


@pytest.mark.parametrize("outcome", FAILURES.values(), ids=FAILURES.keys())
def test_amendments_that_fail_are_repeated_ever_more_rarely(outcome: ExchangeResponse) -> None:
    """It was one every 30 s: 2,879 a day."""
    exchange = Refusing(START_MS)
    exchange.outcome = outcome
    rig = Rig(exchange).start()
    rig.price("100")
    rig.approve(**maker(quantity=D(1), expires_ms=START_MS + 3 * 86_400_000))
    rig.settle()
    rig.price("120")
    asked: list[int] = []
    for _ in range(20 * 4):
        before = len(rig.asked)
        rig.advance(900_000)
        asked += [1 for ask in rig.asked[before:] if isinstance(ask.request, AmendOrder)]
    assert 20 <= len(asked) <= 40, "30 s, a minute, two, ..., and then every hour"
    exchange.outcome = Unknown(why="y")
    exchange.perform = FakeExchange.perform.__get__(exchange)  # type: ignore[method-assign]
    rig.advance(3_700_000)
    (order,) = exchange.orders.values()
    assert order.price == D("119.9"), "the next one that succeeds moves it"
