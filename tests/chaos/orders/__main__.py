"""``make chaos-orders KILLS=200``: random processes are killed or frozen during bursts of orders on a running system.

Ends with an error when an order was lost or doubled, when two records differ, or when something did not come back. How
long recoveries take is printed; `make recovery` judges it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys

from tests.chaos.orders.campaign import Findings, summary
from tests.chaos.orders.one_system import campaign, tell
from tests.chaos.orders.system import OVERRIDES, PROBES
from tests.chaos.orders.victims import VICTIMS, draw

KILLS_A_SYSTEM = 50
"""Then a new one begins: the simulated exchange keeps every order, and repeats its log of inputs when it is killed."""


def main() -> int:
    """Run the kills and print their figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.orders", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--victim", action="append", choices=list(VICTIMS), help="only this kind; may be repeated")
    options = parser.parse_args()

    for text in OVERRIDES:
        tell(f"override  {text}")
    for text in PROBES:
        tell(f"probe     {text}")
    findings = Findings()
    blows = draw(options.kills, options.seed, options.victim or tuple(VICTIMS))
    for first in range(0, len(blows), KILLS_A_SYSTEM):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            findings.add(pool.apply(campaign, (blows[first : first + KILLS_A_SYSTEM], options.seed + first)))
        if findings.stranded:
            break
    for line in summary(findings):
        tell(line)
    return 0 if findings.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
