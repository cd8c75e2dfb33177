"""How long the tests of each folder may take, and what a run took: `make test` shows it at its end, by
`python -m tests.budget FILE`.

The seconds are those of the tests themselves, added over all that run beside each other; so a folder of 60 s costs
about 30 s of waiting on two cores. What exceeds its budget belongs into `make soak`.
"""

from __future__ import annotations

import fcntl
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

BUDGET_S: Mapping[str, int] = {
    "actors": 15,
    "api": 150,
    "browser": 40,
    "chaos": 150,
    "conformance": 50,
    "console": 30,
    "docs": 15,
    "eternal": 5,
    "golden": 15,
    "house": 10,
    "infra": 290,
    "kit": 5,
    "layers": 50,
    "life": 230,
    "live": 200,
    "orchestrator": 30,
    "simulation": 300,
    "statemachines": 215,
}
"""The only place of the budgets, by folder below `tests/`. Together they let `make test` end within `WHOLE_S`."""

ONE_AFTER_ANOTHER = ("chaos", "life", "live")
"""Folders whose tests start the whole system: one after another, beside the others, which share the cores."""

WHOLE_S = 900
"""Wall time of `make test` on two cores."""

FAST_S = 90
"""Wall time of `make test-fast`."""

LONGEST = 3


class Spent:
    """Seconds of each test, as its reports come in; with pytest-xdist they come to the controller."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._began = time.monotonic()
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for setup, call and teardown of every test."""
        self.seconds[report.nodeid] += report.duration  # type: ignore[assignment]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A fast run says how long it took; otherwise the seconds are added to the file."""
        if self._file is None:
            text = over_wall_time(time.monotonic() - self._began, self.seconds)
            terminalreporter.write_line(text)
            return
        add_to(self._file, self.seconds)


def add_to(file: Path, seconds: Mapping[str, float]) -> None:
    """Add a run's seconds to those in the file. Two runs may end at once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        text = kept.read()
        all_seconds = Counter(json.loads(text)) if text else Counter[str]()
        all_seconds.update(seconds)
        kept.truncate(0)
        kept.write(json.dumps(all_seconds))


def told(seconds: Mapping[str, float]) -> Iterator[str]:
    """The lines of the table, then a sentence for each folder that exceeds its budget or has none."""
    folders: Counter[str] = Counter()
    for test, one in seconds.items():
        folders[folder_of(test)] += one  # type: ignore[assignment]
    for name, spent in sorted(folders.items()):
        yield f"tests/{name:<16} {spent:6.0f} s of {BUDGET_S.get(name, 0):4d} s"
    yield f"{'all':<22} {sum(folders.values()):6.0f} s of {sum(BUDGET_S.values()):4d} s"
    for name, spent in sorted(folders.items()):
        if name not in BUDGET_S:
            yield f"tests/{name} has no budget: give it one in tests/budget.py."
        elif spent > BUDGET_S[name]:
            longest = longest_of({test: one for test, one in seconds.items() if folder_of(test) == name})
            yield (
                f"tests/{name} took {spent:.0f} s, more than its budget of {BUDGET_S[name]} s: its longest tests "
                f"should move to `make soak`: {longest}."
            )


def over_wall_time(spent_s: float, seconds: Mapping[str, float]) -> str:
    """What `make test-fast` says at its end."""
    if spent_s <= FAST_S:
        return f"{spent_s:.0f} s of {FAST_S} s."
    longest = longest_of(seconds)
    return f"{spent_s:.0f} s are more than the {FAST_S} s that `make test-fast` may take; mark as slow: {longest}."


def longest_of(seconds: Mapping[str, float]) -> str:
    """The longest tests with their seconds."""
    tests = sorted(seconds.items(), key=lambda item: -item[1])[:LONGEST]
    return ", ".join(f"{test} ({one:.1f} s)" for test, one in tests)


def folder_of(test: str) -> str:
    """The folder below `tests/` that a test's id begins with."""
    parts = test.partition("::")[0].split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "tests" else parts[-1]


if __name__ == "__main__":
    for one_line in told(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))):
        sys.stdout.write(one_line + "\n")
