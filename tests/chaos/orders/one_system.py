"""One system, from its start to its end, under a number of blows."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.chaos.orders.campaign import Campaign, Findings
from tests.chaos.orders.feeder import Feeder, Shape
from tests.chaos.orders.system import BurstAssembly, BurstSystem, make_config
from tests.chaos.orders.victims import Blow
from tests.chaos.rig import drill_folder, running


def tell(line: str) -> None:
    """Print at once: a run takes long."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def campaign(blows: Sequence[Blow], seed: int) -> Findings:
    """Carry out the blows on a system of their own, in a process of its own: Ray's client library takes one cluster's
    token for the life of its process."""
    findings = Findings()
    try:
        with drill_folder() as folder, running(make_config(folder, seed), BurstAssembly, BurstSystem) as drill:
            feeder = Feeder(drill.system)
            try:
                Campaign(drill, feeder, Shape(), findings, tell).run(blows)
            finally:
                feeder.end()
    except AssertionError as error:
        findings.stranded.append(str(error))
        tell(f"      {error}")
    return findings
