"""The event bus is a static table (IF-1): every kind of message has a route, and owners are found in the bodies."""

from __future__ import annotations

from decimal import Decimal

import pytest

from actors.runtime.routing import EPHEMERAL, TABLE, UnroutableError, recipients
from statemachines.commands import Send
from statemachines.messages.accounts import TransferEnded
from statemachines.messages.envelope import Body
from statemachines.messages.kinds import BODIES
from statemachines.messages.market import FeedFrame
from statemachines.messages.orders import OrderDenied
from statemachines.values import Account, ActorName

FROM_OUTSIDE = {
    "access_failures",
    "answer",
    "bar_frame",
    "component_reset",
    "database_outage",
    "execution_frame",
    "feed_frame",
    "order_frame",
    "policy_recorded",
    "quote_frame",
    "rows_set_aside",
    "stream_restored",
}


def test_every_kind_between_actors_has_a_route() -> None:
    assert set(BODIES) - FROM_OUTSIDE == set(TABLE)


def test_only_quotes_are_ephemeral() -> None:
    assert set(BODIES) >= EPHEMERAL
    assert {"quotes_seen", "quote_frame"} == EPHEMERAL


def test_a_denial_is_told_to_the_engine_that_asked_and_counted_by_the_orchestrator() -> None:
    body = OrderDenied(intent_id="trend-1-1", engine=ActorName.TREND_1, reasons=("too large",), checks=("size",))
    assert recipients(Send(body), ActorName.RISK_MANAGER) == (ActorName.TREND_1, ActorName.ORCHESTRATOR)
    told = recipients(Send(body), ActorName.ORDER_MANAGER)
    assert told == (ActorName.RISK_MANAGER, ActorName.TREND_1, ActorName.ORCHESTRATOR)


def test_a_transfer_is_told_to_both_engines_and_the_books() -> None:
    body = TransferEnded(
        transfer_id="t",
        request_id="r",
        from_account=Account.FUNDING,
        to_account=Account.TACTICAL,
        coin="USDT",
        amount=Decimal(1),
        purpose="FU-5",
        succeeded=True,
    )
    assert recipients(Send(body), ActorName.ORDER_MANAGER) == (
        ActorName.RISK_MANAGER,
        ActorName.FUNDING,
        ActorName.TACTICAL,
        ActorName.ORCHESTRATOR,
    )


def test_a_kind_without_route_is_a_programming_error() -> None:
    with pytest.raises(UnroutableError, match=r"market-data sends .*'feed_frame', which its spec does not name"):
        recipients(Send(FeedFrame()), ActorName.MARKET_DATA)


def test_an_unknown_kind_on_the_wire_names_what_is_allowed() -> None:
    from statemachines.messages.kinds import parse_body

    with pytest.raises(ValueError, match="kind 'nonsense' is not known; allowed"):
        parse_body("nonsense", {})
    assert issubclass(BODIES["fill"], Body)
