"""RM-6: a policy is a part of the configuration, validated as such; differences name settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from infra.config import EternalConfig, load_config
from infra.config.policy import SECTIONS, Difference, changed, differences, policy_of, with_policy
from infra.faults import ConfigurationError

SETTINGS = (
    "risk.price_collar=0.02",
    "trend.warm_up_bars=300",
    "engines.tactical.hold_months=7",
    "orchestrator.weights.core-hodl=0.55",
    "orchestrator.weights.tactical=0.1",
)


def at_rest() -> EternalConfig:
    return EternalConfig()


def test_the_policy_of_a_configuration_gives_that_configuration_again() -> None:
    config = load_config({}, SETTINGS)
    policy = json.loads(json.dumps(policy_of(config)))
    assert with_policy(at_rest(), policy, "x") == config
    assert with_policy(config, policy_of(at_rest()), "x") == at_rest()
    assert set(policy) == set(SECTIONS)


def test_a_table_of_values_is_the_policys_as_a_whole() -> None:
    """A coin that the configuration has got since then stayed in the version that was taken back, which lacks it."""
    series = ["spot:BTCUSDT", "spot:ETHUSDT", "spot:SOLUSDT"]
    later = load_config(
        {"risk": {"engines": {"core-hodl": {"universe": series}}}},
        ["engines.core_hodl.high_seeds_usdt.BTC=70000", "engines.core_hodl.weights.SOL=1"],
    )
    assert with_policy(later, policy_of(at_rest()), "policy version 1") == at_rest()
    assert with_policy(at_rest(), policy_of(later), "policy version 2") == later


def test_the_same_policy_is_the_same_document_in_every_process() -> None:
    """Sets came in another order with every start: each start recorded a configuration that had not changed."""
    program = "import json; from infra.config import EternalConfig; print(json.dumps(EternalConfig().public()))"
    made = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in range(1, 4)
    }
    assert len(made) == 1


def test_settings_change_what_they_name_and_nothing_else() -> None:
    before = policy_of(at_rest())
    after = changed(at_rest(), before, SETTINGS)
    assert [one.setting for one in differences(before, after)] == [
        "engines.tactical.hold_months",
        "engines.trend_1.warm_up_bars",
        "engines.trend_2.warm_up_bars",
        "orchestrator.weights.core-hodl",
        "orchestrator.weights.tactical",
        "risk.price_collar",
    ]
    assert differences(before, changed(at_rest(), after, ["risk.price_collar=0.03"]))[-1] == Difference(
        "risk.price_collar", before["risk"]["price_collar"], "0.03"
    )
    assert with_policy(at_rest(), after, "x").orchestrator.weights["core-hodl"] == Decimal("0.55")  # type: ignore[index]


def test_nothing_of_the_installation_is_in_a_policy_or_changed_by_one() -> None:
    config = load_config({"data_folder": "elsewhere"}, ["api.host=localhost", "dead_man.silence_s=60"])
    found = with_policy(config, changed(config, policy_of(config), SETTINGS), "x")
    assert (str(found.data_folder), found.api.host, found.dead_man.silence_s) == ("elsewhere", "localhost", 60)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("api.port=80", "a policy has the sections engines, risk, orders, orchestrator"),
        ("profile=live", "a policy has the sections"),
        ("risk.price_collar=2", "price_collar"),
        ("risk.price_collr=0.1", "price_collr"),
        ("risk.price_collar", "section.field=value"),
        ("orchestrator.weights.core-hodl=0.7", "sum to exactly 1"),
        ("risk.insurance_fund_fall=0.1", "engines.funding.insurance_fall"),
        ('risk.engines.trend-1.universe=["linear:DOGEUSDT"]', "DOGEUSDT"),
    ],
)
def test_what_the_configuration_refuses_a_policy_refuses(setting: str, told: str) -> None:
    """Names, bounds, limits that are set elsewhere, and what one section demands of another."""
    with pytest.raises(ConfigurationError, match=told):
        changed(at_rest(), policy_of(at_rest()), [setting])


def test_a_policy_of_an_earlier_version_keeps_the_configurations_value_of_a_new_setting() -> None:
    policy = policy_of(at_rest())
    del policy["risk"]["price_collar"]
    config = load_config({}, ["risk.price_collar=0.02"])
    assert with_policy(config, policy, "x").risk.price_collar == Decimal("0.02")


def test_a_policy_of_another_program_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="moods"):
        with_policy(at_rest(), {"moods": {}}, "policy version 3")
    with pytest.raises(ConfigurationError, match=r"risk\.moods.*policy version 3"):
        with_policy(at_rest(), {"risk": {"moods": 1}}, "policy version 3")
