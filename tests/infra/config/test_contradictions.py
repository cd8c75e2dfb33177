"""Settings that contradict each other are refused with both names and values: two fields of a section that a relation
orders (each relation of every model is broken from both sides), rules within a section, and sections of each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from infra.config import EternalConfig, load, load_config
from statemachines.limits.parameter_checks import Order
from statemachines.parameters import ParameterModel
from tests.infra.config.sentences import refused


def relations(
    section: BaseModel, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], ParameterModel, Order]]:
    """Every relation of every section, with the section as it is by default."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        places: dict[tuple[str, ...], Any] = {(name,): value}
        if isinstance(value, dict):
            places = {(name, str(key)): one for key, one in value.items()}
        for place, one in places.items():
            if isinstance(one, BaseModel):
                yield from relations(one, (*path, *place))
    if isinstance(section, ParameterModel):
        yield from ((path, section, one) for one in section.RELATIONS)


def contradicting(section: ParameterModel, relation: Order) -> Iterator[tuple[str, str]]:
    """Each of the two fields set so that the other one's default contradicts it."""
    for changed, other in ((relation.lower, relation.upper), (relation.upper, relation.lower)):
        bound = getattr(section, other)
        if bound is None:
            continue
        limit = max(bound) if isinstance(bound, tuple) else bound
        step = 1 if isinstance(limit, int) else type(limit)("0.001")
        value = limit + step if changed == relation.lower else limit - step
        is_list = isinstance(getattr(section, changed), tuple)
        yield changed, json.dumps([float(value)]) if is_list else str(value)


CASES = [
    (".".join(path), field, value, relation)
    for path, section, relation in relations(EternalConfig())
    for field, value in contradicting(section, relation)
]


@pytest.mark.parametrize(("section", "field", "value", "relation"), CASES, ids=str)
def test_two_settings_that_contradict_each_other_are_refused(
    section: str, field: str, value: str, relation: Order
) -> None:
    """Drawdown caution above reduce_only, min_slippage above max_slippage, quiet_adx above adx_threshold and others
    were accepted. Each stated relation is broken from both sides, so that none is stated in vain."""
    instead = {"slippage_limit": "orders.max_slippage"}
    target = instead.get(field, f"{section}.{field}")
    told = refused(f"{target}={value}")
    both = [instead.get(one, one) for one in (relation.lower, relation.upper)]
    if not any(all(name in one for name in both) for one in told):
        # Its own range ends before the other field's value: then the range refuses it.
        assert all("allowed is" in one and target in one for one in told), told


def test_most_relations_are_refused_by_their_own_sentence() -> None:
    assert len({relation for *_, relation in CASES}) >= 20


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            ("risk.drawdown.TREND.caution=0.3",),
            "risk.drawdown.TREND (set in the command line) is refused: caution 0.3 must be below "
            "reduce_only 0.25 (RM-3).",
        ),
        (
            ("orders.min_slippage=0.01",),
            "orders (set in the command line) is refused: min_slippage 0.01 must be at most max_slippage 0.005 (EX-3).",
        ),
        (
            ("trend_1.quiet_adx=30",),
            "engines.trend_1 (set in the command line) is refused: quiet_adx 30 must be at most "
            "adx_threshold 25 (TR-3, TR-12).",
        ),
        (
            ("trend_1.max_total_exposure=0.5",),
            "max_asset_exposure 1 must be at most max_total_exposure 0.5 (TR-9, T8).",
        ),
        (
            ("risk.price_collar=0.05", "orders.max_slippage=0.06"),
            "orders.max_slippage 0.06 must be at most price_collar 0.05 (EX-3, RM-1).",
        ),
        (("core_hodl.staking.asset=SOL",), "staking.asset is SOL; weights name only BTC, ETH (CH-10)."),
        (
            ("core_hodl.maker_life_h=48", "core_hodl.rebalance_days=1"),
            "maker_life_h 48 must be at most rebalance_days 1, which is 24 h (CH-2, CH-3).",
        ),
        (("tactical.shares.BTC=0.7",), "shares BTC 0.7, ETH 0.20 add up to 0.90; they must add up to 1, and a coin"),
        (
            ('risk.drawdown.FUNDING.engines=["funding","core-hodl"]',),
            "drawdown.FUNDING and drawdown.CORE-HODL both measure core-hodl; one group may (RM-3, F11).",
        ),
        (
            ('risk.drawdown.NEW.engines=["core-hodl"]',),
            "at least one of caution, reduce_only and alert is required (RM-3).",
        ),
        (("trend_1.warm_up_bars=150",), "warm_up_bars 150 must be at least 200, the longest look-back"),
        (("risk.reject_window=4",), "reject_share 0.20 of reject_window 4 is 0.80; at least 1 is required"),
        (
            ("tactical.hold_months=2",),
            "fast_profit_days 90 must be at most hold_months 2, which is 60 days",
        ),
        (("orders.in_flight_ms=60000",), "in_flight_ms 60000 must be below stale_market_order_ms 60000 (EX-1, EX-4)."),
        (
            ('trend_1.assets=[{asset="BTC",symbol="ETHUSDT"}]',),
            "symbol ETHUSDT is not the perpetual of asset BTC",
        ),
        (("profile=live", "exchange.from_day=2021-01-01"), "exchange.from_day '2021-01-01' is only for profile paper"),
        (("trend_1.atr_bars=460",), "warm_up_bars 450 must be at least 461, the longest look-back"),
        (
            ("market_data.daily_backfill.spot:XRPUSDT=10",),
            "daily_backfill names spot:XRPUSDT, which is not among symbols (DA-1).",
        ),
    ],
)
def test_a_contradiction_within_a_section_names_both_fields_with_their_values(
    settings: tuple[str, ...], told: str
) -> None:
    assert any(told in one for one in refused(*settings))


def test_a_shared_limit_is_compared_as_it_is_set_and_not_with_its_default() -> None:
    """A collar below the default slippage is fine once the slippage is lowered, too."""
    config = load_config(settings=["risk.price_collar=0.004", "orders.max_slippage=0.003"])
    assert config.risk_in_force.slippage_limit < config.risk_in_force.price_collar
    (told,) = refused("risk.price_collar=0.004")
    assert "orders.max_slippage 0.005 must be at most price_collar 0.004" in told


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (
            'funding.assets=["DOGE"]',
            "engines.funding.assets needs linear:DOGEUSDT, which risk.engines.funding.universe",
        ),
        (
            "core_hodl.weights.SOL=1",
            "engines.core_hodl.weights needs spot:SOLUSDT, which risk.engines.core-hodl.universe",
        ),
        ('risk.engines.tactical.universe=["spot:BTCUSDT"]', "engines.tactical.shares needs spot:ETHUSDT"),
        ('trend_2.assets=[{asset="SOL",symbol="SOLUSDT"}]', "engines.trend_2.assets needs linear:SOLUSDT"),
        (
            'market_data.symbols=[["spot","BTCUSDT"],["spot","ETHUSDT"]]',
            "names linear:BTCUSDT, which market_data.symbols",
        ),
        (
            'orders.leverage_symbols=["BTCUSDT"]',
            "whose leverage is not set: orders.leverage_symbols (BTCUSDT) lacks it",
        ),
        ('orders.leverage_symbols=["BTCUSDT","ETHUSDT","SOLUSDT","XRPUSDT"]', "orders.leverage_symbols names XRPUSDT"),
        ('orders.leverage_accounts=["FUNDING"]', "orders.leverage_accounts (FUNDING) lacks TREND-1"),
        ("orders.leverage=1.5", "engines.trend_1.max_total_exposure 1.9 must be at most orders.leverage 1.5"),
        ("api.port=8265", "api.port and ray.dashboard_port are both 8265; each needs its own, or 0 for a free one"),
        (
            "tactical.funding_settlements=91",
            "engines.tactical.funding_settlements 91 looks back over 728 h",
        ),
        ("market_data.daily_backfill_default=150", "engines.trend_1 looks back over 200 daily bars of BTCUSDT"),
        (
            'market_data.daily_backfill={"spot:BTCUSDT"=199}',
            "orchestrator.allocation.regime looks back over 200 daily bars of spot:BTCUSDT",
        ),
    ],
)
def test_a_contradiction_between_sections_names_both_settings(setting: str, told: str) -> None:
    """An engine that was told to trade what the risk manager denies, or what nobody reads, stood idle."""
    assert any(told in one and "(set in the command line)" in one for one in refused(setting))


def test_engines_that_contradict_each_other_by_default_are_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A further engine with a weight of its own, while the others' still add up to 1, was a traceback."""

    def added() -> EternalConfig:
        return EternalConfig.model_validate({"orchestrator": {"weights": {"core-hodl": "0.7"}}})

    monkeypatch.setattr(load, "defaults", added)
    (told,) = refused()
    assert told.startswith("orchestrator is refused: weights sum to 1.10; they must sum to exactly 1: core-hodl 0.7,")


def test_a_contradiction_is_told_with_the_places_it_was_set_in(
    empty_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_place / "eternal.toml").write_text("[orders]\nmin_slippage = 0.02\nrecent_orders = 300\n")
    monkeypatch.setenv("ETERNAL__ORDERS__MAX_SLIPPAGE", "0.01")
    (told,) = refused("orders.recent_transfers=70")
    assert told.startswith("orders (set in eternal.toml and the environment) is refused: min_slippage 0.02 must be")
