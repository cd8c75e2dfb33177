"""What the simulated exchange says of a market that it cannot serve from a folder in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.simulator.__main__ import UsageError, _arguments, choose_market

pytestmark = pytest.mark.slow


def test_another_market_for_a_folder_in_use_is_refused_in_dates(tmp_path: Path) -> None:
    """It showed dictionaries with milliseconds, and no way out."""
    begun = ["--state", str(tmp_path), "--seed", "2", "--from", "2025-01-01", "--to", "2025-02-01"]
    choose_market(_arguments(begun), tmp_path)
    choose_market(_arguments(begun), tmp_path)
    other = [*begun[:-1], "2025-03-01"]
    with pytest.raises(UsageError, match=r"to 2025-02-01.* to 2025-03-01.*eternal reset"):
        choose_market(_arguments(other), tmp_path)
