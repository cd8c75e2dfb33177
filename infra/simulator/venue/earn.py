"""Flexible Earn products: stake out of a wallet, redeem into it, yield accrued hourly and added to the position daily.

Redemption is done at once unless a delay is configured; an order id is taken again after 30 minutes (bybit-v5 4.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.margin import transferable
from infra.simulator.venue.model import Account, EarnPosition, Row
from infra.simulator.venue.money import ZERO, on_step, text, to_unit
from infra.simulator.venue.records import post
from infra.simulator.venue.state import NEVER_MS, Venue

STAKE, REDEEM = "Stake", "Redeem"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PAID_AT_MS = HOUR_MS // 2
"""Yield is paid at 00:30 UTC."""

HOURS_PER_YEAR = 8_760
REPLAY_GUARD_MS = HOUR_MS // 2
HOURLY_KEPT = 8 * 24


@dataclass(frozen=True, slots=True)
class Product:
    """One flexible product; amounts in its coin."""

    product_id: str
    coin: str
    min_stake: Decimal
    max_stake: Decimal
    precision: int

    @property
    def step(self) -> Decimal:
        """Amounts are multiples of it."""
        return Decimal(1).scaleb(-self.precision)


PRODUCTS: dict[str, Product] = {
    one.product_id: one
    for one in (
        Product("428", "USDT", Decimal(1), Decimal("100000000"), 8),
        Product("430", "BTC", Decimal("0.0001"), Decimal("100000"), 8),
        Product("431", "ETH", Decimal("0.001"), Decimal("1000000"), 8),
        Product("432", "SOL", Decimal("0.01"), Decimal("10000000"), 8),
    )
}


def product(product_id: str) -> Product:
    """The product of this id; 180007 for one that does not exist."""
    found = PRODUCTS.get(product_id)
    if found is None:
        raise VenueError(180007, "Product not available")
    return found


def place(
    venue: Venue, account: Account, product_id: str, kind: str, coin: str, amount: Decimal, link_id: str, wallet: str
) -> Row:
    """Carry out a stake or a redemption and return its record."""
    if venue.earn_due_ms <= venue.now_ms:
        settle(venue)
    offered = product(product_id)
    if coin != offered.coin:
        raise VenueError(180001, f"Invalid parameter: product {product_id} is for {offered.coin}")
    if amount <= ZERO or not on_step(amount, offered.step):
        raise VenueError(180001, f"Invalid parameter: amount has at most {offered.precision} decimals and is above 0")
    since_ms = venue.now_ms - REPLAY_GUARD_MS
    if any(one.data["orderLinkId"] == link_id and one.time_ms > since_ms for one in account.earn.orders):
        raise VenueError(180025, "Duplicate orderLinkId")
    position = account.earn.positions.get(product_id, EarnPosition(accrued_ms=venue.now_ms))
    order_id = f"{venue.seq + 1:08x}-ea12-4a11-8c00-{account.uid:012x}"
    if kind == STAKE:
        _check_stake(venue, account, offered, amount, wallet)
    elif amount > position.amount:
        raise VenueError(180016, "Insufficient balance")
    account.earn.positions[product_id] = position
    _accrue(venue, account, product_id, position)
    if kind == STAKE:
        _move(venue, account, wallet, offered.coin, -amount, "FLEXIBLE_STAKING_SUBSCRIPTION", order_id)
        position.amount += amount
    else:
        position.amount -= amount
    now = str(venue.now_ms)
    delay_ms = venue.config.earn_redeem_delay_ms if kind == REDEEM else 0
    data = {
        "coin": offered.coin, "orderValue": text(amount), "orderType": kind, "orderId": order_id,
        "orderLinkId": link_id, "status": "Pending" if delay_ms else "Success", "createdAt": now,
        "productId": product_id, "updatedAt": now, "swapOrderValue": "",
        "estimateRedeemTime": str(venue.now_ms + delay_ms) if delay_ms else "", "estimateStakeTime": "",
        "toAccountType": wallet,
    }  # fmt: skip
    record = Row(venue.next_seq(), venue.now_ms, data)
    account.earn.orders.append(record)
    if delay_ms:
        account.earn.redeeming.append((venue.now_ms + delay_ms, order_id))
    elif kind == REDEEM:
        _pay_out(venue, account, record)
    venue.earn_due_ms = _next_due_ms(venue)
    return record


def move_by_hand(venue: Venue, account: Account, coin: str, amount: Decimal) -> None:
    """Coins moved into a product (positive) or out of it by hand, without a request; the wallet is not touched."""
    product_id = next(one.product_id for one in PRODUCTS.values() if one.coin == coin)
    position = account.earn.positions.setdefault(product_id, EarnPosition(accrued_ms=venue.now_ms))
    _accrue(venue, account, product_id, position)
    position.amount = max(position.amount + amount, ZERO)
    venue.earn_due_ms = _next_due_ms(venue)


def settle(venue: Venue) -> None:
    """Whatever is due by now: redemptions on their way arrive, yield is paid."""
    for account in venue.accounts.values():
        for due in [one for one in account.earn.redeeming if one[0] <= venue.now_ms]:
            account.earn.redeeming.remove(due)
            record = next(one for one in account.earn.orders if one.data["orderId"] == due[1])
            record.data.update(status="Success", updatedAt=str(venue.now_ms))
            _pay_out(venue, account, record)
        for product_id, position in account.earn.positions.items():
            if _payment_due_ms(position) <= venue.now_ms:
                _accrue(venue, account, product_id, position)
                _pay_yield(venue, account, product_id, position)
    venue.earn_due_ms = _next_due_ms(venue)


def accrued(venue: Venue, position: EarnPosition) -> Decimal:
    """The yield that is not paid yet, as of now; changes nothing."""
    hours = venue.now_ms // HOUR_MS - position.accrued_ms // HOUR_MS
    return position.claimable + hours * _per_hour(venue, position.amount)


def held(account: Account) -> dict[str, Decimal]:
    """Everything of the account that is in Earn, by coin: positions and redemptions on their way."""
    found: dict[str, Decimal] = {}
    for product_id, position in account.earn.positions.items():
        coin = PRODUCTS[product_id].coin
        found[coin] = found.get(coin, ZERO) + position.amount
    for _due_ms, order_id in account.earn.redeeming:
        record = next(one for one in account.earn.orders if one.data["orderId"] == order_id)
        coin = str(record.data["coin"])
        found[coin] = found.get(coin, ZERO) + Decimal(record.data["orderValue"])
    return found


def value_usdt(venue: Venue, account: Account) -> Decimal:
    """What is in Earn at the present prices, USDT."""
    return sum(
        (amount * usd for coin, amount in held(account).items() if (usd := venue.prices.usd(coin)) is not None), ZERO
    )


def _check_stake(venue: Venue, account: Account, offered: Product, amount: Decimal, wallet: str) -> None:
    if amount < offered.min_stake:
        raise VenueError(180012, "The amount is below the minimum share")
    if amount > offered.max_stake:
        raise VenueError(180014, "The amount exceeds the maximum share")
    free = account.fund.get(offered.coin, ZERO) if wallet == "FUND" else transferable(venue, account, offered.coin)
    if amount > free:
        raise VenueError(180016, "Insufficient balance")


def _pay_out(venue: Venue, account: Account, record: Row) -> None:
    """The coins of a redemption arrive; with the last of them the yield that was not paid yet."""
    data = record.data
    amount, wallet, coin = Decimal(data["orderValue"]), data["toAccountType"], data["coin"]
    _move(venue, account, wallet, coin, amount, "FLEXIBLE_STAKING_REDEMPTION", data["orderId"])
    position = account.earn.positions[data["productId"]]
    if not position.amount and position.claimable:
        rest, position.claimable = position.claimable, ZERO
        _record_yield(venue, account, data["productId"], position, rest, "Manual", data["orderId"])
        _move(venue, account, wallet, coin, rest, "FLEXIBLE_STAKING_REDEMPTION", data["orderId"])


def _move(venue: Venue, account: Account, wallet: str, coin: str, amount: Decimal, kind: str, order_id: str) -> None:
    if wallet == "FUND":
        account.fund[coin] = account.fund.get(coin, ZERO) + amount
        return
    post(venue, account, coin, kind, cash_flow=amount, qty=abs(amount), reference=order_id)


def _per_hour(venue: Venue, amount: Decimal) -> Decimal:
    return to_unit("", amount * venue.config.earn_yield / HOURS_PER_YEAR)


def _accrue(venue: Venue, account: Account, product_id: str, position: EarnPosition) -> None:
    """Yield of every full hour that has ended since the last time."""
    rows = hours_since(venue, product_id, position)
    position.claimable = accrued(venue, position)
    position.accrued_ms = venue.now_ms
    account.earn.hourly += rows
    del account.earn.hourly[:-HOURLY_KEPT]


def hours_since(venue: Venue, product_id: str, position: EarnPosition) -> list[Row]:
    """The hourly records that are due and not written yet; they are numbered by their hours."""
    per_hour = _per_hour(venue, position.amount)
    first, last = position.accrued_ms // HOUR_MS + 1, venue.now_ms // HOUR_MS
    return [
        Row(
            hour,
            hour * HOUR_MS,
            {
                "productId": product_id, "coin": PRODUCTS[product_id].coin, "id": str(hour), "amount": text(per_hour),
                "effectiveStakingAmount": text(position.amount), "hourlyDate": str(hour * HOUR_MS),
                "status": "Success", "createdAt": str(hour * HOUR_MS),
            },
        )
        for hour in range(first, last + 1)
        if per_hour
    ]  # fmt: skip


def _pay_yield(venue: Venue, account: Account, product_id: str, position: EarnPosition) -> None:
    paid, position.claimable = position.claimable, ZERO
    if paid:
        _record_yield(venue, account, product_id, position, paid, "Reinvest", "")
        position.amount += paid


def _record_yield(
    venue: Venue,
    account: Account,
    product_id: str,
    position: EarnPosition,
    amount: Decimal,
    mode: str,
    order_id: str,
) -> None:
    position.total_pnl += amount
    seq = venue.next_seq()
    data = {
        "productId": product_id, "coin": PRODUCTS[product_id].coin, "id": str(seq), "amount": text(amount),
        "yieldType": "Normal", "distributionMode": mode, "effectiveStakingAmount": text(position.amount),
        "orderId": order_id, "status": "Success", "createdAt": str(venue.now_ms),
    }  # fmt: skip
    account.earn.yields.append(Row(seq, venue.now_ms, data))


def _payment_due_ms(position: EarnPosition) -> int:
    """When the position's yield is paid next; never while it earns nothing."""
    if not position.amount and not position.claimable:
        return NEVER_MS
    return (position.accrued_ms - PAID_AT_MS) // DAY_MS * DAY_MS + DAY_MS + PAID_AT_MS


def _next_due_ms(venue: Venue) -> int:
    dues = [due_ms for account in venue.accounts.values() for due_ms, _order_id in account.earn.redeeming]
    dues += [_payment_due_ms(one) for account in venue.accounts.values() for one in account.earn.positions.values()]
    return min(dues, default=NEVER_MS)


def reopen(venue: Venue) -> None:
    """After a snapshot was loaded: when something is due next."""
    venue.earn_due_ms = _next_due_ms(venue)
