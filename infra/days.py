"""Days as people write them: one form, wherever a day is given (command line, configuration)."""

from __future__ import annotations

import re
from datetime import date

EARLIEST = date(2009, 1, 1)
LATEST = date(2099, 12, 31)
"""No coin has a price before 2009, and no market of ours reaches beyond this century."""

FORM = "a day is written like 2021-06-30"
_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def day_of_text(text: str) -> date:
    """The day. The library would also take weeks (2020-W10-1) and days without hyphens.

    Raises:
        ValueError: it is not written like 2021-06-30, there is no such day, or it is not from 2009 to 2099.
    """
    if _WRITTEN.fullmatch(text) is None:
        raise ValueError(FORM)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"the calendar has no such day; {FORM}") from None
    if not EARLIEST <= day <= LATEST:
        raise ValueError(f"allowed is {EARLIEST} to {LATEST}")
    return day
