"""Parameters of the order manager, with the specification's numbers as defaults."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from statemachines.limits.leverage import MAX_LEVERAGE
from statemachines.limits.parameter_checks import Distinct, Growing, OneOf, Order
from statemachines.limits.shared_defaults import MAKER_LIFE_H, MAX_SLIPPAGE
from statemachines.parameters import ParameterModel, SetBy, Symbol, Unit
from statemachines.values import DAY_MS, HOUR_MS, MINUTE_MS, PERPETUAL_ACCOUNTS, SECOND_MS, Account

_Ms = Annotated[int, Field(gt=0, le=HOUR_MS), Unit("milliseconds")]
_Pause = Annotated[float, Field(ge=0.001, le=3_600), Unit("seconds")]
_Repetitions = Annotated[int, Field(ge=1, le=1_000), Unit("repetitions")]
_Ids = Annotated[int, Field(ge=1, le=100_000), Unit("ids")]


class OrderParameters(ParameterModel):
    """How orders are worked; `_ms` are milliseconds of market time, `_s` seconds of wall time."""

    requote_interval_ms: _Ms = 30 * SECOND_MS
    """Least time between two quotes of a maker order (CH-3)."""

    requote_slowly_ms: _Ms = 10 * MINUTE_MS
    """Time between two quotes once the venue has refused the price too often (X3)."""

    price_refusals: Annotated[int, Field(ge=1, le=1_000), Unit("refusals")] = 10
    """Equal refusals of a maker quote for its price, after which it is repeated every `requote_slowly_ms` (X3)."""

    maker_expiry_ms: Annotated[
        int,
        Field(gt=0, le=7 * DAY_MS),
        Unit("milliseconds"),
        SetBy("engines.core_hodl.maker_life_h", "maker_life_ms"),
    ] = MAKER_LIFE_H * HOUR_MS
    """How long a maker order is quoted before it is given up with an alert (CH-3)."""

    max_slippage: Annotated[Decimal, Field(gt=0, le=Decimal("0.1")), Unit("fraction of the touch")] = MAX_SLIPPAGE
    """Largest slippage of a market order (EX-3)."""

    min_slippage: Annotated[Decimal, Field(gt=0, le=Decimal("0.1")), Unit("fraction of the touch")] = Decimal("0.0001")
    """The finest step in which the exchange takes a slippage limit (EX-3)."""

    retry_delays_s: Annotated[tuple[_Pause, ...], Field(min_length=1, max_length=20), Growing()] = (1.0, 5.0, 15.0)
    """Pauses before the first, second, ... repetition of a request (EX-4)."""

    longest_delay_s: _Pause = 60.0
    """What stays without an answer is asked again with growing pauses, none longer than this (EX-4)."""

    in_flight_ms: _Ms = 2 * SECOND_MS
    """How long after an answer the stream may be silent about an order before it is looked up (EX-1)."""

    settle_ms: _Ms = 2 * SECOND_MS
    """How long the executions may lag behind an order's final status before it is looked up (EX-2)."""

    stale_market_order_ms: _Ms = MINUTE_MS
    """A market order that never arrived is sent again only while the decision is younger than this (EX-4)."""

    absences_to_believe: Annotated[int, Field(ge=1, le=100), Unit("double look-ups")] = 3
    """Look-ups after which an order once seen counts as gone: cancelled orders leave the history after 24 h (EX-1)."""

    loop_limit: _Repetitions = 5
    """Fruitless repetitions of one step on an order before it is left alone with an alarm (EX-4)."""

    recent_orders: Annotated[int, Field(ge=1, le=100_000), Unit("intents")] = 256
    """Ended intents kept so that late events still find their order (EX-2)."""

    recent_transfers: Annotated[int, Field(ge=1, le=100_000), Unit("transfers")] = 64
    """Ended transfers kept so that a late answer still finds its transfer (OR-6)."""

    seen_buckets: Annotated[int, Field(ge=1, le=10_000), Unit("buckets")] = 64
    """Buckets per account of the execution ids that are remembered (EX-2)."""

    seen_per_bucket: _Ids = 64
    """Execution ids remembered per bucket (EX-2)."""

    reconcile_every_ms: Annotated[int, Field(ge=0, le=DAY_MS)] = 0
    """Time between two reconciliations while running. 0: in paper none (lockstep reconciles at each market day and
    after each restart), on a real exchange every 60 s (OR-9)."""

    reconcile_overlap_ms: Annotated[int, Field(gt=0, le=7 * DAY_MS)] = HOUR_MS
    """Executions are read from this long before the last completed comparison (OR-9)."""

    max_readings: Annotated[int, Field(ge=2, le=1_000), Unit("readings")] = 5
    """Readings of one account in one pass while its activity makes them incomparable (OR-9)."""

    leverage: Annotated[Decimal, Field(ge=1, le=MAX_LEVERAGE), Unit("multiple of the margin")] = Decimal(2)
    """Leverage that is set at the exchange (TR-9)."""

    leverage_symbols: Annotated[tuple[Symbol, ...], Field(min_length=1), Distinct()] = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    """Perpetuals whose leverage is set (TR-9)."""

    leverage_accounts: Annotated[
        tuple[Annotated[Account, OneOf(PERPETUAL_ACCOUNTS)], ...], Field(min_length=1), Distinct()
    ] = PERPETUAL_ACCOUNTS
    """Accounts in which it is set (TR-9)."""

    RELATIONS: ClassVar[tuple[Order, ...]] = (
        Order("min_slippage", "at most", "max_slippage", "EX-3"),
        Order("requote_interval_ms", "at most", "requote_slowly_ms", "CH-3, X3"),
        Order("retry_delays_s", "at most", "longest_delay_s", "EX-4"),
        Order("in_flight_ms", "below", "stale_market_order_ms", "EX-1, EX-4"),
    )

    @field_validator("reconcile_every_ms")
    @classmethod
    def _leaves_time_between(cls, every_ms: int) -> int:
        if 0 < every_ms < SECOND_MS:
            raise ValueError(f"0 or at least {SECOND_MS} milliseconds is required; a pass reads every account (OR-9)")
        return every_ms
