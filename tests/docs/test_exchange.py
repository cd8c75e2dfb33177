"""docs/exchange.md: its tables of endpoints, faults and scenarios are those of the code; `make docs` writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.simulator.documents import PARTS, up_to_date
from infra.simulator.faults.catalogue import CATALOGUE
from infra.simulator.faults.scenario import shipped

PAGE = Path(__file__).resolve().parents[2] / "docs" / "exchange.md"


def test_the_tables_are_those_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert up_to_date(text) == text
    assert all(f"| `{name}` |" in text for name in (*CATALOGUE, *shipped()))


def test_a_page_without_a_part_and_an_old_table_are_found() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert up_to_date(text.replace("`lost-answer` |", "`lost-reply` |", 1)) == text
    part = next(iter(PARTS))
    with pytest.raises(ValueError, match=f"has 0 parts .*{part}"):
        up_to_date(text.replace(f"<!-- generated: {part} -->", ""))
