"""The thread that moves market time in lockstep: it waits until everything has settled, then makes one move."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

from actors.runtime.ports import ExchangeAwayError, LockstepPort, Report, Step
from actors.runtime.registry import TURN_ORDER
from orchestrator.quiescence import QuiescenceTracker
from statemachines.actor_logic import NO_LOOKAHEAD
from statemachines.lockstep import LockstepRule, Next, StepSeen
from statemachines.values import HOUR_MS, ActorName

_log = logging.getLogger(__name__)

REMIND_S = 1.0
"""Unsettled for this long: all actors are asked to report again, since a report may have been lost."""

AWAY_DELAY_S = 0.2

State = Literal["WAITING", "RUNNING", "UNSETTLED", "EXCHANGE_AWAY", "ENDED", "STOPPED", "FAILED"]


class LockstepDriver:
    """Drives the lockstep exchange. `tick` is called at an actor's deadline, `remind` requests reports from all.

    `pace_s` is the least wall time per market hour; it only slows, so no run outruns the system. Nothing moves while
    `may_move` says no.
    """

    def __init__(
        self,
        tracker: QuiescenceTracker,
        lockstep: LockstepPort,
        tick: Callable[[ActorName, int], None],
        remind: Callable[[], None],
        pace_s: float,
        may_move: Callable[[], bool] = lambda: True,
    ) -> None:
        self.state: State = "WAITING"
        self.why = "not started"
        self.market_ms = 0
        self.step = 0
        self._tracker = tracker
        self._lockstep = lockstep
        self._tick = tick
        self._remind = remind
        self._pace_s = pace_s
        self._may_move = may_move
        self._changed = threading.Condition()
        self._open = False
        self._stopped = False
        self._reported = 0
        self._rule = LockstepRule(TURN_ORDER)
        self._moved_at = time.monotonic()

    @property
    def standing_s(self) -> float:
        """Seconds since market time moved last."""
        return time.monotonic() - self._moved_at

    def start(self) -> None:
        """Begin to move market time; nothing moves before `open`."""
        threading.Thread(target=self._run, name="lockstep-driver", daemon=True).start()

    def open(self) -> None:
        """All actors run: time may move."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def close(self) -> None:
        """An actor is down: time stands still until `open`."""
        with self._changed:
            self._open = False

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def report(self, name: str, report: Report) -> None:
        """An actor has fallen idle."""
        with self._changed:
            self._tracker.report(name, report)
            self._reported += 1
            self._changed.notify_all()

    def forget(self, name: str) -> None:
        with self._changed:
            self._tracker.forget(name)

    def excuse(self, name: ActorName) -> None:
        with self._changed:
            self._tracker.excuse(name)
            self._changed.notify_all()

    def readmit(self, name: ActorName) -> None:
        with self._changed:
            self._tracker.readmit(name)

    def _run(self) -> None:
        try:
            self._drive()
        except Exception as error:  # noqa: BLE001 - the boundary of the thread
            # Time would stand still: the guard of the orchestrator reads the state and replaces it.
            _log.exception("the lockstep driver has failed")
            self.state, self.why = "FAILED", f"{type(error).__name__}: {error}"

    def _drive(self) -> None:
        self._locate()
        while not self._stopped and self.state != "ENDED":
            if self._await_settled():
                self._move()

    def _locate(self) -> None:
        """Where the exchange stands; it alone counts the steps, so a new driver asks."""
        while not self._stopped:
            try:
                status = self._lockstep.status()
            except ExchangeAwayError as error:
                self._away(error)
                continue
            self.step, self.market_ms = status.step, status.market_ms
            return

    def _await_settled(self) -> bool:
        with self._changed:
            while not self._stopped:
                why = self._why_not()
                if why is None:
                    return True
                if self._changed.wait(REMIND_S):
                    continue
                self.state, self.why = "UNSETTLED" if self._open else "WAITING", why
                self._tracker.expect({})
                break
        if not self._stopped:
            self._remind()
        return False

    def _why_not(self) -> str | None:
        """Why time must not move now; None when it may."""
        if not self._open:
            return "not all actors run"
        if not self._may_move():
            return "the lease on the database is not held"
        return self._tracker.unsettled()

    def _move(self) -> None:
        with self._changed:
            tracker, reported = self._tracker, self._reported
            asked = tracker.asked()
            move = self._rule.choose(tracker.deadlines(), tracker.lookahead, self.market_ms, tracker.handled(), asked)
        if move.tick is not None and move.is_at_rest:
            with self._changed:
                self._tracker.ticked(move.tick)
            self.state, self.why = "RUNNING", ""
            self._tick(move.tick, self.market_ms)
            return
        try:
            # With a pace every hour is shown.
            lookahead = move.lookahead if self._pace_s == 0 else NO_LOOKAHEAD
            step = self._lockstep.advance(self.step, move.until_ms, lookahead, move.handled)
        except ExchangeAwayError as error:
            self._away(error)
            self._locate()
            return
        if not step.settled:
            with self._changed:
                if self._reported == reported and not self._changed.wait(REMIND_S):
                    self._tracker.expect({})
                    self.state, self.why = "UNSETTLED", "the exchange has sent frames that no actor has taken yet"
            if self.state == "UNSETTLED":
                self._remind()
            return
        is_quiet = dict(step.sent) == dict(move.handled) or not step.sent
        follows = self._rule.stepped(move, asked, StepSeen(is_quiet, bool(step.queued), step.ended))
        self._moved(step, follows)

    def _moved(self, step: Step, follows: Next) -> None:
        passed_ms = step.market_ms - self.market_ms
        self.state, self.why = "RUNNING", ""
        self.step, self.market_ms = step.step, step.market_ms
        with self._changed:
            self._tracker.expect(step.sent)
            if follows.tick is not None:
                self._tracker.ticked(follows.tick)
        if follows.tick is not None:
            self._tick(follows.tick, step.market_ms)
        elif follows.is_end:
            self.state = "ENDED"
        self._hold_back(passed_ms)

    def _hold_back(self, passed_ms: int) -> None:
        if passed_ms <= 0:
            return
        least_s = self._pace_s * passed_ms / HOUR_MS
        spent_s = time.monotonic() - self._moved_at
        if spent_s < least_s:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped, timeout=least_s - spent_s)
        self._moved_at = time.monotonic()

    def _away(self, error: ExchangeAwayError) -> None:
        if self.state != "EXCHANGE_AWAY":
            _log.warning("market time stands still: %s", error)
        self.state, self.why = "EXCHANGE_AWAY", str(error)
        self._rule.disturbed()
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, timeout=AWAY_DELAY_S)
