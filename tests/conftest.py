"""Options of the test run."""

from __future__ import annotations

import pytest

LONGEST = ("tests/simulation/", "tests/golden/", "tests/statemachines/")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--fuzz=5000`: how many mutated answers and frames, and how many strange requests, each fuzz test tries.
    `--soak`: as many futures and interruptions as were promised; without it a quarter of them (`make soak`)."""
    parser.addoption("--fuzz", type=int, default=0, help="cases of each fuzz test (default: a quick share)")
    parser.addoption("--soak", action="store_true", help="all cases of the long tests (default: a quarter)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The folders with the longest tests come first: at the end they would keep one core busy and the others idle."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(scope="session")
def quarter_unless_soaking(pytestconfig: pytest.Config) -> int:
    """What a number of cases is divided by."""
    return 1 if pytestconfig.getoption("--soak") else 4
