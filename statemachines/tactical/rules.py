"""The rules TA-1 .. TA-8 as pure functions, each as ruled in RULINGS A1 .. A8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from statemachines.indicators.vector import realised_volatility, to_decimal
from statemachines.outlook.terms import Term, all_hold
from statemachines.tactical.parameters import TacticalParameters
from statemachines.values import DAY_MS, HOUR_MS, Frozen

ZERO = Decimal(0)
_MAX_SETTLEMENT_SPAN_MS = 4 * DAY_MS
"""Nine settlements span three days; a longer span means that rates are missing (DA-2)."""


class Trigger(StrEnum):
    """The triggers of a deployment, in order of precedence (A4)."""

    LEVEL_2 = "TA-1 level 2"
    LEVEL_1 = "TA-1 level 1"
    FEAR = "TA-2 fear"
    FUNDING = "TA-3 funding"
    VOLATILITY = "TA-3 volatility"


class VolatilitySource(StrEnum):
    """The source of the volatility of TA-3 (A6)."""

    DVOL = "DVOL"
    REALISED = "realised"
    NONE = "none"


class ExitKind(StrEnum):
    """Why a deployment, or part of it, ends."""

    TARGET = "TA-6 target"
    FAST = "TA-7 fast profit"
    TIME = "TA-6 time limit"


class Published(Frozen):
    """A value of an external source with its publication time."""

    value: Decimal
    market_ms: int


class Conditions(NamedTuple):
    """The inputs of the triggers at one daily close. None: no valid value, the rule is inactive (DA-2)."""

    drawdown: Decimal
    fear_greed: Decimal | None
    mean_funding: Decimal | None
    volatility_pct: Decimal | None
    volatility_source: VolatilitySource


class Capital(NamedTuple):
    """`cash_usdt` is deployable cash (excluding cash owed to CORE-HODL), `reserve_usdt` the part kept for level 2."""

    cash_usdt: Decimal
    reserve_usdt: Decimal

    @property
    def free_usdt(self) -> Decimal:
        return max(ZERO, self.cash_usdt - self.reserve_usdt)


class DeploymentCandidate(NamedTuple):
    """A trigger that holds and the USDT it deploys."""

    trigger: Trigger
    amount_usdt: Decimal
    sentence: str


def drawdown(close: Decimal, high: Decimal) -> Decimal:
    """TA-1, A1: (close - high) / high of daily closes."""
    return (close - high) / high


def valid_at(values: Sequence[Published], close_ms: int, max_age_h: int) -> Decimal | None:
    """A5: the newest value published before the cycle and not older than allowed; otherwise None."""
    earlier = [one for one in values if one.market_ms < close_ms]
    if not earlier:
        return None
    newest = max(earlier, key=lambda one: one.market_ms)
    return newest.value if close_ms - newest.market_ms <= max_age_h * HOUR_MS else None


def mean_funding(settled: Sequence[Published], close_ms: int, parameters: TacticalParameters) -> Decimal | None:
    """TA-3, A6: mean of BTC's last nine rates per 8 h, including the one at the cycle's instant."""
    count = parameters.funding_settlements
    recent = [one for one in settled if one.market_ms <= close_ms][-count:]
    if len(recent) < count or close_ms - recent[0].market_ms > _MAX_SETTLEMENT_SPAN_MS * count // 9:
        return None
    return sum((one.value for one in recent), ZERO) / count


def volatility_pct(
    dvol: Sequence[Published], closes: Sequence[Decimal], close_ms: int, parameters: TacticalParameters
) -> tuple[Decimal | None, VolatilitySource]:
    """TA-3, A6, D4: DVOL's last close if recent enough, else BTC's realised volatility, in percent; and the source."""
    known = [one for one in dvol if one.market_ms <= close_ms]
    if known:
        newest = max(known, key=lambda one: one.market_ms)
        if close_ms - newest.market_ms <= parameters.dvol_max_age_h * HOUR_MS:
            return newest.value, VolatilitySource.DVOL
    realised = realised_volatility(np.array([float(close) for close in closes]))
    if realised is None:
        return None, VolatilitySource.NONE
    return to_decimal(realised * 100), VolatilitySource.REALISED


def trigger_terms(conditions: Conditions, parameters: TacticalParameters) -> dict[Trigger, tuple[Term, ...]]:
    """TA-1, TA-2, TA-3, A6: what a daily close must show for each trigger, in the order of A4. High volatility, or
    negative funding, at a peak is no panic."""

    def fall(limit: Decimal) -> Term:
        return Term("BTC from its high", conditions.drawdown, "at_most", limit, "share", -limit)

    p, panic = parameters, fall(parameters.panic_fall)
    mean = f"mean of {p.funding_settlements} funding rates per 8 h"
    volatility = f"{conditions.volatility_source} volatility"
    fear, most = Decimal(p.fear_greed_below), p.volatility_above_pct
    return {
        Trigger.LEVEL_2: (fall(p.level_2_fall),),
        Trigger.LEVEL_1: (fall(p.level_1_fall),),
        Trigger.FEAR: (Term("Fear & Greed", conditions.fear_greed, "below", fear, "points", 100 - fear),),
        Trigger.FUNDING: (
            panic,
            Term(mean, conditions.mean_funding, "below", p.funding_below, "share", abs(p.funding_below)),
        ),
        Trigger.VOLATILITY: (panic, Term(volatility, conditions.volatility_pct, "above", most, "percent", most)),
    }


def level_bar(trigger: Trigger, levels_fired: frozenset[int]) -> str:
    """TA-1, A2: why a level does not fire (again) before a new high; empty when it may."""
    if trigger is Trigger.LEVEL_1 and levels_fired:
        return "level 1 has fired since the last high"
    if trigger is Trigger.LEVEL_2 and levels_fired != frozenset({1}):
        return "level 2 has fired since the last high" if levels_fired else "level 1 has not fired yet"
    return ""


def deployment_candidates(
    conditions: Conditions, capital: Capital, levels_fired: frozenset[int], parameters: TacticalParameters
) -> list[DeploymentCandidate]:
    """TA-1, TA-2, TA-3 with A2, A3, A6: all triggers that hold at this close, in the order of A4."""
    found = []
    fall, free = conditions.drawdown, capital.free_usdt
    where = f"BTC {fall:.4f} from its high"
    met = {
        trigger
        for trigger, terms in trigger_terms(conditions, parameters).items()
        if all_hold(terms) and not level_bar(trigger, levels_fired)
    }
    if Trigger.LEVEL_2 in met:
        reserve = min(capital.reserve_usdt, capital.cash_usdt)
        amount = reserve + free * parameters.level_2_share_of_other_cash
        found.append(DeploymentCandidate(Trigger.LEVEL_2, amount, f"{where}, level 2 at {parameters.level_2_fall}"))
    if Trigger.LEVEL_1 in met:
        amount = capital.cash_usdt * parameters.level_1_share
        found.append(DeploymentCandidate(Trigger.LEVEL_1, amount, f"{where}, level 1 at {parameters.level_1_fall}"))
    panic = free * parameters.panic_share
    if Trigger.FEAR in met:
        sentence = f"Fear & Greed {conditions.fear_greed} below {parameters.fear_greed_below}"
        found.append(DeploymentCandidate(Trigger.FEAR, panic, sentence))
    if Trigger.FUNDING in met:
        mean = f"{conditions.mean_funding:.6f}"
        sentence = f"mean of {parameters.funding_settlements} funding rates {mean} below {parameters.funding_below}"
        found.append(DeploymentCandidate(Trigger.FUNDING, panic, f"{sentence}; {where}"))
    if Trigger.VOLATILITY in met:
        volatility = f"{conditions.volatility_source} volatility {conditions.volatility_pct:.2f}"
        sentence = f"{volatility} above {parameters.volatility_above_pct}"
        found.append(DeploymentCandidate(Trigger.VOLATILITY, panic, f"{sentence}; {where}"))
    return found


def spacing_term(days_since_last: int, parameters: TacticalParameters) -> Term:
    """TA-5: the days between two deployments."""
    least = Decimal(parameters.days_between)
    return Term("days since the last deployment", Decimal(days_since_last), "at_least", least, "days", least)


def obstacle(
    candidate: DeploymentCandidate,
    cash_usdt: Decimal,
    days_since_last: int | None,
    target_usdt: Decimal,
    parameters: TacticalParameters,
) -> str | None:
    """TA-5, A3, A4: why the deployment must wait; None when it may be made."""
    if days_since_last is not None and not spacing_term(days_since_last, parameters).holds:
        return f"{days_since_last} days since the last deployment, {parameters.days_between} are required (TA-5)"
    least = smallest_deployment(target_usdt, parameters)
    if candidate.amount_usdt < least:
        return f"{candidate.amount_usdt:.2f} USDT is less than the smallest deployment of {least:.2f} (A3)"
    limit = cash_usdt * parameters.max_share_per_event
    if candidate.trigger is not Trigger.LEVEL_2 and candidate.amount_usdt > limit:
        return f"{candidate.amount_usdt:.2f} USDT is more than the limit of {limit:.2f} for one event (TA-5)"
    return None


def payable(amount_usdt: Decimal, cash_usdt: Decimal, parameters: TacticalParameters) -> Decimal:
    """TA-1, A2, EX-3: the amount, but no more than cash / (1 + slippage bound), less the fee.

    The limit only affects level 2, which may deploy all cash: an order that the cash cannot cover would be refused.
    """
    worst = cash_usdt / (1 + parameters.max_slippage)
    return min(amount_usdt, worst - worst * parameters.spot_fee_rate)


def smallest_deployment(target_usdt: Decimal, parameters: TacticalParameters) -> Decimal:
    """A3: 100 USDT or 1 % of the engine's target capital, whichever is more."""
    return max(parameters.min_deployment_usdt, target_usdt * parameters.min_deployment_share_of_target)


def gain(gross: Mapping[str, Decimal], cost_usdt: Mapping[str, Decimal], closes: Mapping[str, Decimal]) -> Decimal:
    """TA-6, A7: result of a deployment relative to the cost of its remaining coins, before fees, at a daily close.

    Raises:
        ValueError: the total cost is not above 0.
    """
    cost = sum(cost_usdt.values(), ZERO)
    if cost <= 0:
        raise ValueError(f"cost {cost} USDT of a deployment must be above 0")
    return sum((gross[coin] * closes[coin] for coin in gross), ZERO) / cost - 1


def day_of(day_ms: int) -> date:
    """The UTC date of a bar."""
    return datetime.fromtimestamp(day_ms / 1000, UTC).date()


def anniversary(day: date, months: int) -> date:
    """TA-6: the same day `months` later, or the first day after it where that month is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    try:
        return date(year, month + 1, day.day)
    except ValueError:
        year, month = divmod(year * 12 + month + 1, 12)
        return date(year, month + 1, 1)


def exit_due(
    gain_now: Decimal, deployed_ms: int, day_ms: int, halved: bool, parameters: TacticalParameters
) -> ExitKind | None:
    """TA-6, TA-7: the reason to end the deployment (or half of it) at this close; profit takes precedence over time."""
    terms = exit_terms(gain_now, deployed_ms, day_ms, parameters)
    return next((kind for kind in ExitKind if all_hold(terms[kind]) and not (halved and kind is ExitKind.FAST)), None)


def exit_terms(
    gain_now: Decimal, deployed_ms: int, day_ms: int, parameters: TacticalParameters
) -> dict[ExitKind, tuple[Term, ...]]:
    """TA-6, TA-7: what a daily close must show for each end of a deployment; profit takes precedence over time."""
    begun, today, p = day_of(deployed_ms), day_of(day_ms), parameters
    held, whole = Decimal((today - begun).days), Decimal((anniversary(begun, p.hold_months) - begun).days)
    return {
        ExitKind.TARGET: (Term("gain", gain_now, "above", p.profit_target, "share", p.profit_target),),
        ExitKind.FAST: (
            Term("gain", gain_now, "above", p.fast_profit, "share", p.fast_profit),
            Term("days since the purchase", held, "at_most", Decimal(p.fast_profit_days), "days"),
        ),
        ExitKind.TIME: (Term("days since the purchase", held, "at_least", whole, "days", whole),),
    }
