"""A threshold that two parts apply has one setting: one `--set` changes it for both, and the other name is refused."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from api.logics import logics
from infra.config import ConfigurationError, EternalConfig, load_config
from infra.config.example import example
from infra.config.schema import schema
from statemachines.parameters import set_by
from statemachines.risk.parameters import EngineLimits, RiskParameters
from statemachines.tactical.engine import TacticalEngine
from statemachines.values import ActorName

TREND = (ActorName.TREND_1, ActorName.TREND_2)


@pytest.mark.parametrize(
    ("setting", "engines", "limit", "expected"),
    [
        ("trend.max_asset_exposure=0.8", TREND, "max_asset_leverage", "0.8"),
        ("trend.max_total_exposure=1.5", TREND, "max_total_leverage", "1.5"),
        ("trend.min_liquidation_buffer=0.6", TREND, "min_liquidation_buffer", "0.6"),
        ("core_hodl.cash_buffer=0.1", (ActorName.CORE_HODL,), "min_cash_of_equity", "0.1"),
        ("core_hodl.max_share=0.4", (ActorName.CORE_HODL,), "max_asset_of_portfolio", "0.4"),
        ("funding.max_share_per_asset=0.1", (ActorName.FUNDING,), "max_asset_of_equity", "0.102"),
        ("funding.max_total_exposure=0.5", (ActorName.FUNDING,), "max_total_leverage", "0.5"),
    ],
)
def test_one_set_changes_the_engine_and_what_the_risk_manager_enforces(
    setting: str, engines: tuple[ActorName, ...], limit: str, expected: str
) -> None:
    """`--set core_hodl.cash_buffer=0.1` left the risk manager at 5 %, and a raised TR-9 was refused all the same."""
    before, after = EternalConfig().risk_in_force.engines, load_config(settings=[setting]).risk_in_force.engines
    for engine in engines:
        assert getattr(after[engine], limit) == Decimal(expected) != getattr(before[engine], limit)
        changed = {name for name in EngineLimits.model_fields if _differs(before[engine], after[engine], name)}
        assert changed == {limit}
    assert all(after[one] == before[one] for one in after if one not in engines)


def test_slippage_fee_and_a_makers_life_have_one_setting() -> None:
    """EX-3's bound stood in three sections; TACTICAL sized by its own, the risk manager approved by another."""
    config = load_config(
        settings=["orders.max_slippage=0.01", "funding.spot_fee_rate=0.002", "core_hodl.maker_life_h=6"]
    )
    assert config.risk_in_force.slippage_limit == config.orders_in_force.max_slippage == Decimal("0.01")
    assert load_config(settings=["risk.caution_size_factor=0.25"]).in_force(
        "engines.core_hodl"
    ).caution_size_factor == Decimal("0.25")
    assert config.in_force("engines.tactical").max_slippage == Decimal("0.01")
    assert config.in_force("engines.tactical").spot_fee_rate == Decimal("0.002")
    assert config.orders_in_force.maker_expiry_ms == 6 * 3_600_000


def test_the_insurance_fund_has_one_limit() -> None:
    """FU-9: FUNDING leaves and the risk manager bars its entries at the same fall."""
    config = load_config(settings=["funding.insurance_fall=0.2", "funding.insurance_window_h=12"])
    fund = config.risk_in_force.switches.insurance_fund
    assert (fund.fall, fund.window_h, fund.consecutive) == (Decimal("0.2"), 12, 2)
    assert fund.limits == config.engines.funding.insurance_limits


def test_tactical_is_made_with_the_shared_limits() -> None:
    tactical = logics(load_config(settings=["orders.max_slippage=0.01"]), "000000")[ActorName.TACTICAL]()
    assert isinstance(tactical, TacticalEngine) and tactical.parameters.max_slippage == Decimal("0.01")


@pytest.mark.parametrize(
    ("setting", "instead"),
    [
        ("risk.engines.trend-1.max_total_leverage=1.5", "set once, as engines.trend_1.max_total_exposure"),
        ("risk.engines.trend-2.min_liquidation_buffer=0.4", "set once, as engines.trend_2.min_liquidation_buffer"),
        ("risk.engines.core-hodl.min_cash_of_equity=0.1", "set once, as engines.core_hodl.cash_buffer"),
        ("risk.engines.core-hodl.max_asset_of_portfolio=0.4", "set once, as engines.core_hodl.max_share"),
        ("risk.engines.funding.max_asset_of_equity=0.1", "set once, as engines.funding.max_share_per_asset"),
        ("risk.engines.tactical.min_cash_of_equity=0.1", "no rule gives tactical a limit of this kind"),
        ("risk.slippage_limit=0.01", "set once, as orders.max_slippage"),
        ("tactical.max_slippage=0.01", "set once, as orders.max_slippage"),
        ("tactical.spot_fee_rate=0.01", "set once, as engines.funding.spot_fee_rate"),
        ("orders.maker_expiry_ms=1", "set once, as engines.core_hodl.maker_life_h"),
        ("risk.insurance_fund_fall=0.2", "set once, as engines.funding.insurance_fall"),
        ("risk.switches.insurance_fund.fall=0.2", "set once, as engines.funding.insurance_fall"),
        ("tactical.caution_size_factor=0.2", "set once, as risk.caution_size_factor"),
    ],
)
def test_the_second_name_is_refused_and_names_the_one_to_use(setting: str, instead: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config(settings=[setting])
    (problem,) = caught.value.problems
    assert problem.endswith(f"{instead}.") and "(set in the command line) is refused" in problem


def test_the_second_name_is_neither_documented_nor_recorded() -> None:
    names = {name for name, field in _fields(RiskParameters) if set_by(field)}
    names |= {name for name, field in _fields(EngineLimits) if set_by(field)}
    assert len(names) >= 7
    document = EternalConfig().public()
    limits = document["risk"]["engines"]["trend-1"]
    assert limits["universe"] and not names & set(limits) and not names & set(document["risk"])
    assert "maker_expiry_ms" not in document["orders"] and "spot_fee_rate" in document["engines"]["funding"]
    assert "max_asset_leverage" not in example() and "max_asset_leverage" not in schema()


def test_the_defaults_of_both_parts_are_equal() -> None:
    """What the risk manager is made with in a test is what it is given by the configuration."""
    config = EternalConfig()
    assert config.risk_in_force == config.risk
    assert config.orders_in_force == config.orders and config.in_force("engines.tactical") == config.engines.tactical
    funding = config.risk.engines[ActorName.FUNDING]
    assert funding.max_asset_of_equity == Decimal("0.051") and funding.max_total_leverage == 1


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    yield from model.model_fields.items()


def _differs(before: EngineLimits, after: EngineLimits, name: str) -> bool:
    return bool(getattr(before, name) != getattr(after, name))
