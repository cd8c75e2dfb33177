"""The catalogue: every fault that can be injected, as a small typed object with its bounds.

A fault is one of four families, by where it acts: on a request, on a stream, on orders and positions, or on the
exchange itself. The first line of a class's docstring is its line in the documentation.
"""

from __future__ import annotations

from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

ALL: Literal["*"] = "*"
Effect = Literal["none", "after"]
Category = Literal["spot", "linear"]
Text = Annotated[str, Field(min_length=1, max_length=120)]
Share = Annotated[Decimal, Field(gt=0, le=1)]
Milliseconds = Annotated[int, Field(ge=0, le=600_000)]


class Fault(BaseModel):
    """What all faults have in common. ``kind`` names the fault in files, in the control interface and in documents."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    family: ClassVar[str] = ""
    kind: str


class Chance(Fault):
    """A fault with a probability: how often it strikes where it could, at most ``count`` times in all."""

    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    count: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


# --- requests ---


class RequestFault(Chance):
    """Acts on REST requests whose path, account, method and symbol match; ``*`` stands for all of them."""

    family: ClassVar[str] = "requests"
    endpoint: Text = "/v5/*"
    method: Literal["*", "GET", "POST"] = ALL
    account: Text = ALL
    symbol: Text = ALL

    def matches(self, method: str, path: str, account: str | None, symbols: frozenset[str]) -> bool:
        """Whether the fault can strike this request."""
        return (
            fnmatchcase(path, self.endpoint)
            and self.method in (ALL, method)
            and self.account in (ALL, account)
            and (self.symbol == ALL or self.symbol in symbols)
        )


class Latency(RequestFault):
    """Answers come late: by `delay_ms`, and by up to `jitter_ms` more at random."""

    kind: Literal["latency"] = "latency"
    delay_ms: Milliseconds = 500
    jitter_ms: Milliseconds = 0


class LostRequest(RequestFault):
    """The request is lost on its way: no effect; the connection breaks after `hang_ms` without an answer."""

    kind: Literal["lost-request"] = "lost-request"
    hang_ms: Milliseconds = 0


class LostAnswer(RequestFault):
    """The request is carried out, its answer is lost: the connection breaks after `hang_ms`."""

    kind: Literal["lost-answer"] = "lost-answer"
    hang_ms: Milliseconds = 0


class HttpError(RequestFault):
    """An HTTP error with an HTML body, as a proxy in front of the exchange answers; `effect` says whether the request
    was carried out before."""

    kind: Literal["http-error"] = "http-error"
    status: Annotated[int, Field(ge=400, le=599)] = 502
    effect: Effect = "none"


class RateLimit(RequestFault):
    """10006, too many visits, whatever the client's rate; the reset time in the header is `wait_ms` ahead."""

    kind: Literal["rate-limit"] = "rate-limit"
    wait_ms: Annotated[int, Field(ge=1, le=600_000)] = 1_000


class ServerError(RequestFault):
    """The exchange answers with an error of its own, 10016 (internal error) or 10000 (time-out): what became of the
    request is not known to the client; `effect` says it."""

    kind: Literal["server-error"] = "server-error"
    code: Literal[10000, 10016] = 10016
    effect: Effect = "none"


class Refusal(RequestFault):
    """The request is refused with a retCode (110007, 110094, 170131, ...); of a batch each order by itself."""

    kind: Literal["refusal"] = "refusal"
    endpoint: Text = "/v5/order/create*"
    code: Annotated[int, Field(ge=10_001, le=9_999_999)] = 110007
    message: Text = "CheckMarginRatio fail! ab not enough for new order"


class BrokenJson(RequestFault):
    """The request is carried out, its answer breaks off in the middle of the JSON text."""

    kind: Literal["broken-json"] = "broken-json"


# --- streams ---


class StreamFault(Chance):
    """Acts on WebSockets: of this account (private streams), of this channel, on these topics."""

    family: ClassVar[str] = "streams"
    channel: Literal["*", "private", "spot", "linear", "inverse", "option"] = ALL
    account: Text = ALL

    def concerns(self, channel: str, account: str | None) -> bool:
        """Whether the fault acts on this connection."""
        return self.channel in (ALL, channel) and self.account in (ALL, account)


class FrameFault(StreamFault):
    """Acts on messages with a topic; ``topic`` is a pattern such as ``order*`` or ``tickers.*``."""

    topic: Text = ALL

    def matches(self, channel: str, account: str | None, topic: str) -> bool:
        """Whether the fault can strike this message."""
        return self.concerns(channel, account) and fnmatchcase(topic, self.topic)


class Disconnect(StreamFault):
    """Connected streams break once, without a farewell, when the fault begins."""

    kind: Literal["disconnect"] = "disconnect"


class StreamOutage(StreamFault):
    """Connected streams break, and new connections are refused with HTTP 503, for as long as it lasts."""

    kind: Literal["stream-outage"] = "stream-outage"


class NoPong(StreamFault):
    """Pings are not answered; everything else passes."""

    kind: Literal["no-pong"] = "no-pong"


class DoubledMessages(FrameFault):
    """Messages arrive twice in a row."""

    kind: Literal["doubled-messages"] = "doubled-messages"


class LateMessages(FrameFault):
    """Messages arrive only `delay_ms` of exchange time later, after others that were sent since."""

    kind: Literal["late-messages"] = "late-messages"
    delay_ms: Annotated[int, Field(ge=1, le=86_400_000)] = 5_000


class ReorderedMessages(FrameFault):
    """A message is overtaken by the next one on its connection, if that comes before exchange time moves."""

    kind: Literal["reordered-messages"] = "reordered-messages"


class MissingMessages(FrameFault):
    """Messages are not sent at all; nothing shows it to the client."""

    kind: Literal["missing-messages"] = "missing-messages"


class PublicFault(FrameFault):
    """A fault of messages that acts on public streams only."""

    channel: Literal["*", "spot", "linear"] = ALL

    def matches(self, channel: str, account: str | None, topic: str) -> bool:
        """As every fault of messages, for public streams only."""
        return channel != "private" and super().matches(channel, account, topic)


class StaleMarketData(PublicFault):
    """Public streams stand still on a living connection: pongs pass, data do not."""

    kind: Literal["stale-market-data"] = "stale-market-data"


class FrozenBook(PublicFault):
    """Order books stand still while tickers and trades continue."""

    kind: Literal["frozen-book"] = "frozen-book"
    topic: Text = "orderbook.*"


# --- orders and positions ---


class OrderFault(Chance):
    """What the exchange does of its own accord to orders or positions: to each that is there at the beginning or comes
    while the fault lasts, once."""

    family: ClassVar[str] = "orders and positions"
    account: Text = ALL
    symbol: Text = ALL

    def concerns(self, account: str, symbol: str) -> bool:
        """Whether the fault acts on an order or position of this account in this symbol."""
        return self.account in (ALL, account) and self.symbol in (ALL, symbol)


class PartialFill(OrderFault):
    """A resting limit order is filled by `share` of what is left of it, in whole lots, at its own price."""

    kind: Literal["partial-fill"] = "partial-fill"
    share: Share = Decimal("0.5")


class PostOnlyCancel(OrderFault):
    """A post-only order is accepted, then cancelled because it would have taken liquidity."""

    kind: Literal["post-only-cancel"] = "post-only-cancel"


class OrderCancelled(OrderFault):
    """An open order, also a conditional one, is cancelled by the exchange (`CancelByAdmin`)."""

    kind: Literal["order-cancelled"] = "order-cancelled"


class AutoDeleveraging(OrderFault):
    """A perpetual's position is reduced by `share` at the mark price (`AdlTrade`)."""

    kind: Literal["auto-deleveraging"] = "auto-deleveraging"
    share: Share = Decimal("0.5")


class Liquidation(OrderFault):
    """A perpetual's position is taken over at the mark price (`BustTrade`), whatever its margin."""

    kind: Literal["liquidation"] = "liquidation"


# --- the exchange ---


class ExchangeFault(Fault):
    """Changes the exchange itself for as long as it lasts; part of its state, so that it survives a restart."""

    family: ClassVar[str] = "exchange"


class PriceGap(ExchangeFault):
    """Prices of a coin jump by `change` (a fraction: -0.2 is 20 % down), spot, last, mark and index alike, and jump
    back at its end; bars and history show it. Gaps that hold together move a symbol at
    most a thousand times up and a thousand times down."""

    kind: Literal["price-gap"] = "price-gap"
    symbol: Text = ALL
    change: Annotated[Decimal, Field(ge=Decimal("-0.9"), le=10)] = Decimal("-0.2")


class Maintenance(ExchangeFault):
    """Every request but time and status is answered with HTTP 503, streams break and are refused; the
    system status says it."""

    kind: Literal["maintenance"] = "maintenance"
    title: Text = "System maintenance"


class ClockSkew(ExchangeFault):
    """The clock of the exchange is off: its time stamps, and the window in which it accepts a request's."""

    kind: Literal["clock-skew"] = "clock-skew"
    offset_ms: Annotated[int, Field(ge=-3_600_000, le=3_600_000)] = 1_500


class WithdrawalSuspension(ExchangeFault):
    """Withdrawals of a coin are suspended: its chains show `chainWithdraw` 0."""

    kind: Literal["withdrawal-suspension"] = "withdrawal-suspension"
    coin: Text = "USDT"


class InsuranceFundFall(ExchangeFault):
    """The insurance fund loses `share` of what it holds."""

    kind: Literal["insurance-fund-fall"] = "insurance-fund-fall"
    share: Share = Decimal("0.4")


class FilterChange(ExchangeFault):
    """Filters of an instrument change; orders that are open stay as they are."""

    kind: Literal["filter-change"] = "filter-change"
    category: Category = "linear"
    symbol: Text = "BTCUSDT"
    tick: Annotated[Decimal, Field(gt=0)] | None = None
    qty_step: Annotated[Decimal, Field(gt=0)] | None = None
    min_qty: Annotated[Decimal, Field(gt=0)] | None = None
    min_notional: Annotated[Decimal, Field(gt=0)] | None = None
    max_limit_qty: Annotated[Decimal, Field(gt=0)] | None = None
    max_market_qty: Annotated[Decimal, Field(gt=0)] | None = None

    def filters(self) -> dict[str, Decimal]:
        """The filters that change, by the name of the instrument's field."""
        found: dict[str, Any] = self.model_dump(exclude={"kind", "category", "symbol"}, exclude_none=True)
        return found


class Delisting(ExchangeFault):
    """An instrument is delisted: its orders are cancelled, positions are settled at the mark price, requests for it
    are refused."""

    kind: Literal["delisting"] = "delisting"
    category: Category = "linear"
    symbol: Text = "SOLUSDT"


CATALOGUE: dict[str, type[Fault]] = {
    one.model_fields["kind"].default: one
    for one in (
        Latency, LostRequest, LostAnswer, HttpError, RateLimit, ServerError, Refusal, BrokenJson,
        Disconnect, StreamOutage, NoPong, DoubledMessages, LateMessages, ReorderedMessages, MissingMessages,
        StaleMarketData, FrozenBook, PartialFill, PostOnlyCancel, OrderCancelled, AutoDeleveraging, Liquidation,
        PriceGap, Maintenance, ClockSkew, WithdrawalSuspension, InsuranceFundFall, FilterChange, Delisting,
    )
}  # fmt: skip
"""Every fault by its kind."""
