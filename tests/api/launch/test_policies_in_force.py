"""RM-6: from a recorded version to every actor of the running system, and how it is shown where it is in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from starlette.testclient import TestClient

from actors.runtime.durable_actor import DurableActor
from actors.runtime.policies.ports import UnusablePolicyError
from api.access.judge import Judge
from api.cli.policies import commands as command
from api.http.app import create_app
from api.logics import PolicyLogics
from api.policies import PolicyWatch, by_settings, holders_of, record, take_in_force, where_in_force
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.tokens import Token
from infra.config import EternalConfig, load_config
from infra.config.policy import policy_of
from infra.database import registers
from infra.database.queries import Queries
from infra.database.roles import as_role
from infra.database.store import PostgresStore
from infra.database.urls import READER
from statemachines.messages.control import ParametersChanged
from statemachines.values import ActorName
from tests.actors.runtime.policies.limited import NAME, UNUSABLE, Limited, LimitPort, envelope
from tests.database import database_url, postgres_server

__all__ = ["database_url", "postgres_server"]

COLLAR = "risk.price_collar=0.02"


def config(*settings: str) -> EternalConfig:
    return load_config({}, settings)


def change(url: str, setting: str) -> None:
    record(url, by_settings(url, config(), [setting]), "ada", "wide books")


def test_the_watch_finds_each_later_version_once(database_url: str) -> None:
    started = take_in_force(database_url, config()).version.version
    watch = PolicyWatch(database_url, config(), started)
    assert watch.newer() is None
    change(database_url, "risk.price_collar=0.03")
    change(database_url, COLLAR)
    found = watch.newer()
    assert found is not None and (found.version, found.who, found.reason) == (3, "ada", "wide books")
    assert found.policy["risk"]["price_collar"] == "0.02"
    assert watch.newer() is None
    odd = {**policy_of(config()), "risk": {**policy_of(config())["risk"], "moods": 1}}
    registers.record_policy(database_url, 3, odd, "a later program", "moods", "operator")
    with pytest.raises(UnusablePolicyError, match=r"Policy version 4 of a later program \(moods\).*moods"):
        watch.newer()
    assert watch.newer() is None, "reported once"
    registers.record_policy(database_url, 4, policy_of(config()), "ada", "back", "rollback")
    again = watch.newer()
    assert again is not None and again.version == 5


def test_only_actors_whose_own_parameters_differ_are_concerned() -> None:
    port = PolicyLogics(config(), "test01", 1)
    after = policy_of(config("engines.trend_1.fast_sma_bars=45", "risk.price_collar=0.02"))
    concerned = {str(name) for name in ActorName if name is not ActorName.API and port.concerns(name, None, after)}
    assert concerned == {"trend-1", "risk-manager"}
    assert port.logic(ActorName.TREND_1, after).name == ActorName.TREND_1
    with pytest.raises(UnusablePolicyError, match="price_collar"):
        port.logic(ActorName.RISK_MANAGER, {**after, "risk": {"price_collar": "7"}})


def _holder(actor: str, version: int, refused: int | None = None) -> Mapping[str, Any]:
    return {"actor": actor, "version": version, "waiting": None, "refused": refused}


@pytest.mark.parametrize(
    ("holders", "told"),
    [
        ([_holder("a", 3), _holder("b", 4)], "It is in force at every actor."),
        ([_holder("a", 3), _holder("b", 2)], "It is in force at a. It is not in force yet at b (version 2)."),
        ([_holder("a", 2), _holder("b", 2)], "It is not in force yet at a (version 2), b (version 2)."),
        (
            [_holder("a", 3), _holder("b", 2, refused=3)],
            "It is in force at a. It could not be applied by b: the alert says why (`eternal alerts`).",
        ),
        ([_holder("a", 2, refused=1)], "It is not in force yet at a (version 2)."),
        ([], ""),
    ],
)
def test_where_a_version_is_in_force(holders: Sequence[Mapping[str, Any]], told: str) -> None:
    assert where_in_force(holders, 3) == told


def _deliver(durable: DurableActor, number: int, limit: object) -> None:
    body = ParametersChanged(version=number + 1, policy={"limit": limit}, who="ada", reason="a test")
    durable.deliver([envelope(number, body)])
    while durable.has_work:
        durable.step()


def test_command_line_and_http_show_what_an_actor_holds(database_url: str) -> None:
    take_in_force(database_url, config())
    change(database_url, COLLAR)
    store = PostgresStore(database_url)
    durable = DurableActor(Limited(10), store, store.grant(NAME, "test"), policies=LimitPort())
    durable.start(0)
    durable.step()
    assert holders_of(database_url) == [{"actor": NAME, "version": 1, "waiting": None, "refused": None}]
    late = command.watched(database_url, 2, wait_s=0.0)
    assert late.startswith("It is not in force yet at tactical (version 1). The system takes it between two daily")
    _deliver(durable, 1, 20)
    assert command.watched(database_url, 2) == "It is in force at every actor."
    _deliver(durable, 2, UNUSABLE)
    assert command.watched(database_url, 3).startswith("It could not be applied by tactical")
    reader = Queries(as_role(database_url, READER))
    service = OperatorService(reader, SnapshotCache(dict), lambda: "synthetic", True)
    with TestClient(create_app(service, Judge(Token("t" * 43)).judge)) as client:
        assert client.get("/api/v1/policies").status_code == 401
        answer = client.get("/api/v1/policies", headers={"Authorization": f"Bearer {'t' * 43}"})
    service.close()
    assert answer.status_code == 200
    body = answer.json()
    assert body["actors"] == [{"actor": "tactical", "version": 2, "waiting": None, "refused": 3}]
    assert [(one["version"], one["who"], one["origin"]) for one in body["versions"]] == [
        (2, "ada", "operator"),
        (1, "launch", "configuration"),
    ]
    assert body["policy"]["risk"]["price_collar"] == "0.02"
