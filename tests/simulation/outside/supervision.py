"""Engines that become FAULTED and the operator's reset (OR-8): the production supervisor over the actors of a run.

Its wall time stands still here: how often a component is restarted is tried elsewhere (`tests/orchestrator`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from statemachines.messages.control import ComponentAlert, ComponentChanged, ComponentReset
from statemachines.messages.envelope import Body
from statemachines.supervision.life import ComponentState
from statemachines.supervision.policy import SupervisionPolicy
from statemachines.supervision.supervisor import Changed, KillActor, Order, RaiseAlert, StartActor, Supervisor
from statemachines.values import ENGINES, ActorName
from tests.simulation.faults.database import DeathError
from tests.simulation.faults.scheduler import Scheduler

FOR_EVER = 10**9
_REPORTED = frozenset({ComponentState.FAULTED, ComponentState.RUNNING, ComponentState.FAILED})
"""States that the orchestrator reports to the others, as in `orchestrator.actor`."""


class EngineSupervision:
    """The engines' part of the supervision; `tell` brings its reports to the orchestrator."""

    def __init__(self, scheduler: Scheduler, tell: Callable[[Body], None]) -> None:
        self._scheduler = scheduler
        self._tell = tell
        self._supervisor = Supervisor(ENGINES, SupervisionPolicy(max_restarts=0))
        self.resets = 0
        for engine in ENGINES:
            for step in (self._supervisor.start, self._supervisor.started, self._supervisor.resumed):
                step(engine, 0)

    @property
    def faulted(self) -> Sequence[ActorName]:
        """Engines that wait for the operator."""
        return [engine for engine in ENGINES if self._supervisor.state(engine) is ComponentState.FAULTED]

    @property
    def is_starting(self) -> bool:
        """Whether an engine that was reset does not work yet."""
        return any(self._supervisor.state(engine) is ComponentState.RECOVERING for engine in ENGINES)

    def fail(self, engine: ActorName) -> None:
        """It dies once more than it is restarted."""
        self._carry_out(self._supervisor.died(engine, "it crashed again and again", 0))

    def reset(self, engine: ActorName) -> None:
        """The operator's command: the deed comes before its commit, as in production."""
        if self._supervisor.state(engine) is not ComponentState.FAULTED:
            return
        self.resets += 1
        self._carry_out(self._supervisor.reset(engine, "operator: a drill", 0))
        self._carry_out(self._supervisor.started(engine, 0))
        command = ComponentReset(command_id=f"r{self.resets}", who="operator", component=engine, reason="a drill")
        self._tell(command)

    def look(self) -> None:
        """After every act: a FAULTED engine stays away, one that was reset works again once it has recovered."""
        for engine in ENGINES:
            state = self._supervisor.state(engine)
            if state is ComponentState.FAULTED:
                self._scheduler.down[engine] = FOR_EVER
            living = self._scheduler.living.get(engine)
            if state is ComponentState.RECOVERING and living is not None and living.has_recovered:
                self._carry_out(self._supervisor.resumed(engine, 0))

    def _carry_out(self, orders: Sequence[Order]) -> None:
        for order in orders:
            match order:
                case Changed(name, state, _reason, note) if state in _REPORTED:
                    self._tell(
                        ComponentChanged(
                            component=name,
                            state=note.dest,
                            reason=note.reason,
                            trigger=note.trigger,
                            source=note.source,
                        )
                    )
                case RaiseAlert(name, severity, text):
                    self._tell(ComponentAlert(component=name, severity=severity, text=text, is_open=True))
                case KillActor(name, _reason):
                    self._scheduler.lose(DeathError(name))
                    self._scheduler.down[name] = FOR_EVER
                case StartActor(name):
                    self._scheduler.down.pop(name, None)
