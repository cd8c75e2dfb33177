"""Days as the ways in take them, and what refuses an option."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from api.text import quoted
from infra.days import day_of_text
from infra.faults import OperatorError


class OptionError(OperatorError, ValueError):
    """An option that cannot be used; the text names it, its value and what is allowed. `option`, `value` and `allowed`
    are the same apart, for a way in that names its fields differently; "" where a text is about several."""

    def __init__(self, text: str, *, option: str = "", value: str = "", allowed: Sequence[str] = ()) -> None:
        self.option, self.value, self.allowed = option, value, tuple(allowed)
        super().__init__(text)


def parse_day(option: str, text: str) -> date:
    """The day. Raises OptionError for anything that is not written like 2021-06-30, or not from 2009 to 2099."""
    try:
        return day_of_text(text)
    except ValueError as error:
        raise OptionError(f"{option} {quoted(text)} is refused: {error}.", option=option, value=text) from None


def start_ms(day: date) -> int:
    """The day's first instant, UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
