"""Passing over whole hours in which nothing happens to any account: their bars are shown together at the end.

Only the matching core has the prices that are still to come. It advances when no order can fire, no margin can
break, no rate settles and no bar is missing, and as far as the caller allows, who has the deadlines of its machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.venue.idle_accounts import is_asleep
from infra.simulator.venue.model import Account
from infra.simulator.venue.state import Venue

NO_LIMITS: Mapping[str, Decimal] = MappingProxyType({})


def pass_hours(venue: Venue, patient_ms: int, max_basis: Mapping[str, Decimal] = NO_LIMITS) -> tuple[int, ...]:
    """Called when the bars of an hour are about to be shown: continue to the last hour boundary that may be shown in
    their place: at most ``patient_ms``, and the first whose bars have a basis above ``max_basis``. Returns
    the boundaries passed over, oldest first; () when the hour must be shown at once."""
    passed: list[int] = []
    if venue.now_ms + HOUR_MS > patient_ms or not _has_all_bars(venue, venue.now_ms - HOUR_MS):
        return ()
    while venue.now_ms + HOUR_MS <= patient_ms and _may_pass(venue) and not _exceeds(venue, max_basis):
        passed.append(venue.now_ms)
        venue.hour_ms += HOUR_MS
        venue.now_ms = venue.hour_ms
        venue.prices.move(venue.hour_ms, 0)
    return tuple(passed)


def _may_pass(venue: Venue) -> bool:
    """Whether the hour that begins now, and the boundary that ends it, bring nothing but hourly bars."""
    now_ms = venue.now_ms
    if now_ms % DAY_MS == 0 or now_ms + HOUR_MS >= venue.market.end_ms or venue.earn_due_ms <= now_ms + HOUR_MS:
        return False
    if any(_settles(venue, symbol, now_ms) for category, symbol in venue.market.symbols() if category == "linear"):
        return False
    if not _has_all_bars(venue, now_ms):
        return False
    for account in venue.accounts.values():
        if not account.open and not account.positions:
            continue
        if not is_asleep(venue, account, 0):
            return False
        if pays(venue, account, now_ms + HOUR_MS):
            return False
    return True


def pays(venue: Venue, account: Account, at_ms: int) -> bool:
    """Whether a rate settles at this instant for a position of the account."""
    return any(p.size and _settles(venue, p.symbol, at_ms) for p in account.positions.values())


def _exceeds(venue: Venue, max_basis: Mapping[str, Decimal]) -> bool:
    start_ms = venue.now_ms - HOUR_MS
    for symbol, limit in max_basis.items():
        spot = venue.market.hour("spot", symbol, start_ms)
        perpetual = venue.market.hour("linear", symbol, start_ms)
        if spot is not None and perpetual is not None and perpetual.close > spot.close * (1 + limit):
            return True
    return False


def _settles(venue: Venue, symbol: str, at_ms: int) -> bool:
    return venue.market.funding_rate(symbol, at_ms) is not None


def _has_all_bars(venue: Venue, start_ms: int) -> bool:
    """Whether every symbol that is listed when the hour ends traded in it: a gap, its end and a first bar are shown
    at their hour."""
    listed = venue.prices.listed(start_ms + HOUR_MS)
    return all(venue.market.hour(spec.category, spec.symbol, start_ms) is not None for spec in listed)
