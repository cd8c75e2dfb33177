"""A message body and its envelope; one frozen model per kind, a plain dict on the wire (DESIGN 1)."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from statemachines.values import Frozen


class Body(Frozen):
    """Base of all message bodies. `VERSION` is incremented when the shape changes."""

    KIND: ClassVar[str]
    VERSION: ClassVar[int] = 1
    REPLACES_OLDER: ClassVar[bool] = False
    """A view of the whole: of several in one step only the newest is sent, to the recipients of all."""
    CAN_WAIT: ClassVar[bool] = False
    """A report of what has happened: a sender under load keeps it back for a moment, so that it travels with others."""


class Envelope(NamedTuple):
    """A message as a logic receives it. `id` is `sender:seq`, or the natural id of an external fact."""

    id: str
    sender: str
    market_ms: int
    cause: str
    trace: str
    body: Body
