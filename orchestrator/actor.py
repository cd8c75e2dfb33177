"""The orchestrator as a Ray actor: its own durable logic, the supervision of all others, the lockstep driver.

The only actor that Ray itself restarts. A restarted one starts like the first: it adopts the living actors and resumes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import ray

from actors.runtime.actor import shown
from actors.runtime.actor_runner import ActorRunner
from actors.runtime.metrics import publish
from actors.runtime.ports import (
    EnvelopeDict,
    LeaseHeldError,
    LockstepPort,
    ReadingsWatch,
    Report,
    Store,
    StoreUnavailableError,
)
from actors.runtime.ray_runtime import Assembly, RayLauncher, RayPeers, end_process
from actors.runtime.registry import FURTHER, SPEC_OF, START_ORDER
from orchestrator.heart import Heart
from orchestrator.held_watch import HeldWatch
from orchestrator.lease import Lease
from orchestrator.lockstep_driver import LockstepDriver
from orchestrator.outage_watch import OutageWatch
from orchestrator.policy_watch import PolicyWatch
from orchestrator.quiescence import QuiescenceTracker
from orchestrator.supervision import Supervision
from statemachines.messages.control import (
    ComponentAlert,
    ComponentChanged,
    ComponentReset,
    DatabaseOutage,
    OperatorCommand,
    PolicyRecorded,
    ReadingChanged,
    operator_id,
)
from statemachines.messages.kinds import parse_body
from statemachines.orchestration.logic import OrchestratorLogic
from statemachines.supervision.life import ComponentState
from statemachines.supervision.supervisor import Changed, Supervisor
from statemachines.values import ActorName, Foundation

_log = logging.getLogger(__name__)

BOOT_DELAY_S = 0.5
LOST = frozenset({ComponentState.FAILED, ComponentState.BACKOFF, ComponentState.STARTING, ComponentState.STOPPED})


class Orchestrator:
    """Supervision, recovery, the daily cycle (OR-3, OR-8, OR-9)."""

    def __init__(self, assembly: Assembly, name: str) -> None:
        self._assembly = assembly
        self._name = ActorName(name)
        self._runner: ActorRunner | None = None
        self._driver: LockstepDriver | None = None
        self._supervision: Supervision | None = None
        self._heart: Heart | None = None
        self._policy_watch: PolicyWatch | None = None
        self._held_watch: HeldWatch | None = None
        self._boot_error = ""
        self._commands = 0
        self._outages = OutageWatch()
        self._exchange_watch: ReadingsWatch | None = None
        self._outage: dict[str, Any] | None = None
        threading.Thread(target=self._boot, name="boot", daemon=True).start()

    def __repr__(self) -> str:
        return shown(self.health())

    # --- boot ---

    def _boot(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self._begin()
                self._boot_error, self._outage = "", None
                return
            except StoreUnavailableError as error:
                self._boot_error = str(error)
                since_s = self._outage["since_s"] if self._outage is not None else time.time()
                self._outage = {"what": error.what, "why": error.why, "since_s": since_s}
                _log.info("the orchestrator cannot begin yet: %s", error)
            except LeaseHeldError as error:
                if self._boot_error != str(error):
                    _log.warning("the orchestrator does nothing: %s", error)
                self._boot_error, self._outage = str(error), None
            except Exception as error:  # noqa: BLE001 - it tries until what is missing is there, and logs it
                self._boot_error = f"{type(error).__name__}: {error}"
                _log.exception("the orchestrator cannot begin yet")
            pause.wait(BOOT_DELAY_S)

    def _begin(self) -> None:
        """Raises LeaseHeldError: nothing has been done."""
        store = self._assembly.store(self._name)
        lockstep = self._assembly.lockstep(self._name)
        market_ms = lockstep.status().market_ms if lockstep is not None else self._assembly.clock(self._name).now_ms()
        lease = Lease(self._assembly.lease(), self._assembly.run)
        lease.succeed()
        lease.keep(self._fenced)
        try:
            self._begin_under(lease, store, lockstep, market_ms)
        except BaseException:
            lease.stop()
            raise

    def _begin_under(self, lease: Lease, store: Store, lockstep: LockstepPort | None, market_ms: int) -> None:
        runner = ActorRunner(self._name, self._assembly.parts(self._name, _OwnPeers(self)), self._fenced)
        launcher = RayLauncher(self._assembly)
        members = [name for name in START_ORDER if name is not self._name]
        if lockstep is not None:
            self._driver = LockstepDriver(
                QuiescenceTracker([*members, self._name]),
                lockstep,
                lambda actor, now_ms: self._tick(launcher, actor, now_ms),
                lambda: self._remind(launcher, members),
                self._assembly.pace_s(),
                lambda: lease.is_held,
            )
        runner.start(lease.epoch, market_ms)
        self._runner = runner
        self._heart = Heart(self._assembly.beats(), runner.health)
        self._heart.start()
        if lockstep is None:
            self._exchange_watch = self._assembly.exchange_watch()
        if self._outage is not None:
            self._tell(self._outages.begin_with(**self._outage, now_s=time.time()))
        components = [*members, *FURTHER]
        supervisor = Supervisor(components, self._assembly.supervision())
        faulted = OrchestratorLogic.faulted(runner.restored)
        supervisor.restore({"faulted": faulted})
        if self._driver is not None:
            for name in faulted:
                self._driver.excuse(ActorName(name))
        waits = {name: SPEC_OF[name].waits_for for name in components}
        self._supervision = Supervision(waits, supervisor, launcher, store, self, self.market_ms, lease, self._fenced)
        self._supervision.start()
        self._held_watch = HeldWatch(self._assembly.held_commands(), self._held)
        self._held_watch.start()
        if (port := self._assembly.policy_watch()) is not None:
            self._policy_watch = PolicyWatch(port, self._policy_recorded, self._policy_unusable)
            self._policy_watch.start()
        if self._driver is not None:
            self._driver.start()
            self._driver.open()
            self._remind(launcher, members)
        publish.start(runner, self._supervision.snapshot)

    def _fenced(self, why: str) -> None:
        """Another orchestrator has the lease: this one ends, and nothing more is done or moved by it meanwhile."""
        self.stop()
        end_process(why)

    def _tick(self, launcher: RayLauncher, actor: ActorName, now_ms: int) -> None:
        if actor is self._name and self._runner is not None:
            self._runner.tick(now_ms)
        else:
            launcher.notify(actor, "tick", now_ms)

    def _remind(self, launcher: RayLauncher, members: Sequence[ActorName]) -> None:
        if self._runner is not None:
            self._runner.report_again()
        for name in members:
            launcher.notify(name, "report_again")

    # --- reports of the supervision ---

    def component_changed(self, change: Changed) -> None:
        """Time stands still without the component until it has reported again; without a FAULTED one it continues."""
        name, state, entry = change.component, change.state, change.note
        if self._driver is not None:
            if state in LOST:
                self._driver.forget(name)
            elif state is ComponentState.FAULTED:
                self._driver.excuse(name)
            elif state is ComponentState.RUNNING:
                self._driver.readmit(name)
        if self._runner is not None and state in (
            ComponentState.FAULTED,
            ComponentState.RUNNING,
            ComponentState.FAILED,
        ):
            self._tell(
                ComponentChanged(
                    component=name, state=entry.dest, reason=entry.reason, trigger=entry.trigger, source=entry.source
                )
            )

    def alert(self, name: ActorName, severity: Literal["info", "warning", "critical"], text: str) -> None:
        """An alert of the supervision becomes durable through the orchestrator's own commit; it is open until the
        component runs again."""
        self._tell(ComponentAlert(component=name, severity=severity, text=text, is_open=True))

    def heard(self, healths: Sequence[Mapping[str, Any]]) -> None:
        """An outage of the database: reported immediately, committed when over, with beginning and end. RM-4's readings
        of the exchange: reported when they change."""
        own = [] if self._runner is None else [self._runner.health()]
        self._tell(self._outages.look([*healths, *own], time.time()))
        if self._exchange_watch is not None:
            if own:  # the readings are judged by the version in force here, as every decision is (RM-6)
                self._exchange_watch.in_force(int(own[0]["policy_version"]))
            for change in self._exchange_watch.look(healths, time.monotonic()):
                self._tell(change)

    def _policy_recorded(self, body: PolicyRecorded) -> None:
        if self._exchange_watch is not None:
            self._exchange_watch.recorded(body.version, body.policy)
        now_ms = self._driver.market_ms if self._driver is not None else 0
        self._ready().inform(body, f"policy:{body.version}", now_ms)

    def _held(self, body: OperatorCommand) -> None:
        """A command that lies in the database (RM-5); one that came through us already is a repeat and is dropped."""
        now_ms = self._driver.market_ms if self._driver is not None else 0
        self._ready().inform(body, operator_id(body.command_id), now_ms)

    def _policy_unusable(self, text: str) -> None:
        runner, body = self._ready(), ComponentAlert(component=self._name, severity="critical", text=text)
        now_ms = self._driver.market_ms if self._driver is not None else 0
        runner.inform(body, f"policy-unusable:{runner.epoch}:{text[:40]}", now_ms)

    def _tell(self, body: ComponentChanged | ComponentAlert | DatabaseOutage | ReadingChanged | None) -> None:
        if self._runner is not None and body is not None:
            self._commands += 1
            now_ms = self._driver.market_ms if self._driver is not None else 0
            self._runner.inform(body, f"supervision:{self._runner.epoch}:{self._commands}", now_ms)

    # --- the actor's interface ---

    def market_ms(self) -> int:
        """Market time of the lockstep driver or of the exchange's clock."""
        if self._driver is not None and self._driver.market_ms:
            return self._driver.market_ms
        lockstep = self._assembly.lockstep(self._name)
        return lockstep.status().market_ms if lockstep is not None else self._assembly.clock(self._name).now_ms()

    @ray.method(concurrency_group="inbox")  # type: ignore[untyped-decorator]
    def deliver(self, batch: list[EnvelopeDict]) -> dict[str, int]:
        return self._ready().deliver(batch)

    @ray.method(concurrency_group="inbox")  # type: ignore[untyped-decorator]
    def notify(self, envelope: EnvelopeDict) -> dict[str, int]:
        return self._ready().notify(envelope)

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def report(self, name: str, report: Report) -> None:
        """An actor has fallen idle (lockstep)."""
        self.take_report(name, report)

    @ray.method(concurrency_group="operator")  # type: ignore[untyped-decorator]
    def command(self, kind: str, body: dict[str, Any], natural_id: str) -> None:
        """What comes from the interface and is no other actor's: the operator's command while the risk manager is away
        (RM-5), failed attempts to get in (DE-3). Returns once it is committed."""
        market_ms = self._driver.market_ms if self._driver is not None else 0
        self._ready().command(parse_body(kind, body), natural_id, market_ms)

    @ray.method(concurrency_group="operator")  # type: ignore[untyped-decorator]
    def reset(self, body: dict[str, Any], natural_id: str) -> None:
        """The operator's request to try a FAULTED component again (OR-8); returns once the command is committed.

        It is done before it is committed: a repeat after a lost commit does no harm, and a commit without the deed
        would be one that no repeat resolves.
        """
        runner, command = self._ready(), ComponentReset.model_validate(body)
        if self._supervision is None:
            raise RuntimeError("the orchestrator has not begun yet")
        self._supervision.reset(command.component, f"{command.who}: {command.reason}")
        runner.command(command, natural_id, self._driver.market_ms if self._driver is not None else 0)

    @ray.method(concurrency_group="operator")  # type: ignore[untyped-decorator]
    def record_policy(self, body: dict[str, Any]) -> bool:
        """A version of the policy by the operator (RM-6): whether it was appended; the interface looks itself."""
        if self._policy_watch is None:
            raise RuntimeError("this system keeps no versions of the policy, or has not begun yet")
        return self._policy_watch.record(**body)

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def raise_alert(self, component: str, severity: Literal["warning", "critical"], text: str, natural_id: str) -> bool:
        """An alert of the launch (a database that had died): whether it was taken. A repeat is harmless."""
        if self._runner is None or self._runner.health()["state"] != "RUNNING":
            return False
        body = ComponentAlert(component=_named(component), severity=severity, text=text)
        self._runner.command(body, natural_id, self._driver.market_ms if self._driver is not None else 0)
        return True

    @ray.method(concurrency_group="health")  # type: ignore[untyped-decorator]
    def health(self) -> dict[str, Any]:
        if self._runner is None:
            return {"name": str(self._name), "state": "BOOTING", "last_error": self._boot_error}
        return self._runner.health()

    @ray.method(concurrency_group="health")  # type: ignore[untyped-decorator]
    def status(self) -> dict[str, Any]:
        """Everything the operator's page needs of the living system, without waiting for any actor."""
        driver, supervision = self._driver, self._supervision
        return {
            "installation": self._assembly.installation_id,
            "booted": supervision is not None,
            "boot_error": self._boot_error,
            "outage": self._outage,
            "orchestrator": self._runner.health() if self._runner is not None else None,
            "components": supervision.snapshot() if supervision is not None else [],
            "all_up": supervision is not None and supervision.all_up(),
            "lockstep": None
            if driver is None
            else {
                "state": driver.state,
                "why": driver.why,
                "standing_s": driver.standing_s,
                "market_ms": driver.market_ms,
                "step": driver.step,
            },
        }

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """End beats, supervision and lockstep; the actors stay as they are."""
        if self._heart is not None:
            self._heart.stop()
        if self._policy_watch is not None:
            self._policy_watch.stop()
        if self._held_watch is not None:
            self._held_watch.stop()
        if self._supervision is not None:
            self._supervision.stop()
        if self._driver is not None:
            self._driver.stop()

    def take_report(self, name: str, report: Report) -> None:
        """A report from inside or outside the process."""
        if self._driver is not None:
            self._driver.report(name, report)

    def _ready(self) -> ActorRunner:
        if self._runner is None:
            raise RuntimeError(f"the orchestrator has not begun yet: {self._boot_error or 'starting'}")
        return self._runner


def _named(component: str) -> ActorName | Foundation:
    return Foundation(component) if component in frozenset(Foundation) else ActorName(component)


class _OwnPeers(RayPeers):
    """The orchestrator's own reports do not leave its process."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        super().__init__()
        self._orchestrator = orchestrator

    def report(self, name: str, report: Report) -> None:
        self._orchestrator.take_report(name, report)
