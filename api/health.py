"""Is the system healthy? A pure judgement over what is known, with a sentence for everything that is not well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from api.json_values import time_of
from api.snapshot import STARTING, Snapshot
from statemachines.risk.machine import GLOBAL, NO_NEW_RISK, RiskStateName

MOVING = ("RUNNING", "ENDED")
"""States of the lockstep driver in which nothing is wrong."""

UNSETTLED, UNSETTLED_S = "UNSETTLED", 10.0
"""A step on a busy machine may take some seconds; from so many on, what is being waited for is shown."""


REPAIRED = frozenset({"STARTING", "RECOVERING", "SUSPECT", "FAILED", "BACKOFF", "STOPPED"})
"""States of a component in which the supervision is at work on it: it brings it back, or ends the system in order."""


class Trouble(NamedTuple):
    """Something that is not well, as a sentence. `heals_itself`: the system is at work on it, and no person is needed
    unless it stays."""

    text: str
    heals_itself: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """From which age (wall time, seconds) on something is stale.

    `snapshot_s`: the orchestrator's last answer. `commit_s`: the newest durable step of any actor while time runs.
    `heartbeat_s`: a component's sign of life in the database.
    """

    snapshot_s: float = 5.0
    commit_s: float = 60.0
    heartbeat_s: float = 30.0


PAPER_COMMIT_S = 30.0
LIVE_COMMIT_S = 2 * 3_600.0
"""Live, every closed hourly bar is committed; two hours without one mean that none arrive."""


def limits_for(is_simulated: bool, pace_s: float) -> Limits:
    """The limits that fit the market: in lockstep an hour of market time takes at least `pace_s` / 24."""
    return Limits(commit_s=PAPER_COMMIT_S + 3 * pace_s / 24 if is_simulated else LIVE_COMMIT_S)


def reasons(
    snapshot: Snapshot,
    actors: Sequence[Mapping[str, Any]] | None,
    switches: Sequence[Mapping[str, Any]],
    database_error: str,
    limits: Limits,
) -> list[str]:
    """The sentences of `troubles`."""
    return [one.text for one in troubles(snapshot, actors, switches, database_error, limits)]


def troubles(
    snapshot: Snapshot,
    actors: Sequence[Mapping[str, Any]] | None,
    switches: Sequence[Mapping[str, Any]],
    database_error: str,
    limits: Limits,
) -> list[Trouble]:
    """Everything that is not well; empty means that all runs, nothing is stale and trading is allowed. `actors` (None:
    unknown) and `switches` are the database's rows."""
    outage = _outage(snapshot)
    components = _components(snapshot)
    if outage:
        # What does not move, is old or waits now is what the outage has led to.
        is_old = snapshot.age_s is None or snapshot.age_s > limits.snapshot_s
        own = _orchestrator(snapshot, limits) if is_old else []
        return [Trouble(outage), *own, *components, *_plain(_trading(switches))]
    is_repairing = any(one.heals_itself for one in components)
    return [
        *_orchestrator(snapshot, limits),
        *components,
        *(Trouble(text, is_repairing) for text in _lockstep(snapshot)),
        *(Trouble(text, _is_starting(snapshot)) for text in _database(snapshot, actors, database_error, limits)),
        *_plain(_trading(switches)),
    ]


def _plain(texts: Sequence[str]) -> list[Trouble]:
    return [Trouble(text) for text in texts]


def _outage(snapshot: Snapshot) -> str:
    """What is wrong with the database and since when, as the actors that wait for it say; "" when none does."""
    own = snapshot.status.get("orchestrator") or {}
    healths = [own, snapshot.status, *(row.get("health") or {} for row in snapshot.components)]
    outages = [health["outage"] for health in healths if health.get("outage")]
    if not outages:
        return ""
    first = min(outages, key=lambda outage: float(outage["since_s"]))
    why = f" ({first['why']})" if first["why"] else ""
    return (
        f"The database {first['what']} since {time_of(int(float(first['since_s']) * 1000), with_seconds=True)}{why}: "
        "nothing can be committed, so nothing is decided or sent; stops stay at the exchange. Everything resumes by "
        "itself when the database can be written to."
    )


def _trading(switches: Sequence[Mapping[str, Any]]) -> list[str]:
    """Scopes in which nothing new may be opened (RM-2, RM-5)."""
    found = []
    for row in switches:
        state = RiskStateName(row["state"])
        if state in NO_NEW_RISK:
            whom = "all engines" if row["scope"] == GLOBAL else row["scope"]
            found.append(
                f"No new risk is allowed for {whom}: {state} since {time_of(row['changed_ms'])} by {row['who']} "
                f"({row['reason']}). `eternal control {_what_ends(state)} --scope {row['scope']} "
                '--reason "..."` ends it.'
            )
    return found


def _open(text: str | None) -> str:
    """A cause for the end of a sentence: some end with a full stop of their own."""
    return (text or "").rstrip().removesuffix(".")


def _what_ends(state: RiskStateName) -> str:
    """`normal` lifts what rules demand too and measures drawdowns anew: too much for ending a pause (RM-5)."""
    return "resume" if state is RiskStateName.PAUSED else "normal"


def _is_starting(snapshot: Snapshot) -> bool:
    """The launch is bringing the system up: that signs of life are old is how the last run has left them."""
    if snapshot.age_s is None:
        return snapshot.error == STARTING
    return not snapshot.status.get("booted") and not snapshot.status.get("boot_error")


def _orchestrator(snapshot: Snapshot, limits: Limits) -> list[Trouble]:
    if snapshot.age_s is None:
        return [
            Trouble(f"The state of the orchestrator is not known: {_open(snapshot.error)}.", _is_starting(snapshot))
        ]
    if snapshot.age_s > limits.snapshot_s:
        detail = f": {_open(snapshot.error)}" if snapshot.error else ""
        return [Trouble(f"The orchestrator's last answer is {snapshot.age_s:.0f} s old{detail}.")]
    if not snapshot.status.get("booted"):
        why = _open(snapshot.status.get("boot_error"))
        return [Trouble(f"The orchestrator has not begun yet: {why or STARTING}.", _is_starting(snapshot))]
    own = snapshot.status.get("orchestrator") or {}
    if own.get("state") != "RUNNING":
        return [Trouble(f"The orchestrator itself is {own.get('state', 'UNKNOWN')}.")]
    return []


def _components(snapshot: Snapshot) -> list[Trouble]:
    found = []
    for row in snapshot.components:
        if row["state"] != "RUNNING":
            why = f": {_open(row['reason'])}" if row.get("reason") else ""
            found.append(Trouble(f"{row['name']} is {row['state']}{why}.", row["state"] in REPAIRED))
        faults = (row.get("health") or {}).get("stream_faults") or []
        found += [Trouble(f"{row['name']}: {_open(fault)}.") for fault in faults]
    return found


def _lockstep(snapshot: Snapshot) -> list[str]:
    lockstep = snapshot.status.get("lockstep")
    if not lockstep or lockstep["state"] in MOVING:
        return []
    if lockstep["state"] == UNSETTLED and lockstep["standing_s"] < UNSETTLED_S:
        return []
    return [f"Market time stands still ({lockstep['state']}): {_open(lockstep['why']) or 'no reason is known'}."]


def _database(snapshot: Snapshot, actors: Sequence[Mapping[str, Any]] | None, error: str, limits: Limits) -> list[str]:
    if actors is None:
        return [f"The database does not answer: {_open(error)}."]
    found = []
    lockstep = snapshot.status.get("lockstep")
    ages = [float(row["committed_age_s"]) for row in actors if row["committed_age_s"] is not None]
    has_ended = lockstep is not None and lockstep["state"] == "ENDED"
    if ages and min(ages) > limits.commit_s and not has_ended:
        found.append(
            f"No actor has committed anything for {min(ages):.0f} s; at most {limits.commit_s:.0f} s is normal."
        )
    for row in actors:
        age = row["heartbeat_age_s"]
        if age is not None and age > limits.heartbeat_s:
            found.append(f"The last sign of life of {row['actor']} in the database is {age:.0f} s old.")
    return found
