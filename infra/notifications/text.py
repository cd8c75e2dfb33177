"""A message as people read it: which alerts, what became of them, what action is required. Plain text; every channel
escapes it for itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from statemachines.notifications.message import Action, Message, Part
from statemachines.notifications.plain import one_line

MARKS: Mapping[str, str] = {"critical": "CRITICAL", "warning": "Warning", "info": "Info"}

WHAT: Mapping[Action, str] = {
    "raise": "",
    "change": "changed",
    "repeat": "still not acknowledged",
    "acknowledge": "acknowledged",
    "resolve": "ended",
    "report": "",
}
"""What has become of an alert; "" for a new one."""


def paragraph(text: str) -> str:
    """The text with its line breaks, without other control characters."""
    return "\n".join(one_line(line) for line in text.splitlines())


def heading(part: Part) -> str:
    """`CRITICAL, still not acknowledged: title`."""
    what = f", {WHAT[part.action]}" if WHAT[part.action] else ""
    return f"{MARKS[part.severity]}{what}: {one_line(part.title)}"


def footing(part: Part) -> str:
    """Who raised it, when in market time, and its number."""
    when = f", {market_time(part.market_ms)} market time" if part.market_ms else ""
    return f"{one_line(part.actor)}{when}, alert {one_line(part.alert_id)}"


def market_time(market_ms: int) -> str:
    """An instant to the minute; the number itself where the calendar does not reach."""
    try:
        return f"{datetime.fromtimestamp(market_ms / 1000, UTC):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return f"{market_ms} ms"


def left_out(message: Message) -> str:
    """The sentence about alerts without a part of their own; "" when there are none."""
    if not message.omitted:
        return ""
    return f"And {message.omitted} more alerts of the same moment, none of them critical; the console has all of them."


def subject(message: Message) -> str:
    """A message in one line."""
    first, others = message.parts[0], len(message.parts) - 1 + message.omitted
    if message.kind == "report":
        return one_line(first.title)
    return f"{heading(first)}{f' (and {others} more)' if others else ''}"
