"""Where the system can fail and how: every pair that a run may inject, by name, so that its hits can be counted."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Point(StrEnum):
    """A place between two steps of the protocol at which something can go wrong, or whoever acts from outside."""

    BETWEEN_STEPS = "between two steps"
    BEFORE_DECIDE = "before an actor decides"
    BEFORE_COMMIT = "after the decision, before its commit"
    AFTER_COMMIT = "after the commit, before requests and messages leave"
    BEFORE_CALL = "before a request is sent"
    AFTER_CALL = "after the request, before its answer is recorded"
    AFTER_DELIVERY = "after a message was handed over, before its acknowledgement"
    LOADING = "while an actor loads its state"
    WARMING = "while an actor reads its history"
    COMMIT = "commit in the database"
    IS_KNOWN = "look-up of known ids in the database"
    EPOCH = "confirmation of the epoch before a request"
    PLACE = "placing an order"
    CANCEL = "cancelling an order"
    AMEND = "amending an order"
    BATCH = "several orders in one request"
    TRANSFER = "transferring funds"
    STAKING = "staking coins"
    LEVERAGE = "setting leverage"
    READ_ORDERS = "reading orders, executions and transfers"
    READ_ACCOUNT = "reading positions and balances"
    READ_MARKET = "reading instruments, fees, quotes, bars and funding"
    ORDER_FRAME = "report of the order stream"
    EXECUTION_FRAME = "report of the execution stream"
    MARKET_FRAME = "frame of the public streams"
    RESTING_ORDER = "a limit order rests at the exchange"
    OPEN_ORDER = "an order is open at the exchange"
    POSITION = "a position is held at the exchange"
    TURN = "order of the actors' turns"
    OPERATOR = "the operator"
    MONEY = "money from and to outside"
    PRICES = "prices of the market"
    POLICY = "the policy"
    SUPERVISION = "supervision of the engines"


class Fault(StrEnum):
    """What goes wrong there, or what is done from outside."""

    CRASH = "the actor dies"
    POWER_LOSS = "all actors die"
    DOWN = "the actor dies and stays away while time moves"
    FENCED = "another incarnation takes over"
    REFUSED = "refused before effect"
    LOST = "done, but the outcome is lost"
    OUTAGE = "unavailable for a while"
    NOT_SENT = "no connection"
    TIMED_OUT = "no answer, no effect"
    ANSWER_LOST = "no answer after effect"
    SERVER_ERROR = "HTTP 502 without effect"
    SERVER_ERROR_AFTER = "HTTP 502 after effect"
    RATE_LIMITED = "10006 too many visits"
    BUSY = "10016 internal error"
    PARTLY = "the last orders are refused, the first are done"
    PARTLY_LOST = "the last orders are refused, the first are done, and no answer"
    TORN = "the answer lacks an order"
    SWAPPED = "the answer names the orders in another order"
    DOUBLED = "arrives twice"
    REORDERED = "overtaken by the next"
    LATE = "arrives only after time has moved"
    CUT = "the stream breaks and is restored"
    FILLED_IN_PART = "the exchange fills half of it"
    CANCELLED_THERE = "the exchange cancels it"
    DELEVERAGED = "the exchange closes half of it (auto-deleveraging)"
    SHUFFLED = "another actor acts first"
    PAUSE = "pauses"
    RESUME = "resumes"
    REDUCE_ONLY = "sets reduce-only"
    HALT = "halts"
    FLATTEN = "flattens"
    NORMAL = "sets normal"
    REPEAT = "gives an earlier command again"
    REUSE = "gives another command under an earlier id"
    DEPOSIT = "a deposit arrives"
    WITHDRAWAL = "a withdrawal leaves"
    BY_HAND = "the operator moves funds between two accounts by hand"
    FALL = "they fall"
    RISE = "they rise"
    CHANGE = "a version with other settings is recorded"
    FAULTED = "an engine is FAULTED and stays away"
    RESET = "the operator resets a FAULTED engine"


class Pair(NamedTuple):
    """A point of failure with a fault that can happen there."""

    point: Point
    fault: Fault

    def __str__(self) -> str:
        return f"{self.point}: {self.fault}"


_DYING = (Fault.CRASH, Fault.POWER_LOSS)
_UNSENT = (Fault.NOT_SENT, Fault.TIMED_OUT, Fault.SERVER_ERROR, Fault.RATE_LIMITED, Fault.BUSY)
_WRITES = (*_UNSENT, Fault.ANSWER_LOST, Fault.SERVER_ERROR_AFTER)
_FRAMES = (Fault.DOUBLED, Fault.REORDERED, Fault.LATE, Fault.CUT)

FAULTS: dict[Point, tuple[Fault, ...]] = {
    Point.BETWEEN_STEPS: (*_DYING, Fault.DOWN, Fault.FENCED),
    Point.BEFORE_DECIDE: _DYING,
    Point.BEFORE_COMMIT: _DYING,
    Point.AFTER_COMMIT: _DYING,
    Point.BEFORE_CALL: _DYING,
    Point.AFTER_CALL: _DYING,
    Point.AFTER_DELIVERY: (*_DYING, Fault.LOST),
    Point.LOADING: (Fault.CRASH, Fault.OUTAGE),
    Point.WARMING: (Fault.CRASH, Fault.OUTAGE),
    Point.COMMIT: (Fault.REFUSED, Fault.LOST, Fault.OUTAGE, Fault.FENCED),
    Point.IS_KNOWN: (Fault.REFUSED, Fault.OUTAGE),
    Point.EPOCH: (Fault.REFUSED, Fault.OUTAGE, Fault.FENCED),
    Point.PLACE: _WRITES,
    Point.CANCEL: _WRITES,
    Point.AMEND: _WRITES,
    Point.BATCH: (*_DYING, Fault.PARTLY, Fault.PARTLY_LOST, Fault.TORN, Fault.SWAPPED),
    Point.TRANSFER: _WRITES,
    Point.STAKING: _WRITES,
    Point.LEVERAGE: _WRITES,
    Point.READ_ORDERS: _UNSENT,
    Point.READ_ACCOUNT: _UNSENT,
    Point.READ_MARKET: _UNSENT,
    Point.ORDER_FRAME: _FRAMES,
    Point.EXECUTION_FRAME: _FRAMES,
    Point.MARKET_FRAME: (Fault.DOUBLED, Fault.CUT),
    Point.RESTING_ORDER: (Fault.FILLED_IN_PART,),
    Point.OPEN_ORDER: (Fault.CANCELLED_THERE,),
    Point.POSITION: (Fault.DELEVERAGED,),
    Point.TURN: (Fault.SHUFFLED,),
}
"""A batch fails as a whole like a single order; what only a batch can do is at a point of its own. A read whose answer
is lost is a read that timed out: faults after the effect exist for writes alone. Public frames of one connection arrive
in order, and time moves only when they have arrived (lockstep)."""

OUTSIDE: dict[Point, tuple[Fault, ...]] = {
    Point.OPERATOR: (
        Fault.PAUSE,
        Fault.RESUME,
        Fault.REDUCE_ONLY,
        Fault.HALT,
        Fault.FLATTEN,
        Fault.NORMAL,
        Fault.REPEAT,
        Fault.REUSE,
    ),
    Point.MONEY: (Fault.DEPOSIT, Fault.WITHDRAWAL, Fault.BY_HAND),
    Point.PRICES: (Fault.FALL, Fault.RISE),
    Point.POLICY: (Fault.CHANGE,),
    Point.SUPERVISION: (Fault.FAULTED, Fault.RESET),
}
"""What people and the market do; `tests.simulation.outside` carries it out. After every act each has an occasion."""


class Situation(StrEnum):
    """What is going on at an occasion of `OUTSIDE`: in place of who comes to a point, since it is most interesting in
    the midst of something."""

    ORDINARY = "at any moment"
    AWAY = "while an actor is away"
    CUT_OFF = "while a stream is down"
    TRANSFERRING = "while a transfer is under way"
    FREEING = "while an engine frees capital"
    FLATTENING = "while an engine is made flat"
    SENDING = "while an order for new risk waits to be sent"


FAULT_PAIRS: tuple[Pair, ...] = tuple(Pair(point, fault) for point, faults in FAULTS.items() for fault in faults)
OUTSIDE_PAIRS: tuple[Pair, ...] = tuple(Pair(point, fault) for point, faults in OUTSIDE.items() for fault in faults)
PAIRS: tuple[Pair, ...] = FAULT_PAIRS + OUTSIDE_PAIRS

WRITES = frozenset(point for point, faults in FAULTS.items() if Fault.ANSWER_LOST in faults)
"""The points at which a request changes something at the exchange."""

PATHS: dict[str, Point] = {
    "/v5/order/create": Point.PLACE,
    "/v5/order/cancel": Point.CANCEL,
    "/v5/order/amend": Point.AMEND,
    "/v5/order/create-batch": Point.PLACE,
    "/v5/order/cancel-batch": Point.CANCEL,
    "/v5/order/amend-batch": Point.AMEND,
    "/v5/asset/transfer/universal-transfer": Point.TRANSFER,
    "/v5/earn/place-order": Point.STAKING,
    "/v5/position/set-leverage": Point.LEVERAGE,
    "/v5/order/realtime": Point.READ_ORDERS,
    "/v5/order/history": Point.READ_ORDERS,
    "/v5/execution/list": Point.READ_ORDERS,
    "/v5/asset/transfer/query-universal-transfer-list": Point.READ_ORDERS,
    "/v5/earn/order": Point.READ_ORDERS,
    "/v5/earn/position": Point.READ_ACCOUNT,
    "/v5/earn/yield": Point.READ_ACCOUNT,
    "/v5/earn/product": Point.READ_ACCOUNT,
    "/v5/position/list": Point.READ_ACCOUNT,
    "/v5/account/wallet-balance": Point.READ_ACCOUNT,
}
"""Which point a request of the exchange's API is; any other path reads the market."""


def point_of(path: str) -> Point:
    """The point at which a request to this path can fail."""
    return PATHS.get(path, Point.READ_MARKET)
