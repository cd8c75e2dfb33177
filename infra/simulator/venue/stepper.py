"""The lockstep: one micro-step at a time through funding, bars and path points. Deterministic.

At an hour boundary: funding (one account a step), bars (one public step), then the open point is matched (one
account a step); within the hour the points +20, +40, +59:59 min. Points where nothing happens are passed silently,
and hours as far as the caller's patience goes. By the wall clock an hour has a point every ``tick_ms``, and each is
shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from infra.simulator.market.path import hour_of
from infra.simulator.venue import earn
from infra.simulator.venue.fast_forward import NO_LIMITS, pass_hours, pays
from infra.simulator.venue.idle_accounts import is_asleep
from infra.simulator.venue.margin import is_exhausted
from infra.simulator.venue.orders.fills import settle_funding
from infra.simulator.venue.orders.liquidation import liquidate
from infra.simulator.venue.orders.matching import fired, match, needs_quotes
from infra.simulator.venue.prices import HOUR_MS
from infra.simulator.venue.state import BARS_STAGE, FUNDING_STAGE, Venue


class Public(StrEnum):
    """What the public streams show in a micro-step."""

    NOTHING = "nothing"
    BARS = "bars"
    POINT = "point"


class Stepped(NamedTuple):
    """One micro-step done: what the public sees, and whether the market has ended (then nothing moved). ``passed_ms``:
    boundaries of hours passed over, whose bars are shown too."""

    public: Public
    moved: bool
    passed_ms: tuple[int, ...] = ()


def advance(
    venue: Venue, until_ms: int | None, patient_ms: int = 0, max_basis: Mapping[str, Decimal] = NO_LIMITS
) -> Stepped:
    """Exactly one micro-step: the next queued piece of work, or the earliest of the next event and ``until_ms``.

    At one instant the exchange's own events come before the caller's deadline. Hours without events may be passed
    over up to ``patient_ms`` and the first basis above ``max_basis``.
    """
    if venue.ended and not venue.queue:
        return Stepped(Public.NOTHING, False)
    while not venue.queue:
        due_ms = next_ms(venue)
        if until_ms is not None and until_ms < due_ms:
            venue.now_ms = max(venue.now_ms, until_ms)
            venue.step += 1
            return Stepped(Public.NOTHING, True)
        venue.now_ms = due_ms
        _run_stage(venue)
    venue.step += 1
    public = _work_off(venue, venue.queue.pop(0))
    passed_ms = pass_hours(venue, patient_ms, max_basis) if public is Public.BARS and not venue.ended else ()
    return Stepped(public, True, passed_ms)


def next_ms(venue: Venue) -> int:
    """When the stage that comes next is due. A stage from 0 on is a point of the path."""
    return venue.hour_ms + (venue.prices.points.offset_ms(venue.stage) if venue.stage >= 0 else 0)


def begin_at(venue: Venue, instant_ms: int) -> None:
    """Open the market in the middle of its tape: everything before this instant is history. For a venue in which
    nothing has happened yet."""
    points = venue.prices.points
    venue.hour_ms = hour_of(instant_ms)
    index = points.index_at(instant_ms - venue.hour_ms)
    venue.now_ms = instant_ms
    venue.prices.move(venue.hour_ms, index)
    if index == points.count - 1:
        venue.hour_ms, venue.stage = venue.hour_ms + HOUR_MS, FUNDING_STAGE
    else:
        venue.stage = index + 1


def _run_stage(venue: Venue) -> None:
    """Find the work of the stage that is due and enter the next stage."""
    if venue.earn_due_ms <= venue.now_ms:
        earn.settle(venue)
    stage, hour_ms = venue.stage, venue.hour_ms
    at_end = hour_ms >= venue.market.end_ms
    if stage == FUNDING_STAGE:
        venue.queue = [
            ["fund", account.name] for account in venue.accounts.values() if pays(venue, account, venue.now_ms)
        ]
    elif stage == BARS_STAGE:
        venue.queue = [["public", Public.BARS.value]]
        if at_end:
            # The last bars are shown; no new hour opens.
            venue.ended = True
            return
        venue.prices.move(hour_ms, 0)
    else:
        venue.prices.move(hour_ms, stage)
        venue.queue = _point_work(venue, stage)
    if stage == venue.prices.points.count - 1:
        venue.hour_ms, venue.stage = hour_ms + HOUR_MS, FUNDING_STAGE
    else:
        venue.stage = stage + 1


def _point_work(venue: Venue, stage: int) -> list[list[Any]]:
    queue: list[list[Any]] = []
    quotes = False
    for account in venue.accounts.values():
        if not account.open and not account.positions:
            continue
        if stage > 0 and is_asleep(venue, account, stage):
            continue
        hits = fired(venue, account) if account.open else []
        if hits or is_exhausted(venue, account):
            queue.append(["match", account.name, hits])
        quotes = quotes or (bool(account.open) and needs_quotes(account, hits))
    if stage > 0 and (queue or quotes or venue.config.tick_ms is not None):
        # The receiver of a fill at this point may act at once: the point's prices were shown before.
        queue.insert(0, ["public", Public.POINT.value])
    return queue


def _work_off(venue: Venue, item: list[Any]) -> Public:
    kind = item[0]
    if kind == "public":
        return Public(item[1])
    account = venue.accounts[item[1]]
    if kind == "fund":
        for position in list(account.positions.values()):
            rate: Decimal | None = venue.market.funding_rate(position.symbol, venue.now_ms)
            if position.size and rate is not None:
                settle_funding(venue, account, position.symbol, rate)
        if is_exhausted(venue, account):
            liquidate(venue, account)
    else:
        match(venue, account, item[2])
    return Public.NOTHING
