"""Values that tests are about, sound unless a test changes something: instruments, bars, quotes, intents, fills."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from statemachines.facts import BarFact
from statemachines.messages.accounts import Portfolio
from statemachines.messages.orders import Fill, Intent, IntentDone, OrderRejected
from statemachines.portfolio.equity import Holdings, account_view, portfolio_of
from statemachines.refusals import RefusalCause
from statemachines.requests import Quote
from statemachines.values import ACCOUNT_OF, LINEAR, SPOT, Account, ActorName, Category, Instrument, Side

ZERO = Decimal(0)


def instrument(
    category: str, symbol: str, *, tick: str = "0.1", step: str = "0.001", least: str | None = None, **changes: Any
) -> Instrument:
    """An instrument quoted in USDT with filters of the usual size; `least` is its smallest quantity, by default one
    step."""
    sound = Instrument(
        category=SPOT if category == SPOT else LINEAR,
        symbol=symbol,
        base_coin=symbol.removesuffix("USDT"),
        quote_coin="USDT",
        tick_size=Decimal(tick),
        qty_step=Decimal(step),
        min_qty=Decimal(least or step),
        min_notional_usdt=Decimal(5),
        max_limit_qty=Decimal(1000),
        max_market_qty=Decimal(100),
    )
    return sound.model_copy(update=changes)


def bar(
    category: str, symbol: str, start_ms: int, close: Decimal | str, interval: str = "D", **changes: Any
) -> BarFact:
    """A bar that stands at its close from beginning to end; `open`, `high`, `low` and `volume` may be changed."""
    values = {"open": close, "high": close, "low": close, "close": close, "volume": 1} | changes
    return BarFact(
        category=SPOT if category == SPOT else LINEAR,
        symbol=symbol,
        interval=interval,
        start_ms=start_ms,
        **{name: value if isinstance(value, Decimal) else Decimal(value) for name, value in values.items()},
    )


def quote(category: Category, symbol: str, last: Decimal, market_ms: int, apart: Decimal, **changes: Any) -> Quote:
    """A quote whose bid and ask stand `apart` below and above the last price."""
    return Quote(
        category=category,
        symbol=symbol,
        bid=last - apart,
        ask=last + apart,
        last=last,
        market_ms=market_ms,
        **changes,
    )


def intent(number: int = 1, engine: ActorName = ActorName.TREND_1, **changes: Any) -> Intent:
    """An entry at market of 1 BTC in the perpetual at 1,000, as its engine would ask for it."""
    sound: dict[str, Any] = {
        "intent_id": f"{engine}-{number}",
        "engine": engine,
        "account": ACCOUNT_OF[engine],
        "category": LINEAR,
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "quantity": Decimal(1),
        "style": "market",
        "reference_price": Decimal(1000),
        "purpose": "entry",
        "reason": "test",
    }
    return Intent(**{**sound, **changes})


def fill(
    engine: ActorName,
    symbol: str,
    side: Side,
    quantity: Decimal | str,
    price: Decimal | str,
    executed_ms: int,
    **changes: Any,
) -> Fill:
    """An execution of the engine in the perpetual, without a fee, after which nothing is held."""
    sound: dict[str, Any] = {
        "execution_id": f"{engine}-{executed_ms}",
        "intent_id": "",
        "engine": engine,
        "account": ACCOUNT_OF[engine],
        "category": LINEAR,
        "symbol": symbol,
        "side": side,
        "quantity": Decimal(quantity),
        "price": Decimal(price),
        "fee": ZERO,
        "fee_coin": "USDT",
        "is_maker": False,
        "realized_pnl": ZERO,
        "executed_ms": executed_ms,
        "position_quantity": ZERO,
        "position_price": ZERO,
        "cash_usdt": ZERO,
    }
    return Fill(**{**sound, **changes})


def ended(
    one: Intent,
    outcome: Literal["FILLED", "CANCELLED", "REJECTED"],
    filled: Decimal = ZERO,
    average: Decimal | None = None,
    refusal: RefusalCause | None = None,
) -> IntentDone | OrderRejected:
    """What the order manager tells when an intent has ended with this much of it filled."""
    fields: dict[str, Any] = {
        "intent_id": one.intent_id,
        "engine": one.engine,
        "account": one.account,
        "category": one.category,
        "symbol": one.symbol,
        "side": one.side,
        "filled_quantity": filled,
        "average_price": average,
        "reason": "test",
        "retry_of": one.retry_of,
    }
    if outcome == "REJECTED":
        return OrderRejected(refusal=refusal, **fields)
    return IntentDone(outcome=outcome, **fields)


def portfolio(
    version_no: int, market_ms: int, accounts: Mapping[Account, Holdings], prices: Mapping[str, Decimal]
) -> Portfolio:
    """The view of all accounts at the given prices. Raises MissingPriceError."""
    views = {account: account_view(account, held, prices) for account, held in accounts.items()}
    return portfolio_of(version_no, market_ms, views, prices)
