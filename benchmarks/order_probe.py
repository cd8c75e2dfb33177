"""The measuring parts of the order benchmark: an engine that signals on command, and time stamps on the order path."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from actors.runtime.actor_runner import Parts
from actors.runtime.outbox_dispatcher import Peers
from actors.runtime.ports import Commit
from api.assembly import SystemAssembly
from benchmarks.meters import Meter
from statemachines.actor_logic import ActorLogic, HistoryNeed, StateRow
from statemachines.commands import Commands, ExchangeCall, Send
from statemachines.execution.orders.order_ids import parse_client_order_id
from statemachines.facts import BarFact
from statemachines.intent_ids import intent_id
from statemachines.messages.control import OperatorCommand
from statemachines.messages.envelope import Envelope
from statemachines.messages.orders import Intent
from statemachines.requests import ExchangeRequest, ExchangeResponse, OrderWrite, PlaceOrder
from statemachines.risk.logic import RiskManagerLogic
from statemachines.risk.parameters import RiskParameters
from statemachines.state_store import PLAIN
from statemachines.values import ACCOUNT_OF, LINEAR, Account, ActorName, Side

SYMBOL = "ETHUSDT"
QUANTITY = Decimal("0.01")
WRITE_EVERY_S = 0.5

STAGES = (
    "signal",
    "intent durable",
    "approval durable",
    "request durable",
    "exchange has responded",
    "acknowledgement durable",
)
"""In the order in which an intent passes them. Instants are from the machine's monotonic clock, shared by all
processes."""

DENIED = "denial durable"
"""The other end of an intent: the risk manager's."""

DUE = "due"
"""When a signal was due by its schedule."""

Stamps = dict[str, dict[str, float]]
"""Per stage and intent id the instant in seconds."""


class StampLog:
    """Time stamps of one process, appended to a file twice a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new: SimpleQueue[tuple[str, float, Sequence[str]]] = SimpleQueue()
        threading.Thread(target=self._write, name="stamps", daemon=True).start()

    def put(self, stage: str, intent_ids: Sequence[str], instant_s: float | None = None) -> None:
        """Stamp these intents with an instant; None: the present one."""
        if intent_ids:
            self._new.put((stage, time.monotonic() if instant_s is None else instant_s, intent_ids))

    def _write(self) -> None:
        pause = threading.Event()
        while not pause.wait(WRITE_EVERY_S):
            with self._path.open("a") as file:
                for _ in range(self._new.qsize()):
                    file.write(json.dumps(self._new.get()) + "\n")


class StampReader:
    """The stamps of all processes; of repeated ones the first. Each line is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._found: Stamps = {stage: {} for stage in (*STAGES, DENIED, DUE)}

    def read(self) -> Stamps:
        """Everything that has been written so far."""
        for path in sorted(self._folder.glob("*.stamps")):
            with path.open() as file:
                file.seek(self._read.get(path, 0))
                while (line := file.readline()).endswith("\n"):
                    self._read[path] = file.tell()
                    stage, instant, intent_ids = json.loads(line)
                    for intent_id in intent_ids:
                        self._found[stage].setdefault(intent_id, float(instant))
        return self._found


CLOCK_SLOWED = 20
"""The engines' clock runs so many times slower than the wall clock, so that the newest bar stays fresh (RM-1)."""


class Schedule(NamedTuple):
    """Signals at even intervals of the engine's own clock: `number` of them, `per_second` a second of wall time, from
    `begun_ms`."""

    begun_ms: int
    per_second: float
    number: int

    def due_ms(self, place: int) -> float:
        """When the signal of this place (from 0) is due."""
        return self.begun_ms + place * 1000 / self.per_second / CLOCK_SLOWED

    def due_by(self, now_ms: int) -> int:
        """How many are due at an instant."""
        return min(self.number, int((now_ms - self.begun_ms) * CLOCK_SLOWED * self.per_second / 1000) + 1)


class SignallingProbe:
    """Implements `ActorLogic`. An operator command with reason "n" produces n signals together; one with reason
    "rate number" produces so many one after another, each tick those that are due: as a live engine does, which decides
    when its clock says that a deadline has come."""

    dialect = PLAIN

    def __init__(self, name: ActorName, book: StampLog) -> None:
        self.name = name
        self._book = book
        self._price = Decimal(0)
        self._number = 0
        self._schedule: Schedule | None = None
        self._signalled = 0

    def history_needed(self) -> Sequence[HistoryNeed]:
        return [HistoryNeed(LINEAR, SYMBOL, "60", 1)]

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        self._price = next(iter(bars.values()))[-1].close

    def restore(self, rows: Mapping[str, StateRow]) -> None: ...

    def begin(self, now_ms: int) -> Commands:
        return []

    def handle(self, message: Envelope) -> Commands:
        body = message.body
        if not isinstance(body, OperatorCommand):
            return []
        rate, _, number = body.reason.rpartition(" ")
        if not rate:
            return [Send(intent) for intent in self._signals(int(number))]
        self._schedule, self._signalled = Schedule(message.market_ms, float(rate), int(number)), 0
        return []

    def tick(self, now_ms: int) -> Commands:
        schedule = self._schedule
        if schedule is None:
            return []
        due = range(self._signalled, schedule.due_by(now_ms))
        late_s = [(now_ms - schedule.due_ms(place)) * CLOCK_SLOWED / 1000 for place in due]
        self._signalled += len(late_s)
        signals, now_s = self._signals(len(late_s)), time.monotonic()
        for intent, passed_s in zip(signals, late_s, strict=True):
            self._book.put(DUE, [intent.intent_id], now_s - passed_s)
        return [Send(intent) for intent in signals]

    def deadline(self) -> int | None:
        schedule = self._schedule
        if schedule is None or self._signalled == schedule.number:
            return None
        return math.ceil(schedule.due_ms(self._signalled))

    def _signals(self, number: int) -> Sequence[Intent]:
        """They alternate between buying and selling, so that the position stays at one lot."""
        intents = [self._intent() for _ in range(number)]
        self._book.put("signal", [intent.intent_id for intent in intents])
        return intents

    def _intent(self) -> Intent:
        self._number += 1
        return Intent(
            intent_id=intent_id(self.name, self._number),
            engine=self.name,
            account=ACCOUNT_OF[self.name],
            category=LINEAR,
            symbol=SYMBOL,
            side=Side.BUY if self._number % 2 else Side.SELL,
            quantity=QUANTITY,
            style="market",
            reference_price=self._price,
            purpose="entry",
            reason=f"benchmark order {self._number}",
        )

    def dirty(self) -> Sequence[StateRow]:
        return []

    rows = dirty

    def still_needed(self, call: ExchangeCall) -> bool:
        return False


MAX_ORDERS_PER_MINUTE = 1_000_000


def raised(risk: RiskParameters, with_leverage: bool = False) -> RiskParameters:
    """RM-1's rate limit out of the way; every other limit stands as shipped. `with_leverage` makes room for bursts that
    the paper capital could not carry pending at once."""
    room = {
        "max_order_of_equity": Decimal(10),
        "max_asset_of_equity": None,
        "max_asset_leverage": Decimal(10),
        "max_total_leverage": Decimal(10),
        "min_liquidation_buffer": Decimal("0.001"),
    }
    engines = {name: limits.model_copy(update=room if with_leverage else {}) for name, limits in risk.engines.items()}
    return risk.model_copy(update={"engines": engines, "max_orders_per_minute": MAX_ORDERS_PER_MINUTE})


@dataclass(frozen=True)
class OrderAssembly(SystemAssembly):
    """The system's assembly with signalling engines and a stamp after every commit on the order path."""

    folder: Path = Path()
    engines: tuple[ActorName, ...] = ()
    is_raised: bool = False

    @classmethod
    def of(
        cls, assembly: SystemAssembly, folder: Path, engines: tuple[ActorName, ...], is_raised: bool
    ) -> OrderAssembly:
        """The same system with these engines replaced, and with leverage limits raised or not."""
        known = {field.name: getattr(assembly, field.name) for field in fields(assembly)}
        return cls(**known, folder=folder, engines=engines, is_raised=is_raised)

    def logic(self, name: ActorName) -> ActorLogic:
        if name in self.engines:
            return SignallingProbe(name, StampLog(self.folder / f"{name}-signals.stamps"))
        if name is ActorName.RISK_MANAGER:
            return RiskManagerLogic(raised(self.config.risk_in_force, self.is_raised))
        return super().logic(name)

    def parts(self, name: ActorName, peers: Peers) -> Parts:
        made = super().parts(name, peers)
        # As live: no lockstep driver, so no reports; the deadlines' clock does not advance.
        now_ms = self.clock(ActorName.ORDER_MANAGER).now_ms()
        clock = _RunningClock(now_ms) if name in self.engines else _StandingClock(now_ms)
        parts = replace(made, is_lockstep=False, clock=clock)
        book = StampLog(self.folder / f"{name}.stamps")
        meter = Meter(self.folder / f"{name}.meter")
        meter.watch(parts.store, "commit", "transaction")
        meter.watch(parts.store, "holds", "fencing check")
        if parts.exchange is not None:
            meter.watch(parts.exchange, "perform", lambda _account, request: f"request {request.kind}")
            meter.watch(parts.exchange, "perform_batch", lambda _account, requests: f"batch {requests[0].kind}")
        _stamp_commits(parts, book, self.installation_id)
        if parts.exchange is not None:
            _stamp_answers(parts, book, self.installation_id)
        return parts


class _StandingClock:
    """Market time that does not advance."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms


class _RunningClock:
    """Time that continues from an instant of the market, slowed: the engines' signals are due by it."""

    def __init__(self, now_ms: int) -> None:
        self._at_start_ms = now_ms
        self._begun = time.monotonic()

    def now_ms(self) -> int:
        return self._at_start_ms + int((time.monotonic() - self._begun) * 1000 / CLOCK_SLOWED)


def _stamp_commits(parts: Parts, book: StampLog, installation: str) -> None:
    inner = parts.store.commit

    def commit(commit: Commit) -> frozenset[str]:
        blocked = inner(commit)
        bodies = [(envelope["kind"], envelope["body"]) for envelope in commit.outbox]
        book.put("intent durable", [body["intent_id"] for kind, body in bodies if kind == "intent"])
        book.put("approval durable", [body["intent"]["intent_id"] for kind, body in bodies if kind == "approved"])
        asked = [row.call.request.client_order_id for row in commit.calls if isinstance(row.call.request, PlaceOrder)]
        book.put(DENIED, [body["intent_id"] for kind, body in bodies if kind == "order_denied"])
        book.put("request durable", _intents(installation, asked))
        answered = [key.partition(":")[0] for key in commit.answered if ":place:" in key]
        book.put("acknowledgement durable", _intents(installation, answered))
        return blocked

    setattr(parts.store, "commit", commit)  # noqa: B010 - the benchmark alone replaces a method


def _stamp_answers(parts: Parts, book: StampLog, installation: str) -> None:
    assert parts.exchange is not None
    inner, inner_batch = parts.exchange.perform, parts.exchange.perform_batch

    def perform_batch(account: Account, requests: Sequence[OrderWrite]) -> Sequence[ExchangeResponse]:
        outcomes = inner_batch(account, requests)
        done = zip(requests, outcomes, strict=True)
        links = [one.client_order_id for one, outcome in done if outcome.kind == "accepted"]
        if isinstance(requests[0], PlaceOrder):
            book.put("exchange has responded", _intents(installation, links))
        return outcomes

    def perform(account: Account, request: ExchangeRequest) -> ExchangeResponse:
        outcome = inner(account, request)
        if isinstance(request, PlaceOrder) and outcome.kind == "accepted":
            book.put("exchange has responded", _intents(installation, [request.client_order_id]))
        return outcome

    setattr(parts.exchange, "perform", perform)  # noqa: B010
    setattr(parts.exchange, "perform_batch", perform_batch)  # noqa: B010


def _intents(installation: str, client_order_ids: Sequence[str]) -> list[str]:
    parsed: list[Any] = [parse_client_order_id(installation, link) for link in client_order_ids]
    return [parts.intent_id for parts in parsed if parts is not None]
