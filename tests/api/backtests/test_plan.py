"""What may be asked of a backtest: judged by the command's own rules, carried out by the command (IF-3, RM-6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api.backtests.options import checked
from api.backtests.parameters import config_of, settings_for
from api.backtests.plan import FIELDS, Place, RefusedRequestError, planned
from api.backtests.wanted import BacktestWanted
from infra.config import EternalConfig
from infra.config.policy import changed, policy_of
from tests.api.backtests.made import BOUNDS

CONFIG = EternalConfig()
HISTORY = Path("/data/prices")
PLACE = Place(CONFIG, None, 0, HISTORY, BOUNDS)


def plan(place: Place = PLACE, **given: Any) -> list[str]:
    return list(planned(BacktestWanted(**given), "anna", place).arguments)


def test_the_defaults_are_those_of_the_command() -> None:
    assert plan() == [
        "backtest",
        "--history=/data/prices",
        *("--capital=100000", "--slippage-bps=2", "--out=report", "--progress=progress.json"),
    ]
    assert "--seed=2" in plan(market="synthetic")


def test_every_field_becomes_its_option() -> None:
    found = plan(
        market="synthetic", from_day="2025-01-01", to_day="2025-02-01", engines="trend,funding", seed=9,
        capital_usdt="5000", deposit="100/week", fees="0,0,0,0", slippage_bps="1.5",
        settings=["trend.adx_threshold=20"],
    )  # fmt: skip
    assert found == [
        "backtest",
        *("--from=2025-01-01", "--to=2025-02-01", "--engines=trend,funding", "--capital=5000", "--deposit=100/week"),
        *("--fees=0,0,0,0", "--slippage-bps=1.5", "--seed=9", "--out=report", "--progress=progress.json"),
        *("--set=engines.trend_1.adx_threshold=20", "--set=engines.trend_2.adx_threshold=20"),
    ]


def test_what_was_asked_for_is_kept_with_who_and_which_policy() -> None:
    policy = changed(CONFIG, policy_of(CONFIG), ["risk.price_collar=0.01"])
    found = planned(BacktestWanted(name=" mine ", market="synthetic"), "anna", Place(CONFIG, policy, 7, None, None))
    assert (found.name, found.who, found.policy_version) == ("mine", "anna", 7)
    assert found.is_synthetic and found.market == "synthetic, seed 2"
    assert found.settings == ("risk.price_collar=0.01",), "the policy in force is what is run"
    assert "--set=risk.price_collar=0.01" in found.arguments


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"from_day": "yesterday"}, "from_day", "from_day 'yesterday' is refused: a day is written like"),
    ({"to_day": "9999-12-31"}, "to_day", "allowed is 2009-01-01 to 2099-12-31"),
    ({"from_day": "2025-02-01", "to_day": "2025-01-01"}, "from_day", "must not be after to_day 2025-01-01"),
    ({"from_day": "2017-12-31"}, "from_day", "a day from 2018-01-01 00:00 on"),
    ({"to_day": "2025-07-01"}, "to_day", "no later than 2025-07-01 00:00"),
    ({"market": "synthetic", "to_day": "2024-12-31"}, "to_day", "must not be before 2025-01-01"),
    ({"engines": "luck"}, "engines", "allowed are core-hodl"),
    ({"engines": "core,--out=/"}, "engines", "'--out=/' is no engine"),
    ({"capital_usdt": "999.99"}, "capital_usdt", "allowed is 1000 to 1,000,000,000"),
    ({"capital_usdt": "1000000000.01"}, "capital_usdt", "allowed is 1000 to 1,000,000,000"),
    ({"capital_usdt": "lots"}, "capital_usdt", "is no number"),
    ({"deposit": "1000/year"}, "deposit", "an amount of USDT per day, week, month"),
    ({"fees": "1,1"}, "fees", "four fractions are required"),
    ({"slippage_bps": "1001"}, "slippage_bps", "allowed is 0 to 1,000"),
    ({"settings": ["risk.moods=1"]}, "settings", "there is no such setting"),
    ({"settings": ["api.host=0.0.0.0"]}, "settings", "a policy has the sections engines, risk, orders, orchestrator"),
    ({"settings": ["nonsense"]}, "settings", "write it as section.field=value"),
]


@pytest.mark.parametrize(("given", "field", "told"), REFUSED)
def test_a_refusal_names_field_value_and_what_is_allowed(given: dict[str, Any], field: str, told: str) -> None:
    with pytest.raises(RefusedRequestError) as refused:
        plan(**given)
    assert refused.value.field == field and told in refused.value.sentence
    assert not any(option in refused.value.sentence for option in FIELDS if option not in ("--out", "--set"))


@pytest.mark.parametrize(("from_day", "to_day"), [("2018-01-01", None), (None, "2025-06-30")])
def test_the_first_and_the_last_day_of_the_history_are_allowed(from_day: str | None, to_day: str | None) -> None:
    assert plan(from_day=from_day, to_day=to_day)


def test_without_a_history_the_synthetic_market_is_offered() -> None:
    with pytest.raises(RefusedRequestError, match="no price history for backtests") as refused:
        plan(Place(CONFIG, None, 0, None, None))
    assert (refused.value.field, refused.value.allowed) == ("market", ["synthetic"])


def test_a_history_that_is_not_known_yet_is_judged_by_the_run() -> None:
    assert "--from=2010-01-01" in plan(Place(CONFIG, None, 0, HISTORY, None), from_day="2010-01-01")


def test_no_value_is_taken_for_an_option() -> None:
    """A deposit of `--out=/etc/1` would be refused; one that is allowed stands behind its own option."""
    words = plan(market="synthetic", deposit="1000/month")
    assert all(one.startswith("--") and "=" in one for one in words[1:])


POLICIES = (
    ["risk.capital_limit_usdt=5000"],
    ["trend.max_hold_closes=25", "risk.price_collar=0.013"],
    ["orchestrator.weights={core-hodl = 0.65, trend-1 = 0.15, trend-2 = 0.1, funding = 0.1, tactical = 0}"],
    ["core_hodl.staking.enabled=false"],
)


@pytest.mark.parametrize("settings", POLICIES)
def test_the_command_has_exactly_the_parameters_of_the_policy(settings: list[str]) -> None:
    policy = changed(CONFIG, policy_of(CONFIG), settings)
    assert policy_of(config_of(settings_for(CONFIG, policy, []))) == policy


def test_an_engine_without_weight_is_refused_by_the_commands_judge() -> None:
    weights = "orchestrator.weights={core-hodl = 0.65, trend-1 = 0.15, trend-2 = 0.1, funding = 0.1, tactical = 0}"
    with pytest.raises(RefusedRequestError, match="is 0, so that it has no capital"):
        plan(engines="tactical", settings=[weights])


def test_there_is_one_judge_of_options() -> None:
    """The command line and the console ask the same function."""
    from api.backtests import plan as console
    from api.cli import backtest as command

    assert vars(console)["checked"] is checked and vars(command)["checked"] is checked
