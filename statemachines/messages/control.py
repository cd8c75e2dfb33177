"""Control messages: daily cycle, risk states, components, operator commands."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from statemachines.facts import SwitchReading
from statemachines.messages.envelope import Body
from statemachines.values import Account, ActorName, Foundation


class RiskState(Body):
    """The risk state in force for a scope (GLOBAL or an engine) and the size factor that entries must apply (RM-3)."""

    KIND = "risk_state"
    scope: str
    state: Literal["NORMAL", "CAUTION", "REDUCE_ONLY", "HALTED", "PAUSED"]
    size_factor: Decimal
    entries_blocked_until_ms: int | None = None
    reason: str


class AssessRisk(Body):
    """Second step of the daily cycle (OR-3)."""

    KIND = "assess_risk"
    day_ms: int


class RiskAssessed(Body):
    """The risk manager's assessment of the day: in NORMAL and CAUTION engines may enter, otherwise they are run
    without entries; capital moves in NORMAL alone (R2)."""

    KIND = "risk_assessed"
    day_ms: int
    state: Literal["NORMAL", "CAUTION", "REDUCE_ONLY", "HALTED", "PAUSED"]
    reason: str


class RunCycle(Body):
    """Third step: the engine decides on the day that closed at `close_ms`. `target_usdt` is the engine's
    target capital (weight × portfolio equity)."""

    KIND = "run_cycle"
    day_ms: int
    close_ms: int
    engine: ActorName
    target_usdt: Decimal
    portfolio_usdt: Decimal
    entries_allowed: bool = True


class CycleDone(Body):
    """The engine has finished its part of the cycle (urgent orders ended; maker orders may still work)."""

    KIND = "cycle_done"
    day_ms: int
    engine: ActorName
    summary: str


class ComponentChanged(Body):
    """A transition in a component's life cycle (OR-8), e.g. an engine that is FAULTED; sent by the orchestrator."""

    KIND = "component_changed"
    component: ActorName
    state: str
    reason: str
    trigger: str = ""
    source: str = ""
    """Together with `trigger` the row of the component's table that led to `state`; an older version sends neither."""


class ComponentAlert(Body):
    """A report of the supervision to the operator; the orchestrator's commit makes it an alert.

    `is_open`: the component is down and the alert stays open until it runs again; otherwise it reports a past event.
    """

    KIND = "component_alert"
    component: ActorName | Foundation
    severity: Literal["info", "warning", "critical"]
    text: str
    is_open: bool = False


class ReadingChanged(Body):
    """A reading of the exchange has become bad, or was good for long enough (RM-4, R2); a repeat changes nothing."""

    KIND = "reading_changed"
    switch: str
    is_bad: bool
    reason: str
    readings: tuple[SwitchReading, ...] = ()
    """Those that tripped it, oldest first; none when it ends."""


class DatabaseOutage(Body):
    """The database could not be used (DA-5): alerted when it begins, then committed and alerted again when it is over.

    `what` continues "The database"; `since` and `until` are wall time as text, `until` "" while it lasts.
    """

    KIND = "database_outage"
    what: str
    why: str
    since: str
    until: str = ""


class AccessFailures(Body):
    """Attempts to get in at the interface failed (DE-3, IF-4): a condition with a beginning, changes and an end.
    `is_critical`: a token was right and only the code of its second factor was wrong."""

    KIND = "access_failures"
    is_open: bool
    is_critical: bool = False
    text: str


def operator_id(command_id: str) -> str:
    """The natural id of an operator's command, by which an actor drops a repeat."""
    return f"operator:{command_id}"


class OperatorCommand(Body):
    """A command of the operator (RM-5); `command_id` is the caller's and makes it idempotent. `flatten` of GLOBAL is of
    every engine that holds derivatives (R3)."""

    KIND = "operator_command"
    command_id: str
    who: str
    action: Literal["pause", "resume", "reduce_only", "halt", "normal", "flatten"]
    scope: str
    reason: str


class FlattenOrdered(Body):
    """The operator requires the engine to be flat (RM-5, R3): it closes all it holds now, by market. A repeat does no
    harm."""

    KIND = "flatten_ordered"
    engine: ActorName
    command_id: str
    reason: str


class FlatnessWanted(Body):
    """The risk manager asks for a fresh reading of an account's own lists at the exchange (R3)."""

    KIND = "flatness_wanted"
    account: Account
    number: int


class FlatnessRead(Body):
    """What the exchange lists for an account at `market_ms` (R3): positions (signed, base coin) by symbol, balances by
    coin, and its open orders, of which at most 20 are described. `problem`: why it could not be read, or not all of it;
    then the lists are not to be used."""

    KIND = "flatness_read"
    account: Account
    number: int
    market_ms: int
    positions: dict[str, Decimal] = Field(default_factory=dict)
    coins: dict[str, Decimal] = Field(default_factory=dict)
    orders: tuple[str, ...] = ()
    order_count: int = 0
    problem: str = ""


class ComponentReset(Body):
    """The operator requests a restart of a FAULTED component (OR-8); `command_id` as in `OperatorCommand`."""

    KIND = "component_reset"
    command_id: str
    who: str
    component: ActorName
    reason: str


class PolicyRecorded(Body):
    """A version of the policy was recorded while the system runs (RM-6); the orchestrator hands it on between two daily
    cycles. `policy` is the whole document, JSON values only, and was validated."""

    KIND = "policy_recorded"
    version: int
    policy: dict[str, Any]
    who: str
    reason: str


class ParametersChanged(PolicyRecorded):
    """The version of the policy that every actor takes, each in a commit of its own (RM-6)."""

    KIND = "parameters_changed"
