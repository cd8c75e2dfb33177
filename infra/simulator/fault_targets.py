"""What a fault is aimed at must exist: accounts, symbols, coins, endpoints, topics; and filters must be possible ones.

A fault that can never strike, or that leaves an instrument without a market, would teach nothing about a client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache

from infra.simulator.api.routes import ROUTES
from infra.simulator.api.shapes.frames import PRIVATE, PRIVATE_TOPICS
from infra.simulator.api.shapes.topics import public_names
from infra.simulator.faults.catalogue import (
    ALL,
    Delisting,
    Fault,
    FilterChange,
    FrameFault,
    PublicFault,
    RequestFault,
    WithdrawalSuspension,
)
from infra.simulator.faults.reading import FaultError, shown
from infra.simulator.faults.scenario import Scenario
from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.instruments import INSTRUMENTS
from infra.simulator.venue.money import USDT_UNIT, text
from infra.simulator.venue.state import Venue
from infra.simulator.venue.surroundings.custody import CHAINS

LARGEST_TICK = Decimal("0.01")
"""Of the last price: with a coarser tick there would be no bid below it."""
LARGEST_FILTER = Decimal(10) ** 12
SMALLEST_FILTER = USDT_UNIT


def check(fault: Fault, venue: Venue) -> None:
    """Raises ``FaultError`` for a fault that could strike nothing here, or whose filters are impossible."""
    try:
        _check(fault, venue)
    except FaultError as error:
        raise FaultError(f"fault {fault.kind}: {error}") from None


def check_scenario(scenario: Scenario, venue: Venue, now_ms: int) -> None:
    """``check`` of every step, none of which may begin at an instant before ``now_ms``. Raises ``FaultError``."""
    for number, step in enumerate(scenario.step, 1):
        place = f"{scenario.name}: step {number}: "
        try:
            check(step.fault, venue)
        except FaultError as error:
            raise FaultError(f"{place}{error}") from None
        if step.at is not None and step.first_ms(now_ms) < now_ms:
            now = datetime.fromtimestamp(now_ms / 1_000, UTC)
            raise FaultError(
                f"{place}at is {step.at.isoformat()}; it must not be before the exchange's present time, "
                f"{now.isoformat(timespec='seconds')}."
            )


def check_together(fault: Fault, active: Iterable[Fault]) -> None:
    """Changed filters must be possible together with those that have been changed already. Raises ``FaultError``."""
    if not isinstance(fault, FilterChange):
        return
    same = [fault]
    for one in active:
        if isinstance(one, FilterChange) and (one.category, one.symbol) == (fault.category, fault.symbol):
            same.append(one)
    for lower in ("min_qty", "qty_step"):
        for upper in ("max_limit_qty", "max_market_qty"):
            low = max((value for one in same if (value := one.filters().get(lower)) is not None), default=None)
            high = min((value for one in same if (value := one.filters().get(upper)) is not None), default=None)
            if low is not None and high is not None and low > high:
                raise FaultError(
                    f"fault {fault.kind}: {lower} is {text(low)} and {upper} is {text(high)} with the faults that are "
                    f"active; {lower} must be at most {upper}."
                )


def _check(fault: Fault, venue: Venue) -> None:
    _known("account", fault, venue.accounts)
    if isinstance(fault, (FilterChange, Delisting)):
        _known("symbol", fault, [symbol for category, symbol in INSTRUMENTS if category == fault.category], every=False)
    else:
        _known("symbol", fault, dict.fromkeys(symbol for _, symbol in INSTRUMENTS))
    if isinstance(fault, WithdrawalSuspension):
        _known("coin", fault, CHAINS, every=False)
    if isinstance(fault, RequestFault):
        _check_endpoint(fault)
    elif isinstance(fault, FrameFault):
        _check_topic(fault)
    elif isinstance(fault, FilterChange):
        _check_filters(fault, venue)


def _known(field: str, fault: Fault, known: Iterable[str], *, every: bool = True) -> None:
    """``every``: whether ``*`` stands for all of them."""
    value = getattr(fault, field, ALL if every else None)
    if (every and value == ALL) or value in (names := list(known)):
        return
    raise FaultError(
        f"{field} is {shown(value)}; it must be {'*, for all, or ' if every else ''}one of {', '.join(names)}."
    )


def _check_endpoint(fault: RequestFault) -> None:
    methods = {method for method, path in ROUTES if fnmatchcase(path, fault.endpoint)}
    if not methods:
        raise FaultError(
            f"endpoint is {shown(fault.endpoint)}; it must be the path of an endpoint that exists here, or a pattern "
            "that matches one, such as /v5/order/*."
        )
    if fault.method != ALL and fault.method not in methods:
        allowed = f"* or {' or '.join(methods)}"
        raise FaultError(f"method is {fault.method}; for endpoint {shown(fault.endpoint)} it must be {allowed}.")


def _check_topic(fault: FrameFault) -> None:
    channels = [one for one in ("spot", "linear", PRIVATE) if fault.channel in (ALL, one)]
    if isinstance(fault, PublicFault):
        channels = [one for one in channels if one != PRIVATE]
    if not channels or fault.topic == ALL:
        return
    if not any(fnmatchcase(name, fault.topic) for channel in channels for name in _topics(channel)):
        raise FaultError(
            f"topic is {shown(fault.topic)}; it must be a topic of the channel ({' or '.join(channels)}), or a pattern "
            "that matches one, such as order* or tickers.*."
        )


@cache
def _topics(channel: str) -> tuple[str, ...]:
    return PRIVATE_TOPICS if channel == PRIVATE else public_names(channel)


def _check_filters(fault: FilterChange, venue: Venue) -> None:
    changed = fault.filters()
    spec = INSTRUMENTS[fault.category, fault.symbol]
    if not changed:
        raise FaultError(
            "no filter is given; at least one of tick, qty_step, min_qty, min_notional, max_limit_qty and "
            "max_market_qty is required."
        )
    for name, value in changed.items():
        if not SMALLEST_FILTER <= value <= LARGEST_FILTER or value % SMALLEST_FILTER:
            raise FaultError(
                f"{name} is {_plain(value)}; it must be from {text(SMALLEST_FILTER)} to {text(LARGEST_FILTER)}, with "
                "at most 8 decimals."
            )
    filters: Mapping[str, Decimal] = {
        name: changed.get(name, getattr(spec, name))
        for name in ("qty_step", "min_qty", "max_limit_qty", "max_market_qty")
    }
    if fault.tick is not None and fault.tick > (largest := _largest_tick(fault, venue)):
        raise FaultError(
            f"tick is {text(fault.tick)}; it must be at most {text(largest)}, 1 % of the last price of {fault.symbol} "
            f"({fault.category})."
        )
    for lower in ("min_qty", "qty_step"):
        for upper in ("max_limit_qty", "max_market_qty"):
            if filters[lower] > filters[upper]:
                raise FaultError(
                    f"{lower} is {text(filters[lower])} and {upper} is {text(filters[upper])}; {lower} must be at most "
                    f"{upper}."
                )
    if fault.min_notional is not None and fault.min_notional > spec.max_notional:
        raise FaultError(f"min_notional is {text(fault.min_notional)}; it must be at most {text(spec.max_notional)}.")


def _largest_tick(fault: FilterChange, venue: Venue) -> Decimal:
    try:
        last = venue.prices.last(fault.category, fault.symbol)
    except VenueError:
        # Not listed yet: as if it cost the least at which its own tick is 1 % of its price.
        return INSTRUMENTS[fault.category, fault.symbol].tick
    return last * LARGEST_TICK


def _plain(value: Decimal) -> str:
    """Without an exponent and short."""
    plain = text(value)
    return plain if len(plain) <= 40 else f"{plain[:40]}..."
