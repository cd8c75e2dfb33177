"""`python -m tests.simulation.matrix`: write docs/fault-matrix.md."""

from __future__ import annotations

import sys

from tests.simulation.matrix.document import TARGET, markdown

if __name__ == "__main__":
    TARGET.write_text(markdown(), encoding="utf-8")
    sys.stdout.write(f"{TARGET.name} is written.\n")
