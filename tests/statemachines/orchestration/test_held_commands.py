"""RM-5: what the orchestrator accepts in the risk manager's place, and what it must not."""

from __future__ import annotations

import pytest

from statemachines.commands import Alert, Record, Send
from statemachines.facts import HeldCommandFact
from statemachines.limits.operator_scopes import RESTRICTS, SCOPES
from statemachines.messages.control import OperatorCommand
from statemachines.orchestration.held_commands import hold
from statemachines.values import DERIVATIVE_ENGINES, ActorName


def command(action: str, scope: str = "GLOBAL") -> OperatorCommand:
    return OperatorCommand(command_id="c", who="K", action=action, scope=scope, reason="a test")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("action", "scope", "scopes", "state"),
    [
        ("pause", "trend-1", ("trend-1",), "PAUSED"),
        ("reduce_only", "GLOBAL", ("GLOBAL",), "REDUCE_ONLY"),
        ("halt", "tactical", ("tactical",), "HALTED"),
        ("flatten", "funding", ("funding",), "HALTED"),
        ("flatten", "GLOBAL", DERIVATIVE_ENGINES, "HALTED"),
    ],
)
def test_what_forbids_new_risk_is_in_force_and_sent_on(
    action: str, scope: str, scopes: tuple[str, ...], state: str
) -> None:
    commands = hold(command(action, scope), 7)
    held = [one.fact for one in commands if isinstance(one, Record)]
    assert [(one.scope, one.state, one.asked_scope) for one in held if isinstance(one, HeldCommandFact)] == [
        (one, state, scope) for one in scopes
    ]
    (sent,) = [one for one in commands if isinstance(one, Send)]
    assert sent.to == (ActorName.RISK_MANAGER,) and sent.body == command(action, scope)
    assert [one.severity for one in commands if isinstance(one, Alert)] == ["warning"]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("action", ["resume", "normal"])
def test_what_permits_risk_is_not_accepted(action: str, scope: str) -> None:
    """Only the risk manager knows what its rules demand."""
    assert action not in RESTRICTS
    assert not [one for one in hold(command(action, scope), 7) if isinstance(one, Record | Send)]


def test_r3_nor_is_a_flatten_of_what_holds_no_derivatives() -> None:
    assert not [one for one in hold(command("flatten", "core-hodl"), 7) if isinstance(one, Record | Send)]
