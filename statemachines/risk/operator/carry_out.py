"""An operator's command, carried out once: the states it sets, what follows from it, and its record (RM-5)."""

from __future__ import annotations

from statemachines.commands import Commands, Record
from statemachines.facts import OperatorCommandFact
from statemachines.limits.operator_scopes import FLATTEN, scopes_for
from statemachines.messages.control import OperatorCommand
from statemachines.risk.measurements import Results
from statemachines.risk.operator.flattening import Flattening
from statemachines.risk.risk_states import RiskStates
from statemachines.values import ActorName


def carry_out(
    command: OperatorCommand, states: RiskStates, results: Results, flattening: Flattening, now_ms: int
) -> Commands:
    """Carry the command out and record it; one with an id that was carried out before changes nothing."""
    is_new = command.command_id not in states.commands_seen
    commands = states.operate(command, now_ms)
    if not is_new:
        return commands
    commands += _follow_up(command, flattening, now_ms)
    if command.action == "normal":
        results.rebase(command.scope)
    return [*commands, Record(recorded(command, now_ms))]


def _follow_up(command: OperatorCommand, flattening: Flattening, now_ms: int) -> Commands:
    """Flattening begins, or is abandoned since the operator has ended HALTED."""
    if command.action == FLATTEN:
        engines = [ActorName(scope) for scope in scopes_for(FLATTEN, command.scope)]
        return flattening.begin(command, engines, now_ms)
    if command.action in ("normal", "reduce_only"):
        reason = f"{command.who}: {command.action}: {command.reason}"
        return flattening.halt_ended(command.scope, reason, may_enter=command.action == "normal")
    return []


def recorded(command: OperatorCommand, now_ms: int) -> OperatorCommandFact:
    """The command as a row of the register of all commands."""
    return OperatorCommandFact(
        command_id=command.command_id,
        action=command.action,
        scope=command.scope,
        reason=command.reason,
        who=command.who,
        given_ms=now_ms,
    )
