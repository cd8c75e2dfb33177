"""Messages about orders: intents, approvals, refusals, reports of the exchange, fills and ends."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from statemachines.messages.envelope import Body
from statemachines.refusals import RefusalCause
from statemachines.requests import ExchangeResponse, ExecutionReport, OrderReport
from statemachines.values import Account, ActorName, Category, Side


class OrderFrame(Body):
    """A report of the private order stream."""

    KIND = "order_frame"
    report: OrderReport


class ExecutionFrame(Body):
    """A report of the private execution stream."""

    KIND = "execution_frame"
    report: ExecutionReport


class StreamRestored(Body):
    """A stream was re-established after a break: what was missed must be read from REST (bybit-v5 5.1)."""

    KIND = "stream_restored"
    stream: str


class ResponseReceived(Body):
    """The outcome of an `ExchangeCall`, delivered to the logic that requested it; `key` is that of the call."""

    KIND = "answer"
    key: str
    account: str
    outcome: ExchangeResponse


class Intent(Body):
    """An order requested by an engine. `intent_id` is `<engine>-<base36 counter>`, deterministic and never reused.

    `reference_price` is the price at which the decision was made; `style` market = urgent (EX-3), maker = post-only
    worked at the touch until `expires_ms`, stop = reduce-only conditional order held at the exchange (TR-5).
    `purpose` is what the order is for ("entry", "exit", "stop", "tranche", "rebalance", "hedge", "unwind",
    "deployment", "trim", "compound"); `reason` is the sentence with its numbers. `retry_of` is the first intent of the
    same order when this one is a further attempt. `closes_rest` requests the closing of a perpetual position's entire
    remainder that is below a lot or the venue's minimum (X1).
    """

    KIND = "intent"
    intent_id: str
    engine: ActorName
    account: Account
    category: Category
    symbol: str
    side: Side
    quantity: Decimal
    style: Literal["market", "maker", "stop"]
    reference_price: Decimal
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    expires_ms: int | None = None
    purpose: str
    reason: str
    portfolio_version: int = 0
    retry_of: str = ""
    closes_rest: bool = False


class Withdraw(Body):
    """Cancel the orders of an intent that are still working."""

    KIND = "withdraw"
    intent_id: str
    engine: ActorName
    reason: str


class MoveStop(Body):
    """Change trigger price and/or quantity of a working stop intent (TR-6 ratchet, TR-13 cut)."""

    KIND = "move_stop"
    intent_id: str
    engine: ActorName
    trigger_price: Decimal | None = None
    quantity: Decimal | None = None
    reason: str


class Approved(Body):
    """The risk manager approves an intent within bounds: not above `max_quantity`, no fill beyond
    `price_limit` (worst acceptable price), not after `expires_ms`, and no more than `slice_quantity` in one order at
    the exchange (X4; None: whole)."""

    KIND = "approved"
    intent: Intent
    max_quantity: Decimal
    price_limit: Decimal | None
    slippage_limit: Decimal
    expires_ms: int | None
    portfolio_version: int
    slice_quantity: Decimal | None = None


class IntentEnded(Body):
    """Base of the three messages that end an intent; every intent ends with exactly one of them.

    `filled_quantity` may be anything from 0 up, `average_price` (USDT) is None when it is 0; `retry_of` is the
    intent's.
    """

    CAN_WAIT = True
    intent_id: str
    engine: ActorName
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    retry_of: str = ""

    @property
    def ended_as(self) -> str:
        """The outcome in one word."""
        raise NotImplementedError(f"{type(self).__name__} does not define its outcome")

    @property
    def why(self) -> str:
        """The reason as a sentence."""
        raise NotImplementedError(f"{type(self).__name__} does not define its reason")

    @property
    def refusal_cause(self) -> RefusalCause | None:
        """Why the order was refused; None if it was not refused."""
        return None

    @property
    def is_refused_for_good(self) -> bool:
        """X1: the order itself is refused: not temporarily, not because of its price, not for lack of funds."""
        return self.refusal_cause is RefusalCause.OTHER


class OrderDenied(IntentEnded):
    """Our own checks refuse an intent; the exchange never sees it, or sees no further order of it. The risk manager
    sends it for a limit (RM-1), the order manager for the venue's filters and the approval's bounds; every reason names
    its check and its numbers."""

    KIND = "order_denied"
    reasons: tuple[str, ...]
    checks: tuple[str, ...]

    @property
    def ended_as(self) -> str:
        return "DENIED"

    @property
    def why(self) -> str:
        return "; ".join(self.reasons)

    @property
    def refusal_cause(self) -> RefusalCause | None:
        return RefusalCause.OTHER


class Fill(Body):
    """One execution, booked. `position_quantity` / `position_price` are the account's position in the symbol
    after it (linear; for spot the coin's wallet balance and 0); `cash_usdt` its USDT wallet balance after."""

    KIND = "fill"
    CAN_WAIT = True
    execution_id: str
    intent_id: str
    engine: ActorName
    account: Account
    category: Category
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_coin: str
    is_maker: bool
    realized_pnl: Decimal
    executed_ms: int
    position_quantity: Decimal
    position_price: Decimal
    cash_usdt: Decimal

    @property
    def proceeds_usdt(self) -> Decimal:
        """What a spot sale brought to the wallet, after its fee; 0 for a purchase."""
        if self.side is Side.BUY:
            return Decimal(0)
        return self.quantity * self.price - (self.fee if self.fee_coin == "USDT" else Decimal(0))


class IntentWorking(Body):
    """The exchange confirmed that an order of the intent rests (for stops: that the protection exists)."""

    KIND = "intent_working"
    CAN_WAIT = True
    intent_id: str
    engine: ActorName
    account: Account
    client_order_id: str
    trigger_price: Decimal | None = None
    quantity: Decimal | None = None


class MoveRefused(Body):
    """The exchange refuses to move a stop; it rests on its earlier terms. `trigger_price` is the one that was asked
    for."""

    KIND = "move_refused"
    CAN_WAIT = True
    intent_id: str
    engine: ActorName
    trigger_price: Decimal
    refusal: RefusalCause


class PositionUnprotected(Body):
    """TR-5: two readings of the exchange's own lists show no stop, or too small a one, for a position; both quantities
    in base coin, `held` signed. `stops` are the intents of ours whose stops are listed."""

    KIND = "position_unprotected"
    engine: ActorName
    symbol: str
    held: Decimal
    covered: Decimal
    reason: str
    stops: tuple[str, ...] = ()


class IntentDone(IntentEnded):
    """The end of an intent, on the exchange's evidence: filled, cancelled or expired."""

    KIND = "intent_done"
    account: Account
    category: Category
    symbol: str
    side: Side
    outcome: Literal["FILLED", "CANCELLED", "EXPIRED"]
    reason: str

    @property
    def ended_as(self) -> str:
        return self.outcome

    @property
    def why(self) -> str:
        return self.reason


class OrderRejected(IntentEnded):
    """The exchange permanently refused the last order of an intent, which ends the intent. `refusal` is the cause and
    `refusal_code` the exchange's code (0: none given)."""

    KIND = "order_rejected"
    account: Account
    category: Category
    symbol: str
    side: Side
    reason: str
    refusal: RefusalCause | None = None
    refusal_code: int = 0

    @property
    def ended_as(self) -> str:
        return "REJECTED"

    @property
    def why(self) -> str:
        return self.reason

    @property
    def refusal_cause(self) -> RefusalCause | None:
        return self.refusal or RefusalCause.OTHER


ORDER_CHECKS = "order_checks"
"""The check that an `OrderDenied` of the order manager names: the venue's filters and the bounds of the approval."""
