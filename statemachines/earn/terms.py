"""Staking orders, offers, positions and yield of Earn, as requests and responses carry them."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from statemachines.values import Frozen

StakingAction = Literal["stake", "redeem"]


class StakeCoins(Frozen):
    """Move coins of the account into a flexible Earn product ("stake") or back out of it ("redeem"), CH-10."""

    kind: Literal["stake_coins"] = "stake_coins"
    client_order_id: str
    action: StakingAction
    coin: str
    product_id: str
    amount: Decimal


class LookUpStaking(Frozen):
    """The state of a staking order by its client id. A record of another action, coin or amount is not ours."""

    kind: Literal["look_up_staking"] = "look_up_staking"
    client_order_id: str
    action: StakingAction
    coin: str
    product_id: str
    amount: Decimal


class EarnProduct(Frozen):
    """A flexible Earn product: coins can be staked and redeemed at any time.

    `yearly_yield` is the rate offered now, a fraction per year; amounts are multiples of `step`. `min_redeem` is None
    without a minimum."""

    coin: str
    product_id: str
    yearly_yield: Decimal
    min_stake: Decimal
    max_stake: Decimal
    step: Decimal
    min_redeem: Decimal | None
    is_available: bool


class EarnPosition(Frozen):
    """What is held in one Earn product; `redeemable` is the part of `amount` that is not frozen."""

    coin: str
    product_id: str
    amount: Decimal
    redeemable: Decimal


class EarnYield(Frozen):
    """One payment of yield, as the exchange records it."""

    yield_id: str
    coin: str
    amount: Decimal
    paid_ms: int


class EarnReading(Frozen):
    """The Earn side of an account. `access` is "denied" when the key may not use Earn or the exchange does not offer
    it, "unknown" when it could not be read; `problem` is then the reason. None: not known, or not requested.
    `has_pending_yields`: payments are listed that have not been made yet, and that keep their instant when they are."""

    access: Literal["granted", "denied", "unknown"]
    problem: str = ""
    positions: tuple[EarnPosition, ...] | None = None
    yields: tuple[EarnYield, ...] | None = None
    has_pending_yields: bool = False
    products: tuple[EarnProduct, ...] | None = None
    products_problem: str = ""


class StakingStatus(Frozen):
    """The exchange's record of a staking order; `ABSENT` when it never saw it."""

    kind: Literal["staking_status"] = "staking_status"
    status: Literal["SUCCESS", "PENDING", "FAILED", "ABSENT"]
