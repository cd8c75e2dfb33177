"""The API as a Ray actor: uvicorn on a thread, supervised by the orchestrator like the rest."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import ray

from actors.runtime.actor import shown
from actors.runtime.ray_runtime import find
from statemachines.values import ActorName

if TYPE_CHECKING:
    from socket import socket

    from api.assembly import SystemAssembly
    from api.http.serving import CountingServer
    from api.people.helpers import Ending
    from api.service import OperatorService
    from api.stream.events import Streams
    from statemachines.messages.control import AccessFailures

_log = logging.getLogger(__name__)
STATUS_TIMEOUT_S = 2.0
CONTROL_TIMEOUT_S = 5.0


class Api:
    """Serves the HTTP interface on the address of the assembly; comes back on the same port."""

    def __init__(self, assembly: SystemAssembly, name: str) -> None:
        self._assembly = assembly
        self._name = ActorName(name)
        self._epoch = 0
        self._server: CountingServer | None = None
        self._streams: Streams | None = None
        self._helpers: list[Ending] = []
        self._error = ""

    def __repr__(self) -> str:
        return shown(self.health())

    def start(self, epoch: int, now_ms: int) -> None:
        """Begin to serve. Raises OSError when the port stays taken: the supervisor tries again."""
        self._epoch = epoch
        from api.access.alarm import AccessAlarm
        from api.access.entrance import open_access
        from api.access.register import AccessRegister
        from api.access.state import state_file
        from api.backtests.assembly import assemble
        from api.http.app import create_app
        from api.http.dashboard import find_dashboard
        from api.http.serving import listen, make_server
        from api.http.tls import certificate_of
        from api.people.helpers import helpers
        from api.policy_changes import Place
        from api.stream.events import Streams
        from api.tokens import TokenFile

        config = self._assembly.config
        service = self._service()
        section = config.api
        certificate = certificate_of(section.tls_certificate, section.tls_key)
        listener = listen(section.host, self._assembly.api_port)
        access = open_access(
            TokenFile(config.token_file),
            AccessRegister(config.access_file),
            state_file(config.sessions_file),
            timedelta(seconds=section.session_idle_s),
            timedelta(hours=section.session_longest_h),
        )
        self._streams = Streams(service)
        self._helpers = helpers(config, self._assembly.channels(self._name), self._service, _send, access.failures)
        backtests = assemble(config, self._assembly.database_url(self._name))
        self._helpers.append(backtests.keeper)
        app = create_app(
            service,
            access.judge.judge,
            _send,
            find_dashboard(self._assembly.ray_dashboard),
            streams=self._streams,
            entrance=access.entrance,
            policies=Place(self._assembly.database_url(self._name), config),
            desk=backtests.desk,
            demands_encryption=section.is_reached_from_elsewhere,
        )
        server = make_server(app, certificate, section.trusted_proxies)
        self._server = server
        AccessAlarm(access.failures, _report).start()
        threading.Thread(target=self._serve, args=(server, listener), name="http", daemon=True).start()
        for helper in self._helpers:
            helper.start()

    def _service(self) -> OperatorService:
        """An operator service of its own connection: the pages, Telegram and the reports have one each."""
        from api.health import limits_for
        from api.logics import PolicyLogics
        from api.service import OperatorService
        from api.snapshot import SnapshotCache
        from infra.database.queries import Queries

        config = self._assembly.config
        return OperatorService(
            Queries(self._assembly.database_url(self._name)),
            SnapshotCache(_orchestrator_status),
            lambda: self._assembly.market_label,
            config.is_simulated,
            limits_for(config.is_simulated, float(config.exchange.pace_s)),
            PolicyLogics(config, self._assembly.installation_id, self._assembly.policy_version),
        )

    def _serve(self, server: CountingServer, listener: socket) -> None:
        try:
            server.run(sockets=[listener])
            self._error = "the HTTP server has ended"
        except Exception as error:  # noqa: BLE001 - the boundary of the thread
            _log.exception("the HTTP server has failed")
            self._error = f"{type(error).__name__}: {error}"

    @ray.method(concurrency_group="health")  # type: ignore[untyped-decorator]
    def health(self) -> dict[str, Any]:
        """`progress` counts the turns of the server's loop, which never has nothing to do: a stuck one is replaced."""
        server = self._server
        if self._error:
            state = "FAILED"
        elif server is None:
            state = "CREATED"
        else:
            state = "RUNNING" if server.started else "RECOVERING"
        return {
            "name": str(self._name),
            "state": state,
            "pid": os.getpid(),
            "progress": 0 if server is None else server.turns,
            "is_busy": state == "RUNNING",
            "epoch": self._epoch,
            "last_error": self._error,
        }

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def tick(self, now_ms: int) -> None:
        """The API takes no part in lockstep."""

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def report_again(self) -> None:
        """The API takes no part in lockstep."""

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """End the server; open requests are finished."""
        for helper in self._helpers:
            helper.stop()
        if self._server is not None:
            if self._streams is not None:
                self._streams.end()
            self._server.should_exit = True


def _send(actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
    """Call a living actor for the operator. Raises ControlUnavailableError."""
    from api.control import ControlUnavailableError

    handle = find(actor)
    if handle is None:
        raise ControlUnavailableError(f"There is no {actor} just now; it is being restarted; see /health.")
    try:
        ray.get(getattr(handle, method).remote(*arguments), timeout=CONTROL_TIMEOUT_S)
    except (ray.exceptions.RayError, TimeoutError) as error:
        text = (
            f"The {actor} has not committed the command within {CONTROL_TIMEOUT_S:.0f} s; it may be busy, in recovery, "
            "or waiting for the database; see /health."
        )
        raise ControlUnavailableError(text) from error


def _report(body: AccessFailures, natural_id: str) -> None:
    """Have the orchestrator commit failed attempts to get in. Raises ControlUnavailableError."""
    _send(ActorName.ORCHESTRATOR, "command", (body.KIND, body.model_dump(mode="json"), natural_id))


def _orchestrator_status() -> Mapping[str, Any]:
    """The orchestrator's status. Raises when it is not there or does not answer."""
    handle = find(ActorName.ORCHESTRATOR)
    if handle is None:
        raise LookupError("there is no orchestrator")
    status: Mapping[str, Any] = ray.get(handle.status.remote(), timeout=STATUS_TIMEOUT_S)
    return status
