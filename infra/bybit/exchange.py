"""The exchange behind `ExchangePort`, on pybit (IF-2): real, simulated or in-process, by its sessions.

One call per request; nothing is ever repeated here (EX-4, EX-5 belong to the order manager).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pybit.unified_trading import HTTP

from actors.runtime.ports import MarketClock
from infra.bybit.account import AccountReader
from infra.bybit.caller import Caller
from infra.bybit.earn import EarnGateway
from infra.bybit.errors import TOO_MANY_VISITS, GatewayError, Purpose, outcome_of
from infra.bybit.limits import RateLimiter
from infra.bybit.lookups import LookUps
from infra.bybit.market import MarketReader
from infra.bybit.orders.batches import all_legs, leg_outcomes
from infra.bybit.orders.bodies import InvalidRequest, body_of, leg_of
from infra.bybit.parsing.fields import UnparsableError, plain
from infra.bybit.parsing.rows import parse_transfer_status
from infra.bybit.readers.solvency import SolvencyReader
from infra.bybit.session import Sessions
from statemachines.earn.terms import LookUpStaking, StakeCoins
from statemachines.execution.orders.request_queue import MAX_BATCH, BatchKind
from statemachines.feeds.terms import FeedRead, ReadFeed
from statemachines.requests import (
    Accepted,
    AmendOrder,
    CancelOrder,
    ExchangeRequest,
    ExchangeResponse,
    LookUpOrder,
    LookUpTransfer,
    OrderWrite,
    PlaceOrder,
    ReadAccount,
    ReadBars,
    ReadFunding,
    ReadMarket,
    Refused,
    SetLeverage,
    TransferFunds,
    Unknown,
)
from statemachines.solvency.terms import ReadSolvency
from statemachines.values import LINEAR, Account, Category

_CALLS: Mapping[str, tuple[str, Purpose]] = {
    "place_order": ("create", Purpose.WRITE),
    "amend_order": ("amend", Purpose.CHANGE),
    "cancel_order": ("cancel", Purpose.CANCEL),
}
"""Per kind of request on an order: the rate limit's group, and what is done."""


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
        self._earn = EarnGateway(self._caller, clock)
        self._accounts = AccountReader(self._caller, clock)
        self._reader = MarketReader(self._caller, clock, symbols)
        self._solvency = SolvencyReader(self._caller, clock)
        self._uids = dict(uids)
        self._read_feed = read_feed
        self._look_ups = LookUps(self._caller, self._accounts, clock, look_up_pause_s, pause)

    def perform(self, account: Account, request: ExchangeRequest) -> ExchangeResponse:
        """Perform one request once. Refusals, failures and unknown outcomes are answers, not exceptions."""
        purpose = Purpose.READ
        try:
            match request:
                case PlaceOrder() | AmendOrder() | CancelOrder():
                    purpose = _CALLS[request.kind][1]
                    return self._order(account, request)
                case TransferFunds():
                    purpose = Purpose.WRITE
                    return self._transfer(account, request)
                case StakeCoins():
                    purpose = Purpose.WRITE
                    return self._earn.place(account, request)
                case LookUpStaking():
                    return self._earn.look_up(account, request)
                case SetLeverage():
                    purpose = Purpose.CHANGE
                    return self._leverage(account, request)
                case LookUpOrder():
                    return self._look_ups.orders(account, [request])[0]
                case LookUpTransfer():
                    return self._look_ups.transfer(account, request)
                case ReadAccount():
                    return self._accounts.snapshot(account, request)
                case ReadMarket():
                    return self._reader.market(account)
                case ReadBars():
                    return self._reader.bars(account, request)
                case ReadFunding():
                    return self._reader.funding(account, request)
                case ReadSolvency():
                    return self._solvency.read(account, request)
                case ReadFeed():
                    return self._read_feed(request.market_ms)
        except InvalidRequest as error:
            return Refused(code=0, message=str(error), fault="permanent")
        except (GatewayError, UnparsableError) as error:
            return outcome_of(error, purpose)
        raise TypeError(f"the request {type(request).__name__} is not known to the exchange adapter")

    def perform_batch(self, account: Account, requests: Sequence[OrderWrite]) -> Sequence[ExchangeResponse]:
        """Perform requests of one kind and category in one call, once. What cannot be put into the exchange's terms is
        refused here; the others are sent."""
        category = requests[0].category
        if any((one.kind, one.category) != (requests[0].kind, category) for one in requests):
            raise ValueError("a batch holds requests of one kind and one category")
        verb, purpose = _CALLS[requests[0].kind]
        group = _batch_group(verb, category)
        outcomes: list[ExchangeResponse] = []
        legs: dict[int, dict[str, Any]] = {}
        for number, request in enumerate(requests):
            outcomes.append(Unknown(why="it was not sent"))
            try:
                legs[number] = leg_of(request)
            except InvalidRequest as error:
                outcomes[number] = Refused(code=0, message=str(error), fault="permanent")
        if not legs:
            return outcomes
        sent = [requests[number] for number in legs]
        body = {"category": category, "request": list(legs.values())}
        try:
            answer = self._caller.answer(account, group, len(sent), lambda session: _send_batch(session, verb, body))
            found = leg_outcomes(answer, sent, purpose)
        except (GatewayError, UnparsableError) as error:
            found = all_legs(error, sent, purpose)
        if any(isinstance(one, Refused) and one.code == TOO_MANY_VISITS for one in found):
            self._caller.exceeded(account, group)
        for number, outcome in zip(legs, found, strict=True):
            outcomes[number] = outcome
        return outcomes

    def look_up_orders(self, account: Account, requests: Sequence[LookUpOrder]) -> Sequence[ExchangeResponse]:
        """What became of several orders, asked for one after the other; all share the pause between both rounds."""
        return self._look_ups.orders(account, requests)

    def await_turn(self, account: Account, requests: Sequence[ExchangeRequest]) -> ExchangeResponse | None:
        """Wait for the rate limit before the fencing check of requests on orders; everything else waits in its call."""
        first = requests[0]
        if not isinstance(first, OrderWrite):
            return None
        verb, purpose = _CALLS[first.kind]
        is_batch = len(requests) > 1
        group = _batch_group(verb, first.category) if is_batch else f"{verb}.{first.category}"
        try:
            self._caller.reserve(account, group, len(requests))
        except GatewayError as error:
            return outcome_of(error, purpose)
        return None

    def most_together(self, account: Account, kind: BatchKind) -> int:
        """Orders of one batch; the rate limit counts each of them."""
        group = _batch_group(_CALLS[kind.kind][0], kind.category)
        return self._caller.most_together(account, group) or MAX_BATCH[kind.category]

    # --- writes ---

    def _order(self, account: Account, request: OrderWrite) -> ExchangeResponse:
        """The acknowledgement of a request on an order, if it is of the order that was meant (IF-2)."""
        body = body_of(request)
        verb, _purpose = _CALLS[request.kind]
        result = self._caller.result(account, f"{verb}.{request.category}", lambda session: _send(session, verb, body))
        result.repeats("orderLinkId", request.client_order_id)
        return Accepted(venue_order_id=result.text("orderId"))

    def _leverage(self, account: Account, request: SetLeverage) -> ExchangeResponse:
        leverage = plain(request.leverage)
        self._caller.result(
            account,
            "leverage",
            lambda s: s.set_leverage(
                category=LINEAR, symbol=request.symbol, buyLeverage=leverage, sellLeverage=leverage
            ),
        )
        return Accepted()

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


def _batch_group(verb: str, category: Category) -> str:
    return f"{verb}-batch.{category}"


def _send(session: HTTP, verb: str, body: Mapping[str, Any]) -> Any:
    match verb:
        case "create":
            return session.place_order(**body)
        case "amend":
            return session.amend_order(**body)
    return session.cancel_order(**body)


def _send_batch(session: HTTP, verb: str, body: Mapping[str, Any]) -> Any:
    match verb:
        case "create":
            return session.place_batch_order(**body)
        case "amend":
            return session.amend_batch_order(**body)
    return session.cancel_batch_order(**body)
