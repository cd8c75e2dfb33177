"""The fault matrix: at every point of failure every fault that can happen there (docs/fault-matrix.md)."""

from __future__ import annotations

import pytest

from tests.simulation.matrix.cells import CELLS, NOT_APPLICABLE, SOAKED, Cell, What, Where
from tests.simulation.matrix.document import ROOT as PLACE
from tests.simulation.matrix.document import TARGET, bearers, markdown, problems
from tests.simulation.matrix.run import run


def _marks(cell: Cell) -> list[pytest.MarkDecorator]:
    mark = pytest.mark.fault_matrix(point=cell.where.value, fault=cell.what.value)
    return [mark, pytest.mark.soak] if cell.what in SOAKED else [mark]


@pytest.mark.parametrize(
    "cell", [pytest.param(cell, id=f"{cell.where} - {cell.what}", marks=_marks(cell)) for cell in CELLS]
)
def test_every_invariant_holds(cell: Cell) -> None:
    assert run(cell).is_fulfilled, "the fault did not come about: the run proves nothing"


def test_no_cell_is_empty() -> None:
    assert problems(bearers(PLACE), NOT_APPLICABLE) == []


def test_the_document_is_the_matrix() -> None:
    """`make docs` writes it."""
    assert TARGET.read_text(encoding="utf-8") == markdown()


def test_a_planted_gap_is_found() -> None:
    key = (Where.MID_BATCH, What.KILLED)
    tests = {one: named for one, named in bearers(PLACE).items() if one != key}
    assert problems(tests, NOT_APPLICABLE) == ["The cell mid-batch × actor killed has neither a test nor a reason."]
    both = {**NOT_APPLICABLE, key: "of a reason that is none"}
    assert problems(bearers(PLACE), both) == [
        "The cell mid-batch × actor killed has a test and is said to be not applicable."
    ]
