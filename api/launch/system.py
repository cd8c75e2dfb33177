"""The launch: starts what the actors stand on, side by side, and guards it (DESIGN 6).

Database, exchange (paper) and Ray start at the same time, each on the thread of its keeper; then the orchestrator is
created, which starts all other actors. The launch itself is no part of Ray and outlives it: it restarts whatever dies,
freezes or hangs, informs the operator by alerts, and hands every actor its own secrets.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors.runtime.granted_time import GrantedTime
from api.assembly import TRADING, SystemAssembly, secrets_of
from api.client.running_system import OVERVIEW
from api.launch.deadman.guard import DeadManGuard
from api.launch.housekeeping import Housekeeping
from api.launch.keeper import Keeper
from api.launch.lease_claim import LeaseClaim
from api.launch.ledger_desk import LEDGER_CHECK, LedgerDesk, check_running
from api.launch.newest_status import NewestStatus, ShownOverview
from api.launch.notices import LaunchAlerts, Notices
from api.launch.orchestrator_watch import OrchestratorWatch
from api.launch.ray_process import ROLE as RAY_ROLE
from api.launch.ray_process import RayProcess
from api.launch.ray_protocol import AlertTaken, Heard, Occupied, Silent, SpawnOrchestrator
from api.launch.simulator_process import ROLE as EXCHANGE_ROLE
from api.launch.simulator_process import SimulatorProcess
from api.policies import InForce, take_in_force
from api.tokens import read_or_make_token
from infra.bybit.credentials import Credentials, from_environment, from_simulator
from infra.config import EternalConfig
from infra.data_folder import claim_data_folder
from infra.database.launch import Database, open_database
from infra.database.outage import told_as_sentence
from infra.database.server.embedded import EmbeddedPostgres
from infra.deadman.left_over import NAME as DEAD_MAN_ROLE
from infra.files import read_port, write_text_whole
from infra.processes.environment import Run, folder_mark
from infra.processes.ports import HeldPort, hold_port, require_free
from infra.processes.table import is_stopped, kill_marked
from infra.secrets.server import SecretsServer
from statemachines.values import Account, ActorName, Foundation

_log = logging.getLogger(__name__)

LOOK_S = 0.05
LEFTOVERS_S = 5.0
JOIN_S = 1.0
HOUSEKEEPING_END_S = 1.0


class StartBrokenOffError(Exception):
    """The operator has ended the system while it was starting."""


class System:
    """The running system. `start` returns when the orchestrator is being created; from then on everything is guarded
    until `stop`, which may be called from another thread at any time.

    `assembly` makes every actor's parts; fault drills hand in one of their own.
    """

    def __init__(self, config: EternalConfig, assembly: type[SystemAssembly] = SystemAssembly) -> None:
        self.config = config
        self.api_port = 0
        self._held_port: HeldPort | None = None
        self.notices = Notices()
        self._overview = ShownOverview()
        self.run = Run(config.data_folder)
        self._granted = GrantedTime()
        self._database: Database | None = None
        self._server: EmbeddedPostgres | None = None
        self._exchange: SimulatorProcess | None = None
        self._ray: RayProcess | None = None
        self._credentials = Credentials({})
        self._counter: SecretsServer | None = None
        self._assembly_type = assembly
        self._assembly: SystemAssembly | None = None
        self._watch = OrchestratorWatch()
        self._newest = NewestStatus()
        self._stopping = threading.Event()
        self._keepers: list[Keeper] = []
        self._housekeeping: Housekeeping | None = None
        self._claim: LeaseClaim | None = None
        self._alerts = LaunchAlerts(self.run.number, self.notices)
        self._dead_man = DeadManGuard(config, self.run, self._granted, self.notices)
        self._ray_loss = ""
        self._frozen_looks = 0
        self._ledger_desk = LedgerDesk(
            lambda from_ms: check_running(self.config, self._credentials, self._exchange, self.database, from_ms)
        )

    # --- what API, page and command line read ---

    @property
    def database_url(self) -> str:
        """The database's URL with its password: never to be shown."""
        assert self._database is not None
        return self._database.url

    @property
    def database(self) -> Database:
        assert self._database is not None
        return self._database

    @property
    def exchange(self) -> SimulatorProcess | None:
        return self._exchange

    @property
    def ray(self) -> RayProcess:
        assert self._ray is not None
        return self._ray

    @property
    def api_url(self) -> str:
        return self.config.api.url(self.api_port)

    @property
    def dashboard_url(self) -> str:
        return self._ray.dashboard if self._ray is not None else ""

    @property
    def status(self) -> dict[str, Any]:
        """The orchestrator's newest answer; `age_s` is its age."""
        return {**self._newest.status, "age_s": self._newest.age_s}

    @property
    def market_label(self) -> str:
        """Which market this is: invented data are called synthetic wherever they are seen."""
        exchange = self.config.exchange
        if not self.config.is_simulated:
            elsewhere = self.config.addresses.rest
            return f"Bybit {self.config.profile.value}" + (f", at {elsewhere}" if elsewhere else "")
        if self._exchange is not None and self._exchange.market:
            return self._exchange.market
        return f"recorded history {exchange.history.name}" if exchange.history else f"synthetic, seed {exchange.seed}"

    @property
    def has_ended(self) -> bool:
        """Whether the market's history has come to its end."""
        return (self._newest.status.get("lockstep") or {}).get("state") == "ENDED"

    # --- life ---

    def start(self) -> None:
        """Start everything; returns when the orchestrator is being created (the actors recover on their own).

        Raises EmbeddedDatabaseError, SimulatorError, RayError, WrongDatabaseError, CredentialsError, AdmissionError,
        PortTakenError, WeakTokenError, or StartBrokenOffError when `stop` was called meanwhile.
        """
        config = self.config
        claim_data_folder(config.data_folder)
        read_or_make_token(config.token_file)
        self._choose_ports()
        kill_marked(folder_mark(config.data_folder), (RAY_ROLE, EXCHANGE_ROLE), LEFTOVERS_S)
        if not config.is_simulated:
            self._credentials = from_environment(os.environ)
        self._counter = SecretsServer(config.data_folder, self.secrets_for)
        self._start_side_by_side(self._make_keepers())
        self._admit_and_bind()
        assert self._database is not None
        self._dead_man.begin(self._database.url, self._counter.path.resolve())
        assert self._held_port is not None
        self._held_port.release()  # the API listens there from now on
        self._spawn_orchestrator(replace=not self.ray.is_ours)  # one that an earlier run left has its addresses
        self._housekeeping = Housekeeping(
            self._database.url, self._database.retention_url, config.archive_folder, config.retention, self._alerts.say
        )
        for keeper in (
            Keeper("housekeeping", lambda: None, self._look_after_the_house),
            Keeper("dead-man switch", lambda: None, self._look_after_the_dead_man_switch),
        ):
            self._keepers.append(keeper)
            keeper.begin()

    def stop(self) -> None:
        """End everything that we started, actors first, the database last; also in the middle of a start. What cannot
        be ended in order keeps nothing else from its end."""
        self._stopping.set()
        for keeper in self._keepers:
            keeper.end()
        housekeeping = self._housekeeping
        for part, end in (
            ("Ray", None if self._ray is None else self._ray.stop),
            ("the dead-man switch", self._dead_man.stop),
            ("the exchange", None if self._exchange is None else self._exchange.stop),
            ("the lease", None if self._claim is None else self._claim.release),
            ("housekeeping", None if housekeeping is None else lambda: housekeeping.stop(HOUSEKEEPING_END_S)),
            ("the database", None if self._server is None else self._server.stop),
            ("the API's port", None if self._held_port is None else self._held_port.release),
            ("the secrets' socket", None if self._counter is None else self._counter.close),
        ):
            try:
                if end is not None:
                    end()
            except Exception:  # noqa: BLE001 - the others must end all the same
                _log.exception("%s could not be ended in order", part)
        for keeper in self._keepers:
            if not keeper.join(JOIN_S):
                _log.warning("%s is still at work; its processes are ended", keeper.name)
        # What a keeper may have started in the very last moment.
        left = kill_marked(self.run.prefix, (RAY_ROLE, EXCHANGE_ROLE, DEAD_MAN_ROLE), JOIN_S)
        if left:
            _log.error("processes do not end: %s", [process.pid for process in left])

    # --- the start ---

    def _choose_ports(self) -> None:
        config = self.config
        if config.is_simulated and config.exchange.port:
            require_free("exchange.port", "127.0.0.1", config.exchange.port)
        api = config.api
        self._held_port = hold_port("api", api.host, api.port, read_port(self._port_file) or 0)
        self.api_port = self._held_port.port
        write_text_whole(self._port_file, str(self.api_port))

    def _make_keepers(self) -> list[Keeper]:
        config = self.config
        if config.database.url is None:
            self._server = EmbeddedPostgres(config.database_folder, config.database.port, run=self.run)
        address, dashboard_port = config.ray.address, config.ray.dashboard_port
        self._ray = RayProcess(
            self.run, config.data_folder, address, dashboard_port, self._granted, self._stopping.is_set
        )
        keepers = [
            Keeper("ray", self._ray.start, self._look_after_ray),
            Keeper("database", self._start_database, self._look_after_the_database),
        ]
        if config.is_simulated:
            self._exchange = SimulatorProcess(config, self.run, self._granted)
            keepers.append(Keeper("exchange", self._start_exchange, self._look_after_the_exchange))
        return keepers

    def _start_side_by_side(self, keepers: list[Keeper]) -> None:
        self._keepers = keepers
        for keeper in keepers:
            keeper.begin()
        pause = threading.Event()
        while not all(keeper.started.is_set() for keeper in keepers):
            self._raise_failure()
            pause.wait(LOOK_S)
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._stopping.is_set():
            raise StartBrokenOffError("the start was broken off.")
        for keeper in self._keepers:
            if keeper.started.is_set() and keeper.error is not None:
                raise keeper.error

    def _start_database(self) -> None:
        section = self.config.database
        url, owner_url = (one.get_secret_value() if one else None for one in (section.url, section.owner_url))
        claim = self._claim = LeaseClaim(self.run, self.notices, self._stopping.is_set)
        claim.await_end_of_holder(owner_url or url)
        with told_as_sentence():
            self._database = open_database(url, self.config.database_folder, section.port, self._server, owner_url)
            claim.take(self._database.url)
        for sentence in self._database.warnings:
            _log.warning("%s", sentence)
            self.notices.begin("database roles", sentence)

    def _start_exchange(self) -> None:
        assert self._exchange is not None
        self._exchange.start()
        self._credentials = from_simulator(self._exchange.keys_file)

    def _admit_and_bind(self) -> None:
        from infra.bybit.admission import admit
        from infra.bybit.endpoints import endpoints
        from infra.bybit.session import HttpSessions
        from infra.database.installation import bind
        from infra.database.registers import record_configuration

        in_force = self._take_policy()
        config, credentials = in_force.config, self._credentials
        exchange_url, instance = "", config.profile.value
        if self._exchange is not None:
            exchange_url, instance = self._exchange.url, self._exchange.instance
        uids = {account.value: str(uid) for account, uid in credentials.uids().items()}
        rest = endpoints(config.profile.value, config.addresses.exchange, exchange_url).rest
        sessions = HttpSessions(credentials, rest, proxy=config.live.proxy())
        admit(sessions, (Account.MASTER, *TRADING), credentials.uids(), config.market_data.linear_symbols)
        self._dead_man.prepare(rest, credentials.uids(), None if self._exchange is None else self._exchange.keys_file)
        with told_as_sentence():
            installation = bind(self.database_url, config.profile.value, instance, uids)
            reason = f"start with policy version {in_force.version.version}"
            record_configuration(self.database_url, config.public(), "launch", reason)
        assert self._counter is not None
        self._assembly = self._assembly_type(
            # What is secret in the configuration stays here.
            config=config.without_secrets(),
            run=self.run.number,
            secrets_socket=self._counter.path.resolve(),
            installation_id=installation.installation_id,
            exchange_url=exchange_url,
            api_port=self.api_port,
            ray_dashboard=self.dashboard_url,
            market_label=self.market_label,
            policy_version=in_force.version.version,
        )

    def _take_policy(self) -> InForce:
        """The configuration under the newest version of the policy (RM-6); what it overrides is reported."""
        with told_as_sentence():
            found = take_in_force(self.database_url, self.config)
        if found.notice:
            _log.warning("%s", found.notice)
            self.notices.begin("policy", found.notice)
        return found

    def publish(self, overview: Mapping[str, Any]) -> None:
        """What `eternal run` shows now: `eternal status` asks for it when the API is away."""
        self._overview.show(overview)

    def secrets_for(self, name: str) -> Mapping[str, Any]:
        """What the process of this name may have: an actor its secrets, `eternal status` and `ledger check` answers.

        Raises KeyError: the name is not known, or there is nothing yet.
        """
        if name == OVERVIEW:
            return self._overview.fresh()
        if self._database is None:
            raise KeyError(name)
        if name.startswith(LEDGER_CHECK):
            return self._ledger_desk.answer(name)
        if name == DEAD_MAN_ROLE:
            return self._dead_man.secrets(self._database.url)
        url = self._database.reader_url if name == ActorName.API else self._database.url
        return secrets_of(name, self.config, url, self._credentials)

    # --- the guard: one look each, on the keepers' threads ---

    def _look_after_the_database(self) -> None:
        assert self._database is not None
        if self._database.ensure_running():
            self._alerts.alert(Foundation.DATABASE, "The database server had died or was frozen; it runs again.")

    def _look_after_the_exchange(self) -> None:
        assert self._exchange is not None
        if trouble := self._exchange.ensure_running():
            self._alerts.alert(
                Foundation.EXCHANGE, f"The simulated exchange {trouble}; it runs again at the same market instant."
            )

    def _look_after_ray(self) -> None:
        assert self._ray is not None
        self._take_in()
        if loss := self._ray.loss():
            self._restart_ray(loss)
        elif self._assembly is not None:
            self._look_after_the_orchestrator()
            self._alerts.send_next(self.ray.send)

    def _restart_ray(self, loss: str) -> None:
        """Raises RayError when it does not come back yet: the keeper tries again with growing delay."""
        ray = self.ray
        if not self._ray_loss:
            self._ray_loss = f"{loss[0].upper()}{loss[1:]}"
            doing = f"{self._ray_loss}; {'Ray is started anew' if ray.is_ours else 'the cluster is joined anew'}."
            _log.warning("%s", doing)
            self.notices.begin("ray", doing)
        ray.restart()
        if self._stopping.is_set():
            return
        done = (
            "Ray and all actors were started anew from the database"
            if ray.is_ours
            else "the cluster was joined again, and its actors were adopted or recreated"
        )
        self.notices.end("ray")
        self._alerts.alert(Foundation.RAY, f"{self._ray_loss}; {done}.")
        self._ray_loss = ""
        if self._assembly is not None:
            self._watch = OrchestratorWatch()
            self._spawn_orchestrator(replace=False)

    def _take_in(self) -> None:
        """What the driver has said since the last look."""
        now_s = self._granted.now_s()
        for said in self.ray.heard():
            match said:
                case Heard(status):
                    self._newest.take(status)
                    self._watch.heard(status, now_s)
                case Silent(reason, is_gone):
                    _log.info("the orchestrator did not answer: %s", reason)
                    self._watch.silent(now_s, is_gone=is_gone)
                case Occupied(text):
                    self._alerts.say(text)
                case AlertTaken(number):
                    self._alerts.taken(number)
                case _:
                    pass

    def _look_after_the_orchestrator(self) -> None:
        now_s = self._granted.now_s()
        if self._end_frozen_orchestrator():
            return
        trouble = self._watch.trouble(now_s)
        if not trouble or self._stopping.is_set():
            return
        if self._watch.is_hopeless and self.ray.is_ours:
            self._restart_ray("the orchestrator has not come back")
            return
        self._alerts.alert(ActorName.ORCHESTRATOR, f"The orchestrator has failed ({trouble}); it is replaced.")
        self._watch.created(now_s, is_replacement=True)
        self.ray.send(SpawnOrchestrator(self._assembly, replace=True))

    def _end_frozen_orchestrator(self) -> bool:
        """A process that is stopped at two looks in a row is not slow: no lease is waited for. Its end is enough, since
        Ray restarts this one actor by itself."""
        pid = int((self._newest.status.get("orchestrator") or {}).get("pid", 0)) if self.ray.is_ours else 0
        self._frozen_looks = self._frozen_looks + 1 if pid and is_stopped(pid) else 0
        if self._frozen_looks < 2:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self._frozen_looks = 0
        text = "The orchestrator has failed (its process was frozen); it is replaced."
        self._alerts.alert(ActorName.ORCHESTRATOR, text)
        self._watch.created(self._granted.now_s(), is_replacement=True)
        return True

    def _spawn_orchestrator(self, *, replace: bool) -> None:
        self._watch.created(self._granted.now_s(), is_replacement=False)
        self.ray.send(SpawnOrchestrator(self._assembly, replace=replace))

    def _look_after_the_dead_man_switch(self) -> None:
        self._dead_man.look(lambda text: self._alerts.alert(Foundation.DEAD_MAN, text))

    def _look_after_the_house(self) -> None:
        if self._housekeeping is not None and (status := self._newest.news()) is not None:
            self._housekeeping.look(status)

    # --- the port ---

    @property
    def _port_file(self) -> Path:
        return self.config.data_folder / "api-port"
