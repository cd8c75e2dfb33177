"""The API as a Ray actor: uvicorn on a thread, supervised by the orchestrator like the rest."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ray

from actors.ray_runtime import find
from statemachines.values import ActorName

if TYPE_CHECKING:
    from api.assembly import SystemAssembly

_log = logging.getLogger(__name__)
STATUS_TIMEOUT_S = 2.0


class Api:
    """Serves the HTTP interface on the address of the assembly; comes back on the same port."""

    def __init__(self, assembly: SystemAssembly, name: str) -> None:
        self._assembly = assembly
        self._name = ActorName(name)
        self._server: Any = None
        self._error = ""
        self._answers = 0

    def start(self, epoch: int, now_ms: int) -> None:
        """Begin to serve; a port that is taken shows in `health` and the supervisor tries again."""
        import uvicorn

        from api.http import create_app
        from api.service import OperatorService
        from api.snapshot import SnapshotCache
        from api.tokens import read_or_make_token
        from api.verdict import limits_for
        from infra.database.queries import Queries

        config = self._assembly.config
        service = OperatorService(
            Queries(self._assembly.database_url),
            SnapshotCache(_orchestrator_status),
            lambda: self._assembly.market_label,
            config.is_simulated,
            limits_for(config.is_simulated, float(config.exchange.pace_s)),
        )
        app = create_app(service, read_or_make_token(config.token_file.resolve()))
        settings = uvicorn.Config(
            app, config.api.host, self._assembly.api_port, log_config=None, access_log=False, lifespan="off"
        )
        self._server = uvicorn.Server(settings)
        threading.Thread(target=self._serve, name="http", daemon=True).start()

    def _serve(self) -> None:
        try:
            self._server.run()
            self._error = "the HTTP server has ended"
        except SystemExit:
            self._error = f"port {self._assembly.api_port} cannot be used"
        except Exception as error:  # noqa: BLE001 - the boundary of the thread
            _log.exception("the HTTP server has failed")
            self._error = f"{type(error).__name__}: {error}"

    @ray.method(concurrency_group="health")  # type: ignore[untyped-decorator]
    def health(self) -> dict[str, Any]:
        server = self._server
        if self._error:
            state = "FAILED"
        elif server is None:
            state = "CREATED"
        else:
            state = "RUNNING" if server.started else "RECOVERING"
        self._answers += 1
        return {
            "name": str(self._name),
            "state": state,
            "pid": os.getpid(),
            "progress": self._answers,
            "is_busy": False,
            "last_error": self._error,
        }

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def report_again(self) -> None:
        """The API takes no part in lockstep."""

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True


def _orchestrator_status() -> Mapping[str, Any]:
    """The orchestrator's status. Raises when it is not there or does not answer."""
    handle = find(ActorName.ORCHESTRATOR)
    if handle is None:
        raise LookupError("there is no orchestrator")
    status: Mapping[str, Any] = ray.get(handle.status.remote(), timeout=STATUS_TIMEOUT_S)
    return status
