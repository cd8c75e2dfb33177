"""`make mutate`: a seeded sample of small wrong changes; the score, the survivors, and failure below a bound.

Every change is made in a temporary copy of the tree, never in the checkout, and the tests of its part are run until
one fails. The copy lies where no reference material is found beside it, so only tests count that stand by themselves.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutation.changes import Change, changes_of
from tests.mutation.plan import PARTS, Part, modules

REPOSITORY = Path(__file__).resolve().parents[2]
FORK = multiprocessing.get_context("fork")
PASSED, FAILED = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sample; 0 when the share of noticed changes among those decided reaches the bound."""
    options = _parser().parse_args(arguments)
    if options.worker:
        return _worker(Path(options.worker))
    sources = {path: (REPOSITORY / path).read_text() for part in PARTS for path in modules(REPOSITORY, part)}
    sample = _sample(sources, options.count, options.seed, options.only)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="eternal-mutation-") as folder:
        workers: SimpleQueue[_Worker] = SimpleQueue()
        started = [_Worker(Path(folder) / str(number)) for number in range(options.workers)]
        for worker in started:
            workers.put(worker)

        sound: dict[Part, bool] = {}

        def judge(change: Change) -> str:
            worker = workers.get()
            try:
                part = _part_of(change.path)
                if part not in sound:
                    # Tests that fail without any change would notice everything.
                    unchanged = worker.run(part, options.timeout)
                    sound[part] = unchanged == "SURVIVED"
                    print(f"unchanged {part.sources[0]}: {unchanged.lower()}", flush=True)
                verdict = worker.judge(change, sources[change.path], options.timeout) if sound[part] else "UNSOUND"
            finally:
                workers.put(worker)
            print(f"{verdict:9} {change.path}:{change.line} {change.kind}", flush=True)
            return verdict

        try:
            with ThreadPoolExecutor(options.workers) as pool:
                verdicts = list(pool.map(judge, sample))
        finally:
            for worker in started:
                worker.end()
    return _report(sample, verdicts, sources, options.bound, time.monotonic() - began)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="how many changes (default 60; 0: all)")
    parser.add_argument("--seed", type=int, default=7, help="which sample (default 7)")
    parser.add_argument("--only", default="", help="only modules whose path begins so")
    parser.add_argument("--bound", type=float, default=0.85, help="least share that must be noticed (default 0.85)")
    parser.add_argument(
        "--timeout", type=float, default=180.0, help="seconds for the tests of one change (default 180)"
    )
    parser.add_argument("--workers", type=int, default=2, help="changes tried at the same time (default 2)")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    return parser


def _sample(sources: dict[str, str], count: int, seed: int, only: str) -> list[Change]:
    """Every part in turn, so that a large one does not crowd out the others."""
    rng = random.Random(seed)
    piles: list[list[Change]] = []
    for part in PARTS:
        paths = [path for path in modules(REPOSITORY, part) if path.startswith(only)]
        pile = [change for path in paths for change in changes_of(path, sources[path])]
        rng.shuffle(pile)
        piles.append(pile)
    found: list[Change] = []
    while any(piles) and (count == 0 or len(found) < count):
        found += [pile.pop() for pile in piles if pile]
    return found[:count] if count else found


def _report(
    sample: Sequence[Change], verdicts: Sequence[str], sources: dict[str, str], bound: float, took_s: float
) -> int:
    survivors = [change for change, verdict in zip(sample, verdicts, strict=True) if verdict == "SURVIVED"]
    for change in survivors:
        print(f"\n{change.path}:{change.line} ({change.kind})\n{change.diff(sources[change.path])}")
    decided = sum(verdict in ("NOTICED", "SURVIVED") for verdict in verdicts)
    score = 1 - len(survivors) / decided if decided else 0.0
    told = ", ".join(f"{count} {verdict.lower()}" for verdict, count in Counter(verdicts).most_common())
    print(f"\n{len(sample)} changes in {took_s:.0f} s: {told}")
    print(f"{score:.1%} of the {decided} that were decided were noticed; the bound is {bound:.0%}.")
    if "UNSOUND" in verdicts:
        print("Unsound: tests of a part fail, or take too long, without any change; run them first.")
        return 1
    return 0 if score >= bound else 1


def _part_of(path: str) -> Part:
    return next(part for part in PARTS if any(path == one or path.startswith(f"{one}/") for one in part.sources))


class _Worker:
    """A copy of the tree with a process in it that has the libraries loaded and forks for each change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build")
        shutil.copytree(REPOSITORY, folder, ignore=ignored)
        environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        environment["HYPOTHESIS_STORAGE_DIRECTORY"] = str(folder / "hypothesis")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutation", "--worker", str(folder)],
            cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def judge(self, change: Change, source: str, timeout_s: float) -> str:
        """What the tests say of a change."""
        place = self._folder / change.path
        place.write_text(change.apply(source))
        try:
            return self.run(_part_of(change.path), timeout_s)
        finally:
            place.write_text(source)

    def run(self, part: Part, timeout_s: float) -> str:
        """NOTICED, SURVIVED, or UNDECIDED: the tests did not end in time (a loop without end, or a busy machine)."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{timeout_s} {' '.join(part.tests)}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip() or "UNDECIDED"

    def end(self) -> None:
        """Close its input, upon which it ends."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _worker(folder: Path) -> int:
    """Answer each line of standard input, time-out and tests, with one verdict."""
    import hypothesis
    import orjson  # noqa: F401
    import polars  # noqa: F401
    import psycopg  # noqa: F401
    import pybit  # noqa: F401
    import pydantic  # noqa: F401
    import transitions  # noqa: F401

    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutation", phases=phases, derandomize=True, database=None)
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        timeout, *tests = line.split()
        child = FORK.Process(target=_run_tests, args=(tests,))
        child.start()
        child.join(float(timeout))
        verdict = "SURVIVED" if child.exitcode == PASSED else "NOTICED"
        if child.is_alive():
            assert child.pid is not None
            os.killpg(child.pid, signal.SIGKILL)
            child.join()
            verdict = "UNDECIDED"
        answers.write(f"{verdict}\n")
        answers.flush()
    return 0


def _run_tests(tests: Sequence[str]) -> None:
    """In a process group of its own, silent: ends with pytest's code."""
    import hypothesis
    import pytest

    os.setpgid(0, 0)
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    hypothesis.settings.load_profile("mutation")
    os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])))


if __name__ == "__main__":
    sys.exit(main())
