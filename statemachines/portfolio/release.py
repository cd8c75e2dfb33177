"""Capital that an engine is asked to give (OR-2, OR-4), from the question to the transfers: the part that every engine
shares. How it is freed is each engine's own rule (C10, O4, A8).
"""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from statemachines.limits.plausibility import MAX_FEE_PART
from statemachines.messages.accounts import CapitalFreed, FreeCapital, TransferEnded
from statemachines.values import Account, ActorName, Frozen, floor_to_step

ZERO = Decimal(0)
STEP_USDT = Decimal("0.0001")
"""What is reported free is a multiple of it."""
LEAST_USDT = Decimal("0.01")
"""Less is not reported free, and a remainder of it, which the rounding of the parts leaves, is kept aside no longer."""

RELEASES_KEY = "RELEASES"
"""The key of an engine's row of releases."""


def request_id_of(release_id: str, to_account: Account) -> str:
    """The request of the transfer that brings one account its part of a release."""
    return f"{release_id}-{to_account}"


class Release(Frozen):
    """What the orchestrator has asked for and the engine has not answered. `ready_usdt` lies ready already.

    An engine acts on it in its `tick`, when the whole system has settled, so that several engines that are asked at one
    instant act one after the other: at `due_ms`, None while it waits for a report. `is_begun`: it has acted on it.
    """

    release_id: str
    wanted_usdt: Decimal
    least_usdt: Decimal
    reason: str
    due_ms: int | None
    is_begun: bool = False
    ready_usdt: Decimal = ZERO


class Releases(Frozen):
    """The open release, and what is kept aside of the answered ones until their transfers have ended."""

    open: Release | None = None
    kept: dict[str, Decimal] = Field(default_factory=dict)

    @property
    def aside_usdt(self) -> Decimal:
        """What the engine must not use: it is no longer part of its capital."""
        ready = ZERO if self.open is None else self.open.ready_usdt
        return sum(self.kept.values(), ZERO) + ready

    @property
    def claimed_usdt(self) -> Decimal:
        """What is kept aside and all that the open release requires: it must not be tied up anew."""
        wanted = ZERO if self.open is None else self.open.wanted_usdt
        return sum(self.kept.values(), ZERO) + wanted

    @property
    def due_ms(self) -> int | None:
        """When the engine acts on the open release; None when nothing is due."""
        return None if self.open is None else self.open.due_ms

    def begun(self) -> Releases:
        """After the engine has acted on the question."""
        return self._changed(due_ms=None, is_begun=True)

    def due(self, now_ms: int) -> Releases:
        """After a report that lets the engine continue with it."""
        return self._changed(due_ms=now_ms)

    def _changed(self, **changes: object) -> Releases:
        if self.open is None:
            return self
        return self.model_copy(update={"open": self.open.model_copy(update=changes)})

    def asked(self, body: FreeCapital, now_ms: int) -> Releases:
        """After the question; one that is open or was answered changes nothing."""
        if self.open is not None or body.release_id in self.kept:
            return self
        release = Release(
            release_id=body.release_id,
            wanted_usdt=body.amount_usdt,
            least_usdt=body.least_usdt,
            reason=body.reason,
            due_ms=now_ms,
        )
        return self.model_copy(update={"open": release})

    def ready(self, ready_usdt: Decimal) -> Releases:
        """After more or less of the open release lies ready."""
        return self._changed(ready_usdt=max(ZERO, ready_usdt))

    def sold_for(self) -> Releases:
        """After sales were sent for it: `least_usdt` was checked on what is sold, and what is free then is less by
        their fees (O7)."""
        return self if self.open is None else self._changed(least_usdt=self.open.least_usdt * (1 - MAX_FEE_PART))

    def answered(self, engine: ActorName, free_usdt: Decimal, why: str) -> tuple[Releases, CapitalFreed | None]:
        """After the answer: at most what was asked for is free, nothing where it is too little to move (O7)."""
        if self.open is None:
            return self, None
        free = floor_to_step(max(ZERO, min(free_usdt, self.open.wanted_usdt)), STEP_USDT)
        if free < max(self.open.least_usdt, LEAST_USDT):
            why = f"{why}; {free:f} USDT are too little to move" if free else why
            free = ZERO
        release_id, wanted = self.open.release_id, self.open.wanted_usdt
        kept = {**self.kept, release_id: free} if free else self.kept
        body = CapitalFreed(
            release_id=release_id,
            engine=engine,
            freed_usdt=free,
            reason=f"{free:f} of {wanted:f} USDT are free: {why}",
        )
        return Releases(open=None, kept=kept), body

    def transferred(self, body: TransferEnded) -> Releases:
        """After the end of a transfer: what was kept aside for it has left, or is the engine's again."""
        release_id = next((one for one in self.kept if body.request_id == request_id_of(one, body.to_account)), None)
        if release_id is None:
            return self
        left = self.kept[release_id] - body.amount
        others = {one: amount for one, amount in self.kept.items() if one != release_id}
        return self.model_copy(update={"kept": {**others, release_id: left} if left >= LEAST_USDT else others})
