"""One run: the system as it stood at an eventful moment of a calm run, a stretch of faults, then peace."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Any

from actors.runtime.memory_store import MemoryStore
from actors.runtime.policies.ports import PolicyPort
from actors.runtime.registry import TURN_ORDER
from api.logics import logics
from infra.backtest.system import SYMBOLS, DirectExchange, InProcessSystem, move
from infra.backtest.view import MarketView
from infra.bybit.session import Handle
from infra.config import EternalConfig
from infra.simulator.api import Exchange
from infra.simulator.config import SimConfig, default_accounts
from infra.simulator.market.port import Market
from infra.simulator.venue.stepper import Public
from statemachines.actor_logic import NO_LOOKAHEAD, Lookahead, StateRow, shared_lookahead
from statemachines.lockstep import LockstepRule
from statemachines.values import HOUR_MS, SPOT, Account, ActorName
from tests.simulation.faults.choices import Chooser
from tests.simulation.faults.database import FailingStore
from tests.simulation.faults.points import WRITES, Point, point_of
from tests.simulation.faults.scheduler import Living, Scheduler
from tests.simulation.faults.streams import FailingStreams, Report
from tests.simulation.faults.venue import act_of_its_own_accord, failing
from tests.simulation.whole import INSTALLATION, build, instant, synthetic

FIRST_START = "the system starts for the first time"
LARGE = "orders are worked in slices: 5,000 times the usual capital"
SCALE = 5_000
STAKING = "ETH is staked: CORE-HODL has its coins from the first day on"
OPENINGS: Mapping[str, tuple[str, frozenset[Point]]] = {
    FIRST_START: ("2025-01-01T00:00", frozenset({Point.LEVERAGE})),
    "the funding pairs are opened": ("2025-01-01T12:00", frozenset({Point.BATCH})),
    "the trends are entered and the tranches begin": ("2025-01-01T20:00", frozenset({Point.TRANSFER, Point.BATCH})),
    "the tranches are quoted again": ("2025-01-02T20:00", frozenset({Point.TRANSFER, Point.AMEND})),
    "stops are hit": ("2025-01-07T04:00", frozenset({Point.CANCEL})),
    "a trend is entered and stopped, the pairs are closed": ("2025-01-11T20:00", frozenset({Point.TRANSFER})),
    LARGE: ("2025-01-01T20:00", frozenset({Point.BATCH})),
    STAKING: ("2025-01-02T20:00", frozenset({Point.STAKING})),
}
"""Moments of the synthetic market four hours before something happens, and the rare points that come up then."""

DAYS = 14
STORM_MS = 9 * HOUR_MS
PEACE_MS = 5 * HOUR_MS
MAX_PEACE_MS = 25 * HOUR_MS
"""By then the daily cycle has come round: the bound on the way back to health."""

MAX_STEPS = 500


@dataclass(frozen=True, slots=True)
class Opening:
    """A calm system at rest, ready to be continued any number of times."""

    store: bytes
    exchange: str
    config: SimConfig


@cache
def market() -> Market:
    return synthetic(DAYS)


@cache
def opening(name: str) -> Opening:
    """The system at that moment."""
    store, config = MemoryStore(), venue_config(SCALE if name == LARGE else 1)
    if name == STAKING:
        config = with_coins(config)
    if name == FIRST_START:
        # History alone is there: it is the longest part of a start, and the same in each.
        exchange = Exchange(market(), config)
        every = logics(EternalConfig(), INSTALLATION)
        system = InProcessSystem(exchange, {ActorName.MARKET_DATA: every[ActorName.MARKET_DATA]}, store)
        system.start()
    else:
        system = build(market(), store, config=config)
        system.start()
        system.run(instant(OPENINGS[name][0]))
    return Opening(pickle.dumps(store), json.dumps(system.exchange.dump()), config)


def venue_config(scale: int) -> SimConfig:
    """The exchange with so many times the usual capital."""
    usual = default_accounts()
    accounts = (replace(one, balances={c: amount * scale for c, amount in one.balances.items()}) for one in usual)
    return SimConfig(accounts=tuple(accounts), rate_limits=False)


def with_coins(config: SimConfig) -> SimConfig:
    """The exchange on which CORE-HODL begins at its targets (CH-1, CH-7): the first build ends at once."""
    begin = market()
    shares = {"BTC": Decimal(38_000), "ETH": Decimal(19_000)}
    coins = {}
    for coin, usdt in shares.items():
        bars = begin.bars(SPOT, f"{coin}USDT", "D", 0, begin.start_ms - 1, 1, "last", begin.start_ms)
        coins[coin] = (usdt / bars[-1].close).quantize(Decimal("0.00001"))
    balances = {"USDT": Decimal(3_000), **coins}
    core = Account.CORE_HODL
    accounts = tuple(replace(one, balances=balances) if one.name == core else one for one in config.accounts)
    return replace(config, accounts=accounts)


def openings_for(point: Point) -> tuple[str, ...]:
    """Where a run begins that is to come to this point."""
    return tuple(name for name, (_at, rare) in OPENINGS.items() if point in rare) or tuple(OPENINGS)[1:]


class World:
    """Exchange, database and actors of one run. `watch` sees it after every settled instant, `watch_write` after
    every act that reached the exchange with a write."""

    storm_ms, peace_ms = STORM_MS, PEACE_MS

    def __init__(self, begun: Opening, chooser: Chooser) -> None:
        memory: MemoryStore = pickle.loads(begun.store)
        self.exchange = self.open_exchange(begun)
        self.store = FailingStore(memory, chooser)
        self.watch: Callable[[World], None] = lambda _world: None
        self.watch_write: Callable[[World], None] = lambda _world: None
        self._was_written = False
        self.expected_alerts: frozenset[str] = frozenset()
        """Beginnings of conditions that may stay open at the end by a rule."""

        self.explained: frozenset[str] = frozenset()
        """Kinds of differences that the run has brought about from outside: they are found, and are no fault."""

        self.fenced_writes: list[str] = []
        self.journalled = {name: len(memory.journal(name)) for name in ActorName}
        """Lines of the calm run before this one."""

        self.chooser = chooser
        self._view = MarketView(self.exchange, SYMBOLS)
        self._rule = LockstepRule(TURN_ORDER)
        direct = DirectExchange(self.exchange)
        gateway = direct.gateway(failing(self.way_in(direct.handle), chooser, self._arrived))
        self.streams = self.open_streams()
        self.factories = logics(self.configured(), INSTALLATION)
        self.scheduler = Scheduler(
            self.factories, self.store, gateway, chooser, self.now_ms, self.streams.end, self.open_policies()
        )
        self.scheduler.acted = self._acted
        direct.subscribe()
        self.streams.public(self._view.see(Public.POINT))

    def open_exchange(self, begun: Opening) -> Exchange:
        """The exchange as it stood."""
        return Exchange(market(), begun.config, state=json.loads(begun.exchange))

    def configured(self) -> EternalConfig:
        """The settings of the actors."""
        return EternalConfig()

    def open_policies(self) -> PolicyPort | None:
        """How versions of the policy reach the actors; None: there is the configuration alone."""
        return None

    def is_unseen(self, _account: str) -> bool:
        """Whether money has left the account from outside and the system cannot know it yet: what it sizes by its
        books is judged again once they show it."""
        return False

    def rows(self, actor: ActorName) -> Mapping[str, StateRow]:
        """The actor's durable rows."""
        return self.store.memory._actors[actor].states  # noqa: SLF001 - `load` asks for the epoch that holds them

    def way_in(self, handle: Handle) -> Handle:
        """How requests reach the exchange."""
        return handle

    def open_streams(self) -> FailingStreams:
        """How its frames reach the actors."""
        return FailingStreams(self.chooser, self._tell, self.now_ms)

    def now_ms(self) -> int:
        """Market time."""
        return self.exchange.market_time

    @property
    def living(self) -> Mapping[ActorName, Living]:
        return self.scheduler.living

    def run(self, is_healthy: Callable[[World], bool]) -> None:
        """The stretch of faults, then peace; a day more of it when what failed is repeated only once a day."""
        self._run_until(self.now_ms() + self.storm_ms)
        self.chooser.stop()
        self._run_until(self.now_ms() + self.peace_ms)
        if not is_healthy(self):
            self._run_until(self.now_ms() + MAX_PEACE_MS)

    def _run_until(self, end_ms: int) -> None:
        for _ in range(MAX_STEPS):
            self._settle()
            self.watch(self)
            if self.now_ms() >= end_ms:
                return
            # What the exchange does of its own accord is reported before time moves, and acted upon.
            self.exchange.incident(lambda venue: act_of_its_own_accord(venue, self.chooser))
            self._settle()
            self._advance(end_ms)
        raise AssertionError(f"{MAX_STEPS} steps of market time did not lead to {end_ms}")

    def _settle(self) -> None:
        def outside() -> list[Any]:
            self.streams.private(self.exchange.drain())
            return self.streams.acts()

        self.scheduler.settle(outside)
        while self.streams.is_hurried():
            self.scheduler.settle(outside)

    def _advance(self, end_ms: int) -> None:
        now_ms = self.now_ms()
        durables = {name: living.durable for name, living in self.living.items()}
        made = move(self.exchange, self._rule, durables, self._lookahead, self.scheduler.performed, end_ms)
        if made is None:
            return
        result, follows = made
        self.streams.private(result.frames)
        self.streams.public(self._view.see(result.public, result.passed_ms))
        if self.now_ms() != now_ms:
            self.streams.time_moved()
            self.scheduler.time_moved()
        if follows.tick is not None:
            durables[follows.tick].tick(self.now_ms())

    def _lookahead(self) -> Lookahead:
        if self.scheduler.down:
            return NO_LOOKAHEAD  # who is away has not said how long it can wait
        return shared_lookahead(living.durable.lookahead() for living in self.living.values())

    def _tell(self, actor: ActorName, report: Report) -> None:
        living = self.living.get(actor)
        if living is not None:
            living.durable.take_fact(report.body, report.natural_id, report.market_ms)

    def _acted(self) -> None:
        if self._was_written:
            self._was_written = False
            self.watch_write(self)

    def _arrived(self, path: str) -> None:
        self._was_written = self._was_written or point_of(path) in WRITES
        living = self.scheduler.calling
        if living is not None and not self.store.memory.holds(living.durable.name, living.durable.epoch):
            self.fenced_writes.append(f"{path} of {living.durable.name}, incarnation {living.durable.epoch}")
