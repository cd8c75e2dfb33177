"""Days as the command line takes them."""

from __future__ import annotations

from datetime import UTC, date, datetime

from infra.faults import OperatorError

EARLIEST = date(2009, 1, 1)
LATEST = date(2099, 12, 31)
"""No coin has a price before 2009, and no market of ours reaches beyond this century."""


class OptionError(OperatorError, ValueError):
    """An option that cannot be used; the text names it, its value and what is allowed."""


def parse_day(option: str, text: str) -> date:
    """The day. Raises OptionError for anything that is not written like 2021-06-30, or not from 2009 to 2099."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise OptionError(f"{option} {text!r} is refused: a day is written like 2021-06-30.") from None
    if not EARLIEST <= day <= LATEST:
        raise OptionError(f"{option} {text!r} is refused: allowed is {EARLIEST} to {LATEST}.")
    return day


def start_ms(day: date) -> int:
    """The day's first instant, UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
