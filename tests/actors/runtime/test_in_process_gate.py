"""RM-5 in the backtest's runtime: what was committed before a switch and is performed after it is not sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from actors.runtime.in_process import InProcessRuntime, StreamEvent
from actors.runtime.memory_store import MemoryStore
from statemachines.actor_logic import StateRow
from statemachines.commands import Commands, ExchangeCall, Send
from statemachines.messages.control import OperatorCommand
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import FundingSettled
from statemachines.messages.orders import ResponseReceived
from statemachines.requests import Accepted, ExchangeRequest, ExchangeResponse, PlaceOrder
from statemachines.risk.logic import RiskManagerLogic
from statemachines.values import Account, ActorName
from tests.actors.runtime.test_exchange_dispatcher import place
from tests.actors.runtime.toy import Toy
from tests.kit.peers import OneByOne


class HaltsItself(Toy):
    """Asks for new risk and for a reduction, and demands a halt in the same step: the risk manager commits it before
    the requests are performed."""

    name = ActorName.ORDER_MANAGER

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        return None

    def rows(self) -> Sequence[StateRow]:
        return ()

    def dirty(self) -> Sequence[StateRow]:
        return ()

    def handle(self, message: Envelope) -> Commands:
        if isinstance(message.body, ResponseReceived):
            self.answers[message.body.key] = message.body.outcome.kind
            return []
        halt = OperatorCommand(command_id="c", who="order-manager", action="halt", scope="trend-1", reason="a test")
        return [
            ExchangeCall("new-risk", "TREND-1", place("a"), gate=ActorName.TREND_1),
            ExchangeCall("another's", "TREND-2", place("b"), gate=ActorName.TREND_2),
            ExchangeCall("reducing", "TREND-1", place("c")),
            Send(halt, to=(ActorName.RISK_MANAGER,)),
        ]


class Noting(OneByOne):
    """Notes what reaches it."""

    def __init__(self) -> None:
        self.performed: list[str] = []

    def perform(self, account: Account, request: ExchangeRequest) -> ExchangeResponse:
        assert isinstance(request, PlaceOrder)
        self.performed.append(request.client_order_id)
        return Accepted()


def run() -> tuple[HaltsItself, Noting]:
    logic, venue = HaltsItself(), Noting()
    body = FundingSettled(settle_ms=1, rates={}, predicted={}, interval_min={})
    frames = [[StreamEvent(ActorName.ORDER_MANAGER, body, "fact", 1)]]
    runtime = InProcessRuntime(
        {ActorName.ORDER_MANAGER: lambda: logic, ActorName.RISK_MANAGER: RiskManagerLogic},
        MemoryStore(),
        venue,
        lambda: frames.pop() if frames and len(runtime.durables) == 2 else [],
    )
    runtime.start(0)
    runtime.settle()
    return logic, venue


def test_rm5_a_switch_committed_in_between_stops_what_it_forbids_and_nothing_else() -> None:
    logic, venue = run()
    assert venue.performed == ["b", "c"]
    assert logic.answers == {"new-risk": "blocked", "another's": "accepted", "reducing": "accepted"}


def test_planted_without_the_fence_it_would_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStore, "_forbidding", lambda _self, _scopes: {})
    assert run()[1].performed == ["a", "b", "c"]
