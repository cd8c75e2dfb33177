"""An outage of the database as the operator sees it (case 1): told by its name and since when while it lasts, and as an
alert with a beginning and an end afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from actors.runtime.actor_runner import ActorRunner, Parts
from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import StoreUnavailableError
from api.health import Limits, reasons
from api.snapshot import Snapshot
from infra.database.outage import Outage
from infra.database.queries import Queries
from infra.database.store import PostgresStore
from orchestrator import supervision
from orchestrator.outage_watch import TOLD_AFTER_S, OutageWatch
from orchestrator.supervision import Supervision
from statemachines.messages.control import ComponentAlert
from statemachines.orchestration.logic import OrchestratorLogic
from statemachines.supervision.life import ComponentState
from statemachines.supervision.supervisor import Supervisor
from statemachines.values import ActorName
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.kit.leases import Unopposed, fenced_never
from tests.kit.peers import NoPeers, StandingClock
from tests.orchestrator.test_supervision import Answer, Played
from tests.waiting import until


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """`ALTER DATABASE ... SET default_transaction_read_only` with the connections cut, as after a failover."""
    name = url.rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as operator:
        operator.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
        operator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    try:
        yield
    finally:
        with psycopg.connect(url, autocommit=True) as operator:
            operator.execute("SET default_transaction_read_only = off")
            operator.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())


def judged(health: Mapping[str, Any], actors: Any) -> list[str]:
    status = {"booted": True, "orchestrator": health, "components": [], "lockstep": {"state": "RUNNING", "why": ""}}
    return reasons(Snapshot(status, 0.1), actors, (), "", Limits(commit_s=0.0, heartbeat_s=0.0))


def test_a_read_only_database_is_named_while_it_lasts_and_an_alert_with_an_end_afterwards(
    database_url: str,  # noqa: F811
) -> None:
    """/health said "No actor has committed anything for 40 s" and no alert was ever raised."""
    store, queries, watch = PostgresStore(database_url), Queries(database_url), OutageWatch()
    parts = Parts(OrchestratorLogic(), store, None, None, NoPeers(), StandingClock(43_200_000), False)
    host = ActorRunner(ActorName.ORCHESTRATOR, parts, lambda _why: None)
    host.start(store.grant("orchestrator", "test"), 0)
    try:
        assert watch.look([host.health()], time.time()) is None
        with read_only(database_url):
            began_s = time.time()
            host.inform(ComponentAlert(component=ActorName.FUNDING, severity="info", text="a commit"), "one")
            until(lambda: (host.health()["outage"] or {}).get("what") == Outage.READ_ONLY)
            told = judged(host.health(), [{"actor": "funding", "committed_age_s": 40.0, "heartbeat_age_s": 40.0}])
            assert len(told) == 1, told
            assert told[0].startswith("The database is read-only since 20") and "UTC" in told[0]
            assert "read-only transaction" in told[0], "what the database itself says"
            news = watch.look([host.health()], began_s + TOLD_AFTER_S + 5)
            assert news is not None and not news.until
            host.inform(news, "two")
            assert watch.look([host.health()], began_s + TOLD_AFTER_S + 6) is None, "told once, not at every look"
        until(lambda: host.health()["outage"] is None)
        over = watch.look([host.health()], time.time())
        assert over is not None and over.until
        host.command(over, "three")
        (alert,) = [row for row in queries.alerts() if row["condition"] == "database"]
    finally:
        host.stop()
        store.close()
        queries.close()
    assert (alert["severity"], alert["state"]) == ("critical", "ended")
    assert f"is read-only since {news.since}" in alert["text"]
    assert f"the database can be used again since {over.until}" in alert["text"]


def outage(what: str, since_s: float) -> dict[str, Any]:
    return {"outage": {"what": what, "why": "said by the server", "since_s": since_s}}


def test_an_outage_is_told_once_and_its_kind_when_that_changes() -> None:
    watch = OutageWatch()
    assert watch.look([outage(Outage.AWAY, 100.0)], 101.0) is None, "a restart of the server is over sooner"
    assert watch.look([{"outage": None}], 102.0) is None, "what was not told does not end"
    first = watch.look([outage(Outage.AWAY, 110.0), {}], 110.0 + TOLD_AFTER_S)
    assert first is not None and first.what == "cannot be reached"
    assert watch.look([outage(Outage.AWAY, 110.0)], 120.0) is None
    second = watch.look([outage(Outage.READ_ONLY, 111.0)], 121.0)
    assert second is not None and (second.what, second.since) == ("is read-only", first.since)
    over = watch.look([], 130.0)
    assert over is not None and over.until == "1970-01-01 00:02:10 UTC"
    assert watch.look([], 131.0) is None


@pytest.mark.parametrize("kind", list(Outage))
def test_every_kind_of_outage_makes_a_sentence(kind: Outage) -> None:
    (sentence,) = judged({"state": "WAITING_FOR_DATABASE", **outage(kind, 1_735_689_600.0)}, None)
    assert sentence.startswith(f"The database {kind} since 2025-01-01 00:00:00 UTC (said by the server): nothing can")


class _Unavailable(Answer):
    """A start that finds the database away."""

    def __init__(self) -> None:
        super().__init__({})

    def value(self) -> Any:
        raise StoreUnavailableError(Outage.READ_ONLY)


class _Starting(Played):
    """An actor that is recreated while the database is away: neither an epoch nor a start is to be had."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = True
        self.is_started = False
        self.store = MemoryStore()

    def grant(self, name: ActorName, holder: str, under: int | None = None) -> int:
        if self.is_away and self.now_ms < 200_000:
            raise StoreUnavailableError(Outage.READ_ONLY)
        return self.store.grant(name, holder)

    def call(self, name: ActorName, method: str, *arguments: object) -> Answer:
        if method == "start":
            if self.is_away:
                return _Unavailable()
            self.is_started = True
            return Answer({})
        state = "RUNNING" if self.is_started else "CREATED"
        return Answer({"state": state, "pid": self.pid, "progress": 1, "is_busy": False})

    now_ms = 0


def test_an_actor_recreated_during_an_outage_waits_and_is_not_faulted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six failed starts within half a minute made it FAULTED, and nobody brought it back when the database was."""
    played: Any = _Starting()
    supervisor = Supervisor([ActorName.TREND_1])
    monkeypatch.setattr(supervision, "_now_ms", lambda: played.now_ms)
    loop = Supervision(
        {ActorName.TREND_1: ()}, supervisor, played, played, played, lambda: 0, Unopposed(), fenced_never
    )
    states = set()
    while played.now_ms < 400_000:
        played.now_ms += 100
        loop.turn()
        states.add(supervisor.state(ActorName.TREND_1))
    assert states == {ComponentState.STARTING, ComponentState.RECOVERING}
    played.is_away = False
    for _ in range(50):
        played.now_ms += 100
        loop.turn()
    assert supervisor.state(ActorName.TREND_1) is ComponentState.RUNNING
    assert played.alerts == []
