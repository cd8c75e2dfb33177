"""Wrong behaviours planted in the production code: each makes one of the tests of the layers fail."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from actors.runtime.durable_actor import DurableActor
from statemachines.commands import Commands
from statemachines.messages.control import ComponentChanged
from statemachines.messages.envelope import Envelope
from statemachines.orchestration.logic import OrchestratorLogic
from statemachines.risk.logic import RiskManagerLogic
from statemachines.supervision.supervisor import Supervisor
from statemachines.values import ActorName


def the_cycle_waits_for_an_engine_that_is_faulted() -> AbstractContextManager[Any]:
    """P1 off: the orchestrator does not keep the report."""
    right = OrchestratorLogic._component_changed

    def wrong(self: OrchestratorLogic, body: ComponentChanged, now_ms: int) -> Commands:
        commands = right(self, body, now_ms)
        self._components.pop(str(body.component), None)
        return commands

    return patch.object(OrchestratorLogic, "_component_changed", wrong)


def a_faulted_engine_is_not_reduce_only() -> AbstractContextManager[Any]:
    """OR-8 off at the risk manager."""
    return patch.object(RiskManagerLogic, "_component", lambda *_: [])


def a_reset_starts_nothing() -> AbstractContextManager[Any]:
    """OR-8 off: the command is recorded, the supervisor does not act on it."""
    return patch.object(Supervisor, "reset", lambda *_: [])


def a_reset_is_not_recorded() -> AbstractContextManager[Any]:
    """RM-5's audit off for resets."""
    right = OrchestratorLogic.handle

    def wrong(self: OrchestratorLogic, message: Envelope) -> Commands:
        return [] if message.body.KIND == "component_reset" else right(self, message)

    return patch.object(OrchestratorLogic, "handle", wrong)


def a_day_that_closes_in_an_outage_is_skipped() -> AbstractContextManager[Any]:
    """OR-3 off: outside NORMAL no cycle begins."""
    right = OrchestratorLogic._begin_day

    def wrong(self: OrchestratorLogic, now_ms: int) -> Commands:
        if self._risk_states.get("GLOBAL", "NORMAL") != "NORMAL":
            self._cycle.next_day_ms = None
        return right(self, now_ms)

    return patch.object(OrchestratorLogic, "_begin_day", wrong)


def what_returns_is_deaf(name: ActorName) -> AbstractContextManager[Any]:
    """OR-9 off for one actor: a new incarnation takes nothing of what it is given."""
    right = DurableActor.start

    def wrong(self: DurableActor, now_ms: int) -> None:
        right(self, now_ms)
        if self.name is name:
            # On this one object only: the others keep what their class does.
            vars(self)["take_fact"] = vars(self)["answer"] = lambda *_: None
            vars(self)["deliver"] = lambda batch: self.cursors.update({one["sender"]: one["seq"] for one in batch})

    return patch.object(DurableActor, "start", wrong)
