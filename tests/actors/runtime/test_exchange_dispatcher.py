"""The lanes to the exchange: what is not wanted or not allowed is never sent, and cancels go first (DESIGN 5)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from decimal import Decimal

import pytest

from actors.runtime import exchange_dispatcher as lanes_module
from actors.runtime.durable_actor import DurableActor
from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import StoreUnavailableError
from statemachines.actor_logic import StateRow
from statemachines.commands import Commands, ExchangeCall, Record
from statemachines.facts import SwitchFact
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import FundingSettled
from statemachines.messages.orders import ResponseReceived
from statemachines.requests import Accepted, CancelOrder, ExchangeRequest, ExchangeResponse, PlaceOrder
from statemachines.values import Account, ActorName, Side
from tests.actors.runtime.toy import Toy
from tests.kit.peers import Lanes


def place(link: str) -> PlaceOrder:
    return PlaceOrder(
        client_order_id=link, category="spot", symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), style="market"
    )


class Venue:
    """Notes what reaches it; the first request waits until `open` is set."""

    def __init__(self) -> None:
        self.performed: list[str] = []
        self.open = threading.Event()
        self.begun = threading.Event()

    def perform(self, account: Account, request: ExchangeRequest) -> ExchangeResponse:
        self.begun.set()
        assert self.open.wait(10)
        assert isinstance(request, PlaceOrder | CancelOrder)
        self.performed.append(f"{request.kind} {request.client_order_id}")
        return Accepted()


def opened(still_needed: Callable[[ExchangeCall], bool] = lambda _call: True) -> Lanes[Venue]:
    return Lanes(Venue(), still_needed=still_needed)


def test_ex_4_a_delayed_retry_that_is_not_wanted_any_more_is_dropped_without_a_call() -> None:
    rig = opened(still_needed=lambda call: call.key == "wanted")
    rig.venue.open.set()
    rig.lanes.submit(ExchangeCall("unwanted", "CORE-HODL", place("a"), delay_s=0.01))
    rig.lanes.submit(ExchangeCall("wanted", "CORE-HODL", place("b"), delay_s=0.02))
    rig.wait(2)
    assert rig.venue.performed == ["place_order b"]
    assert rig.answers["unwanted"].kind == "dropped" and rig.answers["wanted"].kind == "accepted"


def test_cancels_go_before_everything_that_waits_in_the_lane() -> None:
    rig = opened()
    rig.lanes.submit(ExchangeCall("1", "CORE-HODL", place("first")))
    assert rig.venue.begun.wait(10)
    rig.lanes.submit(ExchangeCall("2", "CORE-HODL", place("second")))
    rig.lanes.submit(
        ExchangeCall("3", "CORE-HODL", CancelOrder(client_order_id="resting", category="spot", symbol="BTCUSDT"))
    )
    rig.venue.open.set()
    rig.wait(3)
    assert rig.venue.performed == ["place_order first", "cancel_order resting", "place_order second"]


class _Asker(Toy):
    """Asks for one gated and one ungated order at each fact, after a switch was turned."""

    name = ActorName.ORDER_MANAGER

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        return None

    def dirty(self) -> tuple[StateRow, ...]:
        return ()

    rows = dirty

    def handle(self, message: Envelope) -> Commands:
        if isinstance(message.body, ResponseReceived):
            self.answers[message.body.key] = message.body.outcome.kind
            return []
        switch = SwitchFact(scope="trend-1", state="HALTED", reason="test", who="operator", changed_ms=1)
        return [
            Record(switch),
            ExchangeCall("new-risk", "TREND-1", place("a"), gate=ActorName.TREND_1),
            ExchangeCall("reducing", "TREND-1", place("b")),
        ]


def test_rm_5_a_request_that_a_switch_blocks_istake_answer_blocked_and_not_performed() -> None:
    logic, store = _Asker(), MemoryStore()
    durable = DurableActor(logic, store, store.grant(logic.name, "test"))
    durable.start(0)
    durable.take_fact(FundingSettled(settle_ms=1, rates={}, predicted={}, interval_min={}), "fact", 1)
    effects = durable.step()
    assert [call.key for call in effects.calls] == ["reducing"]
    durable.step()
    assert logic.answers == {"new-risk": "blocked"}


def test_accounts_have_lanes_of_their_own() -> None:
    """One account whose call hangs must not hold up the cancels of another."""
    rig = opened()
    rig.lanes.submit(ExchangeCall("hanging", "CORE-HODL", place("a")))
    assert rig.venue.begun.wait(10)
    rig.venue.begun.clear()
    rig.lanes.submit(ExchangeCall("other", "TREND-1", place("b")))
    assert rig.venue.begun.wait(10), "the other account's call has begun meanwhile"
    rig.venue.open.set()
    rig.wait(2)


def test_a_call_that_fails_in_an_unknown_way_has_an_unknown_outcome_and_the_lane_works_on() -> None:
    rig = opened()
    rig.venue.open.set()
    perform = rig.venue.perform

    def breaking(account: Account, request: ExchangeRequest) -> ExchangeResponse:
        if getattr(request, "client_order_id", "") == "a":
            raise RuntimeError("what is this?")
        return perform(account, request)

    rig.venue.perform = breaking  # type: ignore[method-assign]
    rig.lanes.submit(ExchangeCall("1", "CORE-HODL", place("a")))
    rig.lanes.submit(ExchangeCall("2", "CORE-HODL", place("b")))
    rig.wait(2)
    assert (rig.answers["1"].kind, rig.answers["2"].kind) == ("unknown", "accepted")


def test_new_risk_does_not_wait_for_the_database_for_ever_but_a_reduction_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "CONFIRM_S", 0.0)
    monkeypatch.setattr(lanes_module, "CONFIRM_PAUSE_S", 0.001)
    away = [20]

    def holds() -> bool:
        away[0] -= 1
        if away[0] > 0:
            raise StoreUnavailableError
        return True

    rig = Lanes(Venue(), holds)
    rig.venue.open.set()
    rig.lanes.submit(ExchangeCall("new-risk", "TREND-1", place("a"), gate=ActorName.TREND_1))
    rig.lanes.submit(ExchangeCall("reducing", "TREND-1", place("b")))
    rig.wait(2)
    assert (rig.answers["new-risk"].kind, rig.answers["reducing"].kind) == ("blocked", "accepted")
    assert rig.venue.performed == ["place_order b"] and away[0] <= 0
