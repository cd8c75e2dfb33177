"""The simulated exchange as a child process of the launch: started, watched, restarted on the same port."""

from __future__ import annotations

import contextlib
import json
import logging
import selectors
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO

from actors.runtime.granted_time import GrantedTime
from infra.config import EternalConfig
from infra.faults import OperatorError
from infra.processes.environment import Run, child_environment
from infra.processes.table import cpu_s, end_child, is_stopped
from statemachines.values import ACCOUNT_OF

_log = logging.getLogger(__name__)

SYNTHETIC_FROM = date(2025, 1, 1)
SYNTHETIC_DAYS = 5 * 365
STALL_S = 60.0
"""A start that uses no processor time for so long (granted seconds) has stalled."""

STOP_TIMEOUT_S = 2.0
HUNG_S = 12.0
"""It answers the time of day at once, also while a step is computed in parts; silent for so long (granted seconds) it
hangs and is replaced. A frozen one is replaced at the second look."""

ASK_EVERY_S = 1.0
ANSWER_TIMEOUT_S = 5.0
TIME_PATH = "/v5/market/time"
ROLE = "exchange"


class SimulatorError(OperatorError):
    """The simulated exchange does not start; the text says why and where its log is."""


class SimulatorProcess:
    """One simulated exchange on `config.exchange_folder`. It outlives our actors and resumes at the same instant.

    With a `speed` it runs by the wall clock, so many market seconds in a second, and without our actors; `options` are
    further ones of its own (a scenario, its depth).
    """

    def __init__(
        self,
        config: EternalConfig,
        run: Run | None = None,
        granted: GrantedTime | None = None,
        speed: int | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self._speed = speed
        self._options = tuple(options)
        self.folder = config.exchange_folder
        self.url = ""
        self.instance = ""
        self.restarts = 0
        self._exchange = config.exchange
        self._child: subprocess.Popen[bytes] | None = None
        self._log_file: IO[bytes] | None = None
        self._run = run
        self._granted = granted or GrantedTime()
        self._answered_s = 0.0
        self._asked_at = 0.0
        self._frozen_looks = 0
        self._is_ending = False
        self._turn = threading.Lock()
        """Held while a child is begun or taken to be ended, so that it is either seen by `stop` or never begun."""

    @property
    def keys_file(self) -> Path:
        """The keys the exchange has made for the accounts (mode 0600)."""
        return (self.folder / "keys.json").resolve()

    @property
    def market(self) -> str:
        """Which market its folder belongs to, in words."""
        path = self.folder / "market.json"
        if not path.exists():
            return ""
        known = json.loads(path.read_text())
        return (
            f"recorded history, folder {Path(known['history']).name}"
            if "history" in known
            else (f"synthetic market, seed {known['seed']}")
        )

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    def start(self) -> str:
        """Start it and return its address.

        Raises:
            SimulatorError: it ended at once or did not answer in time.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        port = self._exchange.port or (int(self.url.rpartition(":")[2]) if self.url else 0)
        with self._turn:  # one that is begun while the launch ends would be ended by nothing
            if self._is_ending:
                raise SimulatorError("the simulated exchange is not started: the system is being ended.")
            self._log_file = open(self.folder / "exchange.log", "ab")  # noqa: SIM115 - held while the child lives
            child = self._child = subprocess.Popen(
                self._command(port),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._log_file,
                env=child_environment(self._run, ROLE),
                process_group=0,  # Ctrl-C is for the launch alone
            )
        line = self._first_line(child)
        self.url, self.instance = line["url"], line["instance"]
        self._answered_s, self._frozen_looks = self._granted.now_s(), 0
        return self.url

    def ensure_running(self) -> str:
        """Start it again on the same port when it has died or hangs; what was wrong, or nothing when it is well."""
        child = self._child
        if child is None:
            return ""
        code = child.poll()
        trouble = f"had died (exit code {code})" if code is not None else self._hung(child.pid)
        if not trouble:
            return ""
        _log.warning("the simulated exchange %s; it is started again", trouble)
        if code is None:
            child.kill()
            child.wait()
        self._close()
        self.start()
        self.restarts += 1
        return trouble

    def _hung(self, pid: int) -> str:
        if is_stopped(pid):
            # Not asked: an answer that cannot come would be waited for between the two looks.
            self._frozen_looks += 1
            return "was frozen" if self._frozen_looks >= 2 else ""
        self._frozen_looks = 0
        if time.monotonic() - self._asked_at >= ASK_EVERY_S:
            self._asked_at = time.monotonic()
            if self._answers():
                self._answered_s = self._granted.now_s()
        silent_s = self._granted.now_s() - self._answered_s
        return f"had not answered for {silent_s:.0f} s" if silent_s > HUNG_S else ""

    def _answers(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.url + TIME_PATH, timeout=ANSWER_TIMEOUT_S) as answer:
                return bool(answer.read())
        except OSError:
            return False

    def wait(self) -> None:
        """Until it ends, or Ctrl-C."""
        if self._child is not None:
            with contextlib.suppress(KeyboardInterrupt):
                self._child.wait()

    def stop(self) -> None:
        """End it, also while it starts or is frozen; its state stays in its folder."""
        with self._turn:
            self._is_ending = True
            child, self._child = self._child, None
        if child is None:
            return
        end_child(child, STOP_TIMEOUT_S)
        if child.stdout is not None:
            child.stdout.close()
        self._close()

    def _close(self) -> None:
        if self._log_file is not None:
            self._log_file.close()
            self._log_file = None

    def _command(self, port: int) -> list[str]:
        program = [sys.executable, "-m", "infra.simulator", "--state", str(self.folder), "--port", str(port)]
        accounts = [part for account in ACCOUNT_OF.values() for part in ("--account", account.value)]
        # In lockstep a market day takes seconds: quotas, which count in wall time, would refuse what a day spreads.
        clock = ["--no-rate-limits"] if self._speed is None else ["--clock", "wall", "--speed", str(self._speed)]
        return [*program, "--end-with-parent", *clock, *accounts, *self._options, *self._market_arguments()]

    def _market_arguments(self) -> list[str]:
        """A folder in use keeps its market; the arguments are only compared then."""
        exchange = self._exchange
        period: list[str] = []
        if exchange.history is not None:
            source = ["--history", str(exchange.history)]
        elif (self.folder / "market.json").exists():
            return []
        else:
            source = ["--seed", str(exchange.seed)]
            if self._speed is not None and exchange.from_day is None:
                return source  # from today on
            first = exchange.from_day or SYNTHETIC_FROM
            last = exchange.to_day or first + timedelta(days=SYNTHETIC_DAYS)
            return [*source, "--from", str(_ms(first)), "--to", str(_ms(last))]
        if exchange.from_day is not None:
            period += ["--from", str(_ms(exchange.from_day))]
        if exchange.to_day is not None:
            period += ["--to", str(_ms(exchange.to_day))]
        return source + period

    def _first_line(self, child: subprocess.Popen[bytes]) -> dict[str, str]:
        """What it says once it listens. On a starving machine that takes long: it is waited for while it works."""
        assert child.stdout is not None
        used_s, moved_s = 0.0, self._granted.now_s()
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while not (ready := bool(selector.select(0.5))) and self._granted.now_s() - moved_s < STALL_S:
                if self._is_ending:
                    break
                if (now_s := cpu_s([child.pid])) > used_s:
                    used_s, moved_s = now_s, self._granted.now_s()
        line = child.stdout.readline() if ready else b""
        if line:
            answer: dict[str, str] = json.loads(line)
            return answer
        child.kill()
        child.wait()
        raise SimulatorError(
            f"the simulated exchange did not start (exit code {child.returncode}): {self._last_words()} "
            f"Its log is {self.folder / 'exchange.log'}."
        )

    def _last_words(self) -> str:
        lines = (self.folder / "exchange.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing."


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
