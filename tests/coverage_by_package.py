"""What `make coverage` shows: lines and branches that the tests reach, per package.

    python -m tests.coverage_by_package build/coverage.json

Code that runs in other processes (Ray's workers, the simulated exchange as a server) is not measured, so the shares of
`actors`, `orchestrator` and `api` are lower than what the tests under Ray prove.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def by_package(report: Mapping[str, Any]) -> Iterator[str]:
    """One line per top-level package and one for all, from the report that `coverage json` writes."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for file, found in report["files"].items():
        figures = found["summary"]
        counts = [figures[name] for name in ("covered_lines", "num_statements", "covered_branches", "num_branches")]
        for name in (Path(file).parts[0], "all"):
            sums[name] = [old + new for old, new in zip(sums[name], counts, strict=True)]
    yield f"{'package':<16} {'lines':>16} {'branches':>20}"
    for name in sorted(sums, key=lambda one: (one == "all", one)):
        lines, all_lines, branches, all_branches = sums[name]
        yield (
            f"{name:<16} {lines:>6} of {all_lines:>6} {_share(lines, all_lines)} "
            f"{branches:>6} of {all_branches:>6} {_share(branches, all_branches)}"
        )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:6.1%}" if whole else "     -"


if __name__ == "__main__":
    for line in by_package(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))):
        sys.stdout.write(f"{line}\n")
