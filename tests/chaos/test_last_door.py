"""RM-5 on the real system: with the API dead, what forbids new risk is given to the database, is in force there at its
commit, and the risk manager has carried it out within a second of that."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal

import pytest

from api.cli.door import give_directly
from api.client.running_system import Place
from infra.processes.table import is_alive
from statemachines.values import ActorName
from tests.chaos.rig import Drill, drill_folder, make_config, running

pytestmark = [pytest.mark.ray, pytest.mark.drill, pytest.mark.timeout(600)]

IN_FORCE_S = 1.0
"""RM-5: within one second of the commit."""
TRIALS = 5
LAST_DAY = date(2025, 12, 31)
PACE_S = Decimal("0.5")
POLL_S = 0.005


class Seen:
    """When the command was committed, and when the risk manager had carried it out."""

    committed: float | None = None
    carried_out: float | None = None


def test_rm5_with_the_api_dead_a_command_is_carried_out_within_a_second_of_its_commit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    spent = []
    with drill_folder() as folder, running(make_config(folder, LAST_DAY, pace_s=PACE_S)) as drill:
        place = Place(drill.system.config.data_folder)
        for number in range(TRIALS):
            action, scope = ("halt", "GLOBAL") if number % 2 else ("reduce_only", "trend-1")
            spent.append(_given_to_the_database(drill, place, action, scope))
            drill.control("normal", scope, "the next trial")
    with capsys.disabled():
        print(f"\nwith the API dead, from the commit to the risk manager's: {[round(one, 3) for one in spent]} s")  # noqa: T201
    assert max(spent) < IN_FORCE_S


def _given_to_the_database(drill: Drill, place: Place, action: str, scope: str) -> float:
    """Seconds from the commit until the risk manager's own."""
    drill.wait("the API", lambda: drill.is_running(ActorName.API) and drill.pid(ActorName.API) > 0)
    pid, name = drill.pid(ActorName.API), uuid.uuid4().hex
    os.kill(pid, signal.SIGKILL)
    with _watched(drill, name) as seen:
        body = {"action": action, "scope": scope, "reason": "the API is dead", "who": "a drill", "command_id": name}
        give_directly(place, None, body)
        drill.wait("the risk manager's commit", lambda: seen.carried_out is not None)
    drill.wait("the API's return", lambda: drill.is_running(ActorName.API) and drill.pid(ActorName.API) not in (0, pid))
    assert not is_alive(pid) and seen.committed is not None and seen.carried_out is not None
    return seen.carried_out - seen.committed


@contextmanager
def _watched(drill: Drill, command_id: str) -> Iterator[Seen]:
    seen, over = Seen(), threading.Event()

    def look() -> None:
        with drill.database() as connection:
            while not over.wait(POLL_S):
                row = connection.execute(
                    "SELECT EXISTS (SELECT FROM held_commands WHERE command_id = %(id)s), "
                    "EXISTS (SELECT FROM operator_commands WHERE command_id = %(id)s)",
                    {"id": command_id},
                ).fetchone()
                assert row is not None
                if row[0] and seen.committed is None:
                    seen.committed = time.monotonic()
                if row[1] and seen.carried_out is None:
                    seen.carried_out = time.monotonic()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(10)
