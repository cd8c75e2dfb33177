"""The durable part that CORE-HODL, FUNDING and TACTICAL share: changed rows, the commands of a call, and the capital
that they are asked to give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeVar

from statemachines.actor_logic import StateRow
from statemachines.commands import Commands, Remark, Send
from statemachines.messages.accounts import FreeCapital, TransferEnded
from statemachines.portfolio.release import RELEASES_KEY, Release, Releases
from statemachines.values import ActorName, Frozen

E = TypeVar("E", bound=Frozen)

ENGINE_KEY = "ENGINE"
"""The key of the engine's own row."""


class EngineRows(Generic[E]):
    """`engine` is the engine's own row, `schema` that of all rows. `out` collects the commands of the current call
    until `take` returns them. A row that follows a machine holds that machine's state in the field `state`."""

    def __init__(self, engine: E, schema: int = 1) -> None:
        self.engine = engine
        self.releases = Releases()
        self._schema = schema
        self.out: Commands = []
        self._dirty: set[str] = set()

    def take(self) -> Commands:
        """Return the commands of the current call and start the next one with none."""
        out, self.out = self.out, []
        return out

    def set_engine(self, **changes: Any) -> None:
        """Change the engine's own row."""
        self.engine = self.engine.model_copy(update=changes)
        self._dirty.add(ENGINE_KEY)

    def set_releases(self, releases: Releases) -> None:
        """Change the row of the capital to give."""
        if releases != self.releases:
            self.releases = releases
            self._dirty.add(RELEASES_KEY)

    # --- capital to give (OR-2, OR-4) ---

    def ask(self, body: FreeCapital, now_ms: int) -> bool:
        """Take the question; False for one that was taken before."""
        asked = self.releases.asked(body, now_ms)
        if asked is self.releases:
            return False
        self.set_releases(asked)
        text = f"{body.amount_usdt:f} USDT are to be given: {body.reason}"
        self.out.append(Remark(RELEASES_KEY, "asked", text, {"amount_usdt": f"{body.amount_usdt:f}"}))
        return True

    def begins_to_give(self, now_ms: int) -> Release | None:
        """The question on which the engine acts now, once; None when there is none."""
        release, due_ms = self.releases.open, self.releases.due_ms
        if release is None or release.is_begun or due_ms is None or due_ms > now_ms:
            return None
        self.set_releases(self.releases.begun())
        return release

    def answer(self, engine: ActorName, free_usdt: Decimal, why: str) -> None:
        """Answer the open release with what is free; it is kept aside from now on."""
        releases, body = self.releases.answered(engine, free_usdt, why)
        self.set_releases(releases)
        if body is not None:
            self.out.append(Remark(RELEASES_KEY, "freed", body.reason, {"freed_usdt": f"{body.freed_usdt:f}"}))
            self.out.append(Send(body))

    def capital_moved(self, body: TransferEnded) -> None:
        """A transfer has ended: what was kept aside for it is no longer."""
        self.set_releases(self.releases.transferred(body))

    # --- rows ---

    def dirty(self) -> Sequence[StateRow]:
        """Rows changed since the last call, in the order of their keys."""
        rows = [self._stored(key) for key in sorted(self._dirty)]
        self._dirty.clear()
        return rows

    def rows(self) -> Iterable[StateRow]:
        """Every row in its current form."""
        return [self._stored(key) for key in (ENGINE_KEY, RELEASES_KEY, *self._further_keys())]

    def _stored(self, key: str) -> StateRow:
        own: dict[str, Frozen] = {ENGINE_KEY: self.engine, RELEASES_KEY: self.releases}
        row = own[key] if key in own else self._further(key)
        state = getattr(row, "state", None)
        return StateRow(key, state.name if isinstance(state, Enum) else "", self._schema, row.model_dump(mode="json"))

    def _further_keys(self) -> Iterable[str]:
        """The keys of the rows other than the engine's."""
        return ()

    def _further(self, key: str) -> Frozen:
        """The row of a key other than the engine's."""
        raise NotImplementedError(f"{type(self).__name__} has no row {key!r}")
