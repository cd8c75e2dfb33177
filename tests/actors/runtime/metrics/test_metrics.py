"""What the actors show in Ray's dashboard: the table, what is counted from committed steps, what is published when."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.runtime.actor import shown
from actors.runtime.metrics import samples, table
from actors.runtime.metrics.publish import Publisher
from actors.runtime.metrics.samples import Sample
from actors.runtime.metrics.seen import TIMES_KEPT, Seen, timed
from actors.runtime.metrics.table import METRICS, Kind, Metric
from actors.runtime.step import Batch
from statemachines.actor_logic import StateRow
from statemachines.commands import ExchangeCall
from statemachines.facts import Fact, PortfolioFact
from statemachines.limits.operator_scopes import SCOPES
from statemachines.requests import CancelOrder
from statemachines.values import SPOT, ActorName
from tests.kit.rows import order

ROOT = Path(__file__).resolve().parents[4]
UNITS = {"seconds": "_seconds", "USDT": "_usdt", "fraction of 1": "_fraction", "messages": "_messages"}
HEALTH: dict[str, Any] = {
    "name": "market-data",
    "commits": 7,
    "inbox": 2,
    "undelivered": 1,
    "pending_requests": 3,
    "market_ms": 1_500,
    "outage": None,
    "silence_s": {"linear": 0.0},
    "data_age_s": {"linear": 2.5},
}


def documented(text: str) -> dict[str, tuple[str, str, str]]:
    """The table of metrics in the runbook: name → labels, unit, meaning."""
    rows = re.findall(r"^\| `(eternal_\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    return {name: (labels, unit, meaning) for name, labels, unit, meaning in rows}


def as_documented(metric: Metric) -> tuple[str, str, str]:
    kind = "" if metric.kind is Kind.GAUGE else f", {metric.kind}"
    return ", ".join(f"`{tag}`" for tag in metric.tags), f"{metric.unit}{kind}", metric.help


def undocumented(metrics: tuple[Metric, ...], text: str) -> list[str]:
    """Metrics whose row in the runbook is missing, different, or of no metric."""
    rows = documented(text)
    wrong = [metric.name for metric in metrics if rows.get(metric.name) != as_documented(metric)]
    return wrong + sorted(rows.keys() - {metric.name for metric in metrics})


def test_the_runbook_has_every_metric_as_the_table_has_it() -> None:
    assert undocumented(METRICS, (ROOT / "docs/operations.md").read_text(encoding="utf-8")) == []


def test_a_planted_difference_to_the_runbook_is_found() -> None:
    labels, unit, meaning = as_documented(table.EQUITY)
    row = f"| `{table.EQUITY.name}` | {labels} | {unit} | {meaning} |\n"
    assert undocumented((table.EQUITY,), row) == []
    assert undocumented((table.EQUITY,), row.replace("USDT", "USD")) == [table.EQUITY.name]
    assert undocumented((table.EQUITY,), row + row.replace("equity", "profit")) == ["eternal_profit_usdt"]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_has_its_unit_in_name_and_help_and_few_labels(metric: Metric) -> None:
    assert metric.name.startswith("eternal_")
    assert metric.name.endswith(UNITS.get(metric.unit, ""))
    assert metric.help.endswith(".") and metric.unit
    assert set(metric.tags) <= {"actor", "component", "scope", "state", "machine", "engine", "group", "stream"}
    assert bool(metric.boundaries) is (metric.kind is Kind.HISTOGRAM)
    assert not metric.is_state or "state" in metric.tags


# --- what is counted ---


def step(*states: StateRow, facts: tuple[Fact, ...] = ()) -> Batch:
    return Batch(next_seq=1, states=list(states), facts=list(facts))


def values(found: Iterator[Sample], metric: Metric) -> dict[tuple[str, ...], float]:
    return {one.tags: one.value for one in found if one.metric is metric}


def of_actor(seen: Seen, metric: Metric, **changed: Any) -> dict[tuple[str, ...], float]:
    return values(samples.of_actor(HEALTH | changed, seen, 100.0), metric)


def test_machines_are_counted_by_state_from_the_restored_rows_on() -> None:
    seen = Seen(ActorName.TREND_1)
    seen.restored({"BTC": StateRow("BTC", "SCANNING", 1, {}), "day": StateRow("day", "", 1, {})})
    seen.committed(step(StateRow("ETH", "SCANNING", 1, {})), 1, 0.0)
    assert of_actor(seen, table.MACHINES, name="trend-1") == {("trend-1", "trend", "SCANNING"): 2.0}
    seen.committed(step(StateRow("BTC", "IN_POSITION", 1, {})), 2, 0.0)
    assert of_actor(seen, table.MACHINES, name="trend-1") == {
        ("trend-1", "trend", "SCANNING"): 1.0,
        ("trend-1", "trend", "IN_POSITION"): 1.0,
    }
    assert seen.states == {"BTC": "IN_POSITION", "ETH": "SCANNING", "day": ""}


def test_a_row_without_a_machine_is_not_counted() -> None:
    seen = Seen(ActorName.TREND_1)
    seen.committed(step(StateRow("BTC", "NO SUCH STATE", 1, {})), 1, 0.0)
    assert of_actor(seen, table.MACHINES) == {}


def test_the_risk_manager_shows_states_drawdown_and_equity() -> None:
    seen = Seen(ActorName.RISK_MANAGER)
    seen.restored({"scope:trend-1": StateRow("scope:trend-1", "HALTED", 2, {})})
    assert of_actor(seen, table.EQUITY) == {}, "not known is no sample, never zero"
    view = {"equity_usdt": "40"}
    fact = PortfolioFact(
        version=1,
        market_ms=1,
        equity_usdt=Decimal(70),
        data={"accounts": {"TREND-1": view, "MASTER": {"equity_usdt": "30"}}, "prices": {}},
    )
    results = StateRow("results", "", 2, {"tracks": {"TREND": ["0.9", "1.2", None]}})
    seen.committed(step(StateRow("scope:GLOBAL", "CAUTION", 2, {}), results, facts=(fact,)), 1, 0.0)
    assert of_actor(seen, table.EQUITY) == {("total",): 70.0, ("trend-1",): 40.0, ("master",): 30.0}
    assert of_actor(seen, table.DRAWDOWN) == {("TREND",): 0.25}
    states = of_actor(seen, table.RISK_STATE)
    assert {
        ("GLOBAL", "CAUTION"): 1.0,
        ("trend-1", "HALTED"): 1.0,
        ("trend-2", "NORMAL"): 1.0,
    }.items() <= states.items()
    assert len(states) == len(SCOPES)


def test_an_order_counts_once_when_it_has_ended() -> None:
    seen = Seen(ActorName.ORDER_MANAGER)
    for state in ("OPEN", "CANCELLED", "FILLED"):  # a late fill after the cancel
        seen.committed(step(facts=(order("a-1", state, "t"),)), 1, 0.0)
    assert of_actor(seen, table.ORDERS) == {(order("a-1", "OPEN", "t").engine, "CANCELLED"): 1.0}


def test_an_answer_is_timed_from_the_commit_of_its_request() -> None:
    seen = Seen(ActorName.ORDER_MANAGER)
    request = CancelOrder(category=SPOT, symbol="BTCUSDT", client_order_id="a-1")
    seen.asked([ExchangeCall("k", "TREND-1", request), ExchangeCall("late", "TREND-1", request, delay_s=60.0)], 10.0)
    for key, now_s in (("k", 10.25), ("k", 99.0), ("late", 70.0), ("unknown", 70.0)):
        seen.answered(key, now_s)
    found = list(samples.observations("order-manager", seen))
    assert [(one.metric.name, one.value) for one in found] == [(table.ANSWER.name, 0.25)]
    assert list(samples.observations("order-manager", seen)) == [], "each is observed once"


def test_more_steps_than_a_period_shows_are_not_kept() -> None:
    seen = Seen(ActorName.TREND_1)
    for number in range(TIMES_KEPT + 5):
        seen.committed(step(), number, float(number))
    found = [one.value for one in samples.observations("trend-1", seen)]
    assert len(found) == TIMES_KEPT and found[0] == 5.0
    assert seen.commits == TIMES_KEPT + 4


def test_a_step_that_fails_passes_its_error_through() -> None:
    assert timed(lambda: 3)[0] == 3
    with pytest.raises(ZeroDivisionError):
        timed(lambda: 1 // 0)


@pytest.mark.parametrize(
    ("metric", "changed", "expected"),
    [
        (table.COMMITS, {}, {("market-data",): 7.0}),
        (table.INBOX, {}, {("market-data",): 2.0}),
        (table.OUTBOX, {}, {("market-data",): 1.0}),
        (table.REQUESTS, {}, {("market-data",): 3.0}),
        (table.MARKET_TIME, {}, {("market-data",): 1.5}),
        (table.MARKET_TIME, {"market_ms": 0}, {}),
        (table.OUTAGE, {}, {("market-data",): 0.0}),
        (table.OUTAGE, {"outage": {"since_s": 88.0}}, {("market-data",): 12.0}),
        (table.SILENCE, {}, {("market-data", "linear"): 0.0}),
        (table.DATA_AGE, {}, {("market-data", "linear"): 2.5}),
        (table.DATA_AGE, {"data_age_s": {}}, {}),
    ],
)
def test_the_health_becomes_samples(
    metric: Metric, changed: dict[str, Any], expected: dict[tuple[str, ...], float]
) -> None:
    assert of_actor(Seen(ActorName.MARKET_DATA), metric, **changed) == expected


def test_components_show_state_restarts_and_recovery() -> None:
    row = {"name": "trend-1", "state": "RUNNING", "restarts": 2, "recovered_in_ms": None}
    found = {one.metric.name: (one.tags, one.value) for one in samples.of_components([row])}
    assert found == {
        table.COMPONENT_STATE.name: (("trend-1", "RUNNING"), 1.0),
        table.COMPONENT_RESTARTS.name: (("trend-1",), 2.0),
    }
    recovered = samples.of_components([row | {"recovered_in_ms": 1_500}])
    assert values(recovered, table.COMPONENT_RECOVERY) == {("trend-1",): 1.5}


# --- what is published ---


class Taken:
    """Stands for Ray's metrics: what was given to which."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float, tuple[str, ...]]] = []

    def make(self, metric: Metric) -> _Instrument:
        return _Instrument(self, metric.name)

    def drained(self) -> list[tuple[str, float, tuple[str, ...]]]:
        taken, self.calls = self.calls, []
        return taken


class _Instrument:
    def __init__(self, taken: Taken, name: str) -> None:
        self._taken, self._name = taken, name

    def take(self, value: float, tags: dict[str, str]) -> None:
        self._taken.calls.append((self._name, value, tuple(tags.values())))


def test_a_state_that_was_left_becomes_zero_and_anything_else_unknown() -> None:
    taken = Taken()
    publisher = Publisher(taken.make)
    state = [Sample(table.RISK_STATE, ("GLOBAL", one), 1.0) for one in ("NORMAL", "HALTED")]
    age = Sample(table.DATA_AGE, ("market-data", "linear"), 2.0)
    publisher.publish([state[0], age])
    taken.drained()
    publisher.publish([state[1]])
    assert taken.drained()[:2] == [
        (table.RISK_STATE.name, 1.0, ("GLOBAL", "HALTED")),
        (table.RISK_STATE.name, 0.0, ("GLOBAL", "NORMAL")),
    ]
    publisher.publish([state[1], age])
    publisher.publish([state[1]])
    name, value, tags = taken.drained()[-1]
    assert (name, tags) == (table.DATA_AGE.name, age.tags) and math.isnan(value)
    publisher.publish([state[1]])
    assert len(taken.drained()) == 1, "it is said once"


def test_a_counter_grows_by_what_is_new() -> None:
    taken = Taken()
    publisher = Publisher(taken.make)
    for total in (5.0, 5.0, 8.0):
        publisher.publish([Sample(table.COMMITS, ("trend-1",), total)])
    assert [value for _, value, _ in taken.drained()] == [5.0, 3.0]


def test_a_repr_names_actor_and_state() -> None:
    """Ray keeps the text of the moment at which the process was made: it carries that moment."""
    assert shown({"name": "trend-1", "state": "RUNNING", "epoch": 12}) == "trend-1 (RUNNING, epoch 12)"
    befores: tuple[dict[str, Any], ...] = ({}, {"epoch": 0})
    for before_the_start in befores:
        text = shown({"name": "trend-1", "state": "CREATED"} | before_the_start)
        assert re.fullmatch(r"trend-1 \(CREATED at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)", text)
