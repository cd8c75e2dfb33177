"""The database away for a while (DA-5, OR-8): nothing that was decided or received is lost, nothing changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.runtime.in_process import InProcessRuntime, StreamEvent
from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import Commit, StoreUnavailableError
from statemachines.actor_logic import ActorLogic
from statemachines.commands import ExchangeCall
from statemachines.requests import Accepted, ExchangeRequest, ExchangeResponse, LookUpTransfer, TransferFunds
from statemachines.values import Account, ActorName
from tests.actors.runtime.toy import Buyer, Pump, ToyExchange, fact
from tests.kit.peers import PATIENCE_S, Lanes, OneByOne


class _FlakyStore(MemoryStore):
    """Does not answer some of the calls of a working actor; `outages` are the numbers of calls between them."""

    def __init__(self, outages: Sequence[int]) -> None:
        super().__init__()
        self._outages = deque(outages)
        self._calls = 0
        self.failures = 0

    def commit(self, commit: Commit) -> frozenset[str]:
        self._perhaps_away()
        return super().commit(commit)

    def is_known(self, actor: str, natural_ids: Sequence[str]) -> frozenset[str]:
        self._perhaps_away()
        return super().is_known(actor, natural_ids)

    def _perhaps_away(self) -> None:
        self._calls += 1
        if self._outages and self._calls >= self._outages[0]:
            self._outages.popleft()
            self._calls = 0
            self.failures += 1
            raise StoreUnavailableError


@settings(max_examples=100)
@given(st.integers(1, 6), st.lists(st.integers(1, 6), max_size=12))
def test_whatever_call_the_database_misses_nothing_received_is_lost(facts: int, outages: list[int]) -> None:
    """Also frames and answers that were waiting when the look-up of known facts failed."""
    store, exchange, frames = _FlakyStore(outages), ToyExchange(), deque[StreamEvent]()

    def drain() -> list[StreamEvent]:
        found = list(frames)
        frames.clear()
        return found

    factories: dict[ActorName, Callable[[], ActorLogic]] = {ActorName.ORCHESTRATOR: Pump, ActorName.TACTICAL: Buyer}
    runtime = InProcessRuntime(factories, store, exchange, drain)

    def settle() -> None:
        while True:
            try:
                runtime.settle()
                return
            except StoreUnavailableError:
                continue

    for name in factories:
        runtime.start_actor(name, 0)
    frames.append(fact(1))
    settle()
    # Restarted ones must ask the database which facts they know already: one more call that can fail.
    for name in factories:
        runtime.stop_actor(name)
        runtime.start_actor(name, 0)
    frames.extend(fact(number) for number in range(1, facts + 1))
    settle()
    assert exchange.performed == {str(number): 1 for number in range(1, facts + 1)}
    pumped = [line.note.reason for line in store.journal("orchestrator")]
    assert pumped == [f"fact {number}" for number in range(1, facts + 1)]
    assert len(store.journal("tactical")) == facts


class _Venue(OneByOne):
    def __init__(self) -> None:
        self.performed: list[ExchangeRequest] = []

    def perform(self, account: Account, request: ExchangeRequest) -> ExchangeResponse:
        self.performed.append(request)
        return Accepted()


def _lanes(errors: Sequence[Exception], holds: bool = True) -> Lanes[_Venue]:
    """Lanes whose epoch check first raises each of `errors`, then answers `holds`."""
    waiting = deque(errors)

    def check() -> bool:
        if waiting:
            raise waiting.popleft()
        return holds

    return Lanes(_Venue(), check)


def _transfer(number: int) -> TransferFunds:
    return TransferFunds(
        transfer_id=str(number),
        coin="USDT",
        amount=Decimal(1),
        from_account=Account.MASTER,
        to_account=Account.TACTICAL,
    )


def test_requests_wait_for_the_database_and_are_sent_once_in_their_order() -> None:
    """A restart of the database must not refuse what was decided and committed (EX-5)."""
    rig = _lanes([StoreUnavailableError()] * 3)
    try:
        for number in (1, 2):
            rig.lanes.submit(ExchangeCall(str(number), "MASTER", _transfer(number), gate=ActorName.TACTICAL))
        rig.wait(2)
    finally:
        rig.lanes.stop()
    assert rig.venue.performed == [_transfer(1), _transfer(2)]
    assert all(isinstance(outcome, Accepted) for outcome in rig.answers.values())


def test_an_unforeseen_failure_of_the_check_sends_nothing_and_the_lane_works_on() -> None:
    rig = _lanes([ValueError("what is this?")])
    try:
        rig.lanes.submit(ExchangeCall("1", "MASTER", _transfer(1)))
        rig.lanes.submit(ExchangeCall("2", "MASTER", LookUpTransfer(transfer_id="1")))
        rig.wait(2)
    finally:
        rig.lanes.stop()
    assert rig.answers["1"].kind == "blocked"
    assert rig.venue.performed == [LookUpTransfer(transfer_id="1")]


def test_without_the_epoch_nothing_is_sent_any_more() -> None:
    rig = _lanes([], holds=False)
    try:
        rig.lanes.submit(ExchangeCall("1", "MASTER", _transfer(1)))
        assert rig.fenced.wait(PATIENCE_S)
        rig.lanes.submit(ExchangeCall("2", "TACTICAL", _transfer(2)))
    finally:
        rig.lanes.stop()
    assert rig.venue.performed == []
    assert rig.answers == {}
