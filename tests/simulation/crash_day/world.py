"""A run in which the exchange can be away, its silence is measured as in live, and an operator gives commands.

RM-4's reading is the production one (`ExchangeReadings`); what it reads are the streams of this world, second by second
of market time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal

from infra.bybit.session import Handle
from infra.simulator.api import AdvanceResult
from infra.simulator.faults.catalogue import Maintenance
from infra.simulator.faults.scenario import Scenario
from infra.simulator.venue.fast_forward import NO_LIMITS
from statemachines.messages.control import OperatorCommand, ReadingChanged
from statemachines.orchestration.exchange_readings import ExchangeReadings, Readings
from statemachines.risk.parameters import ReadingPolicies, Switch
from statemachines.values import Account, ActorName
from tests.simulation.faults.choices import Choice, Script
from tests.simulation.faults.database import DeathError
from tests.simulation.faults.points import Fault, Point
from tests.simulation.faults.streams import PUBLIC
from tests.simulation.faults.world import Opening, World, market
from tests.simulation.operator.world import OperatedWorld, Operator
from tests.simulation.scenarios.world import FaultyExchange, ScenarioWorld

STEP_MS = 60_000
"""How far time moves at once while the exchange is away or a reading of it is still bad."""


class WatchedExchange(FaultyExchange):
    """Stops exactly at `stop_ms`; moves in small steps while `is_watched`."""

    is_watched = False
    stop_ms = 0

    def advance(
        self, step: int, until: int | None, patient: int = 0, max_basis: Mapping[str, Decimal] = NO_LIMITS
    ) -> AdvanceResult:
        now_ms = self.market_time
        if until is not None and until <= now_ms:
            return super().advance(step, until)  # whether anything is left to send at this instant
        stops = [until, self.stop_ms, now_ms + STEP_MS if self.is_watched else None]
        soonest = min((one for one in stops if one is not None and one > now_ms), default=None)
        return super().advance(step, soonest, 0 if self.is_watched else patient, max_basis)


class TakesTurns(Script):
    """A calm schedule; while `is_fair` the turns go round. Of actors that repeat their reads without end the calm order
    would let one act alone, which in processes of their own they all do."""

    is_fair = False

    def __init__(self) -> None:
        super().__init__(())
        self._turn = 0

    def at(self, point: Point, who: str, most: int = 4) -> Choice | None:
        if point is not Point.TURN or not self.is_fair or most < 2:
            return super().at(point, who, most)
        self._turn += 1
        return Choice(point, who, self._turn, Fault.SHUFFLED, self._turn % most)


class WatchedWorld(ScenarioWorld, OperatedWorld):
    """One run under a scenario, in market seconds as they are; `outage` closes the exchange, `command` is the
    operator's. Raises ViolationError when one of RM-5's promises is broken."""

    stretch = 1
    closed_acts = 100

    def __init__(self, begun: Opening, scenario: Scenario, policies: ReadingPolicies | None = None) -> None:
        self.operator = Operator([])
        self._ambush = None
        self._scenario = scenario
        self.struck: dict[str, int] = {}
        self._readings = ExchangeReadings(policies or ReadingPolicies())
        self._lived_s: dict[str, float] = {}
        self._looked_s = 0.0
        self._told = 0
        self.readings: list[ReadingChanged] = []
        """What was reported of RM-4's readings, oldest first."""

        self._turns = TakesTurns()
        World.__init__(self, begun, self._turns)
        self.watch = lambda _world: self._judge_flat()

    @property
    def venue_exchange(self) -> WatchedExchange:
        """The exchange of this world."""
        assert isinstance(self.exchange, WatchedExchange)
        return self.exchange

    # --- what happens ---

    def until(self, instant_ms: int) -> None:
        """Let the system work and time pass to an instant."""
        self.venue_exchange.stop_ms = instant_ms
        self._run_until(instant_ms)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """The exchange answers nothing, streams break and are refused."""
        made = self.injection.inject(Maintenance())
        yield
        self.injection.clear(made.id)

    def command(self, action: str, scope: str) -> None:
        """The operator's command; the risk manager has it durable when this returns."""
        self._told += 1
        name = f"drill-{self._told}"
        body = OperatorCommand.model_validate(
            {"command_id": name, "who": "operator", "action": action, "scope": scope, "reason": "a drill"}
        )
        living = self.living[ActorName.RISK_MANAGER]
        living.durable.take_fact(body, f"operator:{name}", self.now_ms())
        self.scheduler.step(living)
        assert self._is_accepted(name), f"{action} of {scope} was not accepted"

    def restart(self) -> None:
        """Everything of ours dies at once and is started again from what is durable; the exchange lives on."""
        self.scheduler.lose(DeathError(ActorName.ORCHESTRATOR, is_power_loss=True))
        self._settle()

    # --- parts of the world ---

    def new_exchange(self, begun: Opening) -> WatchedExchange:
        """See ScenarioWorld."""
        return WatchedExchange(market(), begun.config, state=json.loads(begun.exchange))

    def way_in(self, handle: Handle) -> Handle:
        """The promises of RM-5 are judged on what arrives, below the faults."""
        return ScenarioWorld.way_in(self, OperatedWorld.way_in(self, handle))

    def _settle(self) -> None:
        self._turns.is_fair = bool(self.injection.desk.of(Maintenance))
        super()._settle()
        if self._look():
            super()._settle()

    # --- RM-4's readings ---

    def _look(self) -> bool:
        """Measure the silence of every stream for each second since the last look; whether something is reported."""
        now_s, cut = self.now_ms() / 1_000, self.streams.cut
        names = (PUBLIC, *(account.value for account in Account))
        for name in names:
            if name not in cut or name not in self._lived_s:
                self._lived_s[name] = now_s
        found: list[ReadingChanged] = []
        at_s = self._looked_s + 1 if cut else now_s
        while at_s <= now_s:
            ages = {name: at_s - lived_s for name, lived_s in self._lived_s.items()}
            private = {f"private {name}": max(age, 0.0) for name, age in ages.items() if name != PUBLIC}
            readings = Readings(private, {PUBLIC: max(ages[PUBLIC], 0.0)}, 0)
            found += self._readings.look(readings, at_s)
            at_s += 1
        self._looked_s = now_s
        is_reported = self._report(found)
        self.venue_exchange.is_watched = bool(cut) or any(one.is_bad for one in self.newest_readings().values())
        return is_reported

    def _report(self, found: Sequence[ReadingChanged]) -> bool:
        living = self.living.get(ActorName.ORCHESTRATOR)
        for number, change in enumerate(found, len(self.readings) + 1):
            assert living is not None, "the orchestrator takes the readings; it is away"
            living.durable.take_fact(change, f"supervision:{living.durable.epoch}:{number}", self.now_ms())
        self.readings += found
        return bool(found)

    def newest_readings(self) -> Mapping[str, ReadingChanged]:
        """The newest report of each switch."""
        return {one.switch: one for one in self.readings}

    def is_tripped(self, switch: Switch) -> bool:
        """Whether the newest report of the switch says that its reading is bad."""
        newest = self.newest_readings().get(switch)
        return newest is not None and newest.is_bad

    # --- what is there ---

    def price(self, symbol: str) -> Decimal:
        """The mark price at the exchange."""
        return self.exchange.venue.prices.mark(symbol)
