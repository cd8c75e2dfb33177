"""RM-6: a version comes into force in one commit, whatever dies: the version before or the new one, never a mix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.durable_actor import DurableActor
from actors.runtime.memory_store import MemoryStore
from actors.runtime.policies import switch
from statemachines.facts import AlertFact
from statemachines.messages.control import ParametersChanged
from statemachines.messages.orders import ResponseReceived
from statemachines.policy.held import KEY, HeldPolicy
from statemachines.requests import Accepted
from tests.actors.runtime.policies.limited import (
    NAME,
    STARTED,
    UNUSABLE,
    Life,
    Limited,
    LimitPort,
    Scenario,
    envelope,
    limit_of,
    scenarios,
)
from tests.actors.runtime.toy import fact
from tests.api.records import performance_day

POINTS = st.frozensets(st.integers(1, 60), max_size=8)


@given(
    st.builds(
        Scenario, st.lists(st.sampled_from(("fact", "fact", "policy", "answer", "die")), max_size=16), POINTS, POINTS
    )
)
def test_a_crash_at_any_point_gives_the_version_before_or_the_new_one(scenario: Scenario) -> None:
    assert Life(scenario).play() == []


def test_at_each_point_of_one_change_a_death_and_an_outage() -> None:
    events = ("fact", "fact", "fact", "policy", "fact", "answer", "fact", "policy", "fact")
    for point in range(1, 60):
        assert Life(Scenario(events, deaths={point})).play() == []
        assert Life(Scenario(events, outages={point})).play() == []


def _ignores_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_due(self: Any, *, is_at_rest: bool) -> bool:
        return self._port is not None and bool(self._held.is_waiting)

    monkeypatch.setattr(switch.PolicySwitch, "is_due", is_due)


def _keeps_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch.PolicySwitch, "dirty", lambda self: ())


def _restarts_with_the_parameters_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    started = switch.PolicySwitch.started
    monkeypatch.setattr(switch.PolicySwitch, "started", lambda self, row: started(self, row) and None)


def _leaves_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def bring_back(logic: Any, states: Any, store: Any, last_start_ms: int) -> None:
        if logic.limit == limit_of(1):  # a start; a change takes no rows along
            original(logic, states, store, last_start_ms)

    original = switch.bring_back
    monkeypatch.setattr(switch, "bring_back", bring_back)


def _quotes_the_version_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(self: Any) -> int:
        return int((self._held.next or self._held.current).number)

    monkeypatch.setattr(switch.PolicySwitch, "version", property(version))


@pytest.mark.parametrize(
    "plant",
    [
        _ignores_requests,
        _keeps_no_row,
        _restarts_with_the_parameters_of_the_start,
        _leaves_the_rows,
        _quotes_the_version_that_waits,
    ],
)
def test_a_planted_defect_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = scenarios(7, 60)
    assert not any(Life(scenario).play() for scenario in tried)
    plant(monkeypatch)
    assert any(Life(scenario).play() for scenario in tried)


def _actor(store: MemoryStore) -> DurableActor:
    durable = DurableActor(Limited(limit_of(1)), store, store.grant(NAME, "test"), policies=LimitPort())
    durable.start(0)
    _run(durable)
    return durable


def _run(durable: DurableActor) -> list[str]:
    keys: list[str] = []
    while durable.has_work:
        keys += [call.key for call in durable.step().calls]
    return keys


def _change(number: int, limit: object) -> dict[str, Any]:
    return envelope(number, ParametersChanged(version=number + 1, policy={"limit": limit}, who="ada", reason="a test"))


def _triggers(store: MemoryStore) -> list[str]:
    return [line.note.trigger for line in store.journal(NAME)]


def test_it_waits_for_requests_under_way_and_nothing_else_waits() -> None:
    store = MemoryStore()
    durable = _actor(store)
    durable.take_fact(fact(3).body, "fact-3", 3)
    assert _run(durable) == ["3:1"]
    durable.deliver([_change(1, 20)])
    durable.take_fact(fact(4).body, "fact-4", 4)
    _run(durable)
    assert (durable.policy.version, _triggers(store)) == (1, ["judged", "take", "judged"])
    durable.answer("3:1", ResponseReceived(key="3:1", account="MASTER", outcome=Accepted()))
    _run(durable)
    assert (durable.policy.version, _triggers(store)[3:]) == (2, ["answered", "apply"])
    cause = {line.note.trigger: (line.cause, line.trace) for line in store.journal(NAME)}
    assert cause["take"] == cause["apply"] == ("orchestrator:1", "tick-1"), "P5: caused by the message that brought it"


def test_it_is_in_force_before_the_messages_behind_it() -> None:
    durable = _actor(store := MemoryStore())
    durable.take_fact(fact(1).body, "fact-1", 1)
    durable.deliver([_change(1, 20)])
    durable.take_fact(fact(2).body, "fact-2", 2)
    _run(durable)
    assert [line.note.data["limit"] for line in store.journal(NAME) if line.note.machine == "limited"] == [10, 20]


def test_parameters_that_do_not_differ_change_the_number_only() -> None:
    durable = _actor(MemoryStore())
    before = durable.logic
    durable.deliver([_change(1, limit_of(1))])
    _run(durable)
    assert durable.logic is before and durable.policy.version == 2


def test_a_version_that_does_not_fit_is_refused_with_an_alert_and_the_next_one_ends_it() -> None:
    store = MemoryStore()
    durable = _actor(store)
    before = durable.logic
    durable.deliver([_change(1, UNUSABLE)])
    _run(durable)
    assert durable.logic is before and durable.policy.version == 1
    (alert,) = (one for one in store.facts("alerts") if isinstance(one, AlertFact))
    assert (alert.severity, alert.state) == ("critical", "open")
    assert "cannot apply policy version 2 of ada: limit is no number" in alert.text and "rollback 1" in alert.text
    again = _actor(store)
    assert again.policy.version == 1, "a restarted actor takes the same"
    again.deliver([_change(1, UNUSABLE), _change(2, 30)])
    _run(again)
    (alert,) = (one for one in store.facts("alerts") if isinstance(one, AlertFact))
    assert again.policy.version == 3 and alert.state == "ended"


def test_the_system_started_again_with_a_later_version_takes_that_one() -> None:
    store = MemoryStore()
    durable = _actor(store)
    durable.deliver([_change(1, 20)])
    _run(durable)

    class Later(LimitPort):
        version = 5

    later = DurableActor(Limited(50), store, store.grant(NAME, "test"), policies=Later())
    later.start(0)
    _run(later)
    assert later.policy.version == 5 and isinstance(later.logic, Limited) and later.logic.limit == 50
    row = store.load(NAME, later.epoch).states[KEY]
    assert row.data["current"]["number"] == 5 and row.data["current"]["policy"] is None


def test_without_policies_nothing_is_kept_and_nothing_is_quoted() -> None:
    store = MemoryStore()
    durable = DurableActor(Limited(10), store, store.grant(NAME, "test"))
    durable.start(0)
    durable.deliver([_change(1, 20)])
    durable.take_fact(fact(1).body, "fact-1", 1)
    _run(durable)
    assert KEY not in store.load(NAME, durable.epoch).states
    assert [dict(line.note.data) for line in store.journal(NAME)] == [{"limit": 10}]


def test_a_record_of_what_was_achieved_quotes_the_version_and_other_facts_are_left() -> None:
    """P4: per engine and parameter set."""
    day = performance_day("trend-1", 1)
    alert = AlertFact(
        alert_id="a", actor=NAME, severity="info", title="t", text="t", state="open", market_ms=1, changed_ms=1
    )
    with_policies = switch.PolicySwitch(NAME, LimitPort())
    assert with_policies.stamped(day.model_copy(update={"policy_version": 0})) == day.model_copy(
        update={"policy_version": STARTED}
    )
    assert with_policies.stamped(alert) is alert
    assert switch.PolicySwitch(NAME, None).stamped(day) is day


def test_the_row_holds_what_the_machine_says() -> None:
    held = HeldPolicy(NAME, 1)
    assert (held.row().state, held.is_dirty, held.is_waiting) == ("IN_FORCE", True, False)
