"""The cells of the fault matrix: what a run is brought to, and what goes wrong there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from tests.simulation.faults.points import Fault, Point
from tests.simulation.faults.world import LARGE, STAKING


class Where(StrEnum):
    """Rows: points of failure."""

    BEFORE_SEND = "before send"
    ANSWER_LOST = "after effect, answer lost"
    AFTER_ANSWER = "after answer"
    MID_BATCH = "mid-batch"
    MID_SLICE = "mid-slice"
    MID_FILL = "mid-fill"
    CANCEL = "during cancel"
    AMEND = "during amend"
    TRANSFER = "during transfer"
    STAKING = "during staking"
    RECONCILIATION = "during reconciliation"


class What(StrEnum):
    """Columns: faults."""

    KILLED = "actor killed"
    ALL_KILLED = "all actors killed"
    FENCED = "another incarnation takes over"
    DB_REFUSES = "database refuses"
    DB_LOSES = "database's answer lost"
    DB_AWAY = "database away"
    NO_CONNECTION = "no connection"
    TIMEOUT = "time-out without effect"
    NO_ANSWER = "time-out after effect"
    HTTP_5XX = "HTTP 5xx"
    RATE_LIMIT = "rate limit"
    BUSY = "10016"
    REJECT = "reject"
    CUT = "stream breaks"
    DOUBLED = "message doubled"
    LATE = "message late"
    REORDERED = "message overtaken"


class Demand(NamedTuple):
    """At the next occasion of this point the fault strikes; without a fault the run only has to come there.
    ``extent``: as in ``Choice``."""

    point: Point
    fault: Fault | None = None
    extent: int = 1


class Cell(NamedTuple):
    """One cell: from this opening these demands are met one after the other. ``refused``: the path whose first request
    after them the exchange rejects."""

    where: Where
    what: What
    opening: str
    demands: tuple[Demand, ...]
    refused: str = ""


_ORDER_MANAGER = 2
"""Its place in the order of starts, which is how a death between two steps names its victim."""

_BUSY = "the trends are entered and the tranches begin"
_QUOTED = "the tranches are quoted again"
_STOPS = "stops are hit"
_CLOSED = "a trend is entered and stopped, the pairs are closed"
_PAIRS = "the funding pairs are opened"

_DEATHS = {
    What.KILLED: Demand(Point.BETWEEN_STEPS, Fault.CRASH, _ORDER_MANAGER),
    What.ALL_KILLED: Demand(Point.BETWEEN_STEPS, Fault.POWER_LOSS),
    What.FENCED: Demand(Point.BETWEEN_STEPS, Fault.FENCED, _ORDER_MANAGER),
}
_DATABASE = {
    What.DB_REFUSES: Demand(Point.COMMIT, Fault.REFUSED),
    What.DB_LOSES: Demand(Point.COMMIT, Fault.LOST),
    What.DB_AWAY: Demand(Point.COMMIT, Fault.OUTAGE, 3),
}
_FRAMES = {
    What.CUT: Demand(Point.ORDER_FRAME, Fault.CUT),
    What.DOUBLED: Demand(Point.ORDER_FRAME, Fault.DOUBLED),
    What.LATE: Demand(Point.ORDER_FRAME, Fault.LATE),
    What.REORDERED: Demand(Point.ORDER_FRAME, Fault.REORDERED),
}
_EXECUTIONS = {what: demand._replace(point=Point.EXECUTION_FRAME) for what, demand in _FRAMES.items()}


def _request(point: Point) -> dict[What, Demand]:
    return {
        What.NO_CONNECTION: Demand(point, Fault.NOT_SENT),
        What.TIMEOUT: Demand(point, Fault.TIMED_OUT),
        What.HTTP_5XX: Demand(point, Fault.SERVER_ERROR),
        What.RATE_LIMIT: Demand(point, Fault.RATE_LIMITED),
        What.BUSY: Demand(point, Fault.BUSY),
    }


def _write(point: Point) -> dict[What, Demand]:
    return _request(point) | {
        What.NO_ANSWER: Demand(point, Fault.ANSWER_LOST),
        What.HTTP_5XX: Demand(point, Fault.SERVER_ERROR_AFTER),
    }


_AFTER = (*_DEATHS.items(), *_DATABASE.items())


def _row(
    where: Where,
    opening: str,
    before: tuple[Demand, ...],
    demands: Mapping[What, Demand],
    refused: str = "",
    at_once: Mapping[What, Demand] | None = None,
) -> Iterator[Cell]:
    """``demands`` are met after ``before``; those ``at_once`` instead of it."""
    for what, demand in demands.items():
        yield Cell(where, what, opening, (*before, demand))
    for what, demand in (at_once or {}).items():
        yield Cell(where, what, opening, (demand,))
    if refused:
        yield Cell(where, What.REJECT, opening, (), refused)


def _made() -> Iterator[Cell]:
    placed, lost = (Demand(Point.PLACE),), (Demand(Point.PLACE, Fault.ANSWER_LOST),)
    calls = {
        What.KILLED: Demand(Point.BEFORE_CALL, Fault.CRASH),
        What.ALL_KILLED: Demand(Point.BEFORE_CALL, Fault.POWER_LOSS),
        What.FENCED: Demand(Point.EPOCH, Fault.FENCED),
        What.DB_REFUSES: Demand(Point.EPOCH, Fault.REFUSED),
        What.DB_LOSES: Demand(Point.COMMIT, Fault.LOST),
        What.DB_AWAY: Demand(Point.EPOCH, Fault.OUTAGE, 3),
    }
    yield from _row(Where.BEFORE_SEND, _BUSY, (), calls | _request(Point.PLACE), "/v5/order/create")
    died_after_call = {
        What.KILLED: Demand(Point.AFTER_CALL, Fault.CRASH),
        What.ALL_KILLED: Demand(Point.AFTER_CALL, Fault.POWER_LOSS),
    }
    yield from _row(
        Where.ANSWER_LOST, _BUSY, lost, _DEATHS | _DATABASE | _FRAMES
        | died_after_call,
        at_once={What.NO_ANSWER: Demand(Point.PLACE, Fault.ANSWER_LOST)},
    )  # fmt: skip
    unheard = (*lost, Demand(Point.ORDER_FRAME, Fault.CUT))
    yield from _row(Where.ANSWER_LOST, _BUSY, unheard, _request(Point.READ_ORDERS))
    yield from _row(
        Where.AFTER_ANSWER, _BUSY, placed, _DEATHS | _DATABASE | _FRAMES
        | died_after_call,
    )  # fmt: skip
    yield from _row(
        Where.MID_BATCH, _BUSY, (Demand(Point.BATCH),),
        {What.FENCED: _DEATHS[What.FENCED]} | _DATABASE | _FRAMES,
        "/v5/order/create-batch",
        {
            What.KILLED: Demand(Point.BATCH, Fault.CRASH),
            What.ALL_KILLED: Demand(Point.BATCH, Fault.POWER_LOSS),
            What.NO_CONNECTION: Demand(Point.PLACE, Fault.NOT_SENT),
            What.TIMEOUT: Demand(Point.PLACE, Fault.TIMED_OUT),
            What.NO_ANSWER: Demand(Point.BATCH, Fault.PARTLY_LOST),
            What.HTTP_5XX: Demand(Point.PLACE, Fault.SERVER_ERROR_AFTER),
            What.RATE_LIMIT: Demand(Point.BATCH, Fault.PARTLY),
            What.BUSY: Demand(Point.PLACE, Fault.BUSY),
        },
    )  # fmt: skip
    yield from _row(
        Where.MID_SLICE, LARGE, placed, _DEATHS | _DATABASE | _EXECUTIONS | _write(Point.PLACE), "/v5/order/create"
    )
    yield from _row(
        Where.MID_FILL, _QUOTED, (Demand(Point.RESTING_ORDER, Fault.FILLED_IN_PART),), _DEATHS | _DATABASE | _EXECUTIONS
    )
    for where, point, opening, path in (
        (Where.CANCEL, Point.CANCEL, _STOPS, "/v5/order/cancel"),
        (Where.AMEND, Point.AMEND, _QUOTED, "/v5/order/amend"),
    ):
        deaths = _DEATHS | {What.KILLED: Demand(Point.AFTER_CALL, Fault.CRASH)}
        yield from _row(where, opening, (Demand(point),), deaths | _DATABASE | _FRAMES, path, _write(point))
    yield from _row(
        Where.TRANSFER, _BUSY, (Demand(Point.TRANSFER),),
        _DEATHS | {What.KILLED: Demand(Point.AFTER_CALL, Fault.CRASH)} | _DATABASE,
        "/v5/asset/transfer/universal-transfer", _write(Point.TRANSFER),
    )  # fmt: skip
    yield from _row(
        Where.STAKING, STAKING, (Demand(Point.STAKING),),
        _DEATHS | {What.KILLED: Demand(Point.AFTER_CALL, Fault.CRASH)} | _DATABASE,
        "/v5/earn/place-order", _write(Point.STAKING),
    )  # fmt: skip
    died = (*placed, _DEATHS[What.KILLED])
    yield from _row(
        Where.RECONCILIATION, _BUSY, died,
        _DATABASE | _FRAMES | _request(Point.READ_ORDERS)
        | {
            What.KILLED: Demand(Point.LOADING, Fault.CRASH),
            What.ALL_KILLED: _DEATHS[What.ALL_KILLED],
            What.FENCED: _DEATHS[What.FENCED],
        },
    )  # fmt: skip
    yield Cell(Where.RECONCILIATION, What.REJECT, _BUSY, died, "/v5/order/realtime")


CELLS: tuple[Cell, ...] = tuple(_made())

SOAKED = frozenset(What) - {
    What.KILLED, What.DB_LOSES, What.NO_ANSWER, What.HTTP_5XX, What.REJECT, What.DOUBLED
}  # fmt: skip
"""Columns of which `make test` has a neighbour of the same kind; `make soak` runs them."""

_NO_REQUEST = "a request that has its answer is over; the next one is in row “before send”"
_STREAM = "no request has left, so no message about it can come; other orders’ messages are in row “mid-fill”"
_NO_STREAM = "a transfer is reported on no stream"
_NO_EARN_STREAM = "a staking order is reported on no stream; the wallet’s message is not what decides"
_FILL = "a fill is a message, not a request; requests about it are in the rows “during cancel” and “during amend”"
_READ = "a read has no effect: it is a time-out without effect"

NOT_APPLICABLE: dict[tuple[Where, What], str] = {
    **{(Where.BEFORE_SEND, what): _STREAM for what in (What.CUT, What.DOUBLED, What.LATE, What.REORDERED)},
    (Where.BEFORE_SEND, What.NO_ANSWER): "that is row “after effect, answer lost”",
    (Where.ANSWER_LOST, What.REJECT): "an order that was accepted is not rejected afterwards; a look-up that "
    "is refused is in row “during reconciliation”",
    **{
        (Where.AFTER_ANSWER, what): _NO_REQUEST
        for what in (
            What.NO_CONNECTION, What.TIMEOUT, What.NO_ANSWER, What.HTTP_5XX, What.RATE_LIMIT, What.BUSY, What.REJECT
        )
    },
    **{
        (Where.MID_FILL, what): _FILL
        for what in (
            What.NO_CONNECTION, What.TIMEOUT, What.NO_ANSWER, What.HTTP_5XX, What.RATE_LIMIT, What.BUSY, What.REJECT
        )
    },
    **{(Where.TRANSFER, what): _NO_STREAM for what in (What.CUT, What.DOUBLED, What.LATE, What.REORDERED)},
    (Where.RECONCILIATION, What.NO_ANSWER): _READ,
    **{(Where.STAKING, what): _NO_EARN_STREAM for what in (What.CUT, What.DOUBLED, What.LATE, What.REORDERED)},
}  # fmt: skip
"""Why a cell has no test."""
