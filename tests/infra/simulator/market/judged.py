"""Sound data of forty days, defects to plant in them, and what the judge and the loader must then say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.simulator.market.findings import HistoryError, Severity
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.judge import Judgement, judge
from infra.simulator.market.path import HOUR_MS

from .make import START_MS, write_csv

DAYS = 40
RATES = "ts,rate"
Lines = list[list[Any]]


def rates() -> list[tuple[int, float]]:
    return [(START_MS + number * 8 * HOUR_MS, 0.0001 + 0.00001 * (number % 7)) for number in range(DAYS * 3)]


def kinds(found: Judgement, severity: Severity) -> set[tuple[str, str]]:
    return {(one.file, one.kind) for one in found.findings if one.severity is severity}


def planted(folder: Path, file: str, change: Callable[[Lines], Lines]) -> Judgement:
    """The judgement after the rows of a file were changed."""
    path = folder / file
    header, *lines = path.read_text().splitlines()
    changed = change([line.split(",") for line in lines])
    write_csv(path, header, changed)
    return judge(folder)


def error(found: Judgement, file: str, kind: str) -> str:
    """The text of the error, after making sure that the loader refuses the folder with the same text."""
    texts = [str(one) for one in found.errors if (one.file, one.kind) == (file, kind)]
    assert texts, [str(one) for one in found.findings]
    with pytest.raises(HistoryError) as refused:
        HistoryMarket(found.folder)
    assert texts[0] in str(refused.value)
    return texts[0]


def scaled(factor: float, first: int = 0, last: int | None = None) -> Callable[[Lines], Lines]:
    def change(lines: Lines) -> Lines:
        for line in lines[first:last]:
            line[1:5] = [float(price) * factor for price in line[1:5]]
        return lines

    return change


def moved(hours: int) -> Callable[[Lines], Lines]:
    return lambda lines: [[int(line[0]) + hours * HOUR_MS, *line[1:]] for line in lines]


def cell(row: int, column: int, value: object) -> Callable[[Lines], Lines]:
    def change(lines: Lines) -> Lines:
        lines[row][column] = value
        return lines

    return change
