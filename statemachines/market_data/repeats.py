"""When a reading that failed is repeated, and when it is given up (EX-4, DA-3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from statemachines.commands import Alert, AlertEnded, Commands
from statemachines.market_data.parameters import MarketDataParameters
from statemachines.market_data.progress import BACKFILL, Pending

READING = "reading"
"""Condition: a reading has failed after each of `retry_delays_s`, and is repeated."""


def next_attempt(
    pending: Pending, parameters: MarketDataParameters, is_undecided: bool
) -> tuple[Pending, float] | None:
    """The attempt that follows a failed one and the pause before it in seconds of wall time; None: it is given up.

    A backfill is repeated `backfill_attempts` times. What an instant needs is repeated after each of `retry_delays_s`,
    and without a limit as long as the exchange decides nothing (`is_undecided`): an exchange that is away over the end
    of a day must not cost the day its bars. The instant stays open meanwhile, and later ones follow it in order.
    Raises nothing.
    """
    delays = parameters.retry_delays_s
    tried = pending.tried
    is_early = tried <= len(delays)
    if pending.purpose in BACKFILL:
        if pending.attempt >= parameters.backfill_attempts:
            return None
        delay_s = delays[tried - 1] if is_early else parameters.longest_retry_s
        return replace(pending, attempt=pending.attempt + 1), delay_s
    if pending.purpose not in ("repair", "settlement"):
        return None
    if is_undecided:
        return replace(pending, outages=pending.outages + 1), delays[min(tried, len(delays)) - 1]
    if pending.attempt > len(delays):
        return None
    return replace(pending, attempt=pending.attempt + 1), delays[pending.attempt - 1]


def refresh_delay_s(attempt: int, parameters: MarketDataParameters) -> float:
    """The pause before the instruments' rules are read again: growing up to `longest_refresh_retry_s`."""
    delays = parameters.retry_delays_s
    beyond = attempt - len(delays)
    if beyond <= 0:
        return delays[attempt - 1]
    return min(delays[-1] * 2.0 ** min(beyond, 20), parameters.longest_refresh_retry_s)


def failing(pending: Pending, parameters: MarketDataParameters, why: str) -> Commands:
    """The alert about a reading that is repeated, once the pauses have been tried."""
    if pending.tried != len(parameters.retry_delays_s):
        return []
    what = f"The request {pending.request.kind} failed {pending.tried} times: {why}. It is retried."
    text = f"{what} No action is required; check connection and exchange if it lasts."
    return [Alert("warning", "Market data cannot be read", text, READING)]


def ended(pending: Pending, others: Iterable[Pending], parameters: MarketDataParameters) -> Commands:
    """The end of the condition, if this was the last reading that had been reported as failing."""
    delays = len(parameters.retry_delays_s)
    if pending.purpose == "refresh" or pending.tried <= delays:
        return []
    if any(one.tried > delays for one in others if one.purpose != "refresh"):
        return []
    return [AlertEnded(READING, "no reading is being repeated any more")]
