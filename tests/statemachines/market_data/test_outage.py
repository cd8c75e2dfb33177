"""DA-3: an exchange that is away while instants close."""

from __future__ import annotations

import pytest

from statemachines.market_data.repeats import READING
from statemachines.messages.market import BarsClosed, DayClosed, FundingSettled
from statemachines.messages.orders import ResponseReceived, StreamRestored
from statemachines.requests import Blocked, ExchangeResponse, Refused, Unknown
from statemachines.values import DAY_MS, HOUR_MS, SECOND_MS
from tests.statemachines.market_data.world import D0, SYMBOLS, started

AWAY: tuple[ExchangeResponse, ...] = (
    Unknown(why="time-out"),
    Blocked(why="the lease is lost"),
    Refused(code=10006, message="too many visits", fault="transient"),
)


@pytest.mark.parametrize("answer", AWAY, ids=lambda one: one.kind)
def test_an_exchange_that_is_away_over_the_end_of_a_day_does_not_cost_the_day_its_bars(
    answer: ExchangeResponse,
) -> None:
    """DA-3: ten minutes without the exchange around 00:00 left a hole in every indicator of daily bars."""
    world = started(D0 + 23 * HOUR_MS)
    attempts = 60
    away: list[object] = []

    def failing(request: object) -> ExchangeResponse | None:
        away.append(request)
        return answer if len(away) <= attempts else None

    world.exchange.replace = {"read_bars": failing, "read_funding": failing}
    world.now_ms = D0 + DAY_MS
    world.next_tick()
    assert len(away) > attempts, "it was read until it came"
    (day,) = world.bodies(DayClosed)
    assert day.missing == () and len(day.bars) == len(SYMBOLS)
    assert [body.missing for body in world.bodies(BarsClosed)] == [()]
    assert [body.settle_ms for body in world.bodies(FundingSettled)] == [D0 + DAY_MS]
    raised = [alert for alert in world.alerts if alert.condition == READING]
    assert raised and "It is retried. No action is required" in raised[0].text
    assert READING in world.ended


def test_hours_that_pass_while_the_exchange_is_away_follow_in_order() -> None:
    world = started(D0 + 22 * HOUR_MS)
    world.exchange.replace["read_bars"] = lambda request: Unknown(why="time-out")
    world.now_ms = D0 + 23 * HOUR_MS + 5 * SECOND_MS
    world.tick()
    for _ in range(10):  # ten attempts fail
        (ask, *rest) = world.asks
        world.asks = rest
        world.deliver(ResponseReceived(key=ask.key, account=ask.account, outcome=Unknown(why="time-out")))
    assert not world.bodies(BarsClosed) and world.logic.deadline() is None
    world.exchange.replace.clear()
    world.tell(StreamRestored(stream="public"), D0 + DAY_MS + 2 * HOUR_MS + 1)
    assert [body.close_ms for body in world.bodies(BarsClosed)] == [D0 + hour * HOUR_MS for hour in (23, 24, 25, 26)]
    assert all(body.missing == () for body in world.bodies(BarsClosed))
    assert [body.missing for body in world.bodies(DayClosed)] == [()]
