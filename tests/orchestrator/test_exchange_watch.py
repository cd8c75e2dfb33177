"""RM-4's readings are alive: what is not received any more grows old by itself, whoever stopped to report it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.exchange_watch import ExchangeWatch
from statemachines.orchestration.exchange_readings import ExchangeReadings
from statemachines.risk.parameters import ReadingPolicies


@dataclass
class Clock:
    """The exchange's clock as it is read."""

    silence_s: float = 1.0
    certainly_off_ms: int | None = 0


def watch(clock: Clock | None = None) -> ExchangeWatch:
    return ExchangeWatch(ExchangeReadings(ReadingPolicies()), clock or Clock(), ReadingPolicies.model_validate)


MARKET_DATA = {"data_age_s": {"public spot": 0.5}, "silence_s": {"public spot": 0.5}}
ORDER_MANAGER = {"data_age_s": {}, "silence_s": {"private FUNDING": 12.0}}


def tripped(ours: ExchangeWatch, healths: list[dict[str, dict[str, float]]], seconds: range) -> dict[str, int]:
    """The second at which each switch tripped."""
    return {c.switch: second for second in seconds for c in ours.look(healths, second) if c.is_bad}


def test_living_streams_trip_nothing() -> None:
    assert tripped(watch(), [MARKET_DATA, ORDER_MANAGER], range(1, 400)) == {}


def test_an_actor_that_is_down_reports_no_age_and_its_data_grow_old() -> None:
    """The planted defect of a frozen measurement: before, the age of the last report would have stood still."""
    ours = watch()
    assert tripped(ours, [MARKET_DATA, ORDER_MANAGER], range(1, 10)) == {}
    found = tripped(ours, [], range(10, 100))
    assert found["market_data_stale"] == 9 + 60 + 1, "59.5 s of age are reached, and one reading trips nothing"
    assert found["exchange_unreachable"] == 9 + 20, "it had been silent for 12 s, limit 30 s"


def test_the_same_report_told_again_makes_nothing_younger() -> None:
    """Health is asked for several times a second; an old answer that is told again must not count as a new sign."""
    ours = watch()
    aging = [{"data_age_s": {"public spot": float(second)}, "silence_s": {}} for second in range(70)]
    found = {c.switch: n for n, health in enumerate(aging) for c in ours.look([health], n) if c.is_bad}
    assert found == {"market_data_stale": 62}


def test_a_public_stream_without_data_is_stale_and_not_unreachable() -> None:
    health = {"data_age_s": {"public spot": 45.0}, "silence_s": {"public spot": 45.0}}
    assert tripped(watch(), [health], range(1, 3)) == {}


def test_rest_that_answers_nothing_and_a_clock_that_is_off() -> None:
    clock = Clock(silence_s=31.0, certainly_off_ms=2_000)
    assert set(tripped(watch(clock), [], range(1, 4))) == {"exchange_unreachable", "clock_off"}


def test_rm6_the_limits_of_a_later_version_apply_without_a_restart_once_it_is_in_force() -> None:
    """They were those of the system's start for ever, while the version was said to be in force at every actor."""
    for version, after_s in ((1, 60), (2, 20)):
        ours = watch()
        assert tripped(ours, [MARKET_DATA, ORDER_MANAGER], range(1, 10)) == {}
        ours.recorded(2, {"stale_s": 20})
        ours.in_force(version)
        assert tripped(ours, [], range(10, 100))["market_data_stale"] == 9 + after_s + 1
    ours.in_force(3)  # of a version that was recorded before this process began, and no later one: nothing is known
