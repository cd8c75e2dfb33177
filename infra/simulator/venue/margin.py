"""Cross margin (REGULAR_MARGIN): initial and maintenance margin, availability, liquidation price.

Margin balance = sum of wallet x index x collateral ratio + unrealised P&L by mark price. Maintenance margin is
|size| x mark x the first tier's rate; initial margin is |size| x mark / leverage, plus that of the orders that would
enlarge a position.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from infra.simulator.venue.instruments import instrument
from infra.simulator.venue.model import Account, Order, Position
from infra.simulator.venue.money import USDT_UNIT, ZERO
from infra.simulator.venue.state import Venue


@dataclass(frozen=True, slots=True)
class Margin:
    """Account totals in USD (= USDT): ``collateral`` after haircuts, ``balance`` = collateral + unrealised P&L."""

    equity: Decimal
    collateral: Decimal
    upl: Decimal
    position_im: Decimal
    order_im: Decimal
    mm: Decimal

    @property
    def balance(self) -> Decimal:
        """Margin balance."""
        return self.collateral + self.upl

    @property
    def im(self) -> Decimal:
        """Total initial margin."""
        return self.position_im + self.order_im

    @property
    def available(self) -> Decimal:
        """What new risk may use; never negative."""
        return max(self.balance - self.im, ZERO)


def unrealised(venue: Venue, position: Position) -> Decimal:
    """Unrealised P&L of a position in USDT, by mark price."""
    if not position.size:
        return ZERO
    value = position.size * venue.prices.mark(position.symbol)
    return value - position.cost if position.size > 0 else value + position.cost


def position_mm(venue: Venue, position: Position) -> Decimal:
    """Maintenance margin of a position in USDT."""
    if not position.size:
        return ZERO
    return abs(position.size) * venue.prices.mark(position.symbol) * instrument("linear", position.symbol).mm_rate


def position_im(venue: Venue, position: Position) -> Decimal:
    """Initial margin of a position in USDT."""
    if not position.size:
        return ZERO
    return abs(position.size) * venue.prices.mark(position.symbol) / position.leverage


def order_price(venue: Venue, order: Order) -> Decimal:
    """The price at which an order's margin is counted."""
    return order.price if order.order_type == "Limit" else venue.prices.last(order.category, order.symbol)


def orders_im(venue: Venue, account: Account, extra: Order | None = None) -> Decimal:
    """Initial margin of working orders that would enlarge a position beyond its present size."""
    sides: dict[str, list[Decimal]] = {}
    working = [one for one in account.open.values() if one.is_active]
    for order in [*working, extra] if extra is not None else working:
        if order.category != "linear" or order.reduce_only:
            continue
        totals = sides.setdefault(order.symbol, [ZERO, ZERO])
        totals[0 if order.side == "Buy" else 1] += order.leaves * order_price(venue, order)
    total = ZERO
    for symbol, (buys, sells) in sides.items():
        position = venue.peek_position(account, symbol)
        held = abs(position.size) * venue.prices.mark(symbol)
        # An order against the position enlarges it only by what is left after flattening and reopening it.
        if position.size > 0:
            sells = max(sells - 2 * held, ZERO)
        elif position.size < 0:
            buys = max(buys - 2 * held, ZERO)
        total += max(buys, sells) / position.leverage
    return total


def margin(venue: Venue, account: Account, extra: Order | None = None) -> Margin:
    """The account's margin figures now; ``extra`` counts an order that is not in the book yet."""
    equity = collateral = upl = held_im = mm = ZERO
    ratios = venue.config.collateral_ratio
    for coin, amount in account.wallet.items():
        if not amount:
            continue
        usd = venue.prices.usd(coin)
        if usd is None:
            continue
        equity += amount * usd
        # A debt counts in full, a coin after its haircut.
        collateral += amount * usd * (ratios.get(coin, ZERO) if amount > 0 else Decimal(1))
    for position in account.positions.values():
        if position.size:
            upl += unrealised(venue, position)
            held_im += position_im(venue, position)
            mm += position_mm(venue, position)
    orders = orders_im(venue, account, extra) if account.open or extra is not None else ZERO
    return Margin(equity + upl, collateral, upl, held_im, orders, mm)


def liquidation_price(venue: Venue, account: Account, position: Position, figures: Margin) -> Decimal | None:
    """The mark price at which the account's margin balance meets its maintenance margin, all else unchanged.

    None when flat or when no positive price gets there.
    """
    if not position.size:
        return None
    mark = venue.prices.mark(position.symbol)
    rate = instrument("linear", position.symbol).mm_rate
    size = abs(position.size)
    side = 1 if position.size > 0 else -1
    spare = figures.balance - (figures.mm - position_mm(venue, position))
    price = (side * size * mark - spare) / (size * (side - rate))
    return price if price > 0 else None


def is_exhausted(venue: Venue, account: Account) -> bool:
    """Whether maintenance margin is no longer covered. Coins are valued only when USDT alone does not suffice."""
    spare = account.balance("USDT")
    held = False
    for position in account.positions.values():
        if position.size:
            held = True
            spare += unrealised(venue, position) - position_mm(venue, position)
    if not held or spare > 0:
        return False
    figures = margin(venue, account)
    return figures.balance <= figures.mm


def locked(account: Account, coin: str) -> Decimal:
    """Coin reserved by working spot orders (and by tpslOrder, which reserves at once)."""
    total = ZERO
    for order in account.open.values():
        if order.category != "spot" or not (order.is_active or order.order_filter == "tpslOrder"):
            continue
        if order.side == "Buy" and coin == "USDT":
            total += order.leaves if order.quote_qty else order.leaves * (order.price or order.trigger_price)
        elif order.side == "Sell" and order.symbol == f"{coin}USDT":
            total += order.leaves
    return total


def transferable(venue: Venue, account: Account, coin: str) -> Decimal:
    """What may leave the unified wallet: not reserved by spot orders and not needed as margin."""
    free = max(account.balance(coin) - locked(account, coin), ZERO)
    figures = margin(venue, account)
    if figures.im == ZERO:
        return free
    usd = venue.prices.usd(coin)
    ratio = venue.config.collateral_ratio.get(coin, ZERO)
    if usd is None or not ratio:
        return free
    movable = (figures.available / (usd * ratio)).quantize(USDT_UNIT, rounding=ROUND_DOWN)
    return min(free, movable)
