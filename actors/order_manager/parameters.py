"""Parameters of the order manager, with the specification's numbers as defaults."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from statemachines.values import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Account, Frozen

_Ms = Annotated[int, Field(gt=0)]
_Count = Annotated[int, Field(ge=1)]


class OrderParameters(Frozen):
    """`_ms` are milliseconds of market time, `_s` seconds of wall time, fractions are of 1.

    Default to keep: `retry_delays_s` is EX-4's, `requote_interval_ms` and `maker_expiry_ms` are CH-3's,
    `max_slippage` is EX-3's. `reconcile_every_ms` 0 turns the continuous reconciliation off (paper: lockstep
    reconciles at each market day and after each restart); live uses 60 s.
    """

    requote_interval_ms: _Ms = 30 * SECOND_MS
    requote_slowly_ms: _Ms = 10 * MINUTE_MS
    price_refusals: _Count = 10
    """Equal refusals of a maker quote for its price, after which it is repeated every `requote_slowly_ms` (X3)."""
    maker_expiry_ms: _Ms = DAY_MS
    max_slippage: Annotated[Decimal, Field(gt=0, le=Decimal("0.1"))] = Decimal("0.005")
    min_slippage: Annotated[Decimal, Field(gt=0)] = Decimal("0.0001")
    """The finest step in which the exchange takes a slippage limit (0.01 %)."""
    retry_delays_s: tuple[float, ...] = (1.0, 5.0, 15.0)
    longest_delay_s: Annotated[float, Field(gt=0)] = 60.0
    """What stays without an answer is asked again with growing pauses, none longer than this."""
    in_flight_ms: _Ms = 2 * SECOND_MS
    """How long after an answer the stream may be silent about an order before it is looked up."""
    settle_ms: _Ms = 2 * SECOND_MS
    """How long the executions may lag behind an order's final status before it is looked up."""
    stale_market_order_ms: _Ms = MINUTE_MS
    """A market order that never arrived is sent again only while the decision is younger than this."""
    absences_to_believe: _Count = 3
    """Look-ups (each double) after which an order once seen counts as gone: cancelled orders leave the history
    after 24 h."""
    loop_limit: _Count = 5
    """Fruitless repetitions of one step on an order before it is left alone with an alarm (DESIGN 5)."""
    recent_orders: _Count = 256
    """Ended intents kept so that late events still find their order."""
    recent_transfers: _Count = 64
    seen_buckets: _Count = 64
    seen_per_bucket: _Count = 64
    """Execution ids remembered per account: buckets × ids."""
    reconcile_every_ms: Annotated[int, Field(ge=0)] = 0
    reconcile_overlap_ms: _Ms = HOUR_MS
    """Executions are read from this long before the last completed comparison."""
    max_readings: Annotated[int, Field(ge=2)] = 5
    """Readings of one account in one pass while its activity makes them incomparable."""
    leverage: Annotated[Decimal, Field(ge=1)] = Decimal(2)
    leverage_symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    leverage_accounts: tuple[Account, ...] = (Account.TREND_1, Account.TREND_2, Account.FUNDING)
