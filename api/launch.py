"""The launch: starts what the actors stand on, in order, and guards it (DESIGN 6).

Database → exchange (paper) → Ray → orchestrator; the orchestrator starts all other actors. While it runs, the launch
watches the database, the exchange, the Ray head and the orchestrator's answers, since Ray cannot see it hang.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any

import ray

from actors.inprocess import START_ORDER
from actors.ray_runtime import find, spawn
from api.assembly import TRADING, SystemAssembly
from api.housekeeping import Housekeeping
from api.ray_head import RayHead, free_port
from api.simulator_process import SimulatorProcess
from infra.bybit.admission import admit
from infra.bybit.credentials import from_environment, from_simulator
from infra.bybit.endpoints import endpoints
from infra.bybit.session import HttpSessions
from infra.config import EternalConfig
from infra.database.installation import bind
from infra.database.launch import Database, open_database
from infra.database.registers import record_configuration
from statemachines.values import Account, ActorName

_log = logging.getLogger(__name__)

GUARD_PERIOD_S = 0.5
STATUS_TIMEOUT_S = 2.0
LEASE_S = 12.0
"""Longest silence of the orchestrator before it is taken for hung and restarted."""

STOP_TIMEOUT_S = 5.0
GUARD_END_TIMEOUT_S = 60.0


class System:
    """The running system. `start`, then `guard` again and again (or `guard_in_background`), then `stop`.

    `assembly` makes every actor's parts; fault drills hand in one of their own.
    """

    def __init__(self, config: EternalConfig, assembly: type[SystemAssembly] = SystemAssembly) -> None:
        self.config = config
        self.api_port = 0
        self.events: list[str] = []
        self._database: Database | None = None
        self._exchange: SimulatorProcess | None = None
        self._ray: RayHead | None = None
        self._assembly_type = assembly
        self._assembly: SystemAssembly | None = None
        self._status: dict[str, Any] = {}
        self._heard_at = time.monotonic()
        self._stopping = threading.Event()
        self._guard: threading.Thread | None = None
        self._housekeeping: Housekeeping | None = None

    # --- what the ways in want to know ---

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
    def api_url(self) -> str:
        return f"http://{self.config.api.host}:{self.api_port}"

    @property
    def dashboard_url(self) -> str:
        return self._ray.dashboard if self._ray is not None else ""

    @property
    def status(self) -> dict[str, Any]:
        """The orchestrator's newest answer; `age_s` tells how old it is."""
        return {**self._status, "age_s": time.monotonic() - self._heard_at}

    @property
    def market_label(self) -> str:
        """Which market this is: invented data are called synthetic wherever they are seen."""
        exchange = self.config.exchange
        if not self.config.is_simulated:
            return f"Bybit {self.config.profile.value}"
        if self._exchange is not None and self._exchange.market:
            return self._exchange.market
        return f"recorded history {exchange.history.name}" if exchange.history else f"synthetic, seed {exchange.seed}"

    @property
    def has_ended(self) -> bool:
        """Whether the market's history has come to its end."""
        lockstep = self._status.get("lockstep")
        return lockstep is not None and lockstep["state"] == "ENDED"

    # --- life ---

    def start(self) -> None:
        """Start everything; returns when the orchestrator exists (the actors recover on their own).

        Raises EmbeddedDatabaseError, SimulatorError, WrongDatabaseError, CredentialsError, AdmissionError, or what Ray
        raises.
        """
        config = self.config
        config.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        url = config.database.url.get_secret_value() if config.database.url is not None else None
        self._database = open_database(url, config.database_folder, config.database.port)
        exchange_url, instance, keys_file = "", config.profile.value, None
        if config.is_simulated:
            self._exchange = SimulatorProcess(config)
            exchange_url = self._exchange.start()
            instance, keys_file = self._exchange.instance, self._exchange.keys_file
            credentials = from_simulator(keys_file)
        else:
            import os

            credentials = from_environment(os.environ)
        uids = {account.value: str(uid) for account, uid in credentials.uids().items()}
        rest = endpoints(config.profile.value, exchange_url).rest
        sessions = HttpSessions(credentials, rest, proxy=config.live.proxy())
        admit(sessions, (Account.MASTER, *TRADING), credentials.uids(), config.market_data.linear_symbols)
        installation = bind(self._database.url, config.profile.value, instance, uids)
        record_configuration(self._database.url, config.public(), "launch", "start")
        self.api_port = free_port(config.api.port or self._remembered_port())
        self._remember_port(self.api_port)
        self._ray = RayHead(config.ray.address, config.ray.dashboard_port)
        self._ray.start()
        self._assembly = self._assembly_type(
            config=config,
            database_url=self._database.url,
            reader_url=self._database.reader_url,
            installation_id=installation.installation_id,
            exchange_url=exchange_url,
            keys_file=keys_file,
            api_port=self.api_port,
            ray_dashboard=self._ray.dashboard,
            market_label=self.market_label,
        )
        self._housekeeping = Housekeeping(
            self._database.url, self._database.retention_url, config.archive_folder, config.retention, self._say
        )
        self._spawn_orchestrator()

    def guard_in_background(self) -> None:
        """Guard on an own thread until `stop`."""
        self._guard = threading.Thread(target=self._guard_loop, name="guard", daemon=True)
        self._guard.start()

    def guard(self) -> None:
        """One look at everything the actors stand on; mends what has died."""
        assert self._database is not None and self._ray is not None
        if self._database.ensure_running():
            self._say("The database server had died; it runs again.")
        if self._exchange is not None and self._exchange.ensure_running():
            self._say("The simulated exchange had died; it runs again at the same market instant.")
        dead = self._ray.dead_processes()
        if dead:
            self._say(f"Ray's {', '.join(dead)} had died; Ray and all actors are started anew from the database.")
            self._ray.restart()
            self._spawn_orchestrator()
        if self._listen() and self._housekeeping is not None:
            # An old answer is no sign of life.
            self._housekeeping.look(self._status)

    def stop(self) -> None:
        """End everything that we started, actors first, the database last."""
        self._stopping.set()
        if self._guard is not None:
            # A guard in the middle of its look would start again what we are about to end.
            self._guard.join(GUARD_END_TIMEOUT_S)
        if self._housekeeping is not None:
            self._housekeeping.stop(GUARD_END_TIMEOUT_S)
        if self._ray is not None:
            with contextlib.suppress(Exception):
                self._stop_actors()
            self._ray.stop()
        if self._exchange is not None:
            self._exchange.stop()
        if self._database is not None:
            self._database.stop()

    # --- inside ---

    def _spawn_orchestrator(self) -> None:
        assert self._assembly is not None
        spawn(self._assembly, ActorName.ORCHESTRATOR, max_restarts=-1)
        self._heard_at = time.monotonic()

    def _listen(self) -> bool:
        """Whether the orchestrator has answered with its status; silent for too long means hung, and only we can see
        that."""
        handle = find(ActorName.ORCHESTRATOR)
        if handle is not None:
            try:
                self._status = ray.get(handle.status.remote(), timeout=STATUS_TIMEOUT_S)
                self._heard_at = time.monotonic()
                return True
            except Exception as error:  # noqa: BLE001 - whatever keeps it silent, the lease decides
                _log.info("the orchestrator did not answer: %s", " ".join(str(error).split())[:200])
        if time.monotonic() - self._heard_at > LEASE_S and not self._stopping.is_set():
            self._say(f"The orchestrator was silent for {LEASE_S:.0f} s; it is restarted.")
            if handle is not None:
                ray.kill(handle, no_restart=False)
            self._spawn_orchestrator()
        return False

    def _stop_actors(self) -> None:
        handle = find(ActorName.ORCHESTRATOR)
        if handle is not None:
            with contextlib.suppress(Exception):
                ray.get(handle.stop.remote(), timeout=STOP_TIMEOUT_S)
            ray.kill(handle, no_restart=True)
        for name in (*START_ORDER, ActorName.API):
            other = find(name)
            if other is not None:
                ray.kill(other, no_restart=True)

    def _guard_loop(self) -> None:
        while not self._stopping.wait(GUARD_PERIOD_S):
            try:
                self.guard()
            except Exception:  # noqa: BLE001 - the guard must outlive what it guards
                _log.exception("a look of the guard failed; the next one follows")

    def _say(self, sentence: str) -> None:
        _log.warning("%s", sentence)
        self.events.append(sentence)

    def _remembered_port(self) -> int:
        path = self.config.data_folder / "api-port"
        return int(path.read_text()) if path.exists() else 0

    def _remember_port(self, port: int) -> None:
        (self.config.data_folder / "api-port").write_text(str(port))
