"""The lanes to the exchange: what is not wanted or not allowed is never sent, and cancels go first (DESIGN 5)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
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
from statemachines.requests import (
    Accepted,
    Blocked,
    CancelOrder,
    ExchangeRequest,
    ExchangeResponse,
    OrderWrite,
    PlaceOrder,
)
from statemachines.values import Account, ActorName, Side
from tests.actors.runtime.toy import Toy
from tests.kit.peers import Lanes, OneByOne


def place(link: str) -> PlaceOrder:
    return PlaceOrder(
        client_order_id=link, category="spot", symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), style="market"
    )


class Venue(OneByOne):
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
    rig.lanes.submit(ExchangeCall("2", "CORE-HODL", place("b").model_copy(update={"category": "linear"})))
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
    rig.lanes.perform([ExchangeCall("new-risk", "TREND-1", place("a"), gate=ActorName.TREND_1)])
    rig.lanes.perform([ExchangeCall("reducing", "TREND-1", place("b"))])
    assert (rig.answers["new-risk"].kind, rig.answers["reducing"].kind) == ("blocked", "accepted")
    assert rig.venue.performed == ["place_order b"] and away[0] <= 0


class BatchVenue(Venue):
    """Notes the batches too; the epoch is asked for just before each."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []
        self.lose_batches = False

    def perform_batch(self, account: Account, requests: Sequence[OrderWrite]) -> Sequence[ExchangeResponse]:
        self.batches.append([request.client_order_id for request in requests])
        if self.lose_batches:
            raise RuntimeError("the wire was cut")
        return [Accepted(venue_order_id=request.client_order_id) for request in requests]


def perps(links: Sequence[str]) -> list[ExchangeCall]:
    return [
        ExchangeCall(link, "TREND-1", place(link).model_copy(update={"category": "linear"}), gate=ActorName.TREND_1)
        for link in links
    ]


def test_placements_that_are_ready_together_leave_in_batches_under_one_fence_each() -> None:
    """A burst of a thousand orders asked the database a thousand times whether the epoch still held, one order after
    the other: 57 to 89 orders a second. What has gathered behind the first one now leaves twenty at a time."""
    confirmed: list[int] = []

    def holds() -> bool:
        confirmed.append(1)
        return True

    rig = Lanes(BatchVenue(), holds)
    calls = perps([f"o{number}" for number in range(46)])
    rig.lanes.submit(calls[0])
    assert rig.venue.begun.wait(10)
    for call in calls[1:]:
        rig.lanes.submit(call)
    rig.venue.open.set()
    rig.wait(46)
    assert [len(batch) for batch in rig.venue.batches] == [20, 20, 5]
    assert len(confirmed) == 4
    assert [link for batch in rig.venue.batches for link in batch] == [call.key for call in calls[1:]]
    assert all(rig.answers[call.key] == Accepted(venue_order_id=call.key) for call in calls[1:])


@pytest.mark.fault_matrix(point="mid-batch", fault="time-out after effect")
def test_a_batch_whose_call_fails_leaves_every_leg_unknown_and_the_next_go_one_by_one() -> None:
    """Until one of them is accepted: whatever broke the batch must not break the next one as well."""
    rig = Lanes(BatchVenue())
    rig.venue.lose_batches = True
    calls = perps([f"o{number}" for number in range(24)])
    rig.lanes.submit(calls[0])
    assert rig.venue.begun.wait(10)
    for call in calls[1:]:
        rig.lanes.submit(call)
    rig.venue.open.set()
    rig.wait(24)
    assert [rig.answers[f"o{number}"].kind for number in (0, 1, 20, 21)] == [
        "accepted",
        "unknown",
        "unknown",
        "accepted",
    ]
    assert rig.venue.batches[0] == [f"o{number}" for number in range(1, 21)]
    assert "place_order o21" in rig.venue.performed


@pytest.mark.fault_matrix(point="mid-batch", fault="another incarnation takes over")
def test_a_twin_that_lost_its_epoch_sends_nothing_of_a_batch() -> None:
    rig = Lanes(BatchVenue(), lambda: False)
    assert rig.lanes.perform(perps(["a", "b"])) == []
    assert rig.fenced.is_set() and rig.venue.batches == [] and not rig.answers


@pytest.mark.fault_matrix(point="mid-batch", fault="database away")
def test_new_risk_of_a_batch_is_blocked_as_a_whole_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "CONFIRM_S", 0.0)

    def holds() -> bool:
        raise StoreUnavailableError

    rig = Lanes(BatchVenue(), holds)
    assert [outcome.kind for outcome in rig.lanes.perform(perps(["a", "b"]))] == ["blocked", "blocked"]
    assert rig.venue.batches == [] and set(rig.answers) == {"a", "b"}


def test_an_answer_with_too_few_outcomes_is_no_answer() -> None:
    rig = Lanes(BatchVenue())
    rig.venue.perform_batch = lambda account, requests: [Accepted()]  # type: ignore[method-assign]
    assert [outcome.kind for outcome in rig.lanes.perform(perps(["a", "b"]))] == ["unknown", "unknown"]


def test_an_idle_lane_sends_at_once_and_a_busy_one_waits_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is only for what comes within it: with a wait of a minute nothing idle may be held up at all."""
    monkeypatch.setattr(lanes_module, "LINGER_S", 60.0)
    rig = Lanes(BatchVenue())
    rig.venue.open.set()
    calls = perps([f"o{number}" for number in range(21)])
    rig.lanes.submit(calls[0])
    assert rig.venue.begun.wait(10), "an idle lane does not wait"
    rig.lanes.submit(calls[1])
    rig.lanes.submit(ExchangeCall("exit", "TREND-1", place("exit")))
    for call in calls[2:]:
        rig.lanes.submit(call)
    rig.wait(22)
    assert rig.venue.performed == ["place_order o0", "place_order exit"], "an exit never waits"
    assert [len(batch) for batch in rig.venue.batches] == [20], "a full batch does not wait any longer"


# --- switches (RM-5) ---


def reducing(links: Sequence[str]) -> list[ExchangeCall]:
    return [ExchangeCall(link, "TREND-1", place(link).model_copy(update={"category": "linear"})) for link in links]


@pytest.mark.parametrize("scope", ["GLOBAL", "trend-1"])
def test_rm5_a_request_that_was_durable_before_the_switch_is_not_sent_after_it(scope: str) -> None:
    """It had passed the gate of its commit and waited for its turn (a rate limit, EX-4's delay, a queue)."""
    rig = Lanes(BatchVenue())
    rig.venue.open.set()
    rig.switches = {scope: "HALTED"}
    rig.lanes.perform(perps(["a"]))
    rig.lanes.perform(perps(["b", "c"]))
    assert rig.venue.performed == [] and rig.venue.batches == []
    assert {rig.answers[key].kind for key in "abc"} == {"blocked"}
    assert rig.answers["a"] == Blocked(
        why=f"{scope} is HALTED: new risk of trend-1 is forbidden; the request was not sent"
    )


def test_rm5_another_engines_switch_stops_nothing_and_reductions_and_cancels_always_pass() -> None:
    rig = Lanes(BatchVenue())
    rig.venue.open.set()
    rig.switches = {"trend-2": "HALTED"}
    rig.lanes.perform(perps(["a"]))
    rig.switches = {"GLOBAL": "HALTED"}
    rig.lanes.perform(reducing(["b"]))
    rig.lanes.perform([ExchangeCall("c", "TREND-1", CancelOrder(client_order_id="c", category="linear", symbol="X"))])
    assert {key: answer.kind for key, answer in rig.answers.items()} == dict.fromkeys("abc", "accepted")


def test_rm5_of_a_mixed_batch_only_what_the_switch_allows_is_sent_each_with_its_own_outcome() -> None:
    """Amendments of stops and of entries may travel together."""
    rig = Lanes(BatchVenue())
    rig.venue.open.set()
    rig.switches = {"trend-1": "PAUSED"}
    outcomes = rig.lanes.perform([*perps(["a"]), *reducing(["b", "c"]), *perps(["d"])])
    assert rig.venue.batches == [["b", "c"]]
    assert [outcome.kind for outcome in outcomes] == ["blocked", "accepted", "accepted", "blocked"]
    assert rig.answers["b"] == Accepted(venue_order_id="b") and rig.answers["d"].kind == "blocked"
    outcomes = rig.lanes.perform([*perps(["e"]), *reducing(["f"])])
    assert [outcome.kind for outcome in outcomes] == ["blocked", "accepted"]
    assert rig.venue.performed[-1] == "place_order f", "one that is left travels alone"
