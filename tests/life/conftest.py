"""One running system for all tests that look at it or hit it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.life.system import Started, started


@pytest.fixture(scope="package")
def system() -> Iterator[Started]:
    """Up and well; whoever hits it waits until it is well again."""
    with started() as found:
        yield found
