"""The whole system in one process under a scenario of the simulated exchange: the same faults, without sockets.

The exchange decides as its server does (desk, dealer, injection); errors arrive as the gateway's HTTP library gives
them. Seconds of a scenario become minutes, so that it spans a day's decisions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import requests
from pybit.exceptions import FailedRequestError

from infra.bybit.session import Handle
from infra.config import EternalConfig
from infra.config.model import LIVE_RECONCILE_MS
from infra.simulator.api import AdvanceResult, ApiRequest, Exchange, Frame
from infra.simulator.faults.catalogue import ClockSkew, Disconnect, FrozenBook, Latency, Maintenance, NoPong
from infra.simulator.faults.desk import Connection, asked_of
from infra.simulator.faults.plans import Answered, Page, Silence, Torn
from infra.simulator.faults.scenario import Scenario
from infra.simulator.injection import Injection
from infra.simulator.venue.fast_forward import NO_LIMITS
from statemachines.messages.envelope import Body
from statemachines.messages.market import BarFrame
from statemachines.values import Account
from tests.simulation.faults.choices import Script
from tests.simulation.faults.scheduler import MAX_ACTS, Act, EndlessError
from tests.simulation.faults.streams import PUBLIC, FailingStreams
from tests.simulation.faults.world import Opening, World, market

STRETCH = 60
CLOSED_ACTS = 300
WITHOUT_EFFECT_HERE = (Latency, NoPong, ClockSkew, FrozenBook)
"""Nothing waits here, no book is streamed, pings and clocks are those of real connections: `tests/live` and
`tests/conformance` try these."""

OPEN_BY_RULE: Mapping[str, frozenset[str]] = {
    "reject-storm": frozenset({"funds:"}),
    "withdrawal-suspension": frozenset({"stopped"}),
}
"""EX-4: what was refused for lack of funds is not repeated; the alert stays until the account's next order. CH-9, R2:
CORE-HODL stands HALTED after withdrawals were suspended, until the operator ends it."""


class FaultyExchange(Exchange):
    """The exchange with the faults of a scenario, as its server applies them around every input."""

    injection: Injection | None = None

    def handle(self, request: ApiRequest) -> dict[str, Any]:
        answer = super().handle(request)
        if request.method == "POST" and self.injection is not None:
            self.injection.pump()
        return answer

    def advance(
        self, step: int, until: int | None, patient: int = 0, max_basis: Mapping[str, Decimal] = NO_LIMITS
    ) -> AdvanceResult:
        assert self.injection is not None
        sooner = self.injection.sooner
        result = super().advance(step, sooner(until), sooner(patient) or 0, max_basis)
        self.injection.pump()
        return replace(result, frames=[*result.frames, *self.drain()])


class ScenarioStreams(FailingStreams):
    """Streams whose messages the dealer hands out; a broken one comes back when nothing refuses it."""

    injection: Injection

    def private(self, frames: Sequence[Frame]) -> None:
        self._break()
        dealer, now_ms = self.injection.dealer, self._now_ms()
        for frame in frames:
            at = Connection("private", str(frame.account))
            super().private(dealer.deal(str(frame.account), at, frame.frame["topic"], frame, now_ms))

    def public(self, bodies: Sequence[tuple[Body, str]]) -> None:
        self._break()
        dealer, now_ms = self.injection.dealer, self._now_ms()
        for body in bodies:
            topic = "kline" if isinstance(body[0], BarFrame) else "tickers"
            super().public(dealer.deal(PUBLIC, Connection("linear", None), topic, body, now_ms))

    def time_moved(self) -> None:
        super().time_moved()
        for name, message in self.injection.dealer.release(self._now_ms()):
            if name == PUBLIC:
                super().public([message])
            else:
                super().private([message])

    def acts(self) -> list[Act]:
        self._break()
        return super().acts()

    def _may_return(self, name: str) -> bool:
        return not self.injection.desk.refuses("linear" if name == PUBLIC else "private")

    def _break(self) -> None:
        connected = {account.value: Connection("private", account.value) for account in Account}
        for name in self.injection.desk.broken({**connected, PUBLIC: Connection("linear", None)}):
            self._queues.pop(name, None)
            self._cut[name] = 0


class ScenarioWorld(World):
    """One run under a scenario. `struck` counts by kind how often each fault did something."""

    stretch: ClassVar[int] = STRETCH
    """How many times as long the scenario's seconds are."""

    closed_acts: ClassVar[int] = CLOSED_ACTS
    """Acts at one instant while the exchange answers nothing."""

    def __init__(self, begun: Opening, scenario: Scenario) -> None:
        self._scenario = scenario
        self.struck: dict[str, int] = {}
        super().__init__(begun, Script(()))

    def open_exchange(self, begun: Opening) -> Exchange:
        exchange = self.new_exchange(begun)
        coming = self._scenario.occurrences(exchange.market_time, self.stretch)
        self.injection = Injection(lambda: exchange.venue, exchange.intervene, coming, self._scenario.seed)
        exchange.injection = self.injection
        return exchange

    def new_exchange(self, begun: Opening) -> FaultyExchange:
        """The exchange, still without its faults."""
        return FaultyExchange(market(), begun.config, state=json.loads(begun.exchange))

    def configured(self) -> EternalConfig:
        """With continuous reconciliation as in live, where a minute is an hour here."""
        return EternalConfig.model_validate({"orders": {"reconcile_every_ms": LIVE_RECONCILE_MS * STRETCH}})

    def open_streams(self) -> FailingStreams:
        streams = ScenarioStreams(self.chooser, self._tell, self.now_ms)
        streams.injection = self.injection
        return streams

    def way_in(self, handle: Handle) -> Handle:
        """Requests under the desk's plans."""

        def passed(method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Mapping[str, Any]:
            plan = self.injection.desk.plan(asked_of(method, path, params, account and account.value))
            answer = None if plan.params is None else dict(handle(method, path, plan.params, account))
            return _received(plan.outcome(answer), f"{method} {path}")

        return passed

    def _settle(self) -> None:
        """While nothing answers, actors repeat their reads without end: their pauses are of wall time, and there
        is none of it here. Then time moves although they do not rest."""
        is_closed = bool(self.injection.desk.of(Maintenance))
        self.scheduler.max_acts = self.closed_acts if is_closed else MAX_ACTS
        try:
            super()._settle()
        except EndlessError:
            if not is_closed:
                raise
        self._count()

    def _count(self) -> None:
        for one in self.injection.desk.active():
            fault = one.fault
            hits = one.hits or int(fault.family == "exchange")
            self.struck[fault.kind] = max(self.struck.get(fault.kind, 0), hits)

    def idle(self) -> set[str]:
        """Kinds of the scenario's faults that could act here and did nothing."""
        kinds: set[str] = set()
        for step in self._scenario.step:
            if not isinstance(step.fault, (*WITHOUT_EFFECT_HERE, Disconnect)):
                kinds.add(step.fault.kind)
        return {kind for kind in kinds if not self.struck.get(kind)}


def _received(outcome: Answered | Page | Torn | Silence, request: str) -> Mapping[str, Any]:
    """What the HTTP library makes of it."""
    match outcome:
        case Answered(body):
            return body
        case Page():
            raise FailedRequestError(request, outcome.html, outcome.status, "00:00:00", {})
        case Torn():
            raise FailedRequestError(request, "Conflict. Could not decode JSON.", 409, "00:00:00", {})
        case Silence():
            raise requests.exceptions.ConnectionError("Connection aborted.")
