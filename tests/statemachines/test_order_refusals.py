"""`OrderDenied` and `OrderRejected` are one message each, sent by the part that refused and fabricated by none."""

from __future__ import annotations

import inspect
from decimal import Decimal as D
from typing import Any

import pytest

from actors.runtime.routing import recipients
from statemachines.commands import Send
from statemachines.messages.kinds import BODIES, parse_body
from statemachines.messages.orders import IntentDone, IntentEnded, OrderDenied, OrderRejected
from statemachines.orchestration.summary import Tally
from statemachines.refusals import RefusalCause
from statemachines.requests import Refused
from statemachines.trend import engine as trend_engine
from statemachines.values import ActorName
from tests.kit.builders import intent
from tests.statemachines.execution.rig import Rig
from tests.statemachines.risk.test_logic import done
from tests.statemachines.risk.world import T0, World, facts, sent
from tests.statemachines.trend.bars import FLAT, RISE, next_day, scene
from tests.statemachines.trend.test_engine import UP

OLD_END: dict[str, Any] = {
    "intent_id": "trend-1-a",
    "engine": "trend-1",
    "account": "TREND-1",
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "outcome": "FILLED",
    "filled_quantity": "0.5",
    "average_price": "100",
    "reason": "all of it executed in 1 order(s)",
    "refusal": None,
    "refusal_code": 0,
    "retry_of": "",
}
"""The end of an intent as version 1 stored it in the outbox."""


def test_an_old_denial_in_the_outbox_is_read() -> None:
    old = {"intent_id": "trend-1-a", "engine": "trend-1", "reasons": ["size: too large"], "checks": ["size"]}
    body = parse_body("denied", old)
    assert isinstance(body, OrderDenied) and (body.reasons, body.checks) == (("size: too large",), ("size",))
    assert (body.engine, body.filled_quantity, body.average_price) == (ActorName.TREND_1, 0, None)
    assert "denied" not in BODIES


def test_an_old_end_of_an_intent_in_the_outbox_is_read() -> None:
    body = parse_body("intent_done", OLD_END)
    assert isinstance(body, IntentDone) and (body.outcome, body.filled_quantity) == ("FILLED", D("0.5"))


def test_an_old_end_by_rejection_becomes_the_exchanges_refusal() -> None:
    old = OLD_END | {"outcome": "REJECTED", "refusal": "closed", "refusal_code": 110074, "retry_of": "trend-1-9"}
    body = parse_body("intent_done", old)
    assert isinstance(body, OrderRejected)
    assert (body.refusal, body.refusal_code, body.retry_of) == (RefusalCause.CLOSED, 110074, "trend-1-9")
    assert parse_body("intent_done", old | {"refusal": None}).refusal_cause is RefusalCause.OTHER  # type: ignore[attr-defined]


def test_an_old_end_by_our_own_check_becomes_a_denial() -> None:
    body = parse_body("intent_done", OLD_END | {"outcome": "DENIED", "reason": "filters of linear BTCUSDT: x"})
    assert isinstance(body, OrderDenied)
    assert body.why == "order_checks: filters of linear BTCUSDT: x" and body.checks == ("order_checks",)
    assert body.filled_quantity == D("0.5")


@pytest.mark.parametrize("kind", ["order_denied", "order_rejected", "intent_done"])
def test_every_end_survives_the_wire_and_reaches_risk_engine_and_orchestrator(kind: str) -> None:
    model = BODIES[kind]
    data = {name: value for name, value in OLD_END.items() if name in model.model_fields}
    body = model.model_validate(data | ({"reasons": ["x"], "checks": ["y"]} if kind == "order_denied" else {}))
    assert parse_body(kind, body.model_dump(mode="json")) == body
    told = recipients(Send(body), ActorName.ORDER_MANAGER)
    assert told == (ActorName.RISK_MANAGER, ActorName.TREND_1, ActorName.ORCHESTRATOR)
    assert isinstance(body, IntentEnded) and body.ended_as and body.why


def test_the_order_managers_own_refusal_is_the_same_message_as_the_risk_managers() -> None:
    """It was an `IntentDone` with outcome DENIED, so the summary counted it as no refusal and RM-4 as an order."""
    rig = Rig().start()
    rig.approve(1, price_limit=D("100"))
    (denied,) = rig.bodies(IntentEnded)
    assert isinstance(denied, OrderDenied) and denied.checks == ("order_checks",) and "price limit" in denied.why
    tally = Tally()
    tally.take_denied(denied)
    assert tally.refusals() == {"order_checks": 1}


def test_the_exchanges_refusal_is_a_message_of_its_own() -> None:
    rig = Rig().start()
    rig.approve()
    rig.answer(rig.waiting(":place:")[0], Refused(code=110074, message="closed", fault="permanent"))
    (rejected,) = rig.bodies(IntentEnded)
    assert isinstance(rejected, OrderRejected)
    assert (rejected.refusal_code, rejected.refusal, rejected.ended_as) == (110074, RefusalCause.CLOSED, "REJECTED")


def denied(number: int) -> OrderDenied:
    return OrderDenied(
        intent_id=f"trend-1-{number}", engine=ActorName.TREND_1, reasons=("order_checks: x",), checks=("order_checks",)
    )


def test_a_denial_by_the_order_manager_frees_the_room_that_the_risk_manager_had_reserved() -> None:
    world = World().open()
    most = D(12)  # 0.8 x equity at 1,000 USDT each: two of them are above TR-9's limit per asset
    assert sent(world.tell(intent(1, quantity=most), T0), "approved")
    assert sent(world.tell(intent(2, quantity=most), T0), "order_denied")
    world.tell(denied(1), T0)
    assert sent(world.tell(intent(3, quantity=most), T0), "approved")


def test_rm4_counts_no_order_that_the_exchange_has_never_seen() -> None:
    """R2 counts the last 50 orders that the exchange has decided on: our own refusals pushed its rejections out."""
    world = World().open()
    for number in range(10):
        assert not facts(world.tell(done(number, "REJECTED"), T0), "switches")
    for number in range(10, 60):
        assert not facts(world.tell(denied(number), T0), "switches")
    assert facts(world.tell(done(60, "REJECTED"), T0), "switches"), "the eleventh"


def test_trend_takes_the_refusal_as_it_is() -> None:
    """TREND made an `IntentDone` of it, with a side and a symbol that it had to invent, once per asset."""
    source = inspect.getsource(trend_engine)
    assert "IntentDone" not in source and "OrderDenied" not in source
    venue = scene(RISE, FLAT)
    venue.deny = lambda one: ("size: too large",) if one.purpose == "entry" else ()
    next_day(venue, UP, 1000)
    refused = [note for _, note in venue.noted if note.trigger == "refuse"]
    assert [note.reason for note in refused] == ["entry DENIED: size: too large"]
    assert venue.state("BTC") == "SCANNING"
