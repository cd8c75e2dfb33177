"""What is refused, by kind: parts that are no engines; lists that repeat or are empty; numbers beyond what the
rules and the indicators bear; values of another type; names that do not exist; secrets in what is refused. Each refusal
is one plain sentence. Settings that contradict each other are in `test_contradictions`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.config import EternalConfig, load_config
from infra.config.fields import FieldFacts, facts_of
from statemachines.values import ENGINES, IDENTITY_OF, PERPETUAL_ACCOUNTS, Account, ActorName
from tests.infra.config.sentences import refused

NO_ENGINES = sorted(set(ActorName) - set(ENGINES))


def fields() -> Iterator[FieldFacts]:
    for section in facts_of(EternalConfig()).walk():
        yield from section.fields


# --- where an engine is meant, only an engine may stand ---


@pytest.mark.parametrize(
    "place",
    [
        "orchestrator.cycle",
        "orchestrator.protective",
        "risk.fall_blocks",
        "risk.concentration_accounts",
        "risk.drawdown.TREND.engines",
    ],
)
@pytest.mark.parametrize("actor", NO_ENGINES)
def test_a_part_that_is_no_engine_is_refused_in_every_list_of_engines(place: str, actor: str) -> None:
    """`cycle=["api"]` was accepted: the daily cycle waited for a part that has no cycle."""
    (told,) = refused(f'{place}=["{actor}"]')
    assert told.startswith(f"{place} (entry 1) = '{actor}' (set in the command line) is refused: allowed is ")
    assert '"core-hodl", "trend-1", "trend-2"' in told and f'"{actor}"' not in told.partition("allowed is")[2]


@pytest.mark.parametrize("table", ["orchestrator.weights", "risk.engines"])
@pytest.mark.parametrize("actor", NO_ENGINES)
def test_a_part_that_is_no_engine_is_refused_in_every_table_of_engines(table: str, actor: str) -> None:
    """`[orchestrator.weights] api=0.1` gave the API a tenth of the capital."""
    field = "max_order_of_equity=1" if table == "risk.engines" else ""
    setting = f"{table}.{actor}.{field}" if field else f"{table}.{actor}=0.1"
    (told,) = refused(setting)
    assert told.startswith(f"{table}.{actor} (set in the command line) is refused: {actor} is not allowed there")
    assert all(f'"{engine}"' in told for engine in ENGINES)


def test_the_daily_cycle_takes_only_engines_that_it_can_run() -> None:
    """FUNDING decides at settlements (O7, F3)."""
    idle = [name for name, engine in IDENTITY_OF.items() if not engine.is_in_daily_cycle]
    for engine in idle:
        assert "allowed is" in refused(f'orchestrator.cycle=["{engine}"]')[0]
    (told,) = refused('orchestrator.cycle=["core-hodl"]')
    assert "protective names trend-1, which cycle core-hodl does not run (OR-3)" in told


def test_leverage_is_set_only_in_accounts_that_trade_perpetuals() -> None:
    spot = [one for one in Account if one not in PERPETUAL_ACCOUNTS]
    for account in spot:
        assert account in refused(f'orders.leverage_accounts=["{account}"]')[0]


def test_only_what_does_not_trade_may_be_restarted_for_ever() -> None:
    assert 'allowed is "api"' in refused('supervision.tireless=["order-manager"]')[0]
    assert load_config(settings=["supervision.tireless=[]"]).supervision.tireless == frozenset()


def test_every_field_of_engines_is_found_by_what_the_documents_allow() -> None:
    """Not a list of fields: whatever may name one engine may name every engine and no other part."""
    found = [one for one in fields() if '"core-hodl"' in one.allowed and one.path[-1] not in ("cycle", "protective")]
    assert len(found) >= 4
    for field in found:
        assert all(f'"{engine}"' in field.allowed for engine in ENGINES)
        assert not any(f'"{actor}"' in field.allowed for actor in NO_ENGINES)


# --- lists ---


@pytest.mark.parametrize(
    ("setting", "repeated"),
    [
        ('orchestrator.cycle=["core-hodl","core-hodl"]', "core-hodl"),
        ('funding.assets=["BTC","BTC"]', "BTC"),
        ('trend_1.assets=[{asset="BTC",symbol="BTCUSDT"},{asset="BTC",symbol="BTCUSDT"}]', "BTC"),
        ('market_data.symbols=[["spot","BTCUSDT"],["spot","BTCUSDT"]]', "spot, BTCUSDT"),
        ('risk.engines.tactical.universe=["spot:BTCUSDT","spot:BTCUSDT"]', "spot:BTCUSDT"),
        ('orders.leverage_symbols=["BTCUSDT","BTCUSDT"]', "BTCUSDT"),
        ('orders.leverage_accounts=["FUNDING","FUNDING"]', "FUNDING"),
        ('supervision.tireless=["api","api"]', "api"),
    ],
)
def test_what_may_stand_once_is_refused_twice(setting: str, repeated: str) -> None:
    (told,) = refused(setting)
    assert told.endswith(f"is refused: {repeated} stands there twice; each entry may stand once.")


def test_no_list_is_empty_where_that_would_switch_a_rule_off() -> None:
    lists = [field for field in fields() if field.allowed.startswith("a list of at least 1")]
    assert len(lists) >= 12
    for field in lists:
        (told,) = refused(f"{'.'.join(field.path)}=[]")
        assert f"is refused: allowed is {field.allowed.partition(', at most `')[0]}" in told


def test_pauses_grow() -> None:
    for name in ("orders.retry_delays_s", "market_data.retry_delays_s", "supervision.delays_ms"):
        assert "no entry may be below the one before" in refused(f"{name}=[5000,4000]".replace("000", ""))[0]


# --- bounds ---


@pytest.mark.parametrize(
    "setting",
    [
        "trend_1.max_total_exposure=2.1", "trend_1.max_total_exposure=100", "trend_1.max_asset_exposure=3",
        "funding.max_total_exposure=2.5", "orders.leverage=1000", "risk.engines.trend-1.max_order_of_equity=10",
    ],
)  # fmt: skip
def test_nothing_goes_beyond_the_leverage_of_tr9(setting: str) -> None:
    """A total exposure of 100 times the equity was accepted, although the risk manager's own field ends at 10."""
    (told,) = refused(setting)
    assert "2 (multiple" in told


def test_the_risk_managers_own_bound_holds_for_what_an_engine_gives_it() -> None:
    """`model_copy` passed any value by. An engine whose own section is laxer is refused with the setting's name."""
    config = EternalConfig()
    lax = config.engines.trend_1.model_copy(update={"max_total_exposure": Decimal(100)})
    engines = config.engines.model_copy(update={"trend_1": lax})
    with pytest.raises(ValueError, match=r"engines\.trend_1\.max_total_exposure gives max_total_leverage 100"):
        _ = config.model_copy(update={"engines": engines}).risk_in_force


@pytest.mark.parametrize(
    "setting",
    [
        "risk.drawdown.TREND.reduce_only=1", "risk.one_day_fall=1", "risk.reject_share=1", "risk.price_collar=1",
        "risk.caution_size_factor=1", "funding.insurance_fall=1", "funding.delta_tolerance=1", "funding.max_basis=1",
        "trend_1.adx_threshold=100", "funding.margin_fraction=0.4", "orders.reconcile_every_ms=1",
    ],
)  # fmt: skip
def test_no_threshold_switches_its_rule_off(setting: str) -> None:
    """A level NORMAL switched a switch off; so does a threshold that nothing can pass."""
    assert setting.partition("=")[0].rpartition(".")[2] in refused(setting)[0]


@pytest.mark.parametrize("name", ["adx_bars", "atr_bars", "fast_sma_bars", "correlation_returns"])
def test_no_indicator_has_a_window_of_one(name: str) -> None:
    """`--set trend.adx_bars=1` ended the backtest in a traceback of TA-Lib."""
    told = refused(f"trend.{name}=1")
    assert len(told) == 2 and all("allowed is a whole number from" in one for one in told)


@pytest.mark.parametrize("name", ["slow_sma_bars", "fast_sma_bars", "adx_bars", "atr_bars", "correlation_returns"])
def test_every_window_that_is_allowed_can_be_computed(name: str) -> None:
    """The smallest allowed value of each window gives a number, not an error of the library."""
    import numpy as np

    from statemachines.indicators import vector

    field = next(one for one in fields() if one.path == ("engines", "trend_1", name))
    least = int(field.allowed.split(" from ")[1].split()[0])
    close = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 6.0, 9.0, 7.0])
    computed: dict[str, Callable[[], Any]] = {
        "adx_bars": lambda: vector.adx(close + 1, close - 1, close, least)[-1],
        "atr_bars": lambda: vector.atr(close + 1, close - 1, close, least)[-1],
        "correlation_returns": lambda: vector.correlation(close, close[::-1].copy(), least),
    }
    found = computed.get(name, lambda: vector.sma(close, least)[-1])()
    assert found is not None and np.isfinite(found)


def test_every_number_has_a_least_and_a_most() -> None:
    """`orders.recent_orders=10^20` was accepted: the kind is a number without an end."""
    endless = [
        ".".join(one.path)
        for one in fields()
        if "number" in one.allowed
        and not ("at most" in one.allowed or "less than" in one.allowed or " to " in one.allowed)
    ]
    assert endless == ["live.canary_limit_usdt"]  # told in words; its type ends where PositiveUsdt does
    assert "is refused" in refused(f"live.canary_limit_usdt={10**20}")[0]


@pytest.mark.parametrize("value", ["1e-400", "0.0000000000001", "1e400", "NaN", "Infinity", "-0"])
def test_a_decimal_is_finite_and_not_finer_than_any_price(value: str) -> None:
    (told,) = refused(f"orders.max_slippage={value}")
    assert told.startswith(f"orders.max_slippage = '{value}' (set in the command line) is refused: ")


def test_a_switch_can_be_tuned_only_where_it_is_read_and_never_be_off() -> None:
    """`orders_rejected.consecutive` was read by nothing, and the level NORMAL switched a switch off."""
    (told,) = refused("risk.switches.orders_rejected.consecutive=3")
    assert told.endswith("there is no such setting; allowed: level.")
    for switch in ("orders_rejected", "reconciliation_mismatch"):
        (told,) = refused(f"risk.switches.{switch}.level=0")
        assert told.endswith("allowed is 1 (CAUTION), 2 (REDUCE_ONLY) or 3 (HALTED).")
    config = load_config(settings=["risk.switches.reconciliation_mismatch.consecutive=4"])
    assert config.risk.switches.reconciliation_mismatch.consecutive == 4


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("data_folder=", "data_folder = '' (set in the command line) is refused: a path is required; it is empty."),
        ("exchange.history= ", "a path is required; it is empty."),
        ("api.token_file=", "a path is required; it is empty."),
        ("api.host=nowhere here", "a host name or an IP address is required, for example 127.0.0.1 or localhost."),
        ("api.host=", "a host name or an IP address is required"),
        ("api.host=300.1.1.1", "a host name or an IP address is required"),
        ("ray.address=foo", '"auto" or HOST:PORT is required, for example 10.0.0.7:6379.'),
        ("ray.address=foo:99999", '"auto" or HOST:PORT is required'),
        ("ray.address=:80", '"auto" or HOST:PORT is required'),
    ],
)
def test_a_text_that_cannot_work_is_refused(setting: str, told: str) -> None:
    assert any(told in one for one in refused(setting))


@pytest.mark.parametrize(
    "setting",
    [
        "api.host=::1",
        "api.host=localhost",
        "ray.address=auto",
        "ray.address=head:6379",
        "ray.address=[::1]:6379",
    ],
)
def test_a_text_that_can_work_is_taken(setting: str) -> None:
    assert load_config(settings=[setting])


PROXY = 'api.trusted_proxies=["10.0.0.7"]'
CERTIFICATE = ("api.tls_certificate=console.pem", "api.tls_key=console.key")


@pytest.mark.parametrize(
    ("settings", "is_taken"),
    [
        (("api.host=127.0.0.1",), True),
        (("api.host=127.8.9.10",), True),
        (("api.host=0.0.0.0",), False),
        (("api.host=::",), False),
        (("api.host=10.0.0.7",), False),
        (("api.host=my-host.example",), False),
        (("api.host=0.0.0.0", PROXY), True),
        (("api.host=my-host.example", PROXY), True),
        (("api.host=0.0.0.0", *CERTIFICATE), True),
        (("api.host=my-host.example", *CERTIFICATE), True),
    ],
)
def test_what_other_machines_reach_needs_tls_or_a_proxy(settings: tuple[str, ...], is_taken: bool) -> None:
    """DE-3: a token must never pass the network in clear."""
    if is_taken:
        assert load_config(settings=settings).api.is_reached_from_elsewhere is (
            not settings[0].startswith("api.host=127")
        )
        return
    (told,) = refused(*settings)
    assert "give tls_certificate and tls_key" in told and "trusted_proxies" in told and "listen on 127.0.0.1" in told


@pytest.mark.parametrize("one", CERTIFICATE)
def test_a_certificate_needs_its_key(one: str) -> None:
    (told,) = refused(one)
    assert "tls_certificate and tls_key belong together" in told


@pytest.mark.parametrize("network", ["", "x", "10.0.0.300", "10.0.0.7/24", "0.0.0.0/0", "::/0", "*"])
def test_a_proxy_is_an_address_or_a_network(network: str) -> None:
    (told,) = refused(f'api.trusted_proxies=["{network}"]')
    assert told.startswith("api.trusted_proxies (entry 1)") and ("for example 10.0.0.7" in told or "all addr" in told)


# --- types ---


def test_a_value_of_another_type_is_refused_with_what_the_documents_allow(eighth_unless_soaking: int) -> None:
    """Tuples, frozensets, instances of models and decimal objects were spoken of; the documented words are used now."""
    wrong: tuple[Any, ...] = (True, {"a": 1}, [[1]])
    for number, field in enumerate(fields()):
        for value in wrong if eighth_unless_soaking == 1 else (wrong[number % len(wrong)],):
            tree: Any = [[1]] if value is True and field.allowed == "true or false" else value
            for part in reversed(field.path):
                tree = {part: tree}
            told = refused(overrides=tree)
            assert any(one.startswith(".".join(field.path)) for one in told), (field.path, value, told)


def test_true_is_no_number(empty_place: Path) -> None:
    (empty_place / "eternal.toml").write_text("[engines.trend_1]\nmax_positions = true\n")
    (told,) = refused()
    assert told == (
        "engines.trend_1.max_positions = true (set in eternal.toml) is refused: allowed is a whole number greater than "
        "0 and at most 100 (positions)."
    )


def test_a_section_that_is_no_table_is_told_what_stands_in_it() -> None:
    assert refused("orders=5")[0].endswith("a table of settings is required, such as orders.requote_interval_ms.")
    assert refused("risk.engines=5")[0].endswith(
        "a table of tables is required, such as risk.engines.core-hodl.universe."
    )


# --- names ---


def test_a_misspelt_group_is_told_as_one_that_is_not_there() -> None:
    """It was "field required", about a field that nobody had meant to set."""
    (told,) = refused("risk.drawdown.TREN.caution=0.1")
    assert told.startswith(
        "risk.drawdown.TREN (set in the command line) is refused: risk.drawdown has no TREN; TREND may be meant; there "
        "are TREND, FUNDING, CORE-HODL, TACTICAL, and a new one needs risk.drawdown.TREN.engines (a list of at least 1"
    )


def test_a_group_of_its_own_needs_engines_that_no_other_group_measures() -> None:
    settings = [
        'risk.drawdown.TREND.engines=["trend-1"]',
        'risk.drawdown.SECOND.engines=["trend-2"]',
        "risk.drawdown.SECOND.alert=0.2",
    ]
    assert load_config(settings=settings).risk.drawdown["SECOND"].engines == (ActorName.TREND_2,)


def test_an_unknown_name_is_told_with_the_nearest_one() -> None:
    assert "there is no such setting; profile may be meant; allowed: addresses, api, " in refused("profil=live")[0]
    assert "adx_threshold may be meant" in refused("trend_1.adx_treshold=3")[0]


# --- secrets ---


def test_a_value_is_secret_by_its_type_and_not_by_its_name() -> None:
    """A weight was shown as (secret), since the library calls the key of a table `[key]`."""
    (told,) = refused("orchestrator.weights.trend-1=9")
    assert told.startswith("orchestrator.weights.trend-1 = '9' (set in the command line) is refused: ")
    assert "(secret)" not in "".join(refused("risk.drawdown.a b.caution=0.1"))
    assert "= 'x' " in refused("api.port=x")[0]


@pytest.mark.parametrize(
    "setting",
    [
        "database.url=mysql://a:topsecret@b/c", "database=postgresql://a:topsecret@b/c", "database.urll=topsecret",
        "database_url=postgresql://a:topsecret@b/c", "live.proxy_url=ftp://a:topsecret@b:1", "live=topsecret",
        'live=["topsecret"]', "database.url.inner=topsecret", "database.password=topsecret",
    ],
)  # fmt: skip
def test_no_secret_is_shown_wherever_it_was_put(setting: str) -> None:
    assert "topsecret" not in "".join(refused(setting))
