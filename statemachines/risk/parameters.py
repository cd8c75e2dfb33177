"""Limits of the risk manager (RM-1 to RM-5), versioned configuration (RM-6). Fractions are of 1, not of 100."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from statemachines.plausibility import MARKET_DATA_AGE_S
from statemachines.risk.machine import Level
from statemachines.values import DAY_MS, HOUR_MS, ActorName, Frozen

Fraction = Annotated[Decimal, Field(gt=0, le=1)]
Multiple = Annotated[Decimal, Field(gt=0, le=10)]

_MAJORS = ("BTCUSDT", "ETHUSDT")
_WITH_SOL = (*_MAJORS, "SOLUSDT")


class EngineLimits(Frozen):
    """Limits of one engine.

    `max_order_of_equity`: one order's notional over the engine's equity (size). `max_asset_of_equity`: one
    symbol's resulting position over the engine's equity, None where another rule limits it (position).
    `max_asset_leverage`, `max_total_leverage` and `min_liquidation_buffer` are TR-9 for linear products.
    `min_cash_of_equity` is the cash that a spot purchase must leave (CH-7 for CORE, no borrowing for the others).
    `max_asset_of_portfolio` is CH-7's concentration; `None` leaves the engine's purchases alone (RULINGS C7).
    """

    universe: frozenset[str]
    max_order_of_equity: Multiple = Decimal(1)
    max_asset_of_equity: Multiple | None = None
    max_asset_leverage: Multiple = Decimal(1)
    max_total_leverage: Multiple = Decimal("1.9")
    min_liquidation_buffer: Fraction = Decimal("0.5")
    min_cash_of_equity: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal(0)
    max_asset_of_portfolio: Fraction | None = None


class DrawdownGroup(Frozen):
    """RM-3 for the engines whose equity is measured together (RULINGS F11).

    `caution` and `reduce_only` are falls from the peak; None means the group is only reported at `alert`.
    """

    engines: tuple[ActorName, ...]
    caution: Fraction | None = None
    reduce_only: Fraction | None = None
    alert: Fraction | None = None


class SwitchPolicy(Frozen):
    """RM-4: what one automatic switch trips, and after how many consecutive bad readings (never one)."""

    level: Level
    consecutive: Annotated[int, Field(ge=2)] = 3


def _engine_limits() -> dict[ActorName, EngineLimits]:
    spot = frozenset(f"spot:{s}" for s in _MAJORS)
    linear = frozenset(f"linear:{s}" for s in _MAJORS)
    pairs = frozenset(f"{c}:{s}" for c in ("spot", "linear") for s in _WITH_SOL)
    return {
        ActorName.CORE_HODL: EngineLimits(
            universe=spot, min_cash_of_equity=Decimal("0.05"), max_asset_of_portfolio=Decimal("0.45")
        ),
        ActorName.TREND_1: EngineLimits(universe=linear),
        ActorName.TREND_2: EngineLimits(universe=linear),
        # FU-7 is the engine's own exact rule (5 %); here a little more, since live prices move between both looks.
        ActorName.FUNDING: EngineLimits(
            universe=pairs,
            max_order_of_equity=Decimal("0.051"),
            max_asset_of_equity=Decimal("0.051"),
            max_total_leverage=Decimal(1),
        ),
        ActorName.TACTICAL: EngineLimits(universe=spot),
    }


def _drawdown_groups() -> dict[str, DrawdownGroup]:
    return {
        "TREND": DrawdownGroup(
            engines=(ActorName.TREND_1, ActorName.TREND_2), caution=Decimal("0.15"), reduce_only=Decimal("0.25")
        ),
        "FUNDING": DrawdownGroup(engines=(ActorName.FUNDING,), caution=Decimal("0.03"), reduce_only=Decimal("0.05")),
        "CORE-HODL": DrawdownGroup(engines=(ActorName.CORE_HODL,), alert=Decimal("0.30")),
        "TACTICAL": DrawdownGroup(engines=(ActorName.TACTICAL,), alert=Decimal("0.30")),
    }


def _switches() -> dict[str, SwitchPolicy]:
    return {
        "exchange_unreachable": SwitchPolicy(level=Level.REDUCE_ONLY),
        "market_data_stale": SwitchPolicy(level=Level.REDUCE_ONLY),
        "clock_off": SwitchPolicy(level=Level.REDUCE_ONLY),
        "reconciliation_mismatch": SwitchPolicy(level=Level.REDUCE_ONLY, consecutive=2),
        "withdrawals_suspended": SwitchPolicy(level=Level.REDUCE_ONLY, consecutive=2),
        "insurance_fund_depleted": SwitchPolicy(level=Level.REDUCE_ONLY, consecutive=2),
        "orders_rejected": SwitchPolicy(level=Level.REDUCE_ONLY),
    }


class RiskParameters(Frozen):
    """All limits of the risk manager.

    `price_collar`: furthest an order's reference price may be from the last closed price, and the worst price an
    approval lets through. `max_bar_age_ms`: oldest closed bar an entry may rest on (market time).
    `max_orders_per_minute`: new-risk intents per engine and minute of market time. `slippage_limit` is EX-3's.
    `capital_limit_usdt`: most that all engines together may hold in coins and positions (the canary of profile live).
    `reject_window`, `reject_share`, `reject_age_ms`: RM-4's share of the last orders that were rejected, and how long a
    rejection counts (R2). `calm_ms`: RM-2's 24 h. `one_day_fall` and `fall_block_ms`: RM-3's portfolio rule, for
    `fall_blocks`. `standstill_ms`, `standstill_again_ms`: R1's 30 and 365 days.
    """

    engines: dict[ActorName, EngineLimits] = Field(default_factory=_engine_limits)
    drawdown: dict[str, DrawdownGroup] = Field(default_factory=_drawdown_groups)
    switches: dict[str, SwitchPolicy] = Field(default_factory=_switches)
    concentration_accounts: tuple[ActorName, ...] = (ActorName.CORE_HODL, ActorName.TACTICAL)
    capital_limit_usdt: Annotated[Decimal, Field(gt=0)] | None = None
    price_collar: Fraction = Decimal("0.10")
    slippage_limit: Fraction = Decimal("0.005")
    limit_tolerance: Annotated[Decimal, Field(ge=0, le=Decimal("0.01"))] = Decimal("0.001")
    max_bar_age_ms: Annotated[int, Field(gt=0)] = 2 * HOUR_MS
    max_orders_per_minute: Annotated[int, Field(gt=0)] = 120
    caution_size_factor: Fraction = Decimal("0.5")
    calm_ms: Annotated[int, Field(gt=0)] = DAY_MS
    one_day_fall: Fraction = Decimal("0.15")
    fall_block_ms: Annotated[int, Field(gt=0)] = DAY_MS
    standstill_ms: Annotated[int, Field(gt=0)] = 30 * DAY_MS
    standstill_again_ms: Annotated[int, Field(gt=0)] = 365 * DAY_MS
    fall_blocks: tuple[ActorName, ...] = (ActorName.TREND_1, ActorName.TREND_2, ActorName.FUNDING)
    reject_window: Annotated[int, Field(gt=0)] = 50
    reject_share: Fraction = Decimal("0.20")
    reject_age_ms: Annotated[int, Field(gt=0)] = HOUR_MS
    mismatch_tolerance: Annotated[int, Field(ge=0)] = 0
    exchange_silent_s: Annotated[int, Field(gt=0)] = 30
    market_data_age_s: Annotated[int, Field(gt=0)] = MARKET_DATA_AGE_S
    clock_offset_ms: Annotated[int, Field(gt=0)] = 1_000
    insurance_fund_fall: Fraction = Decimal("0.30")
