"""The exchange on disk: an input log with a snapshot now and then; after SIGKILL it resumes where it was.

The core is deterministic, so its state is a snapshot plus the inputs since (writes, steps, deposits). A half-written
last line belongs to an input that was never answered and is dropped. Each log begins where the one before ends: while a
snapshot is being written, and after one that could not be, there are several.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import orjson

from infra.files import sync_folder, write_whole
from infra.simulator.api.context import envelope
from infra.simulator.api.exchange import AdvanceResult, ApiRequest, Exchange
from infra.simulator.api.faithful_json import logged, logged_request
from infra.simulator.api.keys import CONFIGURED, ApiKey
from infra.simulator.api.shapes.frames import Frame
from infra.simulator.config import SimConfig
from infra.simulator.credentials import Credentials
from infra.simulator.disk.child_writer import ChildWriter, Writing
from infra.simulator.market.port import Market
from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.fast_forward import NO_LIMITS
from infra.simulator.venue.orders.incidents import Incident
from infra.simulator.venue.snapshot import SnapshotError
from infra.simulator.wall_clock import WallClock, wall_ms

_log = logging.getLogger(__name__)

SNAPSHOT = "snapshot.json"
SNAPSHOT_EVERY = 5_000
SECRET_PARAMS = frozenset({"password"})


class DurableExchange:
    """An ``Exchange`` whose inputs are written to the state folder. ``sync`` puts them on the disk itself. An input
    that its log line would not repeat exactly is refused before it has any effect.

    With a ``clock`` time passes by itself (``catch_up``); without one by ``advance`` (lockstep).
    """

    def __init__(
        self,
        folder: Path,
        market: Market,
        config: SimConfig,
        credentials: Credentials,
        *,
        snapshot_every: int = SNAPSHOT_EVERY,
        clock: WallClock | None = None,
    ) -> None:
        self.clock = clock
        self.skew_ms = 0
        """How far the exchange's clock is off (a fault)."""

        self._folder = folder
        self._every = snapshot_every
        self._configured = {(key.account, key.read_only, key.number): key for key in credentials.keys.values()}
        saved: dict[str, Any] = {"inputs": 0, "state": None}
        if (folder / SNAPSHOT).exists():
            saved = orjson.loads((folder / SNAPSHOT).read_bytes())
        self._inputs: int = saved["inputs"]
        self._base: int = self._inputs
        self._child = ChildWriter()
        self.exchange = Exchange(
            market,
            replace(config, accounts=credentials.accounts),
            state=saved["state"],
            wall_ms=self.stamp_ms,
            key_root=credentials.sim_token,
        )
        self._replay()
        self._delete_logs_before(saved["inputs"])
        self._file: IO[bytes] = self._open_log()

    def handle(self, request: ApiRequest) -> dict[str, Any]:
        """``Exchange.handle``; a POST is logged, whatever became of it. By the wall clock the market is brought to the
        present before it."""
        line = b""
        if request.method == "POST":
            self.catch_up()
            if SECRET_PARAMS & request.params.keys():
                # The log of inputs must not hold them, and what is done must not depend on what is not in the log.
                kept = {name: value for name, value in request.params.items() if name not in SECRET_PARAMS}
                request = replace(request, params=kept)
            key = request.key
            signer = (key.account, key.read_only, key.number) if key else (None, False, CONFIGURED)
            account, read_only, number = signer
            entry = ["request", request.path, dict(request.params), request.uid, account, read_only, request.granted]
            try:
                line = logged_request([*entry, number])
            except VenueError as error:
                return envelope(error.code, error.message, {}, {}, self.stamp_ms())
        answer = self.exchange.handle(request)
        if line:
            self._append(line)
        return answer

    def advance(
        self, step: int, until: int | None, patient: int = 0, max_basis: Mapping[str, Decimal] = NO_LIMITS
    ) -> AdvanceResult:
        """``Exchange.advance``; logged when it did something."""
        result = self.exchange.advance(step, until, patient, max_basis)
        if result.advanced:
            basis = {name: str(limit) for name, limit in max_basis.items()}
            self._append(logged(["advance", step, until, patient, basis]))
        return result

    def stamp_ms(self) -> int:
        """The time that the exchange stamps on its answers, ms."""
        return (wall_ms() if self.clock is None else self.clock.now_ms()) + self.skew_ms

    def catch_up(self) -> None:
        """``Exchange.run_to`` the present; nothing in lockstep."""
        if self.clock is None or (now_ms := self.clock.now_ms()) <= self.exchange.market_time:
            return
        self.exchange.run_to(now_ms)
        self._append(logged(["run", now_ms]))

    def deposit(self, account: str, coin: str, amount: Decimal) -> None:
        """``Exchange.deposit``."""
        self.catch_up()
        line = logged_request(["deposit", account, coin, str(amount)])
        self.exchange.deposit(account, coin, amount)
        self._append(line)

    def transact(
        self, account: str, coin: str, kind: str, amount: Decimal, fee: Decimal, shown: Mapping[str, Any]
    ) -> None:
        """``Exchange.transact``."""
        line = logged_request(["transact", account, coin, kind, str(amount), str(fee), dict(shown)])
        self.exchange.transact(account, coin, kind, amount, fee, shown)
        self._append(line)

    def cancel_unguarded(self, account: str, product: str) -> None:
        """``Exchange.cancel_unguarded``."""
        self.catch_up()
        line = logged(["dcp", account, product])
        self.exchange.cancel_unguarded(account, product)
        self._append(line)

    def intervene(self, incident: Incident) -> None:
        """``Exchange.intervene``."""
        line = logged(["incident", dict(incident)])
        self.exchange.intervene(incident)
        self._append(line)

    def drain(self) -> list[Frame]:
        """``Exchange.drain``."""
        return self.exchange.drain()

    def sync(self) -> None:
        """Put everything appended so far on the disk. May run in another thread than the writers."""
        os.fdatasync(self._file.fileno())

    def keep_snapshots(self) -> None:
        """Begin a snapshot when the log has become long enough, and delete the logs that a finished one replaces. Does
        not wait: a child process writes it. One that fails is reported on stderr, and the logs are kept."""
        match self._child.look():
            case Writing.UNDER_WAY:
                return
            case Writing.DONE:
                self._delete_logs_before(self._base)
            case Writing.FAILED:
                _log.warning(
                    "the snapshot at input %d could not be written; the log since the last is kept", self._base
                )
        if self._inputs - self._base >= self._every:
            self._next_log()
            self._child.begin(self._write_state)

    def write_snapshot(self) -> None:
        """Write a snapshot now, and delete the logs that it replaces once it is on the disk."""
        self._child.look(wait=True)
        self._next_log()
        self._write_state()
        self._delete_logs_before(self._base)

    def _write_state(self) -> None:
        state = orjson.dumps({"inputs": self._inputs, "state": self.exchange.dump()})
        write_whole(self._folder / SNAPSHOT, lambda draft: draft.write_bytes(state))

    def _next_log(self) -> None:
        """Begin the log of the inputs from here on; those of the log before are on the disk."""
        if self._inputs == self._base:
            return
        self.sync()
        self._file.close()
        self._base = self._inputs
        self._file = self._open_log()

    def close(self) -> None:
        """Close the log; a snapshot under way is finished first."""
        self._child.look(wait=True)
        self._file.close()

    def _log_path(self) -> Path:
        return self._folder / f"inputs-{self._base}.jsonl"

    def _logs(self) -> dict[int, Path]:
        """The logs by the number of inputs before them."""
        return {int(path.stem.removeprefix("inputs-")): path for path in self._folder.glob("inputs-*.jsonl")}

    def _delete_logs_before(self, base: int) -> None:
        for begin, path in self._logs().items():
            if begin < base:
                path.unlink()

    def _open_log(self) -> IO[bytes]:
        file = self._log_path().open("ab", buffering=0)
        sync_folder(self._folder)
        return file

    def _append(self, line: bytes) -> None:
        self._file.write(line + b"\n")
        self._inputs += 1

    def _replay(self) -> None:
        logs = self._logs()
        while (path := logs.pop(self._inputs, None)) is not None:
            self._base = self._inputs
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                os.truncate(path, whole)
            for line in data[:whole].splitlines():
                self._apply(orjson.loads(line))
                self._inputs += 1
        if missing := [begin for begin in logs if begin > self._base]:
            raise SnapshotError(
                f"The log of inputs ends at {self._inputs}, but there is one from {min(missing)} on: inputs between "
                "them are lost."
            )
        self.exchange.drain()

    def _key(self, account: str, read_only: bool, number: int) -> ApiKey:
        if number > CONFIGURED:
            return next(key for key in self.exchange.keys.issued.values() if key.number == number)
        return self._configured[account, read_only, number]

    def _apply(self, entry: list[Any]) -> None:
        kind, *rest = entry
        if kind == "request":
            # Logs of earlier versions know nothing of partly granted batches and of keys made by request.
            path, params, uid, account, read_only, *later = rest
            granted = later[0] if later else None
            number = later[1] if len(later) > 1 else CONFIGURED
            key = self._key(account, read_only, number) if account else None
            self.exchange.handle(ApiRequest("POST", path, params, uid, key, granted))
        elif kind == "advance":
            # Logs of earlier versions know nothing of patience.
            step, until, patient, max_basis = (*rest, 0, {})[:4]
            self.exchange.advance(step, until, patient, {name: Decimal(text) for name, text in max_basis.items()})
        elif kind == "transact":
            account, coin, name, amount, fee, shown = rest
            self.exchange.transact(account, coin, name, Decimal(amount), Decimal(fee), shown)
        elif kind == "dcp":
            self.exchange.cancel_unguarded(*rest)
        elif kind == "incident":
            self.exchange.intervene(rest[0])
        elif kind == "run":
            self.exchange.run_to(rest[0])
        else:
            self.exchange.deposit(rest[0], rest[1], Decimal(rest[2]))
