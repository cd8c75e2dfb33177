"""The risk states of all scopes and the effects of a change: switch row, message, alert, cancelled entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal

from statemachines.commands import Alert, AlertEnded, Commands, JournalLine, Record, Remark, Send
from statemachines.facts import SwitchFact
from statemachines.limits.entry_gate import permits_entries
from statemachines.limits.operator_scopes import SCOPES, allowed_scopes, scopes_for, why_not
from statemachines.messages.control import OperatorCommand, RiskState
from statemachines.risk.intent_gate import IntentGate
from statemachines.risk.machine import (
    COMPONENT_RULE,
    DRAWDOWN_RULE,
    GLOBAL,
    OPERATOR_RULE,
    Level,
    RiskMachine,
    RiskStateName,
)
from statemachines.risk.parameters import RiskParameters, Switch
from statemachines.risk.switches import size_factor
from statemachines.values import ENGINES, ActorName

COMMANDS_KEPT = 200
"""Number of operator command ids kept, so that a repeat changes nothing (RM-5)."""

Change = Callable[[RiskMachine], list[JournalLine]]


class RiskStates:
    """One machine per scope (RM-2). Every change of a state is recorded as a `SwitchFact`, which the commit tests."""

    def __init__(self, parameters: RiskParameters, gate: IntentGate) -> None:
        self._parameters = parameters
        self._gate = gate
        self.machines = {scope: RiskMachine(scope, parameters.calm_ms) for scope in SCOPES}
        self.dirty: set[str] = set()
        self.commands_seen: list[str] = []

    def state(self, scope: str) -> RiskStateName:
        """The state in force for a scope."""
        return self.machines[scope].state

    # --- changes ---

    def demand(self, scope: str, rule: str, level: Level, reason: str, now_ms: int) -> Commands:
        """A rule's reading is bad: escalate immediately (RM-2)."""
        return self._change(scope, lambda machine: machine.demand(rule, level, reason, now_ms))

    def demand_once(self, scope: str, rule: str, level: Level, reason: str, now_ms: int) -> Commands:
        """A bad event: escalate immediately, the 24 h of calm begin."""
        return self._change(scope, lambda machine: machine.demand_once(rule, level, reason, now_ms))

    def take_reading(self, rule: str, reason: str, now_ms: int, *, is_bad: bool) -> Commands:
        """RM-4, R2: a reading of the exchange has become bad, or was good for long enough: GLOBAL."""
        if is_bad:
            return self._change(GLOBAL, lambda machine: machine.hold(rule, reason, now_ms))
        return self._change(GLOBAL, lambda machine: machine.let_go(rule, reason, now_ms))

    def end_standstill(self, scope: str, rule: str, reason: str, now_ms: int) -> Commands:
        """R1: 30 days REDUCE_ONLY and flat."""
        return self._change(scope, lambda machine: machine.end_standstill(rule, reason, now_ms))

    def demands_reduce_only(self, scope: str, rule: str) -> bool:
        """Whether this rule keeps the scope in REDUCE_ONLY."""
        return self.machines[scope].demands.get(rule) == Level.REDUCE_ONLY

    def release(self, scope: str, rule: str, now_ms: int) -> Commands:
        """The rule's reading is good again."""
        if rule not in self.machines[scope].demands:
            return []

        def released(machine: RiskMachine) -> list[JournalLine]:
            machine.release(rule, now_ms)
            return []

        return self._change(scope, released)

    def block_entries(self, scope: str, until_ms: int, reason: str) -> Commands:
        """RM-3: no new entries of an engine before `until_ms`; resting ones are cancelled."""
        machine = self.machines[scope]
        machine.block_entries(until_ms)
        self.dirty.add(scope)
        note = machine.remark("one_day_fall", reason, {"until_ms": until_ms})
        return [note, self._message(machine, reason), *self._gate.withdrawals(_engines(scope), reason)]

    def tick(self, now_ms: int) -> Commands:
        """Relax the states of scopes that were calm for 24 h (RM-2)."""
        commands: Commands = []
        for scope, machine in self.machines.items():
            due_ms = machine.deadline()
            if due_ms is not None and due_ms <= now_ms:
                commands += self._change(scope, lambda m: m.tick(now_ms))
        return commands

    def deadline(self) -> int | None:
        """When the next scope may be relaxed by rule."""
        return min((due for m in self.machines.values() if (due := m.deadline()) is not None), default=None)

    def operate(self, command: OperatorCommand, now_ms: int) -> Commands:
        """RM-5: carry out an operator's command once; repeats and scopes that it is not for change nothing."""
        if command.command_id in self.commands_seen:
            text = f"command {command.command_id} of {command.who} has already been carried out"
            return [Remark("operator", command.action, text, {"command_id": command.command_id})]
        self.commands_seen = [*self.commands_seen, command.command_id][-COMMANDS_KEPT:]
        scopes = scopes_for(command.action, command.scope)
        if not scopes:
            allowed = list(allowed_scopes(command.action))
            text = f"{command.who}: {command.action} of {command.scope!r} is not possible; allowed: {allowed}"
            if why := why_not(command.action, command.scope):
                text = f"{text}. {why}"
            note = Remark("operator", command.action, text, {"command_id": command.command_id})
            return [note, Alert("warning", "Operator command refused", text)]
        return [note for scope in scopes for note in self._operate(scope, command, now_ms)]

    def _operate(self, scope: str, command: OperatorCommand, now_ms: int) -> Commands:
        return self._change(
            scope, lambda machine: machine.operator(command.action, command.who, command.reason, now_ms)
        )

    def _change(self, scope: str, change: Change) -> Commands:
        machine = self.machines[scope]
        before, text = (machine.state, machine.entries_blocked_until_ms), _text(machine)
        notes = change(machine)
        self.dirty.add(scope)
        commands: Commands = [*notes]
        if (machine.state, machine.entries_blocked_until_ms) == before:
            return commands if _text(machine) == text else [*commands, *self._follow(machine)]
        commands += [self._fact(machine), self._message(machine, machine.explanation)]
        commands += _alerts(machine, before[0])
        if not permits_entries(machine.state):
            why = f"{scope} is {machine.state}: {machine.explanation}"
            commands += self._gate.withdrawals(_engines(scope), why)
        return commands

    def _follow(self, machine: RiskMachine) -> Commands:
        """The state is the same, and something else demands it or no longer does: row, message and alert say so
        (ADR 0016)."""
        if machine.state is RiskStateName.NORMAL:
            return []
        title = f"{machine.scope} remains {machine.state}"
        alert = Alert(_SEVERITY[machine.state], title, _text(machine), _condition(machine))
        return [self._fact(machine), self._message(machine, machine.explanation), alert]

    def _fact(self, machine: RiskMachine) -> Record:
        return Record(
            SwitchFact(
                scope=machine.scope,
                state=machine.state.value,
                reason=machine.explanation.removeprefix(f"{machine.who}: "),
                who=machine.who,
                changed_ms=machine.changed_ms,
            )
        )

    def _message(self, machine: RiskMachine, reason: str) -> Send:
        body = RiskState(
            scope=machine.scope,
            state=machine.state.value,
            size_factor=self.size_factor(machine.scope),
            entries_blocked_until_ms=machine.entries_blocked_until_ms,
            reason=reason,
        )
        to = () if machine.scope == GLOBAL else (ActorName(machine.scope), ActorName.ORCHESTRATOR)
        return Send(body, to=to)

    def factors(self) -> Commands:
        """RM-6: the size factor of each scope for which it follows from the parameters: a change of the policy would
        otherwise wait for the next change of the state."""
        cautious = [one for one in self.machines.values() if one.state is RiskStateName.CAUTION]
        return [self._message(machine, machine.explanation) for machine in cautious]

    def size_factor(self, scope: str) -> Decimal:
        """The factor on entries' sizes that one scope's state requires (RM-3)."""
        return size_factor(self.machines[scope].state, self._parameters)

    # --- durability ---

    def to_data(self, scope: str) -> tuple[str, dict[str, Any]]:
        """State and data of one scope's row."""
        machine = self.machines[scope]
        return machine.state.value, machine.to_data()

    def restore(self, scope: str, state: str, data: Mapping[str, Any]) -> None:
        """Restore one scope's row."""
        self.machines[scope] = RiskMachine.from_row(scope, self._parameters.calm_ms, state, data)


def _engines(scope: str) -> tuple[ActorName, ...]:
    return ENGINES if scope == GLOBAL else (ActorName(scope),)


_SEVERITY: dict[RiskStateName, Literal["info", "warning", "critical"]] = {
    RiskStateName.NORMAL: "info",
    RiskStateName.PAUSED: "info",
    RiskStateName.CAUTION: "warning",
    RiskStateName.REDUCE_ONLY: "critical",
    RiskStateName.HALTED: "critical",
}

_EXPECTED: dict[RiskStateName, str] = {
    RiskStateName.NORMAL: "No action is required.",
    RiskStateName.PAUSED: "No new entries until you resume it.",
    RiskStateName.CAUTION: "Entries are made at half size. It ends automatically after 24 h of calm.",
}
_NO_NEW_RISK = "No new risk is taken, resting entries are cancelled, stops remain."
_CLOSING = (
    "No new risk is taken, resting entries are cancelled. The engine's positions are closed at market, with the coins "
    "that they hedge, and their stops are withdrawn with them; an alert reports when the exchange shows it flat, or "
    "that it is not."
)
_WITHDRAWALS = "Check the exchange's announcements; if in doubt, withdraw what can be withdrawn."


def _expected(machine: RiskMachine) -> str:
    """What the state means and what ends it, which follows from who demands it (RM-2, RM-5, R1, R2)."""
    if machine.state is RiskStateName.REDUCE_ONLY:
        return " ".join((_NO_NEW_RISK, *_ends_of_reduce_only(machine)))
    if machine.beneath_pause:
        return f"{_EXPECTED[machine.state]} It then stands in {machine.beneath_pause}."
    if machine.state is not RiskStateName.HALTED:
        return _EXPECTED[machine.state]
    advice = f" {_WITHDRAWALS}" if Switch.WITHDRAWALS_SUSPENDED in machine.demands else ""
    return f"{_CLOSING if machine.is_closing else _NO_NEW_RISK} Only your command can end HALTED.{advice}"


def _ends_of_reduce_only(machine: RiskMachine) -> list[str]:
    found = []
    if machine.level is Level.REDUCE_ONLY:
        rules = {rule.partition(":")[0] for rule, level in machine.demands.items() if level is Level.REDUCE_ONLY}
        if rules & {OPERATOR_RULE, COMPONENT_RULE}:
            found.append("Only your command 'normal' can end it.")
        else:
            found.append("It ends after 24 h of calm, or by your command 'normal'.")
            if DRAWDOWN_RULE in rules:
                found.append("Without positions it returns to CAUTION after 30 days, once a year.")
    if machine.readings:
        bad = ", ".join(sorted(machine.readings))
        good = f"the bad reading of the exchange ({bad}) has been good for 5 minutes"
        found.append(f"Nothing ends it before {good}." if found else f"It ends when {good}, and by no command.")
    return found


def _text(machine: RiskMachine) -> str:
    """Why the scope is in its state, what the state means and what ends it."""
    return f"{machine.explanation.removesuffix('.')}. {_expected(machine)}"


def _condition(machine: RiskMachine) -> str:
    return f"state:{machine.scope}"


def _alerts(machine: RiskMachine, before: RiskStateName) -> Commands:
    """A state other than NORMAL is a condition of its scope; its return to NORMAL is the end, and an event."""
    title = f"{machine.scope}: {before} → {machine.state}"
    text, condition = _text(machine), _condition(machine)
    if machine.state is not RiskStateName.NORMAL:
        beneath = RiskStateName[machine.in_force.name] if machine.beneath_pause else machine.state
        return [Alert(_SEVERITY[beneath], title, text, condition)]
    return [AlertEnded(condition, machine.explanation), Alert(_SEVERITY[machine.state], title, text)]
