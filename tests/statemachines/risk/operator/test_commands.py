"""RM-5: what each of the operator's commands does in each state of a scope; HALTED is left by the operator only."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statemachines.actor_logic import StateRow
from statemachines.commands import Commands, Send
from statemachines.facts import OperatorCommandFact
from statemachines.fsm import Row, Table
from statemachines.limits.entry_gate import permits_entries
from statemachines.limits.operator_scopes import RESTRICTS, SCOPES, allowed_scopes, scopes_for
from statemachines.messages.control import FlattenOrdered, OperatorCommand, ReadingChanged, RiskState
from statemachines.messages.orders import Approved, OrderDenied, Withdraw
from statemachines.risk.logic import RiskManagerLogic
from statemachines.values import DERIVATIVE_ENGINES, ENGINES, HOUR_MS, MINUTE_MS, ActorName, Side
from tests.kit.builders import intent
from tests.statemachines.risk.world import T0, World, hour

ACTIONS = ("pause", "resume", "reduce_only", "halt", "flatten", "normal")
TREND = "trend-1"

AFTER: dict[str, dict[str, str]] = {
    "NORMAL": {
        "pause": "PAUSED",
        "resume": "NORMAL",
        "reduce_only": "REDUCE_ONLY",
        "halt": "HALTED",
        "flatten": "HALTED",
        "normal": "NORMAL",
    },
    "PAUSED": {
        "pause": "PAUSED",
        "resume": "NORMAL",
        "reduce_only": "PAUSED",
        "halt": "HALTED",
        "flatten": "HALTED",
        "normal": "NORMAL",
    },
    "REDUCE_ONLY": {
        "pause": "PAUSED",
        "resume": "REDUCE_ONLY",
        "reduce_only": "REDUCE_ONLY",
        "halt": "HALTED",
        "flatten": "HALTED",
        "normal": "NORMAL",
    },
    "HALTED": {
        "pause": "HALTED",
        "resume": "HALTED",
        "reduce_only": "REDUCE_ONLY",
        "halt": "HALTED",
        "flatten": "HALTED",
        "normal": "NORMAL",
    },
}
"""State before, command, state after; a pause keeps entries from being made as REDUCE_ONLY does, so it stays."""
LEADS_TO = {"NORMAL": None, "PAUSED": "pause", "REDUCE_ONLY": "reduce_only", "HALTED": "halt"}


def command(action: str, scope: str = TREND, command_id: str = "c") -> OperatorCommand:
    return OperatorCommand(command_id=command_id, who="K", action=action, scope=scope, reason="a test")  # type: ignore[arg-type]


def sent(commands: Commands, kind: type) -> list[Send]:
    return [one for one in commands if isinstance(one, Send) and isinstance(one.body, kind)]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("before", AFTER)
def test_rm5_each_command_in_each_state(before: str, action: str, restarts: bool) -> None:
    """The state after it, whether entries are possible, and that the command is recorded once; also when every step is
    followed by a restart."""
    world = World(restarts=restarts).open()
    first = LEADS_TO[before]
    if first is not None:
        world.tell(command(first, command_id="first"), T0)
    assert world.state(TREND) == before
    world.tell(command(action), T0 + 1)
    assert world.state(TREND) == AFTER[before][action]
    world.tell(command(action), T0 + 2)
    assert world.state(TREND) == AFTER[before][action], "a repeat changes nothing"
    recorded = [fact for fact in world.recorded(OperatorCommandFact) if fact.command_id == "c"]
    assert [(fact.action, fact.scope, fact.who, fact.reason) for fact in recorded] == [(action, TREND, "K", "a test")]
    assert not world.repeated
    answer = world.tell(intent(1), T0 + 3)
    assert bool(sent(answer, Approved)) is permits_entries(world.state(TREND))
    assert bool(sent(answer, OrderDenied)) is not permits_entries(world.state(TREND))
    (reduction,) = sent(world.tell(intent(2, reduce_only=True, side=Side.SELL), T0 + 4), Approved)
    assert isinstance(reduction.body, Approved), "what reduces risk always passes"


@pytest.mark.parametrize("action", RESTRICTS)
def test_rm5_what_forbids_new_risk_cancels_what_is_open(action: str) -> None:
    world = World().open()
    world.tell(intent(1), T0)
    world.tell(intent(2, reduce_only=True, side=Side.SELL), T0)
    withdrawn = sent(world.tell(command(action), T0 + 1), Withdraw)
    assert [(one.body.intent_id, one.to) for one in withdrawn] == [("trend-1-1", (ActorName.ORDER_MANAGER,))]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("action", "scope", "changed"),
    [
        *((action, "GLOBAL", ("GLOBAL",)) for action in ("pause", "reduce_only", "halt")),
        ("flatten", "GLOBAL", DERIVATIVE_ENGINES),
        ("flatten", "funding", ("funding",)),
        ("halt", "tactical", ("tactical",)),
    ],
)
def test_rm5_which_scopes_a_command_sets(action: str, scope: str, changed: tuple[str, ...]) -> None:
    """R3: CORE-HODL and TACTICAL go on when all derivatives are flattened."""
    assert scopes_for(action, scope) == changed
    world = World().open()
    commands = world.tell(command(action, scope), T0)
    assert {one.body.scope for one in sent(commands, RiskState)} == set(changed)  # type: ignore[attr-defined]
    assert {scope: world.state(scope) for scope in SCOPES if world.state(scope) != "NORMAL"} == dict.fromkeys(
        changed, RESTRICTS[action]
    )


@pytest.mark.parametrize("scope", ["core-hodl", "tactical", "nonsense"])
def test_r3_what_holds_no_derivatives_is_not_flattened(scope: str) -> None:
    assert scope not in allowed_scopes("flatten") and scopes_for("flatten", scope) == ()
    world = World().open()
    commands = world.tell(command("flatten", scope), T0)
    assert not sent(commands, FlattenOrdered) and not sent(commands, RiskState)
    assert world.titles() == ["Operator command refused"]
    assert ("holds no derivatives" in world.alerts[-1].text) is (scope != "nonsense")
    assert {world.state(one) for one in SCOPES} == {"NORMAL"}


# --- properties ---

STEPS = st.one_of(
    st.tuples(st.just("command"), st.sampled_from(ACTIONS), st.sampled_from(SCOPES)),
    st.tuples(st.just("halt of an actor"), st.sampled_from(ENGINES), st.just("")),
    st.tuples(st.just("reading"), st.booleans(), st.just("")),
    st.tuples(st.just("time"), st.sampled_from((MINUTE_MS, HOUR_MS, 25 * HOUR_MS, 40 * 24 * HOUR_MS)), st.just("")),
    st.tuples(st.just("entry"), st.sampled_from((ActorName.TREND_1, ActorName.TREND_2)), st.just("")),
    st.tuples(st.just("crash"), st.just(""), st.just("")),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_rm5_halted_is_never_left_by_itself_and_nothing_refused_is_approved(
    steps: list[tuple[str, object, str]],
) -> None:
    """Any sequence of commands, bad and good readings, crashes, hours and months."""
    world, now_ms = World().open(), T0
    for number, (what, which, scope) in enumerate(steps, 1):
        before = {one: world.state(one) for one in SCOPES}
        freed: set[str] = set()
        if what == "command":
            world.tell(command(str(which), scope, f"c{number}"), now_ms)
            freed = {scope} if which in ("normal", "reduce_only") else set()
        elif what == "halt of an actor":
            world.tell(command("halt", str(which), f"order-manager:{number}"), now_ms)
        elif what == "reading":
            world.tell(ReadingChanged(switch="exchange_unreachable", is_bad=bool(which), reason="30 s"), now_ms)
        elif what == "time":
            now_ms += int(str(which))
            world.tell(hour(now_ms), now_ms, "market-data")
        elif what == "crash":
            world.restart()
        else:
            engine = ActorName(str(which))
            answer = world.tell(intent(number, engine), now_ms)
            may = permits_entries(before["GLOBAL"]) and permits_entries(before[engine])
            assert may or not sent(answer, Approved)
        for one in SCOPES:
            assert before[one] != "HALTED" or world.state(one) == "HALTED" or one in freed, (what, which, scope)


def test_the_property_finds_a_machine_that_leaves_halted_after_a_calm_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: HALTED calms down like REDUCE_ONLY does."""
    from statemachines.risk import machine as module

    def careless(self: module.RiskMachine, now_ms: int) -> None:
        if self.level is not module.Level.NORMAL and self.calm_since_ms is None:
            self.calm_since_ms = now_ms
            self.demands.clear()

    table = module.RISK_TABLE
    rows = (*table.rows, Row("calm", module.RiskStateName.HALTED, module.RiskStateName.NORMAL, "planted"))
    monkeypatch.setattr(module.RiskMachine, "_watch_calm", careless)
    monkeypatch.setattr(module.RiskMachine, "TABLE", Table("risk", table.initial, rows, table.russian))
    world = World().open()
    world.tell(command("halt"), T0)
    world.tell(hour(T0 + 25 * HOUR_MS), T0 + 25 * HOUR_MS, "market-data")
    world.settle(T0 + 25 * HOUR_MS + MINUTE_MS)
    assert world.state(TREND) == "NORMAL", "the property's own assertion would fail here"


def test_rows_written_before_there_was_a_flatten_procedure_are_read() -> None:
    """A database of an earlier version has no such row: every procedure begins IDLE."""
    world = World().open()
    rows: dict[str, StateRow] = {key: row for key, row in world.rows.items() if not key.startswith("flatten:")}
    logic = RiskManagerLogic()
    logic.restore(rows)
    states = {row.key: row.state for row in logic.rows() if row.key.startswith("flatten:")}
    assert states == {f"flatten:{engine}": "IDLE" for engine in DERIVATIVE_ENGINES}
