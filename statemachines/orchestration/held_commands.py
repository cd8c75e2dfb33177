"""An operator's command while the risk manager is away (RM-5): one that forbids new risk is in force at once and waits
for the risk manager; one that permits more risk must wait until it can be carried out."""

from __future__ import annotations

from statemachines.commands import Alert, Commands, Record, Remark, Send
from statemachines.facts import HeldCommandFact
from statemachines.limits.operator_scopes import RESTRICTS, scopes_for
from statemachines.messages.control import OperatorCommand
from statemachines.values import ActorName


def hold(command: OperatorCommand, now_ms: int) -> Commands:
    """Put the command in force and send it to the risk manager, which carries it out when it is back."""
    state = RESTRICTS.get(command.action)
    scopes = scopes_for(command.action, command.scope)
    text = f"{command.who}: {command.action} {command.scope}: {command.reason}"
    if state is None or not scopes:
        return [Remark("operator", command.action, f"{text}: not held, it does not forbid new risk of a scope")]
    facts = [
        HeldCommandFact(
            command_id=command.command_id,
            scope=scope,
            state=state,  # type: ignore[arg-type]  # one of its literals
            action=command.action,
            asked_scope=command.scope,
            reason=command.reason,
            who=command.who,
            given_ms=now_ms,
        )
        for scope in scopes
    ]
    alert = (
        f"{text}. The risk manager did not answer: the command forbids new risk from now on, and the rest of it "
        "(cancels, closing) is done as soon as the risk manager is back. See /health; if it stays away, cancel and "
        "close by hand."
    )
    return [
        Remark("operator", command.action, f"{text}: held until the risk manager carries it out"),
        *(Record(fact) for fact in facts),
        Send(command, to=(ActorName.RISK_MANAGER,)),
        Alert("warning", "A command waits for the risk manager", alert),
    ]
