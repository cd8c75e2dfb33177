"""The house with one more engine: the real folders, and beside them the toy's folder and file; nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOY = Path(__file__).resolve().parent / "toy"


def build(place: Path) -> Path:
    """A copy (by links) of `statemachines/` and `actors/` in `place`, with what the toy adds. Returns `place`."""
    for folder in ("statemachines", "actors"):
        (place / folder).mkdir()
        for source in (ROOT / folder, TOY / folder):
            for entry in source.iterdir():
                if entry.name != "__pycache__":
                    (place / folder / entry.name).symlink_to(entry)
    return place


def run(place: Path, *arguments: str, timeout_s: float) -> str:
    """What `python -m <arguments>` prints in the extended house; everything but the two folders is the real one."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(place), str(ROOT))), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
