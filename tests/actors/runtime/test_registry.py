"""One `ActorSpec` per actor: what derives from the specs, and what a wrong one is told (DESIGN 2)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray

import statemachines
from actors.runtime import registry
from actors.runtime.actor import in_group
from actors.runtime.registry import MACHINES, SPEC_OF, SPECS, START_ORDER, TURN_ORDER, checked, make_logic
from actors.runtime.routing import routes_of
from actors.runtime.spec import EVERY_ENGINES_OWN, MachineSpec
from statemachines.core_hodl.engine import CoreHodlEngine
from statemachines.messages.envelope import Body
from statemachines.messages.kinds import BODIES
from statemachines.messages.market import DayClosed, QuotesSeen
from statemachines.tactical.parameters import TacticalParameters
from statemachines.values import ACCOUNT_OF, ActorName

LOGIC_FOLDERS = {
    ActorName.MARKET_DATA: "market_data",
    ActorName.ORDER_MANAGER: "execution",
    ActorName.RISK_MANAGER: "risk",
    ActorName.ORCHESTRATOR: "orchestration",
    ActorName.CORE_HODL: "core_hodl",
    ActorName.TREND_1: "trend",
    ActorName.TREND_2: "trend",
    ActorName.FUNDING: "funding",
    ActorName.TACTICAL: "tactical",
}

BODY_NAMES = {body.__name__ for body in BODIES.values()}


def test_market_data_starts_first_and_the_cycle_acts_last() -> None:
    """Settlement and books before engines, TREND's exits before the daily cycle, the cycle last (TR-14, D1, O7)."""
    assert START_ORDER == (
        "market-data", "order-manager", "risk-manager",
        "core-hodl", "trend-1", "trend-2", "funding", "tactical", "orchestrator",
    )  # fmt: skip
    assert TURN_ORDER[:-2] == (
        "market-data", "order-manager", "risk-manager",
        "trend-1", "trend-2", "funding", "core-hodl", "tactical", "orchestrator",
    )  # fmt: skip


def test_every_account_is_an_engines() -> None:
    assert {spec.name: spec.account for spec in SPECS if spec.account is not None} == ACCOUNT_OF


@pytest.mark.parametrize("name", LOGIC_FOLDERS)
def test_a_spec_names_all_that_the_logic_sends(name: ActorName) -> None:
    """Messages that the logic's folder makes, but for those that it only reads or fills in as a default."""
    folder = Path(str(statemachines.__file__)).parent / LOGIC_FOLDERS[name]
    taken = {"FeedFrame", "IntentDone"} if name is not ActorName.ORDER_MANAGER else set()
    made = {kind for file in folder.rglob("*.py") for kind in _made_in(ast.parse(file.read_text()))} - taken
    assert made
    assert made <= {kind.__name__ for kind in SPEC_OF[name].sends}


def _made_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BODY_NAMES:
            yield node.func.id


def test_whoever_subscribes_is_routed_to() -> None:
    further = replace(SPEC_OF[ActorName.TACTICAL], subscribes=(QuotesSeen,), subscribes_own=())
    assert [route.recipient for route in routes_of([further])["quotes_seen"]] == [ActorName.TACTICAL]


def test_each_actor_has_exactly_one_spec() -> None:
    with pytest.raises(ValueError, match=r"actor api has 0 specs in actors/; each actor needs exactly one"):
        checked(spec for spec in SPECS if spec.name is not ActorName.API)
    with pytest.raises(ValueError, match=r"actor api has 2 specs"):
        checked((*SPECS, SPEC_OF[ActorName.API]))


def test_two_actors_never_have_the_same_turn() -> None:
    changed = replace(SPEC_OF[ActorName.FUNDING], turn=SPEC_OF[ActorName.TREND_1].turn)
    with pytest.raises(ValueError, match=r"turn 30 of trend-1 is also another actor's"):
        checked(changed if spec.name is changed.name else spec for spec in SPECS)


def test_nobody_waits_for_an_actor_that_starts_later() -> None:
    changed = replace(SPEC_OF[ActorName.ORDER_MANAGER], waits_for=(ActorName.RISK_MANAGER,))
    with pytest.raises(
        ValueError, match=r"the spec of order-manager: it waits for risk-manager, which starts after it"
    ):
        checked(changed if spec.name is changed.name else spec for spec in SPECS)


MISTAKES: dict[str, dict[str, Any]] = {
    "subscribes names int; a kind of message": {"subscribes": (int,)},
    "sends names Body; a kind of message": {"sends": (Body,)},
    "DayClosed is in subscribes and in subscribes_own": {"subscribes_own": (*EVERY_ENGINES_OWN, DayClosed)},
    "waits_for names nobody; allowed: market-data, order-manager": {"waits_for": ("nobody",)},
    "about is empty": {"about": ""},
    "actor_class is missing": {"actor_class": None},
    "logic is missing; only api and notifier have none": {"logic": None},
    "section is missing": {"section": ""},
    "section engines.trend_1 of trend-1 is also another actor's": {"section": "engines.trend_1"},
    "parameters are missing": {"parameters": None},
    "subscribes_own lacks RunCycle": {"subscribes_own": ()},
    "sends lacks CycleDone": {"sends": ()},
    "machine 'trend' is also another actor's": {
        "machines": (MachineSpec(name="trend", about="x", table=MACHINES["risk"].table),)
    },
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_in_a_spec_stops_the_start_with_a_sentence(sentence: str) -> None:
    """Each was silence, or an AttributeError somewhere else, until `checked` looked."""
    changed = replace(SPEC_OF[ActorName.TACTICAL], **MISTAKES[sentence])
    with pytest.raises(ValueError, match=re.escape(sentence)):
        checked(changed if spec.name is changed.name else spec for spec in SPECS)


def test_what_is_no_logic_or_another_actors_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Half:
        name = ActorName.TACTICAL

        def restore(self) -> None: ...

    parameters = TacticalParameters()
    assert make_logic(ActorName.TACTICAL, parameters, "abc123").name is ActorName.TACTICAL
    for made, sentence in (
        (Half(), "the logic of tactical lacks begin, deadline, dialect, dirty, handle"),
        (
            CoreHodlEngine(),
            "the logic of tactical has the name <ActorName.CORE_HODL: 'core-hodl'>; 'tactical'",
        ),
    ):
        changed = replace(SPEC_OF[ActorName.TACTICAL], logic=lambda *_, made=made: made)
        monkeypatch.setitem(SPEC_OF, ActorName.TACTICAL, changed)
        with pytest.raises(TypeError, match=re.escape(sentence)):
            make_logic(ActorName.TACTICAL, parameters, "abc123")


def test_every_machine_has_a_table_and_a_line_about_it() -> None:
    for name, machine in registry.MACHINES.items():
        assert machine.about
        assert registry.table_of(name).rows


def test_a_machine_has_one_name_in_api_journal_and_documents() -> None:
    """The journal once said "TREND cycle" where the API and docs/machines.md said "trend-cycle"."""
    assert {name: registry.table_of(name).name for name in registry.MACHINES} == {n: n for n in registry.MACHINES}


def test_a_method_is_marked_as_ray_marks_it() -> None:
    """The classes of actors are plain and load no Ray; should Ray mark its methods in another way, this tells."""

    def one() -> None: ...

    def other() -> None: ...

    assert vars(in_group("inbox")(one)) == vars(ray.method(concurrency_group="inbox")(other))


def test_reading_all_specs_loads_neither_ray_nor_any_logic() -> None:
    """An actor's process pays for what it runs only, and so does a backtest."""
    heavy = ("ray", "psycopg", "numpy", "statemachines.trend.engine", "statemachines.funding.engine",
             "statemachines.execution.logic", "statemachines.orchestration.logic")  # fmt: skip
    code = f"import sys, actors.runtime.registry; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
