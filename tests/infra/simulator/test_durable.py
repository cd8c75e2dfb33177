"""The state folder: input log, snapshots, a half-written last line, keys (RE-1, SE-3)."""

from __future__ import annotations

import os
import signal
import time
from decimal import Decimal
from pathlib import Path

import pytest

from infra.simulator.api import ApiRequest
from infra.simulator.config import SimConfig
from infra.simulator.credentials import load_or_create
from infra.simulator.disk.durable import DurableExchange
from infra.simulator.market.path import DAY_MS
from infra.simulator.ratelimit import RateLimiter
from infra.simulator.venue.snapshot import SnapshotError
from tests.infra.simulator.venue.world import WAVE, TinyMarket
from tests.waiting import until


def _open(folder: Path, every: int = 5_000) -> DurableExchange:
    market = TinyMarket(WAVE, funding={8: "0.0001"})
    return DurableExchange(folder, market, SimConfig(), load_or_create(folder), snapshot_every=every)


def _trade(durable: DurableExchange, folder: Path, number: int) -> None:
    uid = next(one.uid for one in durable.exchange.config.accounts if one.name == "TREND-1")
    body = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.001"}
    key = next(key for key in load_or_create(folder).keys.values() if key.account == "TREND-1")
    request = ApiRequest("POST", "/v5/order/create", body | {"orderLinkId": f"n{number}"}, uid, key)
    assert durable.handle(request)["retCode"] == 0
    durable.advance(durable.exchange.step, None)


def _reopens_the_same(durable: DurableExchange, folder: Path) -> None:
    before = durable.exchange.dump()
    durable.close()
    again = _open(folder)
    assert again.exchange.dump() == before
    again.close()


@pytest.mark.parametrize("every", [1, 4, 5_000])
def test_a_reopened_folder_has_the_same_state_whatever_the_snapshots(tmp_path: Path, every: int) -> None:
    durable = _open(tmp_path, every)
    for number in range(13):
        _trade(durable, tmp_path, number)
        durable.drain()
        durable.keep_snapshots()
    before = durable.exchange.dump()
    durable.close()
    again = _open(tmp_path, every)
    assert again.exchange.dump() == before
    _trade(again, tmp_path, 99)
    again.write_snapshot()
    again.close()
    assert len(list(tmp_path.glob("inputs-*.jsonl"))) == 1


def _ends_in_the_child(durable: DurableExchange, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snapshot's child dies `at` this function of its work."""
    with monkeypatch.context() as patched:
        patched.setattr(f"infra.simulator.disk.durable.{at}", lambda *_a, **_k: os.kill(os.getpid(), signal.SIGKILL))
        durable.keep_snapshots()


@pytest.mark.parametrize("at", ["orjson.dumps", "write_whole"])
def test_a_snapshot_whose_writer_dies_loses_nothing_and_the_next_one_replaces_all_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    durable = _open(tmp_path, 4)
    for number in range(3):
        _trade(durable, tmp_path, number)
    _ends_in_the_child(durable, at, monkeypatch)
    _trade(durable, tmp_path, 9)  # belongs to the second log
    assert len(list(tmp_path.glob("inputs-*.jsonl"))) == 2 and not (tmp_path / "snapshot.json").exists()
    before = durable.exchange.dump()
    durable.close()
    again = _open(tmp_path, 4)
    assert again.exchange.dump() == before
    for number in range(20, 24):
        _trade(again, tmp_path, number)
        again.keep_snapshots()
    again.close()
    third = _open(tmp_path, 4)
    assert third.exchange.dump() == again.exchange.dump()
    third.close()
    assert min(int(path.stem.removeprefix("inputs-")) for path in tmp_path.glob("inputs-*.jsonl")) > 0


def test_a_lost_log_between_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    durable = _open(tmp_path, 4)
    for number in range(3):
        _trade(durable, tmp_path, number)
    _ends_in_the_child(durable, "write_whole", monkeypatch)
    _trade(durable, tmp_path, 9)
    durable.close()
    (tmp_path / "inputs-0.jsonl").unlink()
    with pytest.raises(SnapshotError, match="inputs between them are lost"):
        _open(tmp_path, 4)


def test_a_snapshot_takes_no_time_of_the_exchange_and_its_writer_holds_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EX-7: with 30,000 orders an exchange that wrote its own snapshot stood still for two seconds."""
    durable = _open(tmp_path, 4)
    for number in range(3):
        _trade(durable, tmp_path, number)
    before = _children()
    with (tmp_path / "held").open("w"):
        begun = time.monotonic()
        with monkeypatch.context() as patched:
            patched.setattr("infra.simulator.disk.durable.write_whole", lambda *_: time.sleep(60))
            durable.keep_snapshots()
        assert time.monotonic() - begun < 5
        (pid,) = _children() - before
        until(lambda: all(int(fd) <= 2 for fd in os.listdir(f"/proc/{pid}/fd")))
    _trade(durable, tmp_path, 9)
    _trade(durable, tmp_path, 10)
    _trade(durable, tmp_path, 11)
    durable.keep_snapshots()
    assert _children() - before == {pid}, "while it is at work no second one begins"
    os.kill(pid, signal.SIGKILL)
    _reopens_the_same(durable, tmp_path)


def _children() -> set[int]:
    return {int(one) for one in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def test_a_half_written_last_line_is_dropped(tmp_path: Path) -> None:
    durable = _open(tmp_path)
    _trade(durable, tmp_path, 1)
    before = durable.exchange.dump()
    durable.close()
    (log,) = tmp_path.glob("inputs-*.jsonl")
    whole = log.read_bytes()
    log.write_bytes(whole + b'["advance",1,nu')
    again = _open(tmp_path)
    assert again.exchange.dump() == before
    assert log.read_bytes() == whole
    again.close()


def test_a_refused_request_leaves_no_trace_after_a_restart(tmp_path: Path) -> None:
    durable = _open(tmp_path)
    uid = durable.exchange.config.accounts[2].uid
    reader = next(key for key in load_or_create(tmp_path).keys.values() if key.read_only)
    body = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.001"}
    assert durable.handle(ApiRequest("POST", "/v5/order/create", body, uid, reader))["retCode"] == 10005
    _reopens_the_same(durable, tmp_path)


def test_a_snapshot_of_another_market_is_refused(tmp_path: Path) -> None:
    durable = _open(tmp_path)
    durable.write_snapshot()
    durable.close()
    other = TinyMarket(WAVE)
    other.label = "another"
    with pytest.raises(SnapshotError, match="belongs to the market 'tiny'"):
        DurableExchange(tmp_path, other, SimConfig(), load_or_create(tmp_path))


def test_folders_have_their_own_identity_and_secrets_stay_out_of_repr(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    first, second = (load_or_create(folder) for folder in folders)
    assert first.instance != second.instance
    assert first.accounts[0].uid != second.accounts[0].uid
    assert load_or_create(folders[0]) == first
    shown = repr(first)
    assert first.sim_token not in shown
    assert all(key.secret not in shown for key in first.keys.values())


def test_the_rate_window_rolls() -> None:
    limiter = RateLimiter(enforced=True)
    assert all(limiter.ask(1, "/x", "", 5, 1, 1000 + n).allowed for n in range(5))
    refused = limiter.ask(1, "/x", "", 5, 1, 1500)
    assert (refused.allowed, refused.reset_ms) == (False, 2000)
    assert limiter.ask(2, "/x", "", 5, 1, 1500).allowed
    assert limiter.ask(1, "/x", "", 5, 1, 2000).allowed


def test_hours_passed_over_are_passed_over_again_after_a_restart(tmp_path: Path) -> None:
    durable = _open(tmp_path)
    durable.advance(0, None)
    passed = durable.advance(1, None, durable.exchange.market_time + DAY_MS, {"BTCUSDT": Decimal("0.02")})
    assert len(passed.passed_ms) > 3
    _reopens_the_same(durable, tmp_path)


def test_a_log_from_before_patience_was_known_is_read(tmp_path: Path) -> None:
    durable = _open(tmp_path)
    durable.advance(0, None)
    durable.advance(1, None)
    before = durable.exchange.dump()
    durable.close()
    (log,) = tmp_path.glob("inputs-*.jsonl")
    log.write_bytes(log.read_bytes().replace(b",0,{}]", b"]"))
    assert b"{}" not in log.read_bytes()
    again = _open(tmp_path)
    assert again.exchange.dump() == before
    again.close()


def test_a_snapshot_whose_write_fails_leaves_the_one_before_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: the folder opens with the old snapshot and the log since."""
    durable = _open(tmp_path)
    _trade(durable, tmp_path, 1)
    durable.write_snapshot()
    _trade(durable, tmp_path, 2)
    before = durable.exchange.dump()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            durable.write_snapshot()
    durable.close()
    assert not [path.name for path in tmp_path.iterdir() if "draft" in path.name or path.suffix == ".tmp"]
    again = _open(tmp_path)
    assert again.exchange.dump() == before
    again.close()


def test_the_keys_are_readable_by_their_owner_only_and_kept_by_whoever_comes_second(tmp_path: Path) -> None:
    first, second = load_or_create(tmp_path), load_or_create(tmp_path)
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert first.sim_token == second.sim_token and [path.name for path in tmp_path.iterdir()] == ["keys.json"]
