"""An operator's command while the risk manager or the interface is away (RM-5): one that forbids new risk is in force
at once and waits for the risk manager; one that permits more risk must wait until it can be carried out."""

from __future__ import annotations

from statemachines.commands import Alert, Commands, Record, Remark, Send
from statemachines.facts import HeldCommandFact
from statemachines.limits.operator_scopes import RESTRICTS, scopes_for
from statemachines.messages.control import OperatorCommand
from statemachines.values import ActorName


def held_facts(command: OperatorCommand, now_ms: int) -> list[HeldCommandFact]:
    """What puts the command in force: one fact per scope; none for a command that does not forbid new risk."""
    state = RESTRICTS.get(command.action)
    if state is None:
        return []
    return [
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
        for scope in scopes_for(command.action, command.scope)
    ]


def hold(command: OperatorCommand, now_ms: int) -> Commands:
    """Put the command in force and send it to the risk manager, which carries it out when it is back."""
    facts = held_facts(command, now_ms)
    text = f"{command.who}: {command.action} {command.scope}: {command.reason}"
    if not facts:
        return [Remark("operator", command.action, f"{text}: not held, it does not forbid new risk of a scope")]
    alert = (
        f"{text}. The command was taken in the risk manager's place: it forbids new risk from now on, and the rest of "
        "it (cancels, closing) is done as soon as the risk manager has it. See /health; if that one stays away, cancel "
        "and close by hand."
    )
    return [
        Remark("operator", command.action, f"{text}: held until the risk manager carries it out"),
        *(Record(fact) for fact in facts),
        Send(command, to=(ActorName.RISK_MANAGER,)),
        Alert("warning", "A command waits for the risk manager", alert),
    ]
