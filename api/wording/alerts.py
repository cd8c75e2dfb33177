"""An alert that stands keeps the figure with which it was raised; beside it a person reads the present one (RM-3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from api.wording.values import share

DRAWDOWN = "drawdown:"
"""The conditions of RM-3's alerts; the group's name follows."""

Tracks = Mapping[str, Sequence[str]]
"""By group the index of its results at the last daily close and the index's peak, as the risk manager keeps them."""


def with_present(alerts: Sequence[Mapping[str, Any]], tracks: Tracks) -> list[dict[str, Any]]:
    """The alerts; the text of each drawdown that stands says how deep it is at the last daily close."""
    return [{**one, "text": f"{one['text']}{_present(one, tracks)}"} for one in alerts]


def _present(alert: Mapping[str, Any], tracks: Tracks) -> str:
    condition, group = str(alert["condition"]), str(alert["condition"]).removeprefix(DRAWDOWN)
    if group == condition or alert["state"] == "ended" or group not in tracks:
        return ""
    result, peak = (Decimal(one) for one in tracks[group][:2])
    return f" At the last daily close: {share(1 - result / peak)} below its peak." if peak > 0 else ""
