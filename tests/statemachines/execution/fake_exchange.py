"""A small exchange for tests of the order manager: orders, fills, wallets and positions, its own arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from statemachines.messages.envelope import Body
from statemachines.messages.orders import ExecutionFrame, OrderFrame
from statemachines.requests import (
    Accepted,
    AccountSnapshot,
    AmendOrder,
    CancelOrder,
    ExchangeRequest,
    ExchangeResponse,
    ExecutionReport,
    LookUpOrder,
    LookUpTransfer,
    MarketSnapshot,
    OrderAbsent,
    OrderFound,
    OrderReport,
    PlaceOrder,
    PositionReport,
    Quote,
    ReadAccount,
    ReadMarket,
    Refused,
    SetLeverage,
    TransferFunds,
    TransferState,
    VenueOrderStatus,
)
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import Account, Category, Side
from tests.kit import builders

D = Decimal
OPEN = {VenueOrderStatus.NEW, VenueOrderStatus.PARTIALLY_FILLED, VenueOrderStatus.UNTRIGGERED}


@dataclass
class FakeOrder:
    """One order as the exchange keeps it."""

    account: Account
    request: PlaceOrder
    venue_order_id: str
    created_ms: int
    quantity: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    status: VenueOrderStatus = VenueOrderStatus.NEW
    filled_quantity: Decimal = D(0)
    cash: Decimal = D(0)
    reject_reason: str = ""
    cancel_type: str = ""
    updated_ms: int = 0

    def report(self) -> OrderReport:
        return OrderReport(
            account=self.account,
            client_order_id=self.request.client_order_id,
            venue_order_id=self.venue_order_id,
            category=self.request.category,
            symbol=self.request.symbol,
            side=self.request.side,
            status=self.status,
            quantity=self.quantity,
            filled_quantity=self.filled_quantity,
            average_price=self.cash / self.filled_quantity if self.filled_quantity else None,
            price=self.price,
            trigger_price=self.trigger_price,
            reduce_only=self.request.reduce_only,
            reject_reason=self.reject_reason,
            cancel_type=self.cancel_type,
            created_ms=self.created_ms,
            updated_ms=self.updated_ms,
        )


@dataclass
class FakeExchange:
    """`frames` are the private reports not delivered yet; `writes` the order requests in the order they landed."""

    now_ms: int
    wallets: dict[Account, dict[str, Decimal]] = field(default_factory=dict)
    positions: dict[tuple[Account, str], tuple[Decimal, Decimal]] = field(default_factory=dict)
    orders: dict[str, FakeOrder] = field(default_factory=dict)
    executions: list[ExecutionReport] = field(default_factory=list)
    transfers: dict[str, TransferFunds] = field(default_factory=dict)
    frames: list[Body] = field(default_factory=list)
    writes: list[ExchangeRequest] = field(default_factory=list)
    last: Decimal = D(100)
    market_fill: Decimal | None = None
    """How much of a market order finds liquidity; None for all of it."""
    tells_pnl: bool = True
    log: list[TransactionRow] | None = None
    """The transaction log without the rows of executions; None: this exchange is never asked for one."""
    cancel_answer: Callable[[CancelOrder], ExchangeResponse | None] = lambda _request: None
    """What a cancellation is answered instead of being carried out; None carries it out."""

    def __post_init__(self) -> None:
        for account in Account:
            self.wallets.setdefault(account, {"USDT": D(10000), "BTC": D(5)})

    # --- requests ---

    def perform(self, account: Account, request: ExchangeRequest) -> ExchangeResponse:
        match request:
            case PlaceOrder():
                return self._place(account, request)
            case CancelOrder():
                return self._cancel(request)
            case AmendOrder():
                return self._amend(request)
            case LookUpOrder():
                return self._look_up(request)
            case TransferFunds():
                return self._transfer(request)
            case LookUpTransfer():
                known = request.transfer_id in self.transfers
                return TransferState(status="SUCCESS" if known else "ABSENT")
            case SetLeverage():
                self.writes.append(request)
                return Accepted()
            case ReadAccount():
                return self.snapshot(account, request.executions_since_ms, request.transactions_since_ms)
            case ReadMarket():
                return self.market()
            case _:
                raise AssertionError(request)

    def market(self) -> MarketSnapshot:
        markets: list[tuple[Category, str]] = [("spot", "BTCUSDT"), ("linear", "BTCUSDT")]
        return MarketSnapshot(
            market_ms=self.now_ms,
            instruments=tuple(builders.instrument(category, symbol) for category, symbol in markets),
            fee_rates=(),
            quotes=tuple(self.quote(category, symbol) for category, symbol in markets),
        )

    def quote(self, category: Category, symbol: str) -> Quote:
        return builders.quote(category, symbol, self.last, self.now_ms, apart=D("0.1"))

    def snapshot(self, account: Account, since_ms: int, log_since_ms: int | None = None) -> AccountSnapshot:
        listed = None
        if log_since_ms is not None and self.log is not None:
            rows = (row for row in self.log if row.account == account)
            listed = tuple(row for row in rows if row.time_ms is None or row.time_ms >= log_since_ms)
        return AccountSnapshot(
            account=account,
            market_ms=self.now_ms,
            open_orders=tuple(
                order.report() for order in self.orders.values() if order.account == account and order.status in OPEN
            ),
            executions=tuple(
                row if listed is not None else self._as_rest(row)
                for row in self.executions
                if row.account == account and row.executed_ms >= since_ms
            ),
            positions=tuple(
                PositionReport(
                    account=account,
                    symbol=symbol,
                    quantity=size,
                    average_price=cost / abs(size),
                    mark_price=self.last,
                    liquidation_price=None,
                    leverage=D(2),
                    unrealized_pnl=D(0),
                )
                for (owner, symbol), (size, cost) in self.positions.items()
                if owner == account and size
            ),
            balances={coin: amount for coin, amount in self.wallets[account].items() if amount},
            transactions=listed,
        )

    def _place(self, account: Account, request: PlaceOrder) -> ExchangeResponse:
        if request.client_order_id in self.orders:
            return Refused(code=110072, message="duplicate orderLinkId", fault="duplicate")
        self.writes.append(request)
        order = FakeOrder(
            account=account,
            request=request,
            venue_order_id=f"x{len(self.orders) + 1}",
            created_ms=self.now_ms,
            quantity=request.quantity,
            price=request.price,
            trigger_price=request.trigger_price,
        )
        self.orders[request.client_order_id] = order
        if request.style == "stop_market":
            order.status = VenueOrderStatus.UNTRIGGERED
        elif request.style == "post_only" and self._would_cross(request):
            order.status = VenueOrderStatus.CANCELLED
            order.reject_reason = "EC_PostOnlyWillTakeLiquidity"
        self.show(order)
        if request.style == "market":
            self.fill(request.client_order_id, request.quantity if self.market_fill is None else self.market_fill)
            if order.status in OPEN:
                self.end(request.client_order_id, reject_reason="EC_CancelForNoFullFill")
        return Accepted(venue_order_id=order.venue_order_id)

    def _would_cross(self, request: PlaceOrder) -> bool:
        assert request.price is not None
        if request.side is Side.BUY:
            return request.price >= self.last + D("0.1")
        return request.price <= self.last - D("0.1")

    def _cancel(self, request: CancelOrder) -> ExchangeResponse:
        self.writes.append(request)
        if (instead := self.cancel_answer(request)) is not None:
            return instead
        order = self.orders.get(request.client_order_id)
        if order is None or order.status not in OPEN:
            return Accepted(already=True)
        self.end(request.client_order_id, cancel_type="CancelByUser")
        return Accepted(venue_order_id=order.venue_order_id)

    def _amend(self, request: AmendOrder) -> ExchangeResponse:
        self.writes.append(request)
        order = self.orders.get(request.client_order_id)
        if order is None or order.status not in OPEN:
            return Refused(code=110001, message="order not exists or too late to replace", fault="permanent")
        order.price = request.price or order.price
        order.trigger_price = request.trigger_price or order.trigger_price
        order.quantity = request.quantity or order.quantity
        self.show(order)
        return Accepted(venue_order_id=order.venue_order_id)

    def _look_up(self, request: LookUpOrder) -> ExchangeResponse:
        order = self.orders.get(request.client_order_id)
        if order is None:
            return OrderAbsent()
        rows = tuple(self._as_rest(row) for row in self.executions if row.client_order_id == request.client_order_id)
        return OrderFound(report=order.report(), executions=rows)

    def _transfer(self, request: TransferFunds) -> ExchangeResponse:
        if request.transfer_id in self.transfers:
            return Refused(code=131214, message="transferId exists", fault="duplicate")
        if self.wallets[request.from_account].get(request.coin, D(0)) < request.amount:
            return Refused(code=131212, message="insufficient balance", fault="funds")
        self.transfers[request.transfer_id] = request
        if self.log is None:
            self._move(request.from_account, request.coin, -request.amount)
            self._move(request.to_account, request.coin, request.amount)
        else:
            self.transact(request.from_account, "TRANSFER_OUT", request.coin, -request.amount)
            self.transact(request.to_account, "TRANSFER_IN", request.coin, request.amount)
        return Accepted()

    # --- what the market does ---

    def fill(self, link: str, quantity: Decimal, price: Decimal | None = None, maker: bool = False) -> None:
        """Execute part of an order and show it: execution first, then the order."""
        order = self.orders[link]
        quantity = min(quantity, order.quantity - order.filled_quantity)
        if quantity <= 0 or order.status not in OPEN:
            return
        self.trade(order.account, order.request.category, order.request.symbol, order.request.side, quantity,
                   price or order.price or self.last, link, order.venue_order_id, maker)  # fmt: skip
        order.filled_quantity += quantity
        order.cash += quantity * self.executions[-1].price
        done = order.filled_quantity >= order.quantity
        order.status = VenueOrderStatus.FILLED if done else VenueOrderStatus.PARTIALLY_FILLED
        self.show(order)

    def end(self, link: str, reject_reason: str = "EC_NoError", cancel_type: str = "UNKNOWN") -> None:
        """Cancel an order; a spot remainder ends as the exchange names it."""
        order = self.orders[link]
        partly = order.filled_quantity and order.request.category == "spot"
        order.status = VenueOrderStatus.PARTIALLY_FILLED_CANCELED if partly else VenueOrderStatus.CANCELLED
        order.reject_reason, order.cancel_type = reject_reason, cancel_type
        self.show(order)

    def trade(
        self, account: Account, category: Category, symbol: str, side: Side, quantity: Decimal, price: Decimal,
        link: str = "", venue_order_id: str = "foreign", maker: bool = False, kind: str = "Trade",
    ) -> ExecutionReport:  # fmt: skip
        """One execution with its effect on wallet and position."""
        base = symbol.removesuffix("USDT")
        pnl = D(0)
        size = self.positions.get((account, symbol), (D(0), D(0)))[0]
        closed = min(quantity, abs(size)) if size * side.sign < 0 else D(0)
        if category == "spot":
            coin = base if side is Side.BUY else "USDT"
            fee = (quantity if side is Side.BUY else quantity * price) * D("0.001")
            self._move(account, base, side.sign * quantity)
            self._move(account, "USDT", -side.sign * quantity * price)
        else:
            coin, fee = "USDT", quantity * price * D("0.00055")
            pnl = self._move_position(account, symbol, side, quantity, price)
            self._move(account, "USDT", pnl)
        self._move(account, coin, -fee)
        row = ExecutionReport(
            account=account,
            execution_id=f"e{len(self.executions) + 1}",
            client_order_id=link,
            venue_order_id=venue_order_id,
            category=category,
            symbol=symbol,
            side=side,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_coin=coin,
            fee_rate=D("0.001"),
            is_maker=maker,
            realized_pnl=pnl,
            execution_type=kind,
            executed_ms=self.now_ms,
            closed_quantity=closed if category == "linear" else None,
        )
        self.executions.append(row)
        self.frames.append(ExecutionFrame(report=row))
        return row

    def transact(
        self, account: Account, kind: str, coin: str, change: Decimal, **fields: Any
    ) -> TransactionRow:  # fmt: skip
        """A movement of the wallet with its row in the transaction log."""
        assert self.log is not None
        self._move(account, coin, change)
        row = TransactionRow(
            **{
                "account": account, "transaction_id": f"l{len(self.log) + 1}", "transaction_type": kind, "coin": coin,
                "change": change, "cash_flow": change, "time_ms": self.now_ms, "raw": f"{kind} {change} {coin}",
                **fields,
            }
        )  # fmt: skip
        self.log.append(row)
        return row

    def settle_funding(self, account: Account, symbol: str, paid: Decimal, rate: Decimal) -> ExecutionReport:
        """A funding row: sized like the whole position, `fee` positive when paid."""
        size, _cost = self.positions[(account, symbol)]
        self._move(account, "USDT", -paid)
        row = ExecutionReport(
            account=account, execution_id=f"e{len(self.executions) + 1}", client_order_id="", venue_order_id="funding",
            category="linear", symbol=symbol, side=Side.BUY if size > 0 else Side.SELL, quantity=abs(size),
            price=self.last, fee=paid, fee_coin="USDT", fee_rate=rate, is_maker=False, realized_pnl=D(0),
            execution_type="Funding", executed_ms=self.now_ms,
        )  # fmt: skip
        self.executions.append(row)
        self.frames.append(ExecutionFrame(report=row))
        return row

    def _move(self, account: Account, coin: str, amount: Decimal) -> None:
        wallet = self.wallets[account]
        wallet[coin] = wallet.get(coin, D(0)) + amount

    def _move_position(self, account: Account, symbol: str, side: Side, quantity: Decimal, price: Decimal) -> Decimal:
        size, cost = self.positions.get((account, symbol), (D(0), D(0)))
        closing = min(quantity, abs(size)) if size * side.sign < 0 else D(0)
        pnl = D(0)
        if closing:
            entry = (cost * closing / abs(size)).quantize(D("0.00000001"))
            pnl = (price * closing - entry) * (1 if size > 0 else -1)
            size, cost = size + side.sign * closing, cost - entry
        size += side.sign * (quantity - closing)
        cost += price * (quantity - closing)
        self.positions[(account, symbol)] = (size, cost if size else D(0))
        return pnl

    def _as_rest(self, row: ExecutionReport) -> ExecutionReport:
        """REST's execution list does not tell the realised profit; the transaction log, read with it, does."""
        return row if self.tells_pnl else row.model_copy(update={"realized_pnl": None})

    def show(self, order: FakeOrder) -> None:
        """Send the order as it is now to the private stream."""
        self.now_ms += 1
        order.updated_ms = self.now_ms
        self.frames.append(OrderFrame(report=order.report()))
