"""The table "Automatic state changes" of docs/operations.md agrees with the switches' parameters (RM-4, R2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from statemachines.risk.parameters import RiskParameters

TEXT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
TABLE = TEXT.split("Automatic state changes:")[1].split("\n\n")[1].splitlines()
SWITCHES = RiskParameters().switches


@pytest.mark.parametrize(
    ("words", "effect"),
    [
        ("reconciliation of an account", f"the account's engine {SWITCHES.reconciliation_mismatch.level.name}"),
        ("orders rejected", f"GLOBAL {SWITCHES.orders_rejected.level.name}"),
    ],
)
def test_rm4_the_effect_of_a_switch_is_that_of_its_parameters(words: str, effect: str) -> None:
    (row,) = [line for line in TABLE if words in line]
    assert row.strip("| ").split(" | ")[1] == effect
