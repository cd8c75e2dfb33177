"""One run of a cell: the demands are met one after the other, and every invariant holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from infra.bybit.session import Handle
from statemachines.values import HOUR_MS, Account
from tests.simulation.faults.choices import Choice
from tests.simulation.faults.invariants import Invariants, is_healthy
from tests.simulation.faults.points import Point
from tests.simulation.faults.world import Opening, World, opening
from tests.simulation.matrix.cells import Cell, Demand

REFUSED = {"retCode": 110007, "retMsg": "CheckMarginRatio fail! ab not enough for new order", "retExtInfo": {}}
REPORTED = frozenset({"funds:", "stop-move:"})
"""EX-4: what was refused for lack of funds is not repeated; its alert stays until the next order or move succeeds."""


class Demands:
    """A chooser that meets its demands in order, each at the first occasion after the one before."""

    def __init__(self, demands: Sequence[Demand]) -> None:
        self.left = list(demands)
        self.taken: list[Choice] = []
        self._numbers: Counter[tuple[Point, str]] = Counter()

    def at(self, point: Point, who: str, most: int = 4) -> Choice | None:
        self._numbers[point, who] += 1
        if not self.left or self.left[0].point is not point:
            return None
        demand = self.left.pop(0)
        if demand.fault is None:
            return None
        choice = Choice(point, who, self._numbers[point, who], demand.fault, min(demand.extent, max(most, 1)))
        self.taken.append(choice)
        return choice

    def stop(self) -> None:
        """Demands that were not met stay so."""


class CellWorld(World):
    """The run of one cell; once its demands are met, the first request to `refused` is rejected."""

    storm_ms, peace_ms = 5 * HOUR_MS, 3 * HOUR_MS

    def __init__(self, begun: Opening, cell: Cell) -> None:
        self._refused = cell.refused
        self.demands = Demands(cell.demands)
        super().__init__(begun, self.demands)

    def way_in(self, handle: Handle) -> Handle:
        def passed(method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Mapping[str, Any]:
            if self._refused and path in (self._refused, f"{self._refused}-batch") and not self.demands.left:
                self._refused = ""
                if "request" in params:
                    return _refused_legs(params)
                return {**REFUSED, "result": {}, "time": self.now_ms()}
            return handle(method, path, params, account)

        return passed

    @property
    def is_fulfilled(self) -> bool:
        """Whether everything that was to happen has happened."""
        return not self.demands.left and not self._refused


def _refused_legs(params: Mapping[str, Any]) -> dict[str, Any]:
    code = {"code": REFUSED["retCode"], "msg": REFUSED["retMsg"]}
    rows = [{**leg, "category": params["category"], "orderId": ""} for leg in params["request"]]
    return {
        "retCode": 0,
        "retMsg": "OK",
        "result": {"list": rows},
        "retExtInfo": {"list": [code for _ in rows]},
        "time": 0,
    }


def run(cell: Cell) -> CellWorld:
    """The run; raises ViolationError when an invariant does not hold."""
    world, invariants = CellWorld(opening(cell.opening), cell), Invariants()
    if cell.refused:
        world.expected_alerts = REPORTED
    world.watch, world.watch_write = invariants.at_each_instant, invariants.at_each_write
    world.run(is_healthy)
    invariants.at_rest(world)
    return world
