"""Wrong behaviours of the operator's switches (RM-5, R3), planted in the production code: each must be found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import Commit, Fence
from statemachines.commands import JournalLine
from statemachines.risk import machine
from statemachines.risk.operator import flattening
from statemachines.values import HOUR_MS


def switches_are_not_tested() -> AbstractContextManager[Any]:
    """Neither the commit nor the fence reads the switch row."""
    return patch.object(MemoryStore, "_forbidding", lambda _self, _scopes: {})


def the_fence_reads_the_epoch_only() -> AbstractContextManager[Any]:
    """What was durable before the switch leaves after it, as it did until this was built."""

    def wrong(self: MemoryStore, actor: str, epoch: int, _gates: object = ()) -> Fence:
        return Fence(self.holds(actor, epoch))

    return patch.object(MemoryStore, "fence", wrong)


def a_new_quote_is_not_gated() -> AbstractContextManager[Any]:
    """An entry that rests is re-quoted after the halt, until its cancel arrives."""
    right = MemoryStore.commit

    def wrong(self: MemoryStore, commit: Commit) -> frozenset[str]:
        for row in commit.calls:
            if row.call.request.kind == "amend_order":
                object.__setattr__(row.call, "gate", None)
        return right(self, commit)

    return patch.object(MemoryStore, "commit", wrong)


@contextmanager
def halted_calms_down() -> Iterator[None]:
    """HALTED ends after an hour of calm, as REDUCE_ONLY does after a day."""
    tick, deadline = machine.RiskMachine.tick, machine.RiskMachine.deadline

    def is_halted(self: machine.RiskMachine) -> bool:
        return self.state is machine.RiskStateName.HALTED

    def wrong_deadline(self: machine.RiskMachine) -> int | None:
        return self.changed_ms + HOUR_MS if is_halted(self) else deadline(self)

    def wrong_tick(self: machine.RiskMachine, now_ms: int) -> list[JournalLine]:
        return self.operator("normal", "rule", "calm", now_ms) if is_halted(self) else tick(self, now_ms)

    with (
        patch.object(machine.RiskMachine, "deadline", wrong_deadline),
        patch.object(machine.RiskMachine, "tick", wrong_tick),
    ):
        yield


def flat_is_assumed() -> AbstractContextManager[Any]:
    """What the exchange still shows does not count."""
    return patch.object(flattening, "what_is_left", lambda *_: [])
