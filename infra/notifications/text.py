"""A message as people read it: which alerts, what became of them, what action is required. Plain text; every channel
escapes it for itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from statemachines.notifications.message import Action, Message, Part

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

CONTROLS = {code: " " for code in (*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029)}
"""Line breaks and control characters: a title is one line on every channel."""

BIDI = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), None)
"""Characters that turn the direction of text around: what is shown would not be what is there."""


def one_line(text: str) -> str:
    """The text without line breaks and control characters."""
    return " ".join(text.translate(CONTROLS | BIDI).split())


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


def shortened(text: str, most: int) -> str:
    """The text within a number of characters, with a mark where it was cut."""
    return text if len(text) <= most else f"{text[: max(most - 1, 0)].rstrip()}…"
