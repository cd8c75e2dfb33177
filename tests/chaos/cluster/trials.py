"""A system on two nodes: the further node is lost while orders are worked; the head is lost and comes back on the same
Redis. Each time until market time moves again; then the accounts are judged."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import psycopg

from infra.config import EternalConfig
from infra.config.sections import RayConfig
from statemachines.execution.orders.child_order_machine import OrderState
from statemachines.values import ActorName
from tests.chaos.cluster.at_the_exchange import assert_same_at_the_exchange
from tests.chaos.cluster.nodes import FURTHER, HEAD, Nodes, running_nodes
from tests.chaos.judge import assert_as_calm
from tests.chaos.rig import PATIENCE_S, START, Drill, drill_folder, make_config, running
from tests.simulation.whole import synthetic

PACE_S = Decimal(2)
DAYS_PER_TRIAL = 8
FURTHER_DAYS = 8
"""The market must last while actors are struck until they stand on both nodes."""

HOURS_BETWEEN = 5
FEWEST = 2
"""So many actors are on a node before it is lost: an empty one proves nothing."""

OPEN_STATES = tuple(state.value for state in OrderState if not state.is_terminal)
WORKED = "SELECT count(*) FROM orders WHERE state = ANY(%s) AND trigger_price IS NULL"
"""Orders that are being worked; a stop only waits."""

NODE_LOST, HEAD_LOST = "a node lost", "the head lost and returned"


class ClusterDrill(Drill):
    """What can be done to the nodes."""

    def __init__(self, drill: Drill, nodes: Nodes) -> None:
        super().__init__(drill.system)
        self.nodes = nodes

    def placed(self) -> Mapping[str, list[str]]:
        """The actors' names by node."""
        found: dict[str, list[str]] = {HEAD: [], FURTHER: []}
        nodes = {process.pid: process.role for process in self.nodes.processes(HEAD, FURTHER)}
        for name in ActorName:
            found.setdefault(nodes.get(self.pid(name), ""), []).append(str(name))
        return found

    def spread(self) -> None:
        """Ray places actors by chance: they are struck until there are some on both nodes."""
        until = time.monotonic() + PATIENCE_S
        while len((placed := self.placed())[FURTHER]) < FEWEST or len(placed[HEAD]) < FEWEST:
            assert time.monotonic() < until, f"the actors do not spread over the nodes: {placed}"
            fuller = max(placed, key=lambda node: len(placed[node]))
            name = next(one for one in placed[fuller] if one not in (ActorName.ORCHESTRATOR, ActorName.API))
            self.strike(ActorName(name))

    def await_work(self) -> int:
        """Let the market go on until orders are being worked; how many."""
        until, pause = time.monotonic() + PATIENCE_S, threading.Event()
        with psycopg.connect(self.system.database_url, autocommit=True) as connection:
            while True:
                row = connection.execute(WORKED, (list(OPEN_STATES),)).fetchone()
                if row is not None and row[0]:
                    return int(row[0])
                assert time.monotonic() < until and not self.system.has_ended, "no order is being worked any more"
                pause.wait(0.005)

    def lose_further(self) -> None:
        """The node and all actors on it are gone; it comes back later, empty."""
        self._lose(NODE_LOST, FURTHER, lambda: None)
        self.nodes.start_further()

    def lose_head(self) -> None:
        """Control store, raylet, dashboard and the head's actors are gone; it is started again on the same Redis."""
        self._lose(HEAD_LOST, HEAD, self.nodes.start_head)

    def _lose(self, label: str, node: str, then: Callable[[], None]) -> None:
        lost: set[int] = set()

        def fault() -> None:
            lost.update(process.pid for process in self.nodes.lose(node))
            then()

        self._recover(label, fault, lambda: self._are_all_back(lost))

    def _are_all_back(self, lost: set[int]) -> bool:
        pids = [self.pid(name) for name in ActorName]
        return all(self.is_running(name) for name in ActorName) and all(pid and pid not in lost for pid in pids)


def trials(count: int, tell: Callable[[str], None]) -> Mapping[str, list[float]]:
    """Lose the one and the other so often; per kind the seconds from the loss to market time moving again."""
    days = count * DAYS_PER_TRIAL + FURTHER_DAYS
    found: dict[str, list[float]] = {NODE_LOST: [], HEAD_LOST: []}
    with running_nodes() as nodes, drill_folder() as folder:
        config = on_cluster(make_config(folder, START + timedelta(days=days), pace_s=PACE_S), nodes)
        with token_of(nodes), running(config) as plain:
            drill = ClusterDrill(plain, nodes)
            for number in range(1, count + 1):
                for label, lose in ((NODE_LOST, drill.lose_further), (HEAD_LOST, drill.lose_head)):
                    drill.spread()
                    placed, worked = drill.placed(), drill.await_work()
                    lose()
                    found[label].append(drill.moving_s[-1])
                    on = "; ".join(f"{node}: {', '.join(names)}" for node, names in placed.items())
                    tell(f"{number:>3} {label:<27} {drill.moving_s[-1]:6.1f} s, {worked} orders worked ({on})")
                    drill.advance(HOURS_BETWEEN)
            drill.to_the_end()
            assert_as_calm(synthetic(days), drill)
            executions = assert_same_at_the_exchange(synthetic(days), drill)
            tell(f"{executions} executions: the exchange's are ours, none lost, none doubled.")
    return found


def on_cluster(config: EternalConfig, nodes: Nodes) -> EternalConfig:
    """The same system on these nodes."""
    return config.model_copy(update={"ray": RayConfig(address=nodes.address, dashboard_port=0)})


@contextmanager
def token_of(nodes: Nodes) -> Iterator[None]:
    """The cluster's token where an operator sets it."""
    name, before = "RAY_AUTH_TOKEN_PATH", os.environ.get("RAY_AUTH_TOKEN_PATH")
    os.environ[name] = str(nodes.token_file)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
