"""The console's side of the stream (IF-3): when figures are old, when lists are read again, what is told twice."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.console.sources import CONSOLE

SCRIPT = Path(__file__).with_name("live.mjs")

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (CONSOLE / "node_modules" / "typescript").is_dir(),
    reason="without Node and the console's packages its scripts cannot be run",
)


def after(events: str) -> dict[str, Any]:
    """What a page shows after these events."""
    done = subprocess.run(["node", SCRIPT, CONSOLE, events], check=True, capture_output=True, text=True, timeout=30)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


BEGUN = "open begun state"


@pytest.mark.parametrize(
    ("events", "is_stale", "read"),
    [
        (BEGUN, False, 1),
        (f"{BEGUN} away", True, 1),
        (f"{BEGUN} away without", True, 1),
        (f"{BEGUN} away state", True, 1),  # an overview that was read before the outage
        (f"{BEGUN} away without back state", False, 2),
        (f"{BEGUN} away without open state", False, 2),  # the connection ended during the outage
        (f"{BEGUN} away without open without", True, 1),
        (f"{BEGUN} away without open without state", False, 2),
        (f"{BEGUN} away without open away state", True, 1),  # it still holds
        (f"{BEGUN} away without open away back state", False, 2),
        (f"{BEGUN} open state", False, 1),  # every minute: nothing is read again for that
    ],
)
def test_what_is_shown_is_old_as_long_as_the_database_is_away(events: str, is_stale: bool, read: int) -> None:
    """The planted defect is a console that waits for the `back` of a connection that has ended: STALE for good."""
    found = after(events)
    assert (found["is_stale"], found["read"]) == (is_stale, read)


def test_after_skipped_a_key_that_was_seen_says_nothing() -> None:
    """A restored database gives its numbers a second time."""
    assert after(f"{BEGUN} alert alert")["told"] == ["alert:a:open:0"]
    assert after(f"{BEGUN} alert skipped alert")["told"] == ["alert:a:open:0"] * 2
