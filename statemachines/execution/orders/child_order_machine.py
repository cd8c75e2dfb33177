"""EX-1: the order's states and every legal transition; unusual ones are annotated with their reason.

The diagram of the specification is СОЗДАН → ПРОВЕРЕН → ОТПРАВЛЕН → ПОДТВЕРЖДЕН → ОТКРЫТ → ИСПОЛНЕН with ОТКЛОНЕН and
ОТМЕНЕН; the other states are the Decision of EX-1.
"""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class OrderState(StrEnum):
    """States of an order on our side; the exchange's own statuses are `VenueOrderStatus`."""

    CREATED = "CREATED"
    VALIDATED = "VALIDATED"
    SENT = "SENT"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_AMEND = "PENDING_AMEND"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_terminal(self) -> bool:
        """The exchange (or, before sending, our own check) has ended the order; late fills may still arrive."""
        return self in _TERMINAL

    @property
    def is_resting(self) -> bool:
        """The exchange has reported the order and none of our requests on it is pending."""
        return self in (OrderState.OPEN, OrderState.PARTIALLY_FILLED)


_TERMINAL = frozenset(
    {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.DENIED, OrderState.EXPIRED}
)

RUSSIAN: dict[OrderState, str] = {
    OrderState.CREATED: "СОЗДАН",
    OrderState.VALIDATED: "ПРОВЕРЕН",
    OrderState.SENT: "ОТПРАВЛЕН",
    OrderState.ACKNOWLEDGED: "ПОДТВЕРЖДЕН",
    OrderState.OPEN: "ОТКРЫТ",
    OrderState.PARTIALLY_FILLED: "ЧАСТИЧНО ИСПОЛНЕН",
    OrderState.FILLED: "ИСПОЛНЕН",
    OrderState.PENDING_CANCEL: "ОЖИДАЕТ ОТМЕНЫ",
    OrderState.PENDING_AMEND: "ОЖИДАЕТ ИЗМЕНЕНИЯ",
    OrderState.CANCELLED: "ОТМЕНЕН",
    OrderState.REJECTED: "ОТКЛОНЕН",
    OrderState.DENIED: "НЕ ДОПУЩЕН",
    OrderState.EXPIRED: "ИСТЕК",
    OrderState.UNKNOWN: "НЕИЗВЕСТЕН",
}

_S = OrderState

ROWS: tuple[Row[OrderState], ...] = (
    # the normal path
    Row("validate", _S.CREATED, _S.VALIDATED, "EX-1: the instrument's filters allow it"),
    Row("deny", _S.CREATED, _S.DENIED, "EX-1: our own checks refuse it"),
    Row("send", _S.VALIDATED, _S.SENT, "EX-5: recorded and queued for the exchange in one commit"),
    Row("acknowledge", _S.SENT, _S.ACKNOWLEDGED, "EX-1: the exchange accepted the request; not yet open"),
    Row("open", _S.ACKNOWLEDGED, _S.OPEN, "EX-1: the order stream shows it resting"),
    Row("fill_part", _S.OPEN, _S.PARTIALLY_FILLED, "EX-1: an execution of part of the quantity"),
    Row("fill_part", _S.PARTIALLY_FILLED, _S.PARTIALLY_FILLED, "EX-1: a further execution"),
    Row("fill_all", _S.OPEN, _S.FILLED, "EX-1: the executions sum to the whole quantity"),
    Row("fill_all", _S.PARTIALLY_FILLED, _S.FILLED, "EX-1: the executions sum to the whole quantity"),
    Row("complete", _S.OPEN, _S.FILLED, "EX-1: the order stream reports Filled"),
    Row("complete", _S.PARTIALLY_FILLED, _S.FILLED, "EX-1: the order stream reports Filled"),
    # refusals and ends
    Row("refuse", _S.SENT, _S.REJECTED, "EX-4: the exchange permanently refused the request"),
    Row("reject", _S.SENT, _S.REJECTED, "rejection by the matching engine reported before the response"),
    Row("reject", _S.ACKNOWLEDGED, _S.REJECTED, "EX-1: accepted, then rejected by the matching engine"),
    Row("reject", _S.OPEN, _S.REJECTED, "New may be followed by Rejected (bybit-v5 6.1)"),
    Row("reject", _S.PARTIALLY_FILLED, _S.REJECTED, "Rejected with executions is possible: they remain booked"),
    Row("reject", _S.PENDING_CANCEL, _S.REJECTED, "rejected while our cancel was in flight"),
    Row("reject", _S.PENDING_AMEND, _S.REJECTED, "rejected while our amendment was in flight"),
    Row("reject", _S.UNKNOWN, _S.REJECTED, "the look-up or the stream shows it rejected"),
    Row("block", _S.SENT, _S.DENIED, "RM-2: a switch blocked it in the commit; the exchange never saw it"),
    Row("expire", _S.CREATED, _S.EXPIRED, "expired before it was sent"),
    Row("expire", _S.SENT, _S.EXPIRED, "expired while a retry was waiting"),
    Row("expire", _S.UNKNOWN, _S.EXPIRED, "the exchange never received it and it has expired"),
    Row("expire", _S.PENDING_CANCEL, _S.EXPIRED, "CH-3: cancelled by us because it had expired"),
    Row("cancel", _S.CREATED, _S.CANCELLED, "withdrawn before it was sent"),
    Row("cancel", _S.SENT, _S.CANCELLED, "ended by the exchange before its response, or withdrawn while a retry waits"),
    Row("cancel", _S.ACKNOWLEDGED, _S.CANCELLED, "post-only that would cross, or nothing to match"),
    Row("cancel", _S.OPEN, _S.CANCELLED, "EX-1: cancelled by the exchange"),
    Row("cancel", _S.PARTIALLY_FILLED, _S.CANCELLED, "EX-1: the remainder was cancelled"),
    Row("cancel", _S.PENDING_CANCEL, _S.CANCELLED, "EX-1: our cancel was carried out"),
    Row("cancel", _S.PENDING_AMEND, _S.CANCELLED, "the amended price would cross, or cancelled meanwhile"),
    Row("cancel", _S.UNKNOWN, _S.CANCELLED, "the look-up or the stream shows it cancelled, or it never arrived"),
    # our requests on a resting order
    Row("request_cancel", _S.ACKNOWLEDGED, _S.PENDING_CANCEL, "acknowledged and its first report lost: cancel anyway"),
    Row("request_cancel", _S.OPEN, _S.PENDING_CANCEL, "EX-1: withdrawn or expired"),
    Row("request_cancel", _S.PARTIALLY_FILLED, _S.PENDING_CANCEL, "EX-1: withdrawn or expired"),
    Row("request_amend", _S.OPEN, _S.PENDING_AMEND, "EX-3: re-quote, TR-6: ratchet"),
    Row("request_amend", _S.PARTIALLY_FILLED, _S.PENDING_AMEND, "EX-3: re-quote of the remainder"),
    Row(
        "confirm",
        _S.PENDING_AMEND,
        _S.OPEN,
        "the stream shows the amended values, or nothing was amended",
    ),
    Row("confirm_part", _S.PENDING_AMEND, _S.PARTIALLY_FILLED, "as before, with executions"),
    Row("confirm", _S.PENDING_CANCEL, _S.OPEN, "looked up: it still rests, the cancel was not carried out"),
    Row("confirm_part", _S.PENDING_CANCEL, _S.PARTIALLY_FILLED, "as before, with executions"),
    Row("confirm", _S.ACKNOWLEDGED, _S.OPEN, "looked up: it rests, its first report was lost"),
    Row("confirm_part", _S.ACKNOWLEDGED, _S.PARTIALLY_FILLED, "as before, with executions"),
    # the outcome of a request is unknown
    Row("lose", _S.SENT, _S.UNKNOWN, "EX-1: time-out, crash or duplicate id: look it up, never send blindly"),
    Row("lose", _S.PENDING_CANCEL, _S.UNKNOWN, "the cancel's outcome is not known"),
    Row("lose", _S.PENDING_AMEND, _S.UNKNOWN, "the amendment's outcome is not known"),
    Row("resend", _S.UNKNOWN, _S.SENT, "EX-4: absent everywhere, twice: resent under the same id"),
    Row("resend", _S.SENT, _S.SENT, "EX-4: refused for a transient reason: resent under the same id"),
    Row("confirm", _S.UNKNOWN, _S.OPEN, "looked up: it rests"),
    Row("confirm_part", _S.UNKNOWN, _S.PARTIALLY_FILLED, "looked up: it rests with executions"),
    Row("acknowledge", _S.UNKNOWN, _S.UNKNOWN, "a response to an earlier attempt; the look-up decides"),
    # the stream is faster than the response, or slower than the next event
    Row("open", _S.SENT, _S.OPEN, "the stream is faster than the response"),
    Row("open", _S.UNKNOWN, _S.OPEN, "the stream shows the outcome of the lost response"),
    Row("open", _S.OPEN, _S.OPEN, "Untriggered → New, or the report after an amendment"),
    Row("open", _S.PARTIALLY_FILLED, _S.PARTIALLY_FILLED, "the execution arrived before the order report"),
    Row("open", _S.PENDING_CANCEL, _S.PENDING_CANCEL, "a report from before the cancel"),
    Row("open", _S.PENDING_AMEND, _S.PENDING_AMEND, "a report from before the amendment"),
    Row("acknowledge", _S.OPEN, _S.OPEN, "the stream was faster than the response"),
    Row("acknowledge", _S.PARTIALLY_FILLED, _S.PARTIALLY_FILLED, "partially filled before the response"),
    Row("acknowledge", _S.FILLED, _S.FILLED, "filled before the response: market orders"),
    Row("acknowledge", _S.CANCELLED, _S.CANCELLED, "cancelled before the response: post-only that would cross"),
    Row("acknowledge", _S.REJECTED, _S.REJECTED, "rejected before the response"),
    Row("acknowledge", _S.PENDING_CANCEL, _S.PENDING_CANCEL, "seen open and withdrawn before the response"),
    Row("acknowledge", _S.PENDING_AMEND, _S.PENDING_AMEND, "seen open and moved before the response"),
    Row("fill_part", _S.SENT, _S.PARTIALLY_FILLED, "a fill before the acknowledgement"),
    Row("fill_part", _S.ACKNOWLEDGED, _S.PARTIALLY_FILLED, "a fill before the order report"),
    Row("fill_part", _S.UNKNOWN, _S.PARTIALLY_FILLED, "a fill proves that the request arrived"),
    Row("fill_part", _S.PENDING_CANCEL, _S.PENDING_CANCEL, "partially filled while our cancel was in flight"),
    Row("fill_part", _S.PENDING_AMEND, _S.PENDING_AMEND, "partially filled while our amendment was in flight"),
    Row("fill_all", _S.SENT, _S.FILLED, "filled before the acknowledgement"),
    Row("fill_all", _S.ACKNOWLEDGED, _S.FILLED, "filled before the order report"),
    Row("fill_all", _S.UNKNOWN, _S.FILLED, "the executions prove that the request arrived"),
    Row("fill_all", _S.PENDING_CANCEL, _S.FILLED, "the fill won the race against our cancel"),
    Row("fill_all", _S.PENDING_AMEND, _S.FILLED, "the fill won the race against our amendment"),
    Row("complete", _S.SENT, _S.FILLED, "Filled reported before the acknowledgement"),
    Row("complete", _S.ACKNOWLEDGED, _S.FILLED, "market orders are never seen open"),
    Row("complete", _S.UNKNOWN, _S.FILLED, "the look-up or the stream shows it filled"),
    Row("complete", _S.PENDING_CANCEL, _S.FILLED, "the fill won the race against our cancel"),
    Row("complete", _S.PENDING_AMEND, _S.FILLED, "the fill won the race against our amendment"),
    # after the end
    Row("fill_part", _S.FILLED, _S.FILLED, "the status arrived before its executions"),
    Row("fill_all", _S.FILLED, _S.FILLED, "the status arrived before its executions"),
    Row("complete", _S.FILLED, _S.FILLED, "the executions arrived before the status"),
    Row("fill_part", _S.CANCELLED, _S.CANCELLED, "EX-1: a fill after CANCELLED is legal: it is booked"),
    Row("fill_all", _S.CANCELLED, _S.FILLED, "EX-1: late fills completed the quantity"),
    Row("complete", _S.CANCELLED, _S.FILLED, "the exchange corrected its status with more executions"),
    Row("cancel", _S.CANCELLED, _S.CANCELLED, "the exchange repeats the end with more executions"),
    Row(
        "fill_part",
        _S.REJECTED,
        _S.REJECTED,
        "Rejected with executions is possible: they are booked",
    ),
    Row("fill_all", _S.REJECTED, _S.FILLED, "late fills completed the quantity"),
    Row("complete", _S.REJECTED, _S.FILLED, "the exchange corrected its status with more executions"),
    Row("fill_part", _S.EXPIRED, _S.EXPIRED, "a fill after our expiry cancel is legal: it is booked"),
    Row("fill_all", _S.EXPIRED, _S.FILLED, "late fills completed the quantity"),
    Row("complete", _S.EXPIRED, _S.FILLED, "the exchange corrected its status with more executions"),
)

TABLE: Table[OrderState] = Table("order", OrderState.CREATED, ROWS, RUSSIAN)
"""The transition table of orders."""


class ChildOrderMachine(StateMachine[OrderState]):
    """One order. Its transitions are bookkeeping: their sequence depends on the network, not on a rule."""

    __slots__ = ()
    TABLE = TABLE
    IS_BOOKKEEPING = True
