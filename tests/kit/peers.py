"""What stands around one actor in tests of its runtime: a clock, peers that are away, lanes to the exchange."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from actors.runtime.exchange_dispatcher import ExchangeDispatcher
from actors.runtime.ports import ExchangePort, Fence, Report
from statemachines.commands import ExchangeCall
from statemachines.execution.orders.request_queue import MAX_BATCH, BatchKind
from statemachines.messages.orders import ResponseReceived
from statemachines.requests import ExchangeRequest, ExchangeResponse, LookUpOrder, OrderWrite
from statemachines.values import Account

PATIENCE_S = 20.0

V = TypeVar("V", bound=ExchangePort)


@dataclass(frozen=True)
class StandingClock:
    """Market time that stands still."""

    at_ms: int = 0

    def now_ms(self) -> int:
        return self.at_ms


class NoPeers:
    """Nobody can be reached; `reported` is set by the first report."""

    def __init__(self) -> None:
        self.reported = threading.Event()

    def deliver(self, recipient: str, batch: Any) -> Mapping[str, int]:
        raise ConnectionError(recipient)

    def notify(self, recipient: str, envelope: Any) -> Mapping[str, int]:
        raise ConnectionError(recipient)

    def report(self, name: str, report: Report) -> None:
        self.reported.set()


class OneByOne:
    """The batch side of an exchange in tests that are not about batches: each order of one as if it came alone."""

    def perform(self, account: Account, request: ExchangeRequest) -> ExchangeResponse:
        raise NotImplementedError

    def perform_batch(self, account: Account, requests: Sequence[OrderWrite]) -> Sequence[ExchangeResponse]:
        return [self.perform(account, request) for request in requests]

    def look_up_orders(self, account: Account, requests: Sequence[LookUpOrder]) -> Sequence[ExchangeResponse]:
        return [self.perform(account, request) for request in requests]

    def await_turn(self, account: Account, requests: Sequence[ExchangeRequest]) -> ExchangeResponse | None:
        return None

    def most_together(self, account: Account, kind: BatchKind) -> int:
        return MAX_BATCH[kind.category]


class Lanes(Generic[V]):
    """Lanes to an exchange, and the answers that came through them; `fenced` is set when the epoch was lost."""

    def __init__(
        self,
        venue: V,
        holds: Callable[[], bool] = lambda: True,
        still_needed: Callable[[ExchangeCall], bool] = lambda _call: True,
    ) -> None:
        self.venue = venue
        self.answers: dict[str, ExchangeResponse] = {}
        self.fenced = threading.Event()
        self.switches: dict[str, str] = {}
        """Scopes whose switch forbids new risk now."""
        self._come = threading.Condition()
        self.lanes = ExchangeDispatcher(
            venue,
            lambda _gates: Fence(holds(), self.switches),
            still_needed,
            self._take,
            lambda _why: self.fenced.set(),
        )

    def _take(self, key: str, answer: ResponseReceived) -> None:
        with self._come:
            self.answers[key] = answer.outcome
            self._come.notify_all()

    def wait(self, count: int) -> None:
        """Until so many answers have come; the lanes end then."""
        with self._come:
            assert self._come.wait_for(lambda: len(self.answers) >= count, PATIENCE_S)
        self.lanes.stop()
