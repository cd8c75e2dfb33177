"""The exchange behind `ExchangePort`, on pybit (IF-2): real, simulated or in-process, by its sessions.

One call per request; nothing is ever repeated here (EX-4, EX-5 belong to the order manager).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

from actors.runtime.ports import MarketClock
from infra.bybit.account import AccountReader
from infra.bybit.caller import Caller
from infra.bybit.errors import GatewayError, Purpose, outcome_of
from infra.bybit.limits import RateLimiter
from infra.bybit.lookups import LookUps
from infra.bybit.market import MarketReader
from infra.bybit.parsing.fields import Row, UnparsableError, plain
from infra.bybit.parsing.rows import parse_transfer_status
from infra.bybit.session import Sessions
from statemachines.requests import (
    Accepted,
    AmendOrder,
    CancelOrder,
    ExchangeRequest,
    ExchangeResponse,
    FeedRead,
    LookUpOrder,
    LookUpTransfer,
    PlaceOrder,
    ReadAccount,
    ReadBars,
    ReadFeed,
    ReadFunding,
    ReadMarket,
    Refused,
    SetLeverage,
    TransferFunds,
    Unknown,
)
from statemachines.values import LINEAR, SPOT, Account, Category, Side

_CENT = Decimal("0.01")
MAX_SLIPPAGE_PERCENT = Decimal(10)


class InvalidRequest(ValueError):
    """A request that we could not put into the exchange's terms; it was not sent."""


class BybitExchange:
    """Performs requests: blocking, thread-safe across accounts (one request queue per account).

    `symbols` are those `ReadMarket` reads; `uids` the accounts' numbers for transfers; `clock` market time;
    `read_feed` the external values (DA-2); `pause` waits wall seconds between the two rounds of a look-up (EX-1).
    """

    def __init__(
        self,
        sessions: Sessions,
        *,
        symbols: Sequence[tuple[Category, str]],
        uids: Mapping[Account, int],
        clock: MarketClock,
        read_feed: Callable[[int], FeedRead],
        limiter: RateLimiter | None = None,
        look_up_pause_s: float = 2.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._caller = Caller(sessions, limiter)
        self._accounts = AccountReader(self._caller, clock)
        self._reader = MarketReader(self._caller, clock, symbols)
        self._uids = dict(uids)
        self._read_feed = read_feed
        self._look_ups = LookUps(self._caller, self._accounts, look_up_pause_s, pause)

    def perform(self, account: Account, request: ExchangeRequest) -> ExchangeResponse:
        """Perform one request once. Refusals, failures and unknown outcomes are answers, not exceptions."""
        purpose = Purpose.READ
        try:
            match request:
                case PlaceOrder() | TransferFunds():
                    purpose = Purpose.WRITE
                    return self._write(account, request)
                case AmendOrder() | SetLeverage():
                    purpose = Purpose.CHANGE
                    return self._write(account, request)
                case CancelOrder():
                    purpose = Purpose.CANCEL
                    return self._cancel(account, request)
                case LookUpOrder():
                    return self._look_ups.order(account, request)
                case LookUpTransfer():
                    return self._look_ups.transfer(account, request)
                case ReadAccount():
                    return self._accounts.snapshot(account, request.executions_since_ms, request.transactions_since_ms)
                case ReadMarket():
                    return self._reader.market(account)
                case ReadBars():
                    return self._reader.bars(account, request)
                case ReadFunding():
                    return self._reader.funding(account, request)
                case ReadFeed():
                    return self._read_feed(request.market_ms)
        except InvalidRequest as error:
            return Refused(code=0, message=str(error), fault="permanent")
        except (GatewayError, UnparsableError) as error:
            return outcome_of(error, purpose)
        raise TypeError(f"the request {type(request).__name__} is not known to the exchange adapter")

    # --- writes ---

    def _write(
        self, account: Account, request: PlaceOrder | AmendOrder | TransferFunds | SetLeverage
    ) -> ExchangeResponse:
        match request:
            case PlaceOrder():
                body = order_body(request)
                group = f"create.{request.category}"
                return _taken(
                    self._caller.result(account, group, lambda s: s.place_order(**body)), request.client_order_id
                )
            case AmendOrder():
                changes = _amendment(request)
                group = f"amend.{request.category}"
                return _taken(
                    self._caller.result(account, group, lambda s: s.amend_order(**changes)), request.client_order_id
                )
            case TransferFunds():
                return self._transfer(account, request)
            case SetLeverage():
                leverage = plain(request.leverage)
                self._caller.result(
                    account,
                    "leverage",
                    lambda s: s.set_leverage(
                        category=LINEAR, symbol=request.symbol, buyLeverage=leverage, sellLeverage=leverage
                    ),
                )
                return Accepted()

    def _cancel(self, account: Account, request: CancelOrder) -> ExchangeResponse:
        body: dict[str, Any] = {
            "category": request.category,
            "symbol": request.symbol,
            "orderLinkId": request.client_order_id,
        }
        if request.category == SPOT and request.is_conditional:
            body["orderFilter"] = "StopOrder"
        result = self._caller.result(account, f"cancel.{request.category}", lambda s: s.cancel_order(**body))
        return _taken(result, request.client_order_id)

    def _transfer(self, account: Account, request: TransferFunds) -> ExchangeResponse:
        missing = [a.value for a in (request.from_account, request.to_account) if a not in self._uids]
        if missing:
            raise InvalidRequest(f"transfer {request.transfer_id}: the UID of {' and '.join(missing)} is not known.")
        result = self._caller.result(
            account,
            "transfer",
            lambda s: s.create_universal_transfer(
                transferId=request.transfer_id,
                coin=request.coin,
                amount=plain(request.amount),
                fromMemberId=self._uids[request.from_account],
                toMemberId=self._uids[request.to_account],
                fromAccountType="UNIFIED",
                toAccountType="UNIFIED",
            ),
        )
        result.repeats("transferId", request.transfer_id)
        match parse_transfer_status(result.text("status"), "transfer answer").status:
            case "SUCCESS":
                return Accepted(venue_order_id=request.transfer_id)
            case "FAILED":
                return Refused(code=0, message="the exchange answered FAILED", fault="permanent")
        return Unknown(why=f"transfer {request.transfer_id} is PENDING at the exchange; look it up")


def _taken(result: Row, client_order_id: str) -> Accepted:
    """The acknowledgement of a request on an order, if it is of the order that was meant (IF-2)."""
    result.repeats("orderLinkId", client_order_id)
    return Accepted(venue_order_id=result.text("orderId"))


def order_body(request: PlaceOrder) -> dict[str, Any]:
    """The body of `/v5/order/create`. Numbers are texts; spot is never borrowed (`isLeverage` 0).

    Raises:
        InvalidRequest: the request contradicts itself; nothing may be sent.
    """
    body: dict[str, Any] = {
        "category": request.category,
        "symbol": request.symbol,
        "side": request.side.value,
        "qty": plain(request.quantity),
        "orderLinkId": request.client_order_id,
    }
    if request.category == LINEAR:
        body["positionIdx"] = 0
        body["reduceOnly"] = request.reduce_only
        if request.closes_position:
            # Quantity 0 closes whatever there is, below a lot too (bybit-v5, qty).
            body |= {"qty": "0", "reduceOnly": True, "closeOnTrigger": True}
    elif request.reduce_only:
        raise InvalidRequest(
            f"order {request.client_order_id}: field 'reduce_only' is true; spot orders cannot be reduce-only."
        )
    else:
        body["isLeverage"] = 0
    match request.style:
        case "post_only":
            body |= {"orderType": "Limit", "timeInForce": "PostOnly", "price": _needed(request, "price")}
        case "market":
            body |= {"orderType": "Market"} | _slippage(request)
        case "stop_market":
            # A stop that sells waits for the price to fall to its trigger (2), one that buys for a rise (1).
            body |= {
                "orderType": "Market",
                "triggerPrice": _needed(request, "trigger_price"),
                "triggerDirection": 2 if request.side is Side.SELL else 1,
                "triggerBy": "LastPrice",
            }
            if request.category == SPOT:
                body["orderFilter"] = "StopOrder"
    if request.category == SPOT and body["orderType"] == "Market":
        body["marketUnit"] = "baseCoin"
    return body


def _slippage(request: PlaceOrder) -> dict[str, str]:
    """EX-3: the exchange itself bounds a market order; in per cent with at most two decimals, rounded down."""
    if request.slippage_limit is None:
        return {}
    percent = (request.slippage_limit * 100).quantize(_CENT, rounding=ROUND_DOWN)
    if not _CENT <= percent <= MAX_SLIPPAGE_PERCENT:
        raise InvalidRequest(
            f"order {request.client_order_id}: field 'slippage_limit' is {request.slippage_limit}; "
            "0.0001 to 0.1 is allowed."
        )
    return {"slippageToleranceType": "Percent", "slippageTolerance": plain(percent)}


def _amendment(request: AmendOrder) -> dict[str, Any]:
    changes = {"price": request.price, "triggerPrice": request.trigger_price, "qty": request.quantity}
    texts = {name: plain(value) for name, value in changes.items() if value is not None}
    if not texts:
        raise InvalidRequest(
            f"order {request.client_order_id}: an amendment must change price, trigger price or quantity."
        )
    return {"category": request.category, "symbol": request.symbol, "orderLinkId": request.client_order_id} | texts


def _needed(request: PlaceOrder, field: str) -> str:
    value: Decimal | None = getattr(request, field)
    if value is None or value <= 0:
        raise InvalidRequest(
            f"order {request.client_order_id}: field {field!r} is {value}; a number above 0 is required "
            f"({request.style})."
        )
    return plain(value)
