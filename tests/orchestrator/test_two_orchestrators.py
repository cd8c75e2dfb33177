"""Two orchestrators at once: the one without the lease does nothing (OR-8, ADR 0006).

Two systems on one database took the actors' epochs from each other for ever: each fenced the other's actors, recreated
its own and was fenced in turn, and both supervised, restarted and moved market time meanwhile.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import Claimant, FencedError, LeaseHeldError, StoreUnavailableError
from orchestrator.actor import Orchestrator
from orchestrator.lease import LEASE_S, Lease
from statemachines.values import ActorName
from tests.orchestrator.two_systems import ACTORS, Trial
from tests.waiting import until

SEEDS = 200
DEFECT_SEEDS = range(60)


@pytest.mark.slow
def test_whenever_the_second_begins_and_whatever_happens_only_the_holder_of_the_lease_acts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No spawn, no kill, no epoch, no order by a system that has not the lease at that instant; no old incarnation
    after its successor; at rest exactly one works."""
    takeovers = 0
    for seed in range(SEEDS):
        trial = Trial(seed, monkeypatch)
        trial.run()
        assert trial.faults() == [], f"seed {seed}: {trial.events}"
        takeovers += {deed.system for deed in trial.world.deeds} == {"first", "second"}
    assert takeovers > SEEDS / 10, "trials in which nothing is taken over say little"


def test_the_second_does_nothing_at_all_as_long_as_the_first_works(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(0, monkeypatch)
    trial.first.start()
    for _ in range(100):
        trial._pass()  # noqa: SLF001
    trial.second.start()
    for _ in range(600):
        trial._pass()  # noqa: SLF001
    assert {deed.system for deed in trial.world.deeds} == {"first"}
    assert trial.first.is_well and not trial.second.is_well
    trial.first.vanish()
    began_s = trial.world.now_s
    while not trial.second.is_well:
        trial._pass()  # noqa: SLF001
    assert trial.world.now_s - began_s < LEASE_S + 5.0
    assert trial.faults() == []


class _Believed(Lease):
    """The defect: an orchestrator that has had the lease once believes that it has it."""

    @property
    def is_held(self) -> bool:
        return self.epoch > 0

    def confirm(self) -> None:
        pass

    def renew(self) -> None:
        with suppress(FencedError):
            super().renew()


class _Endless(MemoryStore):
    """The defect: whoever asks gets the lease."""

    def claim(self, claimant: Claimant, seconds: float) -> None:
        self._lease.expires_s = 0.0
        super().claim(claimant, seconds)


@pytest.mark.parametrize("defect", ["the lease is believed to be held", "anybody gets the lease"])
def test_the_trials_find_a_planted_defect(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that cannot fail proves nothing."""

    def faults(seed: int) -> list[str]:
        trial = Trial(seed, monkeypatch, _Believed if "believed" in defect else Lease)
        if "anybody" in defect:
            trial.world.store = _Endless(now_s=lambda: trial.world.now_s)
        trial.run()
        return trial.faults()

    assert any(faults(seed) for seed in DEFECT_SEEDS)


class _Standby:
    """An assembly whose lease another system has; everything else would fail the test."""

    run = "ours"
    installation_id = "abc123"

    def __init__(self) -> None:
        self.register = MemoryStore()
        self.register.claim(Claimant("theirs", "their place", "host a, data folder /a, process 7"), 1_000.0)
        self.touched: list[str] = []

    def lease(self) -> MemoryStore:
        return self.register

    def store(self, _name: ActorName) -> MemoryStore:
        return self.register

    def lockstep(self, _name: ActorName) -> None:
        return None

    def clock(self, _name: ActorName) -> _Standby:
        return self

    def now_ms(self) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        self.touched.append(name)
        raise AssertionError(f"{name} was asked for without the lease")


def test_an_orchestrator_without_the_lease_begins_nothing_and_says_whose_it_is() -> None:
    assembly: Any = _Standby()
    standby = Orchestrator(assembly, ActorName.ORCHESTRATOR)
    until(lambda: bool(standby.status()["boot_error"]))
    status = standby.status()
    assert not status["booted"] and not status["all_up"] and status["components"] == []
    assert "in use by another system (host a, data folder /a, process 7)" in status["boot_error"]
    assert "Traceback" not in status["boot_error"]
    assert assembly.touched == []
    for actor in (ActorName.ORCHESTRATOR, *ACTORS):
        assert assembly.register.holds(actor, 0), "no epoch was taken"


class _Register:
    """A register that is away, or refuses."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def claim(self, claimant: Claimant, seconds: float) -> None:
        raise NotImplementedError

    def succeed(self, run: str, seconds: float) -> int:
        return 5

    def renew(self, epoch: int, seconds: float) -> None:
        if self.error is not None:
            raise self.error

    def release(self, run: str) -> None:
        raise NotImplementedError


def test_a_lease_that_cannot_be_renewed_is_held_until_it_expires_and_no_longer() -> None:
    """A process that was frozen, or cut off from the database, must not go on where another one has taken over."""
    now_s, register = 100.0, _Register()
    lease = Lease(register, "run", lambda: now_s)
    assert not lease.is_held
    lease.succeed()
    register.error = StoreUnavailableError()
    now_s += LEASE_S - 0.1
    lease.confirm()
    assert lease.is_held
    now_s += 0.1
    assert not lease.is_held
    register.error = None
    lease.renew()
    assert lease.is_held
    register.error = FencedError("another one has it")
    with pytest.raises(FencedError):
        lease.confirm()
    register.error = None
    assert not lease.is_held, "lost for good"


def test_the_refusal_names_the_holder_and_what_ends_the_wait() -> None:
    text = str(LeaseHeldError("host a", 10.0))
    assert "host a" in text and "`eternal stop` there" in text and "10 s" in text
