"""Configuration: the specification's defaults, what overrides them, and what a refusal says (DA-5, RM-6)."""

from __future__ import annotations

import os
import pickle
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.bybit.endpoints import endpoints
from infra.config import ConfigurationError, EternalConfig, Profile, load_config
from statemachines.trend.parameters import TREND_1, TREND_2
from statemachines.values import ActorName


def refusal(**arguments: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_config(**arguments)  # type: ignore[arg-type]
    return str(caught.value)


def test_without_any_file_the_defaults_hold() -> None:
    config = load_config()
    assert config == EternalConfig()
    assert config.profile is Profile.PAPER
    assert config.is_simulated
    assert config.engines.trend_1 == TREND_1
    assert config.engines.trend_2 == TREND_2
    assert config.data_folder == Path(".eternal")
    assert config.token_file == Path(".eternal/api-token")
    assert (config.api.port, config.database.port, config.exchange.port) == (0, 0, 0)
    assert config.database.url is None


def test_command_line_over_environment_over_file_over_defaults(
    empty_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_place / "eternal.toml").write_text(
        """
        profile = "paper"
        [engines.trend_1]
        adx_threshold = 21.5
        quiet_closes = 7
        max_positions = 1
        [exchange]
        pace_s = 1
        """
    )
    monkeypatch.setenv("ETERNAL__ENGINES__TREND_1__QUIET_CLOSES", "8")
    monkeypatch.setenv("ETERNAL__ENGINES__TREND_1__MAX_POSITIONS", "1")
    monkeypatch.setenv("ETERNAL__EXCHANGE__PACE_S", "0.5")
    config = load_config({"exchange": {"pace_s": 0}}, ["trend_1.max_positions=2"])
    trend = config.engines.trend_1
    assert (trend.adx_threshold, trend.quiet_closes, trend.max_positions) == (Decimal("21.5"), 8, 2)
    assert trend.slow_sma_bars == 200
    assert config.exchange.pace_s == 0


def test_the_file_may_be_named_or_lie_in_the_data_folder(empty_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_place / ".eternal").mkdir()
    (empty_place / ".eternal" / "eternal.toml").write_text("[exchange]\nseed = 11\n")
    assert load_config().exchange.seed == 11
    other = empty_place / "other.toml"
    other.write_text("[exchange]\nseed = 12\n")
    monkeypatch.setenv("ETERNAL_CONFIG", str(other))
    assert load_config().exchange.seed == 12
    monkeypatch.setenv("ETERNAL_CONFIG", "nowhere.toml")
    assert load_config(file=other).exchange.seed == 12
    assert "'nowhere.toml'" in refusal()


def test_one_field_of_a_section_leaves_the_others_at_that_sections_own_default(empty_place: Path) -> None:
    """TREND-2 keeps its 20/100 averages, the risk manager its limits per engine, when one number is changed."""
    (empty_place / "eternal.toml").write_text(
        "[engines.trend_2]\nadx_threshold = 20\n[risk.engines.trend-1]\nmax_order_of_equity = 1.5\n"
    )
    config = load_config()
    assert (config.engines.trend_2.fast_sma_bars, config.engines.trend_2.slow_sma_bars) == (20, 100)
    untouched = EternalConfig().risk.engines
    assert config.risk.engines[ActorName.FUNDING] == untouched[ActorName.FUNDING]
    changed = config.risk.engines[ActorName.TREND_1]
    assert changed == untouched[ActorName.TREND_1].model_copy(update={"max_order_of_equity": Decimal("1.5")})


def test_set_trend_means_both_parameter_sets() -> None:
    config = load_config(settings=["trend.adx_threshold=20", "funding.positive_periods=3"])
    assert config.engines.trend_1.adx_threshold == config.engines.trend_2.adx_threshold == 20
    assert config.engines.funding.positive_periods == 3
    assert "section.field=value" in refusal(settings=["trend.adx_threshold"])


def test_a_wrong_value_is_refused_with_field_value_and_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETERNAL__PROFILE", "real")
    monkeypatch.setenv("ETERNAL__API__PORT", "70000")
    text = refusal(settings=["trend_1.adx_threshold=-5"])
    profile, port, adx = sorted(
        text.splitlines(), key=lambda line: "profile api engines".index(line.split()[0].split(".")[0])
    )
    assert profile == (
        'profile = \'real\' (set in the environment) is refused: allowed is "paper", "demo", "testnet" or "live".'
    )
    assert port == (
        "api.port = '70000' (set in the environment) is refused: allowed is a whole number from 0 to 65535 (port "
        "number)."
    )
    assert adx == (
        "engines.trend_1.adx_threshold = '-5' (set in the command line) is refused: allowed is a number greater than 0 "
        "and less than 100 (points of the ADX)."
    )


def test_an_unknown_name_is_refused_wherever_it_stands(empty_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt name must never be ignored: the operator would believe that it holds."""
    monkeypatch.setenv("ETERNAL__PROFIL", "live")
    text = refusal()
    assert (
        "PROFIL = 'live' (set in the environment) is refused: there is no such setting; profile may be meant; allowed: "
        in text
    )
    monkeypatch.delenv("ETERNAL__PROFIL")
    (empty_place / "eternal.toml").write_text("[engines.trend_1]\nadx = 3\n[risk.engines.funding]\nmax_oder = 1\n")
    lines = refusal().splitlines()
    assert "engines.trend_1.adx = 3 (set in eternal.toml)" in lines[0]
    assert "adx_threshold" in lines[0]
    assert lines[1].startswith("risk.engines.funding.max_oder = 1 (set in eternal.toml)")
    assert "max_order_of_equity" in lines[1]


def test_a_rule_between_fields_is_told_in_its_own_words() -> None:
    text = refusal(settings=["trend_1.fast_sma_bars=300"])
    assert text.startswith("engines.trend_1 (set in the command line) is refused: ")
    assert text.endswith("fast_sma_bars 300 must be below slow_sma_bars 200 (TR-3).")


def test_a_file_that_is_not_toml_is_refused(empty_place: Path) -> None:
    (empty_place / "eternal.toml").write_text("profile = paper\n")
    assert "eternal.toml is not valid TOML" in refusal()


def test_the_database_url_is_taken_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """DE-3: no credential in errors, repr, logs or the database."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:topsecret@db.example:5432/eternal")
    config = load_config()
    assert config.database.url is not None
    assert config.database.url.get_secret_value().endswith("@db.example:5432/eternal")
    assert "topsecret" not in repr(config) + str(config) + str(config.public())
    monkeypatch.setenv("DATABASE_URL", "mysql://me:topsecret@db.example/eternal")
    text = refusal()
    assert "database.url = (secret) (set in the environment) is refused" in text
    assert "refused: DATABASE_URL has the scheme 'mysql'; allowed: postgresql" in text  # it was "dATABASE_URL"
    assert "topsecret" not in text


def test_the_owners_url_is_taken_with_the_other_one_only_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://boss:topsecret@db.example/eternal")
    assert "DATABASE_OWNER_URL" in refusal() and "topsecret" not in refusal()
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:other@db.example/eternal")
    config = load_config()
    assert config.database.owner_url is not None
    assert "topsecret" not in repr(config) + str(config) + str(config.public())
    assert "owner_url" not in str(config.public())


def test_only_live_has_a_limit_on_capital_until_it_is_lifted() -> None:
    assert load_config().capital_limit_usdt is None
    assert load_config({"profile": "live"}).capital_limit_usdt == 1000
    assert load_config({"profile": "live", "live": {"canary_limit_usdt": "none"}}).capital_limit_usdt is None


def test_history_belongs_to_paper_and_days_are_in_order() -> None:
    assert load_config({"exchange": {"history": "h"}}).exchange.history == Path("h")
    assert "only for profile paper" in refusal(overrides={"profile": "demo", "exchange": {"history": "h"}})
    text = refusal(overrides={"exchange": {"from_day": "2021-01-01", "to_day": "2020-01-01"}})
    assert "from_day 2021-01-01 must be before to_day 2020-01-01" in text


def test_it_is_frozen_and_travels() -> None:
    config = load_config(settings=["trend.adx_threshold=20"])
    assert pickle.loads(pickle.dumps(config)) == config
    with pytest.raises(ValueError, match="frozen"):
        config.profile = Profile.LIVE


def test_what_the_profile_adds_to_the_rules() -> None:
    """Live: the canary reaches the risk manager; a real exchange's books are compared every minute."""
    paper, live = EternalConfig(), EternalConfig(profile=Profile.LIVE)
    assert paper.risk_in_force.capital_limit_usdt is None
    assert paper.orders_in_force.reconcile_every_ms == 0
    assert live.risk_in_force.capital_limit_usdt == live.live.canary_limit_usdt == 1_000
    assert live.orders_in_force.reconcile_every_ms == 60_000
    tighter = live.risk.model_copy(update={"capital_limit_usdt": Decimal(300)})
    assert live.model_copy(update={"risk": tighter}).risk_in_force.capital_limit_usdt == 300
    chosen = live.orders.model_copy(update={"reconcile_every_ms": 5_000})
    assert live.model_copy(update={"orders": chosen}).orders_in_force.reconcile_every_ms == 5_000


DEEP = 20_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * DEEP,
        '{"a":' * DEEP,
        '{"a":' * DEEP + "1" + "}" * DEEP,
        "[" * 50 + "]" * 50,
        '{"a":' * 900 + "1" + "}" * 900,
    ],
)
def test_a_variable_that_is_nested_too_deep_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """It was a RecursionError, from the reader or from whoever read on."""
    monkeypatch.setenv("ETERNAL__ENGINES", text)
    assert refusal() == "ETERNAL__ENGINES is refused: it is nested too deep; at most 20 levels are allowed."


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5_000 + "]" * 5_000,
        "a = " + "[" * 100 + "]" * 100,
        "a = " + "{a = " * 900 + "1" + "}" * 900,
        ".".join("a" * 5_000) + " = 1",
    ],
)
def test_a_file_that_is_nested_too_deep_is_refused(empty_place: Path, text: str) -> None:
    (empty_place / "deep.toml").write_text(text)
    told = refusal(file=Path("deep.toml"))
    assert told == "the file deep.toml is refused: it is nested too deep; at most 20 levels are allowed."


def test_a_name_of_too_many_parts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nested too deep" in refusal(settings=[".".join("a" * 5_000) + "=1"])
    monkeypatch.setenv("ETERNAL__" + "__".join("A" * 5_000), "1")
    assert "nested too deep" in refusal()


def test_what_is_no_file_is_told_as_what_it_is(empty_place: Path) -> None:
    """A folder and a FIFO were "no such file"."""
    (empty_place / "folder").mkdir()
    os.mkfifo(empty_place / "fifo")
    (empty_place / "loop").symlink_to("loop")
    told = {name: refusal(file=Path(name)) for name in ("folder", "fifo", "loop", "none")}
    assert "it is a folder" in told["folder"]
    assert "it is no regular file" in told["fifo"]
    assert "it is a link that leads to no file" in told["loop"]
    assert "there is no such file" in told["none"]


def test_other_addresses_are_for_demo_and_testnet_and_plain_ones_for_this_machine() -> None:
    given = {"rest": "http://127.0.0.1:8700/", "private_stream": "ws://localhost:8700"}
    config = EternalConfig.model_validate({"profile": "testnet", "addresses": given})
    assert config.addresses.exchange == {"rest": "http://127.0.0.1:8700", "private_stream": "ws://localhost:8700"}
    found = endpoints("testnet", config.addresses.exchange)
    assert found.rest == "http://127.0.0.1:8700" and found.public_stream == endpoints("testnet", {}).public_stream
    for profile in ("paper", "live"):
        with pytest.raises(ValidationError, match=f"addresses.rest .* is only for .* profile is {profile}"):
            EternalConfig.model_validate({"profile": profile, "addresses": given})


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("rest", "http://api.example:80", "encrypts nothing"),
        ("rest", "ws://127.0.0.1:1", "https://HOST"),
        ("rest", "https://user:pass@api.example", "without path and login"),
        ("rest", "https://api.example/v5", "without path"),
        ("rest", "https://", "https://HOST"),
        ("public_stream", "https://api.example", "wss://HOST"),
        ("private_stream", "ws://stream.example", "encrypts nothing"),
        ("dvol", "https://api.example:99999", "https://HOST"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(field: str, value: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        EternalConfig.model_validate({"profile": "testnet", "addresses": {field: value}})
