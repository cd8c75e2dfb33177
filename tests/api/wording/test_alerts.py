"""RM-3: an alert of a fall keeps its first figure; beside it stands the present one, as long as it lasts."""

from __future__ import annotations

from typing import Any

import pytest

from api.wording.alerts import with_present

FALL: dict[str, Any] = {"condition": "drawdown:CORE-HODL", "state": "open", "text": "It was 32.61 % below its peak."}
TRACKS: dict[str, list[Any]] = {"CORE-HODL": ["0.5", "1.25", "100"], "LOST": ["0", "0", None]}


def text(**changes: Any) -> str:
    return str(with_present([{**FALL, **changes}], TRACKS)[0]["text"]).removeprefix(FALL["text"])


@pytest.mark.parametrize("state", ["open", "changed"])
def test_the_present_fall_stands_beside_the_first_figure(state: str) -> None:
    assert text(state=state) == " At the last daily close: 60.00 % below its peak."


@pytest.mark.parametrize(
    "changes", [{"state": "ended"}, {"condition": "state:GLOBAL"}, {"condition": "drawdown:OTHER"},
                {"condition": "drawdown:LOST"}, {"condition": ""}],
)  # fmt: skip
def test_what_has_ended_or_is_no_fall_is_left_as_it_is(changes: dict[str, str]) -> None:
    assert text(**changes) == ""
