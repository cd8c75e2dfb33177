"""What is expected of the operator, weighed by one rule for console, report, Telegram and command line (IF-4).

| Urgency | When |
|---|---|
| `act` | something is not well that the system does not repair by itself, or a critical alert waits for a person |
| `read` | the system is repairing itself, a risk state other than NORMAL is in force, or a warning waits for a person |
| `none` | anything else; an alert that is acknowledged, has ended or is information expects nothing |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from api.wording.values import readable

if TYPE_CHECKING:
    from api.health import Trouble

Row = Mapping[str, Any]

ACT, READ, NONE = "act", "read", "none"
URGENCIES = (ACT, READ, NONE)
"""The most urgent first."""

URGENCY_OF = {"critical": ACT, "warning": READ}
"""Of an alert that waits, by its severity; any other expects nothing."""

ITSELF = "The system is at work on this itself:"


def expected_of(troubles: Sequence[Trouble], engines: Sequence[Row], waiting: Sequence[Row]) -> dict[str, Any]:
    """`{"urgency", "items"}`, the most urgent item first: from everything that is not well, the engines of the overview
    and the alerts that stand without an acknowledgement."""
    items = [_item(ACT, one.text) for one in troubles if not one.heals_itself]
    if healing := [one.text for one in troubles if one.heals_itself]:
        items.append(_item(READ, " ".join([ITSELF, *healing])))
    said = " ".join(one.text for one in troubles)
    states = [
        _item(READ, f"{_whom(one)}: {one['risk_state']}: {readable(str(one['risk_reason']))}")
        for one in engines
        if one["risk_state"] != "NORMAL" and f" {_whom(one)}: {one['risk_state']} " not in said
    ]
    items += [one for at, one in enumerate(states) if one not in states[:at]]
    items += [
        _item(URGENCY_OF[row["severity"]], f"{row['title']}. {readable(str(row['text']))}", row["alert_id"])
        for row in waiting
        if row["severity"] in URGENCY_OF
    ]
    items.sort(key=lambda one: URGENCIES.index(one["urgency"]))
    return {"urgency": items[0]["urgency"] if items else NONE, "items": items}


def _whom(engine: Row) -> str:
    return "all engines" if engine["risk_scope"] == "GLOBAL" else str(engine["risk_scope"])


def _item(urgency: str, text: str, alert_id: str | None = None) -> dict[str, Any]:
    return {"urgency": urgency, "text": text, "alert_id": alert_id}


def sentence_of(expected: Row) -> str:
    """In one sentence."""
    count = sum(one["urgency"] == expected["urgency"] for one in expected["items"])
    if expected["urgency"] == ACT:
        return f"Action is required of you ({count}):"
    if expected["urgency"] == READ:
        return f"Nothing is urgent; to be read ({count}):"
    return "Nothing is expected of you."
