"""CH-10 as ruled in C9: when ETH is staked, how much of it, and when it is redeemed. Pure functions.

Every decision carries its reason in figures; without the exchange's offer, or access to it, there is none to stake.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal, NamedTuple

from statemachines.core_hodl.parameters import StakingParameters
from statemachines.core_hodl.state import EarnRow
from statemachines.earn.terms import EarnPosition, EarnProduct
from statemachines.values import DAY_MS

ZERO = Decimal(0)

OFFERS_KEPT_MS = 2 * DAY_MS
"""Offers are read every market day; one that is older than this is not known any more."""

DAYS_PER_YEAR = 365

LEAST_STEP = Decimal("0.00000001")
"""The step of a redemption from a product that is no longer offered."""


class Calm(NamedTuple):
    """Whether the period is stable (CH-10), with the reason as a sentence."""

    is_calm: bool
    reason: str


class Decision(NamedTuple):
    """What to do with the coins now, with the reason as a sentence."""

    action: Literal["stake", "redeem", "wait"]
    amount: Decimal
    product_id: str
    reason: str


class Redemption(NamedTuple):
    """The amount to redeem and the product it is in."""

    amount: Decimal
    product_id: str


def calm(volatility: Decimal | None, day_ms: int, calendar_ms: int, drift_is_due: bool, p: StakingParameters) -> Calm:
    """C9: volatility below 60 %, the calendar date more than 14 days away and no drift rebalance due."""
    days = (calendar_ms - day_ms) // DAY_MS
    if volatility is None:
        return Calm(False, f"the volatility of {p.asset} is not known: fewer than {p.volatility_returns + 1} closes")
    shown = f"volatility of {p.asset} {volatility:.2%}, {days} days to the calendar date"
    if volatility >= p.max_volatility:
        return Calm(False, f"{shown}: not stable, {p.max_volatility:.0%} or more")
    if days <= p.calm_days:
        return Calm(False, f"{shown}: a rebalance is due within {p.calm_days} days")
    if drift_is_due:
        return Calm(False, f"{shown}: a drift rebalance is due")
    return Calm(True, f"{shown}: stable")


def decide(held: Decimal, staked: Decimal, found: Calm, earn: EarnRow, close_ms: int, p: StakingParameters) -> Decision:
    """C9 at one close: redeem what exceeds 80 % by more than a point, stake up to 80 % in a stable period, or wait.

    `held` includes `staked`; nothing is under way.
    """
    excess = staked - p.max_share * held
    if excess > p.excess_share * held:
        back = redemption(excess, staked, earn, p)
        text = f"{staked} of {held} {p.asset} are staked, more than {p.max_share:.0%} by over {p.excess_share:.0%}"
        if back is None:
            return _wait(f"{text}; the product they are in is not known")
        if back.amount <= 0:
            return _wait(f"{text}; Earn shows none of them as redeemable now")
        return Decision("redeem", back.amount, back.product_id, f"{text}: {back.amount} are redeemed")
    if not p.enabled:
        return _wait("staking is switched off: nothing is staked")
    if earn.read_ms is None:
        return _wait(
            f"what Earn offers has not been read yet: nothing is staked{_because(earn.problem)}; {found.reason}"
        )
    if not earn.has_access:
        return _wait(f"no Earn access configured: nothing is staked{_because(earn.problem)}; {found.reason}")
    if earn.read_ms < close_ms - OFFERS_KEPT_MS:
        return _wait(f"the offers of Earn were last read {(close_ms - earn.read_ms) // DAY_MS} days ago")
    if not found.is_calm:
        return _wait(found.reason)
    offer = offered(earn, p.asset)
    if offer is None:
        return _wait(f"Earn offers no flexible product for {p.asset} that is available{_because(earn.problem)}")
    if offer.yearly_yield < p.min_yield:
        return _wait(f"Earn offers {offer.yearly_yield:.2%} a year for {p.asset}, less than {p.min_yield:.2%}")
    room = p.max_share * held - staked
    amount = _floor(min(room, held - staked, offer.max_stake), offer.step)
    shown = f"{staked} of {held} {p.asset} are staked; up to {p.max_share:.0%} that leaves {max(amount, ZERO)}"
    if amount < p.min_stake_share * held or amount <= 0:
        return _wait(f"{shown}, below {p.min_stake_share:.0%} of what is held; {found.reason}")
    if amount < offer.min_stake:
        return _wait(f"{shown}, below the product's minimum of {offer.min_stake}; {found.reason}")
    return Decision(
        "stake", amount, offer.product_id, f"{shown} to stake at {offer.yearly_yield:.2%} a year; {found.reason}"
    )


def offered(earn: EarnRow, coin: str) -> EarnProduct | None:
    """The product to stake in: the one that holds coins already, else the one with the highest yield."""
    available = [one for one in earn.products if one.coin == coin and one.is_available]
    ours = _largest_position(earn, coin)
    best = sorted(available, key=lambda one: (one.product_id != ours, -one.yearly_yield, one.product_id))
    return best[0] if best else None


def redemption(lacking: Decimal, staked: Decimal, earn: EarnRow, p: StakingParameters) -> Redemption | None:
    """What to redeem next so that `lacking` is liquid: out of the product with the most redeemable coins, rounded up to
    its step, at least its minimum, at most what it can give; what is still lacking then comes from the next product.

    The amount is 0 when none can give any now; None when the product is not known."""
    ours = sorted(
        (one for one in earn.positions if one.coin == p.asset), key=lambda one: (one.redeemable, one.product_id)
    )
    if not ours:
        offer = offered(earn, p.asset)
        return None if offer is None else Redemption(_given(lacking, staked, offer), offer.product_id)
    offers = {one.product_id: one for one in earn.products}
    for one in reversed(ours):
        amount = _given(lacking, min(one.redeemable, staked), offers.get(one.product_id))
        if amount > 0:
            return Redemption(amount, one.product_id)
    return Redemption(ZERO, ours[-1].product_id)


def _given(lacking: Decimal, most: Decimal, offer: EarnProduct | None) -> Decimal:
    """0 when `most` is below what the product redeems at least."""
    step = offer.step if offer is not None else LEAST_STEP
    least = (offer.min_redeem if offer is not None else None) or ZERO
    amount = min(_ceil(max(lacking, least), step), _floor(most, step))
    return amount if amount >= least else ZERO


def moved(earn: EarnRow, coin: str, product_id: str, amount: Decimal) -> EarnRow:
    """The positions after a staking order was done (`amount` below 0: redeemed), until they are read again."""
    found = {one.product_id: one for one in earn.positions if one.coin == coin}
    one = found.get(product_id, EarnPosition(coin=coin, product_id=product_id, amount=ZERO, redeemable=ZERO))
    changed = EarnPosition(
        coin=coin,
        product_id=product_id,
        amount=max(one.amount + amount, ZERO),
        redeemable=max(one.redeemable + amount, ZERO),
    )
    return _with(earn, changed)


def frozen(earn: EarnRow, coin: str, product_id: str, staked: Decimal) -> EarnRow:
    """A redemption was refused: the product gives nothing until its position is read again."""
    found = next((one for one in earn.positions if (one.coin, one.product_id) == (coin, product_id)), None)
    amount = staked if found is None else found.amount
    return _with(earn, EarnPosition(coin=coin, product_id=product_id, amount=amount, redeemable=ZERO))


def shown(amount: Decimal) -> str:
    """An amount of coins in words, rounded up to eight decimals."""
    return f"{_ceil(amount, LEAST_STEP).normalize():f}"


def _with(earn: EarnRow, changed: EarnPosition) -> EarnRow:
    others = [one for one in earn.positions if (one.coin, one.product_id) != (changed.coin, changed.product_id)]
    return earn.model_copy(update={"positions": (*others, changed)})


def _largest_position(earn: EarnRow, coin: str) -> str:
    ours = [one for one in earn.positions if one.coin == coin and one.amount > 0]
    return max(ours, key=lambda one: (one.redeemable, one.amount, one.product_id)).product_id if ours else ""


def forgone_a_day(held: Decimal, staked: Decimal, rate: Decimal, p: StakingParameters) -> Decimal:
    """CH-11: the yield of one day of the coins that could be staked and are not, in coins."""
    return max(ZERO, p.max_share * held - staked) * rate / DAYS_PER_YEAR


def rate(earn: EarnRow, p: StakingParameters) -> Decimal:
    """The yearly yield on offer; the assumed one while no offer is known."""
    offer = offered(earn, p.asset)
    return p.replay_yield if offer is None else offer.yearly_yield


def _wait(reason: str) -> Decision:
    return Decision("wait", ZERO, "", reason)


def _because(problem: str) -> str:
    return f" ({problem.rstrip('.')})" if problem else ""


def _floor(amount: Decimal, step: Decimal) -> Decimal:
    return (amount / step).to_integral_value(rounding=ROUND_FLOOR) * step


def _ceil(amount: Decimal, step: Decimal) -> Decimal:
    return (amount / step).to_integral_value(rounding=ROUND_CEILING) * step
