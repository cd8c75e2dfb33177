"""`make golden`: run both golden runs, compare them with the baseline, show the first line of each difference."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from infra.backtest.records import RunRecord
from tests.golden import baseline, runs
from tests.golden.projection import Projection, project


def main() -> int:
    """Compare (or with `--write` renew). Returns the exit code: 0 equal, 1 different, 2 not everything could run."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("--history", type=Path, help="the folder of recorded prices; without it only synthetic runs")
    parser.add_argument("--only", choices=(runs.REAL, runs.SYNTHETIC), help="run one of the two")
    parser.add_argument("--write", action="store_true", help="renew the baseline: a declared change of decisions")
    parser.add_argument("--keep", type=Path, help="also write the lines themselves into this folder, to compare by eye")
    options = parser.parse_args()
    code = 0
    for name in (runs.SYNTHETIC, runs.REAL):
        if options.only not in (None, name):
            continue
        if name == runs.REAL and (options.history is None or not options.history.is_dir()):
            print(
                f"{name}: not run, since {options.history or 'no folder'} holds no recorded prices (--history FOLDER)"
            )
            code = max(code, 2)
            continue
        begun = time.monotonic()
        record = runs.synthetic() if name == runs.SYNTHETIC else runs.real(options.history, lambda _market_ms: None)
        lines = project(record)
        print(f"{name}: {_summary(record, lines)}, {time.monotonic() - begun:.0f} s")
        if options.keep is not None:
            _keep(options.keep / name, lines)
        if options.write:
            print(f"{name}: the baseline is renewed in {baseline.save(name, lines)}")
        elif not _is_equal(name, lines):
            code = 1
    return code


def _is_equal(name: str, lines: Projection) -> bool:
    differences = baseline.compare(lines, baseline.load(name))
    for difference in differences:
        print(f"{name}: {difference}")
    print(f"{name}: {'DIFFERENT from' if differences else 'equal to'} the baseline")
    return not differences


def _summary(record: RunRecord, lines: Projection) -> str:
    total = record.equity.filter(record.equity["engine"] == "TOTAL")["equity_usdt"]
    return (
        f"{sum(map(len, lines.values())):,} lines of {len(lines)} engine-years, {record.fills.height:,} fills, "
        f"{record.transfers.height:,} transfers, {record.refusals.height:,} refusals, equity {total[-1]:,.2f} USDT"
    )


def _keep(folder: Path, lines: Projection) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for (engine, year), found in lines.items():
        (folder / f"{engine}-{year}.txt").write_text("\n".join(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
