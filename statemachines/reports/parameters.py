"""The rules of `[notifications.reports]`: which reports are made, and when."""

from __future__ import annotations

from datetime import time

from statemachines.notifications.parameters import ClockTime
from statemachines.parameters import ParameterModel
from statemachines.reports.schedule import ReportKind


class ReportRules(ParameterModel):
    """Reports go out by e-mail, by the time zone of `[notifications.rules]`."""

    daily: bool = True
    """A report for every market day (IF-4)."""

    monthly: bool = True
    """A report for every month, when its last market day has closed (IF-4)."""

    at: ClockTime = "08:00"
    """The time of day from which on a report that is due is made (IF-4)."""

    @property
    def kinds(self) -> tuple[ReportKind, ...]:
        """Those that are made."""
        chosen = {ReportKind.DAILY: self.daily, ReportKind.MONTHLY: self.monthly}
        return tuple(kind for kind, is_made in chosen.items() if is_made)

    @property
    def time_of_day(self) -> time:
        """`at` as a time."""
        return time.fromisoformat(self.at)


NONE = ReportRules(daily=False, monthly=False)
"""No report at all."""
