"""One order and its events (EX-1, EX-2): reports are applied idempotently, in any order.

Executed quantity comes from executions only, each counted once by its id; status comes from order reports only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from statemachines.commands import JournalLine
from statemachines.execution.orders.child_order_machine import ChildOrderMachine, OrderState
from statemachines.fsm import IllegalTransitionError
from statemachines.refusals import RefusalCause
from statemachines.requests import ExecutionReport, OrderReport, VenueOrderStatus
from statemachines.values import Account, ActorName, Category, Side

Style = Literal["market", "post_only", "stop_market"]
ZERO = Decimal(0)

CROSSING_REASONS = frozenset({"EC_PostOnlyWillTakeLiquidity"})
"""Reject reasons of a post-only order that would have taken liquidity; it may arrive as Cancelled or Rejected."""

REPLACED_KEPT = 20
"""Number of earlier values kept per term; a report older than that many amendments is no longer expected."""

_RANK = {
    VenueOrderStatus.UNTRIGGERED: 0,
    VenueOrderStatus.TRIGGERED: 1,
    VenueOrderStatus.NEW: 2,
    VenueOrderStatus.PARTIALLY_FILLED: 3,
}
_FINAL_RANK = 4

LATER_FIELDS: Mapping[str, Any] = {
    "refusal": None, "refusal_code": 0, "cancel_reason": "", "replaced": {}, "closes_rest": False,
}  # fmt: skip
"""Fields that rows of the first version of parent orders may lack."""


@dataclass(slots=True)
class ChildOrder:
    """One of our orders. Quantities in base coin, prices in USDT, instants in ms UTC of market time.

    `executions` are the ids counted so far, `filled_quantity` their sum and `cash` the sum of quantity × price;
    `reported_filled` is the exchange's own cumulative figure, with which `is_settled` compares.
    `amended` holds the values that our pending amendment requests. `refusal_code` is the exchange's code when it
    refused the order, `refusal` the cause; `cancel_reason` is the sentence with which we requested its cancellation.
    """

    client_order_id: str
    intent_id: str
    child: int
    engine: ActorName
    account: Account
    category: Category
    symbol: str
    side: Side
    style: Style
    quantity: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    reduce_only: bool
    slippage_limit: Decimal | None
    created_ms: int
    trace: str
    venue_order_id: str = ""
    executions: dict[str, None] = field(default_factory=dict)
    filled_quantity: Decimal = ZERO
    cash: Decimal = ZERO
    status: VenueOrderStatus | None = None
    reported_filled: Decimal = ZERO
    reported_ms: int = 0
    end_reason: str = ""
    refusal: RefusalCause | None = None
    refusal_code: int = 0
    cancel_cause: Literal["", "withdrawn", "expired", "resize"] = ""
    cancel_reason: str = ""
    amended: dict[str, Decimal] = field(default_factory=dict)
    replaced: dict[str, list[Decimal]] = field(default_factory=dict)
    """Earlier values, in force or requested by an amendment: a late report may still contain them."""
    closes_rest: bool = False
    """Closes the remainder of a position below a lot (X1)."""
    updated_ms: int = 0
    machine: ChildOrderMachine = field(init=False, compare=False)

    def __post_init__(self) -> None:
        self.machine = ChildOrderMachine(self.name)

    # --- views ---

    @property
    def state(self) -> OrderState:
        """The current state."""
        return self.machine.state

    @property
    def name(self) -> str:
        """The machine's name in the journal; without the installation code, so that two runs can be compared."""
        return f"{self.intent_id}/{self.child}"

    @property
    def remaining(self) -> Decimal:
        return max(self.quantity - self.filled_quantity, ZERO)

    @property
    def average_price(self) -> Decimal | None:
        return self.cash / self.filled_quantity if self.filled_quantity else None

    @property
    def is_seen(self) -> bool:
        """Whether the exchange has ever reported or acknowledged the order."""
        return bool(self.venue_order_id) or self.status is not None or bool(self.executions)

    @property
    def is_settled(self) -> bool:
        """Ended, and every execution that the exchange counts has arrived: nothing more is expected."""
        return self.state.is_terminal and self.filled_quantity >= self.reported_filled

    @property
    def is_ended_by_exchange(self) -> bool:
        """Whether the exchange itself has ended the order, by its status or by executions.

        Our state REJECTED alone is no proof: an attempt of unknown outcome may arrive after the one that was refused.
        """
        reported = self.status is not None and self.status.is_final
        return reported or self.state is OrderState.FILLED

    @property
    def is_conditional(self) -> bool:
        """Held at the exchange until its trigger price is touched."""
        return self.style == "stop_market"

    @property
    def is_refused_for_price(self) -> bool:
        """Ended because the exchange refused a maker quote for its price: band, tick, post-only (X3: quote again)."""
        return self.style == "post_only" and self.refusal is RefusalCause.PRICE

    def terms_sent(self, name: str) -> tuple[Decimal, ...]:
        """All values of `price`, `trigger_price` or `quantity` that a report may contain, the current one first."""
        values = (getattr(self, name), self.amended.get(name), *self.replaced.get(name, ()))
        return tuple(dict.fromkeys(value for value in values if value is not None))

    def set_amendment(self, terms: Mapping[str, Decimal]) -> None:
        """Store the values that the next amendment requests."""
        for name, value in terms.items():
            known = (value, *self.terms_sent(name))
            self.replaced[name] = list(dict.fromkeys(known))[:REPLACED_KEPT]
        self.amended = dict(terms)

    def is_same_as(self, report: OrderReport) -> bool:
        """Whether a report under our client id describes our order: symbol, side, quantity and price (DESIGN 5).

        A market order is compared without its price, which is the exchange's protective price; a stop by its trigger.
        """
        if (report.category, report.symbol, report.side) != (self.category, self.symbol, self.side):
            return False
        if not self.closes_rest and report.quantity not in self.terms_sent("quantity"):
            return False
        if self.style == "post_only":
            return report.price in self.terms_sent("price")
        if self.style == "stop_market":
            return report.trigger_price in self.terms_sent("trigger_price")
        return True

    # --- transitions ---

    def fire(self, trigger: str, reason: str, now_ms: int, **data: Any) -> JournalLine | None:
        """Fire a trigger and return the journal line, or None when the transition leads back to the same state: a
        repeat by the exchange is not written to the journal.

        An illegal transition changes nothing and returns a remark (EX-2).
        """
        try:
            entry = self.machine.fire(trigger, reason, data)
        except IllegalTransitionError as error:
            return self.machine.remark(trigger, f"EX-2 refused: {error}", data)
        self.updated_ms = max(self.updated_ms, now_ms)
        return None if entry.source == entry.dest else entry

    def take_execution(self, report: ExecutionReport, now_ms: int) -> list[JournalLine] | None:
        """Count one fill. None when its id was counted before (EX-2)."""
        if report.execution_id in self.executions:
            return None
        self.executions[report.execution_id] = None
        self.filled_quantity += report.quantity
        self.cash += report.quantity * report.price
        self.venue_order_id = self.venue_order_id or report.venue_order_id
        self.updated_ms = max(self.updated_ms, now_ms)
        trigger = "fill_all" if self.filled_quantity >= self.quantity else "fill_part"
        reason = f"executed {self.filled_quantity} of {self.quantity} {self.symbol}"
        note = self.fire(trigger, reason, now_ms, execution_id=report.execution_id)
        return [note] if note else []

    def take_report(self, report: OrderReport, now_ms: int, *, looked_up: bool = False) -> list[JournalLine]:
        """Apply a status. A late or repeated report changes nothing (EX-2).

        `looked_up` marks the result of a look-up: it also ends a pending or unknown state, since none of our requests
        is in flight any more.
        """
        if self._is_late(report):
            return self._settle_pending(now_ms) if looked_up and self._is_current(report) else []
        self.venue_order_id = report.venue_order_id or self.venue_order_id
        self.status = report.status
        self.reported_filled = report.filled_quantity
        self.reported_ms = report.updated_ms
        notes: list[JournalLine | None] = []
        if not report.status.is_final:
            self._take_terms(report)
            notes.append(self.fire("open", f"the exchange reports {report.status.value}", now_ms))
            if looked_up or self._is_amendment_shown():
                notes += self._settle_pending(now_ms)
        else:
            notes.append(self._take_end(report, now_ms))
        return [note for note in notes if note]

    def vanish(self, why: str, now_ms: int) -> JournalLine | None:
        """An order that was seen before is absent everywhere, repeatedly: the exchange no longer has it."""
        self.end_reason = why
        return self.fire("cancel", why, now_ms)

    def _is_current(self, report: OrderReport) -> bool:
        return not report.status.is_final and report.updated_ms >= self.reported_ms

    def _is_late(self, report: OrderReport) -> bool:
        if self.state is OrderState.FILLED and not report.status.is_final:
            return True
        if self.status is None:
            return False
        if report.filled_quantity < self.reported_filled:
            return True
        if self.status.is_final:
            return report.filled_quantity <= self.reported_filled
        if report.status.is_final:
            return False
        if report.updated_ms != self.reported_ms:
            return report.updated_ms < self.reported_ms
        return _rank(report.status) < _rank(self.status)

    def _take_terms(self, report: OrderReport) -> None:
        if self.style == "post_only":
            self.price = report.price or self.price
        if self.style == "stop_market" and report.status is VenueOrderStatus.UNTRIGGERED:
            self.trigger_price = report.trigger_price or self.trigger_price
        if self.style != "market":
            self.quantity = report.quantity or self.quantity

    def _is_amendment_shown(self) -> bool:
        return self.state is OrderState.PENDING_AMEND and all(
            getattr(self, name) == value for name, value in self.amended.items()
        )

    def _settle_pending(self, now_ms: int) -> list[JournalLine]:
        """Nothing is pending any more: return to OPEN or PARTIALLY_FILLED."""
        if self.state not in (
            OrderState.PENDING_AMEND,
            OrderState.PENDING_CANCEL,
            OrderState.UNKNOWN,
            OrderState.ACKNOWLEDGED,
        ):
            return []
        self.amended = {}
        trigger = "confirm_part" if self.filled_quantity else "confirm"
        note = self.fire(trigger, "the exchange reports it resting; none of our requests on it is pending", now_ms)
        return [note] if note else []

    def _take_end(self, report: OrderReport, now_ms: int) -> JournalLine | None:
        reason = _end_reason(report)
        # A spot market order may end as PartiallyFilledCanceled although complete: the quantity decides.
        if report.status is VenueOrderStatus.FILLED or report.filled_quantity >= self.quantity:
            return self.fire("complete", f"the exchange reports {report.filled_quantity} executed", now_ms)
        # The exchange reports CancelByUser for every cancellation that we request; our own reason is more specific.
        self.end_reason = self.cancel_reason or reason
        if reason in CROSSING_REASONS:
            self.refusal = RefusalCause.PRICE
        if report.status is VenueOrderStatus.REJECTED:
            self.end_reason = reason
            self.refusal = self.refusal or RefusalCause.OTHER
            return self.fire("reject", f"rejected by the exchange: {reason}", now_ms)
        if self.cancel_cause == "expired" and self.state is OrderState.PENDING_CANCEL:
            return self.fire("expire", "cancelled by us: it had expired", now_ms)
        return self.fire("cancel", f"cancelled: {self.end_reason}", now_ms)

    # --- durable form ---

    def as_data(self) -> dict[str, Any]:
        """JSON values; `from_data` is its inverse."""
        return {
            "client_order_id": self.client_order_id,
            "intent_id": self.intent_id,
            "child": self.child,
            "engine": self.engine.value,
            "account": self.account.value,
            "category": self.category,
            "symbol": self.symbol,
            "side": self.side.value,
            "style": self.style,
            "quantity": str(self.quantity),
            "price": _text(self.price),
            "trigger_price": _text(self.trigger_price),
            "reduce_only": self.reduce_only,
            "slippage_limit": _text(self.slippage_limit),
            "created_ms": self.created_ms,
            "trace": self.trace,
            "state": self.state.value,
            "venue_order_id": self.venue_order_id,
            "executions": list(self.executions),
            "filled_quantity": str(self.filled_quantity),
            "cash": str(self.cash),
            "status": self.status.value if self.status else None,
            "reported_filled": str(self.reported_filled),
            "reported_ms": self.reported_ms,
            "end_reason": self.end_reason,
            "refusal": self.refusal.value if self.refusal else None,
            "refusal_code": self.refusal_code,
            "cancel_cause": self.cancel_cause,
            "cancel_reason": self.cancel_reason,
            "amended": {name: str(value) for name, value in self.amended.items()},
            "replaced": {name: [str(value) for value in values] for name, values in self.replaced.items()},
            "closes_rest": self.closes_rest,
            "updated_ms": self.updated_ms,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> ChildOrder:
        """The order restored from the result of `as_data`."""
        made = cls(
            client_order_id=data["client_order_id"],
            intent_id=data["intent_id"],
            child=data["child"],
            engine=ActorName(data["engine"]),
            account=Account(data["account"]),
            category=data["category"],
            symbol=data["symbol"],
            side=Side(data["side"]),
            style=data["style"],
            quantity=Decimal(data["quantity"]),
            price=_number(data["price"]),
            trigger_price=_number(data["trigger_price"]),
            reduce_only=data["reduce_only"],
            slippage_limit=_number(data["slippage_limit"]),
            created_ms=data["created_ms"],
            trace=data["trace"],
            venue_order_id=data["venue_order_id"],
            executions=dict.fromkeys(data["executions"]),
            filled_quantity=Decimal(data["filled_quantity"]),
            cash=Decimal(data["cash"]),
            status=VenueOrderStatus(data["status"]) if data["status"] else None,
            reported_filled=Decimal(data["reported_filled"]),
            reported_ms=data["reported_ms"],
            end_reason=data["end_reason"],
            refusal=RefusalCause(data["refusal"]) if data["refusal"] else None,
            refusal_code=data["refusal_code"],
            cancel_reason=data["cancel_reason"],
            cancel_cause=data["cancel_cause"],
            amended={name: Decimal(value) for name, value in data["amended"].items()},
            replaced={name: [Decimal(one) for one in values] for name, values in data["replaced"].items()},
            closes_rest=data["closes_rest"],
            updated_ms=data["updated_ms"],
        )
        made.machine = ChildOrderMachine.restored(made.name, data["state"])
        return made


def _rank(status: VenueOrderStatus) -> int:
    return _RANK.get(status, _FINAL_RANK)


def _end_reason(report: OrderReport) -> str:
    if report.reject_reason not in ("", "EC_NoError"):
        return report.reject_reason
    if report.cancel_type not in ("", "UNKNOWN"):
        return report.cancel_type
    return report.status.value


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _number(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def intent_of(name: str) -> str:
    """The intent of the order that has this name in the journal."""
    return name.rpartition("/")[0]
