"""Options of the test run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--fuzz=5000`: how many mutated answers and frames, and how many strange requests, each fuzz test tries."""
    parser.addoption("--fuzz", type=int, default=0, help="cases of each fuzz test (default: a quick share)")
