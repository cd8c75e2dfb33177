"""One approved intent: its bounds, its successive child orders, and its pending requests to the exchange."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.backoff import Tries
from statemachines.commands import JournalEntry
from statemachines.execution.orders.child_order import LATER_FIELDS, ZERO, ChildOrder
from statemachines.execution.orders.parent_order_machine import ENDED, ParentOrderMachine, ParentOrderState
from statemachines.execution.orders.request_keys import Topic, order_key
from statemachines.messages.orders import Approved, Intent
from statemachines.state_store import RowKind
from statemachines.values import Account, Category


@dataclass(slots=True)
class Requests:
    """The pending requests of the current order and the repetitions of each step; new for every child order.

    `pending` maps a topic to the key whose response is awaited, `numbers` to the last number used, `tries` counts
    failed repetitions per step. `check_ms` is when the order is looked up if no report has arrived by then.
    """

    pending: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    check_ms: int | None = None
    is_retry_waiting: bool = False
    is_absent: bool = False
    is_doubtful: bool = False
    """The client id exists at the exchange: the order is ours only if symbol, side, quantity and price match."""
    is_stuck: bool = False

    def next_key(self, client_order_id: str, topic: Topic) -> str:
        number = self.numbers.get(topic, 0) + 1
        self.numbers[topic] = number
        self.pending[topic] = order_key(client_order_id, topic, number)
        return self.pending[topic]

    def again(self, step: str) -> int:
        """Count one more repetition of a step and return the number of repetitions."""
        self.tries[step] = self.tries.get(step, 0) + 1
        return self.tries[step]


@dataclass(slots=True)
class ParentOrder:
    """An intent from approval to its end. `number` is the sequence number of its arrival; `quantity` the current target
    (MoveStop may change it), `filled` and `cash` the totals executed by all its orders."""

    slot: int
    number: int
    approved: Approved
    approved_ms: int
    trace: str
    quantity: Decimal
    trigger_price: Decimal | None
    expires_ms: int | None
    filled: Decimal = ZERO
    cash: Decimal = ZERO
    needs_child: bool = True
    order: ChildOrder | None = None
    requests: Requests = field(default_factory=Requests)
    withdrawn: str = ""
    is_expired: bool = False
    quoted_ms: int | None = None
    sliced_ms: int | None = None
    """When the last slice was placed (X4); None for an order that is sent whole."""
    price_refusals: Tries = field(default_factory=Tries)
    """Consecutive quotes refused for their price, by the exchange's code (X3)."""
    amend_failures: Tries = field(default_factory=Tries)
    """Consecutive amendments that were refused or whose outcome is unknown, by reason."""
    unproven: list[int] = field(default_factory=list)
    """Earlier child orders that ended without confirmation by the exchange; if reported open, they are cancelled."""
    announced_shape: str = ""
    """The terms in the last IntentWorking, so that a repeated report sends no second one."""
    ended_number: int = 0
    machine: ParentOrderMachine = field(init=False)
    _approved_data: dict[str, Any] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.machine = ParentOrderMachine(self.intent.intent_id)

    @property
    def intent(self) -> Intent:
        return self.approved.intent

    @property
    def is_ended(self) -> bool:
        return self.machine.state in ENDED

    @property
    def is_stopping(self) -> bool:
        """Withdrawn or expired: resting orders are cancelled and nothing new is sent."""
        return self.machine.state is ParentOrderState.STOPPING

    @property
    def remaining(self) -> Decimal:
        return max(self.quantity - self.filled, ZERO)

    @property
    def average_price(self) -> Decimal | None:
        return self.cash / self.filled if self.filled else None

    @property
    def state(self) -> ParentOrderState:
        """The current state."""
        return self.machine.state

    def fire(self, trigger: str, reason: str, **data: Any) -> JournalEntry:
        """Move along the table. Raises IllegalTransitionError when there is no such row."""
        return self.machine.fire(trigger, reason, data)

    def _approval(self) -> dict[str, Any]:
        """The approval as JSON values; it never changes, its row is written several times."""
        if self._approved_data is None:
            self._approved_data = self.approved.model_dump(mode="json")
        return self._approved_data

    def as_data(self) -> dict[str, Any]:
        """JSON values; `from_data` is its inverse."""
        requests = self.requests
        return {
            "number": self.number,
            "approved": self._approval(),
            "approved_ms": self.approved_ms,
            "trace": self.trace,
            "quantity": str(self.quantity),
            "trigger_price": None if self.trigger_price is None else str(self.trigger_price),
            "expires_ms": self.expires_ms,
            "filled": str(self.filled),
            "cash": str(self.cash),
            "wants_child": self.needs_child,
            "order": self.order.as_data() if self.order else None,
            "requests": {
                "pending": dict(requests.pending),
                "numbers": dict(requests.numbers),
                "tries": dict(requests.tries),
                "check_ms": requests.check_ms,
                "is_retry_waiting": requests.is_retry_waiting,
                "is_absent": requests.is_absent,
                "is_doubtful": requests.is_doubtful,
                "is_stuck": requests.is_stuck,
            },
            "withdrawn": self.withdrawn,
            "is_expired": self.is_expired,
            "quoted_ms": self.quoted_ms,
            "sliced_ms": self.sliced_ms,
            "price_refusals": list(self.price_refusals),
            "amend_failures": list(self.amend_failures),
            "unproven": list(self.unproven),
            "told": self.announced_shape,
            "ended_number": self.ended_number,
        }

    @classmethod
    def from_data(cls, slot: int, state: str, data: Mapping[str, Any]) -> ParentOrder:
        """The parent order restored from a durable row (its state and `as_data`).

        Raises:
            UnknownStateError: the table has no such state.
        """
        trigger = data["trigger_price"]
        made = cls(
            slot=slot,
            number=data["number"],
            approved=Approved.model_validate(data["approved"]),
            approved_ms=data["approved_ms"],
            trace=data["trace"],
            quantity=Decimal(data["quantity"]),
            trigger_price=None if trigger is None else Decimal(trigger),
            expires_ms=data["expires_ms"],
            filled=Decimal(data["filled"]),
            cash=Decimal(data["cash"]),
            needs_child=data["wants_child"],
            order=ChildOrder.from_data(data["order"]) if data["order"] else None,
            requests=Requests(**_copied(data["requests"])),
            withdrawn=data["withdrawn"],
            is_expired=data["is_expired"],
            quoted_ms=data["quoted_ms"],
            sliced_ms=data["sliced_ms"],
            price_refusals=Tries(*data["price_refusals"]),
            amend_failures=Tries(*data["amend_failures"]),
            unproven=list(data["unproven"]),
            announced_shape=data["told"],
            ended_number=data["ended_number"],
        )
        made.machine = ParentOrderMachine.restored(made.intent.intent_id, state)
        return made


def _copied(data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy whose dictionaries may be modified."""
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in data.items()}


def stop_retry(parent: ParentOrder) -> None:
    """EX-4: any event of the order cancels a retry that is still waiting."""
    if parent.requests.is_retry_waiting:
        parent.requests.is_retry_waiting = False
        parent.requests.pending.pop(Topic.PLACE, None)


@dataclass(slots=True)
class ResurrectedOrder:
    """An order that is open at the exchange after its end here, while it is being cancelled (`resurrected_orders`). In
    memory only: a restart reads the open orders and finds it again.

    `pending` is the key of the cancellation whose response is awaited.
    """

    account: Account
    category: Category
    symbol: str
    is_conditional: bool
    pending: str = ""
    tries: Tries = field(default_factory=Tries)


PREFIX = "parent:"
SCHEMA = 3
"""The schema of the rows of parent orders. 1: the state was a separate text, fields were added (`_from_schema_1`);
2: no order was sliced."""
_LATER_FIELDS: Mapping[str, Any] = {"price_refusals": ["", 0], "amend_failures": ["", 0], "unproven": []}


def _from_schema_1(row: StateRow) -> StateRow:
    data = {**_LATER_FIELDS, **row.data}
    outcome = data.pop("outcome")
    if data["order"] is not None:
        data["order"] = {**LATER_FIELDS, **data["order"]}
    if data["ended_number"]:
        state = ParentOrderState(outcome)
    elif data["withdrawn"] or data["is_expired"]:
        state = ParentOrderState.STOPPING
    elif data["wants_child"] or data["order"] is None:
        state = ParentOrderState.HELD
    else:
        state = ParentOrderState.WORKING
    return StateRow(row.key, state.value, 2, data)


def _from_schema_2(row: StateRow) -> StateRow:
    data = {**row.data, "sliced_ms": None}
    data["approved"] = Approved.model_validate(data["approved"]).model_dump(mode="json")
    return StateRow(row.key, row.state, 3, data)


ROWS = RowKind(PREFIX, SCHEMA, {1: _from_schema_1, 2: _from_schema_2})


class ParentOrders:
    """Parent orders by intent id, their slots, and the earliest instant at which one of them is due."""

    def __init__(self, keep_ended: int) -> None:
        self._keep = keep_ended
        self._by_intent: dict[str, ParentOrder] = {}
        self._live: dict[int, ParentOrder] = {}
        self._ended: deque[ParentOrder] = deque()
        self._slots = 0
        self._dirty: dict[int, ParentOrder] = {}
        self._due: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def get(self, intent_id: str) -> ParentOrder | None:
        """The parent order, live or recently ended."""
        return self._by_intent.get(intent_id)

    def known(self) -> Iterator[ParentOrder]:
        """Live and recently ended parent orders."""
        return iter(self._by_intent.values())

    def live_makers(self) -> Iterator[ParentOrder]:
        """Maker orders not ended, in no particular order."""
        return (parent for parent in self._live.values() if parent.intent.style == "maker")

    def live(self) -> Iterator[ParentOrder]:
        """Parent orders not ended, in order of arrival."""
        return iter(sorted(self._live.values(), key=lambda parent: parent.number))

    def free_slot(self) -> tuple[int, ParentOrder | None]:
        """A slot for a new parent order, and the one that was discarded for it (the one that ended first), if any."""
        if len(self._ended) > self._keep:
            oldest = self._ended.popleft()
            del self._by_intent[oldest.intent.intent_id]
            return oldest.slot, oldest
        self._slots += 1
        return self._slots - 1, None

    def add(self, parent: ParentOrder) -> None:
        self._by_intent[parent.intent.intent_id] = parent
        self._live[parent.slot] = parent
        self.mark(parent)

    def end(self, parent: ParentOrder) -> None:
        """The parent order has ended: it is kept until its slot is needed."""
        self._live.pop(parent.slot, None)
        self._ended.append(parent)
        self.schedule(parent, None)
        self.mark(parent)

    def mark(self, parent: ParentOrder) -> None:
        """Its row must be written."""
        self._dirty[parent.slot] = parent

    def schedule(self, parent: ParentOrder, due_ms: int | None) -> None:
        """Set when it is due next; None for never."""
        if due_ms is None:
            self._due.pop(parent.slot, None)
        elif self._due.get(parent.slot) != due_ms:
            self._due[parent.slot] = due_ms
            heapq.heappush(self._heap, (due_ms, parent.slot))

    def earliest(self) -> int | None:
        """The earliest instant at which one is due."""
        while self._heap:
            due_ms, slot = self._heap[0]
            if self._due.get(slot) == due_ms:
                return due_ms
            heapq.heappop(self._heap)
        return None

    def due(self, now_ms: int) -> list[ParentOrder]:
        """Parent orders due at or before `now_ms`, in order of arrival."""
        slots = [slot for slot, due_ms in self._due.items() if due_ms <= now_ms]
        return sorted((self._live[slot] for slot in slots), key=lambda parent: parent.number)

    def rows(self) -> Iterable[StateRow]:
        """Every row in its current form."""
        return [_stored(parent) for parent in self._by_intent.values()]

    def dirty(self) -> Iterable[StateRow]:
        """Rows changed since the last call."""
        rows = [_stored(parent) for _, parent in sorted(self._dirty.items())]
        self._dirty.clear()
        return rows

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Restore all parent orders."""
        for key, row in rows.items():
            if key.startswith(PREFIX):
                parent = ParentOrder.from_data(int(key.removeprefix(PREFIX)), row.state, row.data)
                self._by_intent[parent.intent.intent_id] = parent
                self._slots = max(self._slots, parent.slot + 1)
                if not parent.is_ended:
                    self._live[parent.slot] = parent
        ended = [parent for parent in self._by_intent.values() if parent.is_ended]
        self._ended = deque(sorted(ended, key=lambda parent: parent.ended_number))


def _stored(parent: ParentOrder) -> StateRow:
    return StateRow(f"{PREFIX}{parent.slot}", parent.state.value, SCHEMA, parent.as_data())
