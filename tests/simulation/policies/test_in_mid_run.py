"""RM-6 in the whole system in process: a version recorded in mid-run applies without a restart and is quoted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from actors.runtime.memory_store import MemoryStore
from actors.runtime.policies.ports import Document
from actors.runtime.registry import START_ORDER
from api.logics import PolicyLogics, logics
from infra.backtest.system import InProcessSystem
from infra.config import EternalConfig
from infra.config.policy import changed, policy_of
from infra.simulator.api import Exchange
from infra.simulator.config import SimConfig
from statemachines.facts import AlertFact
from statemachines.messages.control import PolicyRecorded
from statemachines.policy.held import KEY
from statemachines.values import DAY_MS, HOUR_MS, ActorName
from tests.kit.journals import RECOVERING, first_difference, from_memory, without_versions
from tests.simulation.whole import INSTALLATION, synthetic

pytestmark = pytest.mark.slow

DAYS, CHANGED_ON = 12, 5
CONFIG = EternalConfig()


class Changing:
    """A system that was started under version 1."""

    def __init__(self, policies: PolicyLogics | None = None, days: int = DAYS) -> None:
        self.store = MemoryStore()
        exchange = Exchange(synthetic(days), SimConfig(rate_limits=False))
        port = policies or PolicyLogics(CONFIG, INSTALLATION, 1)
        self.system = InProcessSystem(exchange, logics(CONFIG, INSTALLATION), self.store, None, port)
        self.system.start()

    @property
    def now_ms(self) -> int:
        return self.system.exchange.market_time

    def record(self, version: int, *settings: str) -> None:
        policy = changed(CONFIG, policy_of(CONFIG), settings) if settings else policy_of(CONFIG)
        body = PolicyRecorded(version=version, policy=policy, who="ada", reason="a test")
        self.system.runtime.durables[ActorName.ORCHESTRATOR].take_fact(body, f"policy:{version}", self.now_ms)
        self.system.run(self.now_ms + HOUR_MS)

    def verdicts(self, trigger: str) -> Sequence[Any]:
        return [row for row in self.store.journal(ActorName.RISK_MANAGER) if row.note.trigger == trigger]

    def held(self) -> dict[str, int]:
        return {
            str(name): self.store.load(name, durable.epoch).states[KEY].data["current"]["number"]
            for name, durable in self.system.runtime.durables.items()
        }


@pytest.mark.parametrize("is_restarted", [False, True])
def test_the_next_order_is_refused_by_the_changed_limit_and_quotes_its_version(is_restarted: bool) -> None:
    """Also when every actor is lost right after the change, as in a power loss."""
    run = Changing()
    run.system.run(run.now_ms + CHANGED_ON * DAY_MS)
    changed_ms = run.now_ms
    run.record(2, "risk.capital_limit_usdt=1000", "engines.trend_1.fast_sma_bars=45", "orders.loop_limit=7")
    if is_restarted:
        for name in START_ORDER:
            run.system.runtime.stop_actor(name)
        run.system.start()
    run.system.run()
    assert run.held() == dict.fromkeys(map(str, START_ORDER), 2)
    before = [row for row in run.verdicts("approve") if row.market_ms < changed_ms]
    assert len(before) > 10 and {row.note.data["policy_version"] for row in before} == {1}
    denied = run.verdicts("deny")
    assert denied and all(row.market_ms >= changed_ms for row in denied)
    assert {row.note.data["policy_version"] for row in denied} == {2}
    assert all("capital_limit" in row.note.reason and "1000" in row.note.reason for row in denied)
    after = [row for row in run.verdicts("approve") if row.market_ms > changed_ms]
    assert after and all("reduces risk" in row.note.reason for row in after), "exits pass"
    cycles = [row for row in run.store.journal(ActorName.ORCHESTRATOR) if row.note.machine == "daily-cycle"]
    assert {row.note.data["policy_version"] for row in cycles} == {1, 2}
    by_day: dict[int, set[int]] = {}
    for row in cycles:
        by_day.setdefault(row.note.data["day_ms"], set()).add(row.note.data["policy_version"])
    assert all(len(versions) == 1 for versions in by_day.values()), "a cycle is decided under one version"


class _AlwaysAnew(PolicyLogics):
    """Makes every logic anew, though nothing differs."""

    def concerns(self, actor: ActorName, before: Document, after: Document) -> bool:
        return True


def test_making_every_logic_anew_in_place_changes_no_decision() -> None:
    """The rows are all that counts: a logic made from them decides as the one before would have."""
    calm = Changing()
    calm.system.run()
    anew = Changing(_AlwaysAnew(CONFIG, INSTALLATION, 1))
    for number, day in enumerate((2, 5, 8)):
        anew.system.run(calm.now_ms - (DAYS - day) * DAY_MS + 6 * HOUR_MS)
        anew.record(2 + number)
    anew.system.run()
    assert set(anew.held().values()) == {4}
    assert sum(map(len, from_memory(calm.store).values())) > 200
    ours, theirs = (without_versions(from_memory(one.store)) for one in (calm, anew))
    assert first_difference(ours, theirs, leave_out=RECOVERING) == ""


def test_a_version_that_an_actor_cannot_apply_leaves_that_actor_and_all_others_take_it() -> None:
    """TREND-1 holds BTC: it cannot decide by rules that do not know the asset."""
    run = Changing()
    run.system.run(run.now_ms + CHANGED_ON * DAY_MS)
    only_eth = '[{"asset": "ETH", "symbol": "ETHUSDT"}]'
    run.record(2, f"engines.trend_1.assets={only_eth}")
    held = run.held()
    assert held.pop("trend-1") == 1 and set(held.values()) == {2}
    alerts = [one for one in run.store.facts("alerts") if isinstance(one, AlertFact) and "cannot apply" in one.text]
    assert (
        len(alerts) == 1
        and alerts[0].severity == "critical"
        and "BTC" in alerts[0].text
        and "backup" not in alerts[0].text
    )
    run.system.run()
    assert run.held()["trend-1"] == 1
