"""The console to be opened: the interface on a port, a small history in its database, actors that take commands."""

from __future__ import annotations

import shutil
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString

import pytest

from api.backtests.folder import Runs
from api.control import ControlUnavailableError
from api.http.app import create_app
from api.http.serving import listen, make_server
from api.policies import take_in_force
from api.policy_changes import Place as PolicyPlace
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.stream.events import Streams
from infra.config import EternalConfig
from infra.database.queries import Queries
from infra.database.reading.reader import QueryUnavailableError, Row
from infra.database.store import PostgresStore
from statemachines.facts import AcknowledgementFact, AlertFact, Fact, PortfolioFact
from statemachines.values import HOUR_MS, ActorName
from tests.api.access.doors import Doors
from tests.api.backtests.made import desk_on
from tests.api.records import register_command, write_history
from tests.api.test_http import COMPONENT, STATUS
from tests.kit.rows import Pen, switch
from tests.waiting import until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDS_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
STATES = {
    **{"halt": "HALTED", "flatten": "HALTED", "pause": "PAUSED", "reduce_only": "REDUCE_ONLY"},
    **{"normal": "NORMAL", "resume": "NORMAL"},
}


class Readable(Queries):
    """The database as the interface reads it, and the switch that takes it away."""

    is_away = False

    def rows(self, query: LiteralString, **parameters: Any) -> list[Row]:
        if self.is_away:
            raise QueryUnavailableError("the database does not answer")
        return super().rows(query, **parameters)


class Place:
    """A running interface with its doors; `taken` are the commands that reached an actor, `status` is what the
    supervision says."""

    def __init__(self, folder: Path, url: str) -> None:
        write_history(url)
        take_in_force(url, EternalConfig())
        self.url, self.doors = url, Doors(folder)
        self.taken: list[dict[str, Any]] = []
        self.is_busy = False
        self._commits = 0
        self.runs = Runs(folder / "backtests")
        self.status: dict[str, Any] = dict(STATUS)
        self.database = Readable(url)
        service = OperatorService(self.database, SnapshotCache(lambda: self.status), lambda: "synthetic", True)
        self._streams = Streams(service, turn_s=0.1)
        app = create_app(
            service,
            self.doors.judge.judge,
            self._take,
            entrance=self.doors.entrance,
            streams=self._streams,
            policies=PolicyPlace(url, EternalConfig()),
            desk=desk_on(self.runs.folder),
        )
        listener = listen("127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server = make_server(app)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        until(lambda: self._server.started)

    def _take(self, _actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
        """What an actor does: the register and the state in one commit."""
        if self.is_busy:
            raise ControlUnavailableError("There is no risk-manager just now; it is being restarted.")
        if method == "acknowledge":
            given = arguments[0]
            self._write(
                AcknowledgementFact(
                    alert_id=given["alert_id"], who=given["who"], text=given["text"], acknowledged_at=datetime.now(UTC)
                )
            )
            return
        body = arguments[1]
        self.taken.append(body)
        register_command(self.url, method, arguments)
        self.set_state(body["scope"], STATES[body["action"]])

    def set_state(self, scope: str, state: Any) -> None:
        """The switch as the risk manager writes it."""
        self._write(switch(scope, state))

    def raise_alert(self, alert_id: str, severity: str, title: str) -> None:
        """A condition that begins now, the newest of all."""
        now_ms = 10**13 + self._commits
        self._write(
            AlertFact(
                alert_id=alert_id, actor=ActorName.FUNDING, condition="drill", severity=severity, title=title,
                text="what happened, what was done", state="open", market_ms=now_ms, changed_ms=now_ms,
            )
        )  # fmt: skip

    def set_component(self, state: str) -> None:
        """What the supervision says of TREND-1's actor."""
        self.status = {**STATUS, "components": [{**COMPONENT, "state": state, "reason": "a test turns it"}]}

    def set_equity(self, equity_usdt: str) -> None:
        """The risk manager's next view of the whole."""
        self._write(PortfolioFact(version=100 + self._commits, market_ms=HOUR_MS, equity_usdt=Decimal(equity_usdt),
                                  data={"accounts": {}, "prices": {}}))  # fmt: skip

    def _write(self, fact: Fact) -> None:
        self._commits += 1
        store = PostgresStore(self.url)
        Pen(store, f"writer-{self._commits}").write(facts=[fact])
        store.close()

    def close(self) -> None:
        self._streams.end()
        self._server.should_exit = True
        self._thread.join(10)
