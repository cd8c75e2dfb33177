"""IF-4: what is expected of the operator is weighed by one rule, whichever way he looks."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from api.health import Trouble
from api.live_table import render
from api.telegram.texts import status
from api.wording.expected import expected_of, sentence_of
from tests.api.reports.samples import OVERVIEW, alert

NORMAL = {"name": "trend-1", "risk_state": "NORMAL", "risk_scope": "trend-1", "risk_reason": ""}
CAUTION = {**NORMAL, "risk_state": "CAUTION", "risk_scope": "GLOBAL", "risk_reason": "since 1735689600000 ms"}
HALTED = {**NORMAL, "risk_state": "HALTED", "risk_scope": "trend-1", "risk_reason": "by alice"}
HALT = Trouble("No new risk is allowed for trend-1: HALTED since 2025-01-01 00:00 UTC by alice (a test).")
BROKEN = Trouble("funding is FAULTED.")
STARTING = [Trouble("funding is STARTING.", heals_itself=True), Trouble("api is STARTING.", heals_itself=True)]

WEIGHED: list[tuple[list[Trouble], list[Any], list[Any], str, int]] = [
    ([], [NORMAL], [], "none", 0),
    ([], [NORMAL], [alert(1, "info")], "none", 0),
    ([], [NORMAL], [alert(1, "warning")], "read", 1),
    ([], [NORMAL], [alert(1, "warning"), alert(2, "critical")], "act", 2),
    ([BROKEN], [NORMAL], [], "act", 1),
    (STARTING, [NORMAL], [], "read", 1),
    ([*STARTING, BROKEN], [NORMAL], [], "act", 2),
    ([], [CAUTION, CAUTION], [], "read", 1),
    ([HALT], [HALTED], [], "act", 1),
]


@pytest.mark.parametrize(("troubles", "engines", "waiting", "urgency", "items"), WEIGHED)
def test_each_case_has_its_weight_and_is_said_once(
    troubles: list[Trouble], engines: list[Any], waiting: list[Any], urgency: str, items: int
) -> None:
    found = expected_of(troubles, engines, waiting)
    assert (found["urgency"], len(found["items"])) == (urgency, items), found
    if items:
        assert found["items"][0]["urgency"] == urgency, "the most urgent first"
    assert "1735689600000" not in str(found)


def shown(overview: dict[str, Any]) -> str:
    console = Console(width=120, color_system=None, highlight=False, markup=False)
    with console.capture() as capture:
        console.print(render(overview, {}, []))
    return capture.get()


@pytest.mark.parametrize("severity", ["warning", "critical"])
def test_status_and_bot_say_it_first_and_in_the_same_words(severity: str) -> None:
    expected = expected_of([], [], [alert(7, severity)])
    machines: dict[str, Any] = dict.fromkeys(("equity_usdt", "open_orders", "last_transition"))
    machines |= {"machines": [], "state": "SCANNING", "component": "RUNNING"}
    market = {**OVERVIEW["market"], "state": "RUNNING", "day": "2026-11-29"}
    engines = [{**one, **machines} for one in OVERVIEW["engines"]]
    overview = {**OVERVIEW, "market": market, "equity_usdt": "1", "orders": [], "components": [], "engines": engines,
                "expected": expected}  # fmt: skip
    for told in (shown(overview), status(overview)):
        said = " ".join(told.split())
        assert sentence_of(expected) in said and "A stop is missing. The stop of BTCUSDT is gone." in said
        assert said.index(sentence_of(expected)) < said.index("Equity")
        assert not any("а" <= letter <= "я" for letter in told.lower()), "one language"
        assert "2026-11-29 00:00 UTC" in said and "arket time" in said
