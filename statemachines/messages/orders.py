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
    """A stream was rebuilt after a break: what it missed must be read again from REST (bybit-v5 5.1)."""

    KIND = "stream_restored"
    stream: str


class ResponseReceived(Body):
    """The outcome of an `Ask`, delivered to the logic that asked; `key` is the Ask's."""

    KIND = "answer"
    key: str
    account: str
    outcome: ExchangeResponse


class Intent(Body):
    """What an engine wants done. `intent_id` is `<engine>-<base36 counter>`, deterministic and never reused.

    `reference_price` is the price the decision was made on; `style` market = urgent (EX-3), maker = post-only
    worked at the touch until `expires_ms`, stop = reduce-only conditional order held at the exchange (TR-5).
    `purpose` is what the order is for ("entry", "exit", "stop", "tranche", "rebalance", "hedge", "unwind",
    "deployment", "trim", "compound"); `reason` the sentence with its numbers. `retry_of` is the first intent of the
    same order when this one is another try of it. `closes_rest` asks for the whole rest of a perpetual position that
    is below a lot or the venue's minimum (X1).
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
    """Cancel what still works of an intent."""

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
    """The risk manager lets an intent through, within bounds: not above `max_quantity`, no fill beyond
    `price_limit` (worst acceptable price), not after `expires_ms`."""

    KIND = "approved"
    intent: Intent
    max_quantity: Decimal
    price_limit: Decimal | None
    slippage_limit: Decimal
    expires_ms: int | None
    portfolio_version: int


class IntentEnded(Body):
    """Base of the three messages that end an intent: each ends with exactly one of them.

    `filled_quantity` may be anything from 0 up, `average_price` (USDT) is None when it is 0; `retry_of` is the
    intent's.
    """

    intent_id: str
    engine: ActorName
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    retry_of: str = ""

    @property
    def ended_as(self) -> str:
        """The outcome in one word."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its outcome")

    @property
    def why(self) -> str:
        """The reason as a sentence."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its reason")

    @property
    def refusal_cause(self) -> RefusalCause | None:
        """Why the order was refused; None for one that was not."""
        return None

    @property
    def is_refused_for_good(self) -> bool:
        """X1: what was asked for is refused as such, not for the moment, for its price or for want of money."""
        return self.refusal_cause is RefusalCause.OTHER


class OrderDenied(IntentEnded):
    """Our own checks refuse an intent; the exchange never sees it, or no more of it. The risk manager sends it for a
    limit (RM-1), the order manager for the venue's filters and bounds; every reason names its check and its numbers."""

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


class IntentWorking(Body):
    """The exchange confirmed that an order of the intent rests (for stops: that the protection exists)."""

    KIND = "intent_working"
    intent_id: str
    engine: ActorName
    account: Account
    client_order_id: str
    trigger_price: Decimal | None = None
    quantity: Decimal | None = None


class IntentDone(IntentEnded):
    """The end of an intent, on the exchange's evidence: filled, cancelled, or its time is over."""

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
    """The exchange refused the last order of an intent for good, which ends the intent; `refusal` and `refusal_code`
    tell why (0: it named no code)."""

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
