"""What RM-4 reads off the streams is measured: on real sockets, without Ray, against the exchange by the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.bybit.credentials import from_simulator
from infra.bybit.streams.connection import StreamState
from infra.bybit.streams.subscriptions import PrivateStreams, PublicStreams
from infra.simulator.wall_clock import wall_ms
from statemachines.values import LINEAR, Account
from tests.live.faults import AWAY, HOLD_DATA, ExchangeFaults
from tests.live.world import wall_clock_exchange
from tests.waiting import until

pytestmark = pytest.mark.live
STALE_S = 2.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exchange")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with wall_clock_exchange(folder) as (_, found):
        yield found


@pytest.fixture(scope="module")
def faults(url: str, folder: Path) -> Iterator[ExchangeFaults]:
    found = ExchangeFaults(url, folder / "exchange")
    yield found
    found.close()


@contextmanager
def started(streams: Any) -> Iterator[Sequence[Any]]:
    taken: list[Any] = []
    streams.start(lambda body, _id, _ms: taken.append(body), lambda _name: None)
    try:
        until(lambda: all(state is StreamState.SUBSCRIBED for state in streams.states().values()))
        yield taken
    finally:
        streams.stop()


def public(url: str) -> PublicStreams:
    return PublicStreams(
        url.replace("http", "ws"), ((LINEAR, "BTCUSDT"),), kinds=("kline", "tickers", "orderbook"),
        quote_gap_s=0.5, stale_s=STALE_S, now_ms=wall_ms,
    )  # fmt: skip


def test_data_grow_old_on_a_living_connection_and_a_rebuilt_one_makes_them_no_newer(
    url: str, faults: ExchangeFaults
) -> None:
    streams = public(url)
    with started(streams) as taken:
        until(lambda: bool(taken))
        assert streams.data_age_s()["public linear"] < 1.5
        with faults.active(HOLD_DATA):
            _poll(lambda: bool(streams.faults()), 6)
            assert "no data" in streams.faults()[0], "it is rebuilt"
            _poll(lambda: not streams.faults(), 6)
            assert streams.data_age_s()["public linear"] > STALE_S, "subscribed again, the data are as old as before"
        _poll(lambda: streams.data_age_s()["public linear"] < 1.0, 6)


def test_a_private_stream_is_silent_from_when_it_broke_and_not_from_its_last_pong(
    url: str, faults: ExchangeFaults, folder: Path
) -> None:
    """Found by the first soak: at rest nothing comes but a pong every 20 s, so an outage of 15 s looked like one of
    35 s and tripped the switch of 30 s."""
    account = Account.FUNDING
    streams = PrivateStreams(
        url.replace("http", "ws"), from_simulator(folder / "exchange" / "keys.json"), (account,), wall_ms
    )
    name = f"private {account}"
    with started(streams):
        rest_s = time.monotonic() + 2.0
        while time.monotonic() < rest_s:
            assert streams.silence_s() == {name: 0.0}, "nothing comes, and nothing need come before the next ping"
            time.sleep(0.1)
        broke_at = time.monotonic()
        with faults.active(AWAY):
            until(lambda: streams.states()[name] is StreamState.DOWN)
            assert 0 < streams.silence_s()[name] <= time.monotonic() - broke_at + 0.2
            _poll(lambda: streams.silence_s()[name] > 2.0, 3)
        _poll(lambda: streams.silence_s()[name] == 0.0, 8)


def _poll(condition: Callable[[], bool], patience_s: float) -> None:
    """`until` with its own patience."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")
