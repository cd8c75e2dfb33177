"""Burst after burst, in each of which one process is hit; after each the three records are compared."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg

from statemachines.values import ActorName
from tests.chaos.orders.books import Books, Tally
from tests.chaos.orders.feeder import Feeder, Shape
from tests.chaos.orders.verdict import Verdict, judged
from tests.chaos.orders.victims import Blow
from tests.chaos.rig import Drill

LIMIT_S = 10.0
"""OR-8: longest recovery that is accepted."""

PATIENCE_S = 90.0
LOOK_S = 0.005
DRAINED_LOOK_S = 0.05
STORIES = 3
"""Findings of one burst whose history is printed."""

LEDGER_EVERY = 25
"""Bursts between two checks of the whole ledger; the last burst is always followed by one."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One burst with its blow. `under_way` are orders signalled and not ended when it fell, `refused` those that were
    not executed though their end is on record."""

    blow: Blow
    orders: int
    under_way: int
    recovered_s: float
    drained_s: float
    refused: int
    verdict: Verdict


@dataclass(slots=True)
class Findings:
    """All trials, what the ledger differed in, and what did not come back or come to an end."""

    trials: list[Trial] = field(default_factory=list)
    ledger: list[str] = field(default_factory=list)
    stranded: list[str] = field(default_factory=list)
    not_executed: Counter[str] = field(default_factory=Counter)

    def add(self, other: Findings) -> None:
        """What another system showed."""
        self.trials += other.trials
        self.ledger += other.ledger
        self.stranded += other.stranded
        self.not_executed.update(other.not_executed)

    @property
    def is_clean(self) -> bool:
        """At least one blow, nothing lost, nothing doubled, every record equal, everything back."""
        is_all_equal = all(one.verdict.is_clean for one in self.trials)
        return bool(self.trials) and is_all_equal and not self.ledger and not self.stranded


class Campaign:
    """Runs the trials on a running system; what it finds is added to `findings`."""

    def __init__(
        self, drill: Drill, feeder: Feeder, shape: Shape, findings: Findings, tell: Callable[[str], None]
    ) -> None:
        self._drill = drill
        self._feeder = feeder
        self._shape = shape
        self._tell = tell
        self._books = Books(drill)
        self._tallies: dict[ActorName, Tally] = self._books.tallies()
        self._since_ms = _now_ms()
        self._findings = findings

    def run(self, blows: Sequence[Blow]) -> None:
        """Two calm bursts, then one per blow."""
        self._calm()
        for number, blow in enumerate(blows, 1):
            trial = self._hit(blow)
            self._findings.trials.append(trial)
            self._tell(described(len(self._findings.trials), trial))
            for sentence in trial.verdict.sentences():
                self._tell(f"      {sentence}")
            for sentence in trial.verdict.sentences()[:STORIES]:
                for row in self._books.story(sentence):
                    self._tell(f"        {row}")
            if number % LEDGER_EVERY == 0 or number == len(blows):
                self._check_the_ledger()

    def _calm(self) -> None:
        """Prepared statements, sessions and leverage exist after the first of the two."""
        for _ in range(2):
            begun = time.monotonic()
            self._feeder.begin(self._shape)
            self._drill.wait("the end of a calm burst", self._is_drained, PATIENCE_S)
            burst_s = time.monotonic() - begun
        verdict, _refused = self._judge()
        assert verdict.is_clean, f"a calm burst is not executed exactly once: {verdict.sentences()[:5]}"
        self._tell(f"a calm burst of {self._shape.orders} orders takes {burst_s:.1f} s")

    def _hit(self, blow: Blow) -> Trial:
        drill = self._drill
        before, ended = self._books.counts()
        self._feeder.begin(self._shape)
        self._await_instant(blow, ended + int(blow.at * self._shape.orders))
        intents, ended = self._books.counts()
        under_way = intents - ended
        hit_at, hit = time.monotonic(), blow.strike(drill)
        recovered_s = drained_s = 0.0
        while not (recovered_s and drained_s):
            since_s = time.monotonic() - hit_at
            assert since_s < PATIENCE_S, f"{blow.label}: {self._trouble()}"
            if not recovered_s and blow.find(drill) not in (None, hit) and self._is_well():
                recovered_s = since_s
            if not drained_s and self._is_drained():
                drained_s = since_s
            time.sleep(DRAINED_LOOK_S)
        # What stands still in its process may yet fall: all must run at the end.
        drill.wait(f"all components running after {blow.label}", self._is_well, PATIENCE_S)
        verdict, refused = self._judge()
        orders = sum(one.intents for one in self._tallies.values()) - before
        return Trial(blow, orders, under_way, recovered_s, drained_s, refused, verdict)

    def _await_instant(self, blow: Blow, goal: int) -> None:
        until = time.monotonic() + PATIENCE_S
        while self._books.counts()[1] < goal:
            assert time.monotonic() < until, f"the burst stands still before {blow.label}: {self._trouble()}"
            time.sleep(LOOK_S)
        time.sleep(blow.delay_s)

    def _judge(self) -> tuple[Verdict, int]:
        """The burst's verdict, and how many of its intents were not executed though their end is on record."""
        now, verdict, refused = self._books.tallies(), Verdict(), 0
        for name, tally in now.items():
            records = self._books.records(name, self._tallies[name], tally, self._since_ms)
            verdict.add(judged(records))
            without = [end for end in records.ends.values() if not end.filled]
            refused += len(without)
            self._findings.not_executed.update(f"{end.outcome}: {end.why[:110]}" for end in without)
            if tally.signals != self._feeder.signals[name]:
                verdict.lost.append(f"{name} took {tally.signals} signals of {self._feeder.signals[name]}")
        self._tallies, self._since_ms = now, _now_ms()
        return verdict, refused

    def _check_the_ledger(self) -> None:
        begun = time.monotonic()
        found = self._books.ledger_differences(0)
        self._findings.ledger += found
        text = "equals the exchange's to the last unit" if not found else f"differs in {len(found)} places"
        self._tell(f"    ledger {text} ({time.monotonic() - begun:.1f} s)")
        for sentence in found[:10]:
            self._tell(f"      {sentence}")

    def _is_well(self) -> bool:
        """Every component runs with all its streams, and exchange and database answer."""
        status = self._drill.system.status
        parts = [(row["state"], row["health"]) for row in status.get("components", [])]
        own = (status.get("orchestrator") or {}).get("state")
        is_running = own == "RUNNING" and all(
            state == "RUNNING" and health.get("state") == "RUNNING" and not health.get("stream_faults")
            for state, health in parts
        )
        return bool(parts) and is_running and self._books.exchange_answers() and self._books.database_answers()

    def _is_drained(self) -> bool:
        return self._feeder.is_done and self._under_way() == 0

    def _under_way(self) -> int:
        """Orders signalled and not ended; all of a burst while the database cannot be asked."""
        try:
            intents, ended = self._books.counts()
        except psycopg.OperationalError:
            return self._shape.orders
        return intents - ended

    def _trouble(self) -> str:
        status = self._drill.system.status
        shown = [(row["name"], row["state"], row["reason"], row["health"].get("state"), row["health"].get("last_error"))
                 for row in status.get("components", [])]  # fmt: skip
        return (
            f"not over after {PATIENCE_S:.0f} s; signals committed: "
            f"{self._feeder.is_done}; orders under way: {self._under_way()}; {shown}"
        )


def _now_ms() -> int:
    """The exchange's time: it runs by the same wall clock."""
    return time.time_ns() // 1_000_000


def described(number: int, trial: Trial) -> str:
    """A line about one trial."""
    verdict = trial.verdict
    return (
        f"{number:>4} {trial.blow.label:<24} at {trial.blow.at:4.0%}, {trial.under_way:>3} under way: "
        f"runs after {trial.recovered_s:5.1f} s, all {trial.orders} orders ended after {trial.drained_s:5.1f} s; "
        f"lost {len(verdict.lost)}, doubled {len(verdict.doubled)}, records that differ {len(verdict.differing)}"
        + (f", not executed {trial.refused}" if trial.refused else "")
    )


def summary(findings: Findings) -> list[str]:
    """Kills by victim, orders, losses, doublings, recoveries."""
    trials = findings.trials
    if not trials:
        return ["no blow was judged: nothing is proven"]
    lines = []
    for kind in dict.fromkeys(one.blow.kind for one in trials):
        of_kind = [one for one in trials if one.blow.kind == kind]
        signals = Counter("killed" if one.blow.number.name == "SIGKILL" else "frozen" for one in of_kind)
        lines.append(
            f"{kind:<14} {len(of_kind):>3} hit ({signals['killed']} killed, {signals['frozen']} frozen): runs after "
            f"{_spread([one.recovered_s for one in of_kind])}; burst ended after "
            f"{_spread([one.drained_s for one in of_kind])}"
        )
    worst = max(trials, key=lambda one: one.recovered_s)
    lines += [
        f"{'all':<14} {len(trials):>3} hit: runs after {_spread([one.recovered_s for one in trials])}; burst ended "
        f"after {_spread([one.drained_s for one in trials])}; orders under way at the blow: median "
        f"{statistics.median([one.under_way for one in trials]):.0f}, none in "
        f"{sum(1 for one in trials if not one.under_way)}",
        f"worst recovery: {worst.blow.label}, {worst.recovered_s:.1f} s"
        + ("" if worst.recovered_s < LIMIT_S else f": longer than {LIMIT_S:.0f} s"),
        f"orders: {sum(one.orders for one in trials):,} sent, {sum(len(one.verdict.lost) for one in trials)} lost, "
        f"{sum(len(one.verdict.doubled) for one in trials)} doubled, "
        f"{sum(len(one.verdict.differing) for one in trials)} records that differ, "
        f"{len(findings.ledger)} differences of the ledger",
        *(f"not back: {one[:200]}" for one in findings.stranded),
        *(f"not executed, with its end on record: {count} {why}" for why, count in findings.not_executed.items()),
    ]
    return lines


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} s (median), {max(values):.1f} s (worst)"
