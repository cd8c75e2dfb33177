"""When the system counts as healthy (OR-8): everything that can be stale, one after the other."""

from __future__ import annotations

from typing import Any

import pytest

from api.health import REPAIRED, Limits, limits_for, reasons, troubles
from api.snapshot import STARTING, Snapshot

LIMITS = Limits(snapshot_s=5, commit_s=60, heartbeat_s=30)
ACTORS = [{"actor": "trend-1", "committed_age_s": 1.0, "heartbeat_age_s": None}]


def status(**changes: Any) -> dict[str, Any]:
    component = {"name": "trend-1", "state": "RUNNING", "state_ru": "Работает", "reason": "", "health": {}}
    lockstep = {"state": "RUNNING", "why": "", "standing_s": 0.1}
    own = {"state": "RUNNING"}
    return {"booted": True, "orchestrator": own, "components": [component], "lockstep": lockstep, **changes}


def judged(snapshot: Snapshot, actors: Any = ACTORS, error: str = "", switches: Any = ()) -> str:
    return " ".join(reasons(snapshot, actors, switches, error, LIMITS))


def switch(scope: str, state: str) -> dict[str, Any]:
    return {"scope": scope, "state": state, "who": "operator", "reason": "a test", "changed_ms": 1_735_689_600_000}


@pytest.mark.parametrize("state", ["PAUSED", "REDUCE_ONLY", "HALTED"])
@pytest.mark.parametrize("scope", ["GLOBAL", "trend-1"])
def test_all_is_not_well_where_nothing_may_be_opened(scope: str, state: str) -> None:
    """Case 18: everything was HALTED, and page, status and health said that all is well."""
    text = judged(Snapshot(status(), 0.1), switches=[switch(scope, state)])
    whom = "all engines" if scope == "GLOBAL" else scope
    assert f"No new risk is allowed for {whom}: {state} since 2025-01-01 00:00 UTC by operator (a test)." in text
    # `normal` also lifts what rules demand: no advice for an operator's own pause.
    ends = "resume" if state == "PAUSED" else "normal"
    assert f'`eternal control {ends} --scope {scope} --reason "..."` ends it.' in text


def test_with_caution_trading_is_allowed() -> None:
    assert judged(Snapshot(status(), 0.1), switches=[switch("GLOBAL", "CAUTION"), switch("trend-1", "NORMAL")]) == ""


def test_all_is_well() -> None:
    assert judged(Snapshot(status(), 0.1)) == ""
    assert judged(Snapshot(status(lockstep=None), 0.1)) == ""


def component(**changes: Any) -> dict[str, Any]:
    return status(components=[{**status()["components"][0], **changes}])


@pytest.mark.parametrize(
    ("snapshot", "sentence"),
    [
        (
            Snapshot({}, None, "no answer within 1.0 s"),
            "The state of the orchestrator is not known: no answer within 1.0 s.",
        ),
        (Snapshot(status(), 9.0), "last answer is 9 s old"),
        (Snapshot(status(booted=False, boot_error="no database"), 0.1), "has not begun yet: no database"),
        (Snapshot(status(orchestrator={"state": "FENCED"}), 0.1), "The orchestrator itself is FENCED."),
        (Snapshot(component(state="FAULTED", state_ru="Неисправен"), 0.1), "trend-1 is FAULTED."),
        (Snapshot(component(health={"stream_faults": ["private is away"]}), 0.1), "trend-1: private is away."),
        (Snapshot(status(lockstep={"state": "EXCHANGE_AWAY", "why": "gone"}), 0.1), "(EXCHANGE_AWAY): gone"),
    ],
)
def test_each_trouble_is_a_sentence(snapshot: Snapshot, sentence: str) -> None:
    assert sentence in judged(snapshot)


@pytest.mark.parametrize("end", ["", ".", ". "])
def test_a_cause_that_is_a_sentence_of_its_own_has_one_full_stop(end: str) -> None:
    """After the exchange's death the reasons ended with "was lost.."."""
    cause = f"the exchange was lost{end}"
    for snapshot in (
        Snapshot({}, None, cause),
        Snapshot(status(), 9.0, cause),
        Snapshot(status(booted=False, boot_error=cause), 0.1),
        Snapshot(component(state="DOWN", state_ru="x", reason=cause), 0.1),
        Snapshot(component(health={"stream_faults": [cause]}), 0.1),
        Snapshot(status(lockstep={"state": "EXCHANGE_AWAY", "why": cause}), 0.1),
    ):
        assert judged(snapshot).endswith("the exchange was lost."), judged(snapshot)
    assert judged(Snapshot(status(), 0.1), None, cause).endswith("the exchange was lost.")


def test_old_commits_are_stale_unless_the_market_has_ended() -> None:
    old = [{"actor": "trend-1", "committed_age_s": 61.0, "heartbeat_age_s": 31.0}]
    text = judged(Snapshot(status(), 0.1), old)
    assert "No actor has committed anything for 61 s" in text
    assert "sign of life of trend-1 in the database is 31 s old" in text
    ended = Snapshot(status(lockstep={"state": "ENDED", "why": ""}), 0.1)
    assert "committed" not in judged(ended, old)


def test_a_silent_database_is_named() -> None:
    assert judged(Snapshot(status(), 0.1), None, "it did not answer") == (
        "The database does not answer: it did not answer."
    )


def test_a_slow_market_may_be_silent_for_longer() -> None:
    assert limits_for(True, 86_400).commit_s > 3 * 3_600
    assert limits_for(True, 0).commit_s == 30
    assert limits_for(False, 0).commit_s == 7_200


@pytest.mark.parametrize("state", [*sorted(REPAIRED), "FAULTED"])
def test_what_the_supervision_works_on_needs_no_person(state: str) -> None:
    found = troubles(Snapshot(component(state=state), 0.1), ACTORS, (), "", LIMITS)
    assert [one.heals_itself for one in found] == [state in REPAIRED]


def test_a_start_is_no_trouble_for_a_person() -> None:
    still = {"state": "UNSETTLED", "why": "market-data has not reported", "standing_s": 20.0}
    first = Snapshot(status(booted=False), 0.1), Snapshot({**component(state="STARTING"), "lockstep": still}, 0.1)
    for snapshot in first:
        assert all(one.heals_itself for one in troubles(snapshot, ACTORS, (), "", LIMITS))
    (one,) = troubles(Snapshot(status(lockstep=still), 0.1), ACTORS, (), "", LIMITS)
    assert not one.heals_itself, "nothing is being started: time stands for another reason"


OLD = [{"actor": "trend-1", "committed_age_s": 90.0, "heartbeat_age_s": 90.0}]


@pytest.mark.parametrize(
    ("snapshot", "is_starting"),
    [
        (Snapshot({}, None, STARTING), True),
        (Snapshot(status(booted=False), 0.1), True),
        (Snapshot({}, None, "no answer within 1.0 s"), False),
        (Snapshot(status(booted=False, boot_error="no room on the disk"), 0.1), False),
        (Snapshot(status(), 0.1), False),
    ],
)
def test_a_start_asks_nothing_of_a_person(snapshot: Snapshot, is_starting: bool) -> None:
    """A judge read "Action is required of you (15)" at every start: the signs of life were those of the last run."""
    found = troubles(snapshot, OLD, (), "", LIMITS)
    assert len(found) >= 2 and {one.heals_itself for one in found} == {is_starting}
