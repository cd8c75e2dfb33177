"""Two minutes of the real thing (issue 9, 10): until now no profile but paper had ever run.

One start for all: at rest nothing alarms; then the network and the exchange do what they do, and each switch of RM-4
trips by what is measured, and ends by it. Each phase fails when the measurement behind it stands still: it is the
exchange's clock, the streams' age and the answers themselves that are waited for, through the whole system.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.life.system import ROOT
from tests.live.faults import AWAY, HOLD_DATA, SKEW
from tests.live.world import STREAMS, World, running_world

pytestmark = pytest.mark.live

GOOD_S = 8
STALE_S = 10
FASTER = ("--set", f"risk.switches.readings.good_s={GOOD_S}", "--set", f"risk.switches.readings.stale_s={STALE_S}")
"""The only settings that differ from an operator's: five good minutes and a minute of stale data would make the test
ten minutes long. `make soak` uses the defaults."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world(*FASTER) as found:
        yield found


def test_at_rest_everything_is_connected_and_nothing_alarms(world: World) -> None:
    health = world.wait("every actor running", lambda: _all_running(world), 60)
    assert len(health["market-data"]["data_age_s"]) == 2, "one public stream of each category"
    assert len(health["order-manager"]["silence_s"]) == STREAMS - 2, "one private stream of each sub-account"
    assert max(health["market-data"]["data_age_s"].values()) < STALE_S / 2, "a price every second"
    assert not any(row["stream_faults"] for row in health.values())
    assert world.open_alerts() == []
    assert world.global_state() == "NORMAL"


def test_the_ledger_is_checked_against_the_exchange_it_trades_on(world: World) -> None:
    """It was checked against Bybit's own host: `[addresses]` was left out, and signed requests went there."""
    command = ["ledger", "check", "--json", "--data", str(world.system.config.data_folder)]
    done = subprocess.run(
        [sys.executable, "-c", "from api.cli.main import main; main()", *command],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["differences"] == [] and any(one["account"] == "TREND-1" for one in report["figures"])


def test_streams_that_break_come_back_by_themselves_and_trip_nothing(world: World) -> None:
    assert world.faults.cut() == STREAMS
    world.wait("the streams being down", lambda: not _all_subscribed(world), 5)
    world.wait("the streams being back", lambda: _all_subscribed(world), 20)
    assert world.global_state() == "NORMAL"
    assert world.open_alerts() == []


def test_an_exchange_that_is_away_stops_entries_until_it_was_back_for_long_enough(world: World) -> None:
    """RM-4: more than 30 s without an answer. The data are stale before that."""
    with world.faults.active(AWAY):
        world.wait("the switch", lambda: world.is_tripped("exchange_unreachable"), 45)
        assert "nothing was received" in world.readings("exchange_unreachable")[-1][1]
        assert world.is_tripped("market_data_stale")
        assert world.global_state() == "REDUCE_ONLY"
    world.wait("NORMAL", lambda: world.global_state() == "NORMAL", 60)
    assert not world.is_tripped("exchange_unreachable") and not world.is_tripped("market_data_stale")
    world.wait("all being well", world.system.is_well, 20)


def test_market_data_that_stand_still_on_a_living_connection_stop_entries(world: World) -> None:
    with world.faults.active(HOLD_DATA):
        world.wait("REDUCE_ONLY", lambda: world.global_state() == "REDUCE_ONLY", STALE_S + 10)
        assert world.is_tripped("market_data_stale") and not world.is_tripped("exchange_unreachable")
        assert world.faults.hits() > 0
    world.wait("NORMAL", lambda: world.global_state() == "NORMAL", GOOD_S + 30)


def test_a_clock_that_is_off_by_more_than_a_second_stops_entries(world: World) -> None:
    with world.faults.active(SKEW):
        world.wait("REDUCE_ONLY", lambda: world.global_state() == "REDUCE_ONLY", 20)
        assert world.is_tripped("clock_off") and not world.is_tripped("market_data_stale")
    world.wait("NORMAL", lambda: world.global_state() == "NORMAL", GOOD_S + 30)


def test_after_all_that_nothing_is_left_open(world: World) -> None:
    world.wait("all being well", world.system.is_well, 20)
    assert world.open_alerts() == []
    assert world.rows("SELECT count(*) FROM exchange_calls WHERE status <> 'ANSWERED'") in ([], [(0,)])
    assert all(row["restarts"] == 0 for row in world.health().values())


def _all_running(world: World) -> dict[str, object] | None:
    health = world.health()
    return health if all(row["state"] == "RUNNING" for row in health.values()) else None


def _all_subscribed(world: World) -> bool:
    health = world.health()
    return not any(row["stream_faults"] for row in health.values())
