"""The names of settings: the same in the file, the environment and on the command line, without regard to capitals and
hyphens; short names of engines; lists and tables; variables that would be ignored."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from infra.config import ConfigurationError, EternalConfig, load_config
from infra.config.names import SHORT_NAMES
from infra.processes.environment import MARK
from statemachines.values import ActorName
from tests.infra.config.sentences import refused

Way = Callable[[str, str], EternalConfig]


@pytest.fixture(params=["file", "environment", "command line"])
def way(request: pytest.FixtureRequest, empty_place: Path, monkeypatch: pytest.MonkeyPatch) -> Way:
    """Sets a dotted name to a value that is written alike everywhere."""

    def set_it(name: str, value: str) -> EternalConfig:
        *sections, last = name.split(".")
        if request.param == "command line":
            return load_config(settings=[f"{name}={value}"])
        if request.param == "environment":
            monkeypatch.setenv("ETERNAL__" + name.replace(".", "__"), value)
            return load_config()
        header = f"[{'.'.join(sections)}]\n" if sections else ""
        (empty_place / "eternal.toml").write_text(f"{header}{last} = {value}\n")
        return load_config()

    return set_it


@pytest.mark.parametrize(
    "name", ["risk.drawdown.CORE-HODL.alert", "risk.drawdown.core_hodl.alert", "RISK.DRAWDOWN.CORE_HODL.ALERT"]
)
def test_a_group_is_reached_in_any_spelling(way: Way, name: str) -> None:
    """`--set` turned the hyphen into `_` and the environment all capitals into small ones: neither got there."""
    config = way(name, "0.4")
    assert config.risk.drawdown["CORE-HODL"].alert == Decimal("0.4")
    assert list(config.risk.drawdown) == list(EternalConfig().risk.drawdown)


@pytest.mark.parametrize("name", ["trend-1", "trend_1", "TREND_1"])
def test_an_engine_in_a_table_is_reached_in_any_spelling(way: Way, name: str) -> None:
    config = way(f"risk.engines.{name}.max_order_of_equity", "2")
    assert config.risk.engines[ActorName.TREND_1].max_order_of_equity == 2


def test_an_engines_section_is_reached_with_a_hyphen(way: Way) -> None:
    assert way("engines.trend-1.max-positions", "1").engines.trend_1.max_positions == 1


def test_a_coin_is_reached_in_capitals(way: Way) -> None:
    assert way("engines.core_hodl.weights.BTC", "3").engines.core_hodl.weights == {"BTC": 3, "ETH": 1}


def test_trend_means_both_parameter_sets(way: Way) -> None:
    """It was a name of the command line only."""
    config = way("trend.adx_threshold", "22")
    assert config.engines.trend_1.adx_threshold == config.engines.trend_2.adx_threshold == 22


def test_every_engine_has_a_short_name(way: Way) -> None:
    assert {*type(EternalConfig().engines).model_fields} < {*SHORT_NAMES}
    assert way("funding.positive_periods", "3").engines.funding.positive_periods == 3


def test_the_more_specific_name_wins_in_whatever_order(empty_place: Path) -> None:
    (empty_place / "eternal.toml").write_text(
        "[engines.trend_1]\nadx_threshold = 23\n[trend_2]\nadx_threshold = 24\n"
        "[trend]\nadx_threshold = 22\nmax_positions = 1\n"
    )
    engines = load_config().engines
    assert (engines.trend_1.adx_threshold, engines.trend_2.adx_threshold) == (23, 24)
    assert engines.trend_1.max_positions == engines.trend_2.max_positions == 1


def test_of_two_settings_on_the_command_line_the_later_one_wins() -> None:
    engines = load_config(settings=["trend_1.max_positions=1", "trend.max_positions=3"]).engines
    assert engines.trend_1.max_positions == engines.trend_2.max_positions == 3


def test_one_name_in_two_spellings_is_refused(empty_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them would be ignored silently."""
    (empty_place / "eternal.toml").write_text("[engines]\ntrend-1 = {max_positions=1}\ntrend_1 = {max_positions=2}\n")
    (told,) = refused()
    assert told.startswith("engines.trend-1 and engines.trend_1 (set in eternal.toml) are refused: both name the same")
    (empty_place / "eternal.toml").unlink()
    monkeypatch.setenv("ETERNAL__API__PORT", "1")
    monkeypatch.setenv("ETERNAL__API__port", "2")
    assert "(set in the environment) are refused" in refused()[0]


@pytest.mark.parametrize(
    ("name", "value"), [("orders.retry_delays_s", "[1, 2]"), ("engines.tactical.shares", '{BTC = 0.7, ETH = "0.3"}')]
)
def test_lists_and_tables_are_written_alike(way: Way, name: str, value: str) -> None:
    """`--set` took them for text."""
    config = way(name, value)
    assert config.orders.retry_delays_s == (1, 2) or config.engines.tactical.shares["BTC"] == Decimal("0.7")


@pytest.mark.parametrize("value", ['{"BTC": "0.7", "ETH": 0.3}', '{BTC = "0.7", ETH = 0.3}'])
def test_a_table_is_json_or_toml_and_its_numbers_stay_exact(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_config(settings=[f"tactical.shares={value}"]).engines.tactical.shares["ETH"] == Decimal("0.3")
    monkeypatch.setenv("ETERNAL__TACTICAL__SHARES", value)
    assert load_config().engines.tactical.shares["BTC"] == Decimal("0.7")


def test_a_text_may_begin_like_a_list() -> None:
    (told,) = refused("api.host=[x")
    assert told.startswith("api.host = '[x' (set in the command line) is refused: a host name or an IP address")


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("ETERNAL_PROFILE", "ETERNAL__PROFILE"),
        ("ETERNAL_DATA_FOLDER", "ETERNAL__DATA_FOLDER"),
        ("ETERNAL_API_PORT", "ETERNAL__API__PORT"),
        ("ETERNAL_ENGINES__TREND_1_ADX_BARS", None),
        ("eternal_profile", "ETERNAL__PROFILE"),
        ("ETERNAL_LUCK", None),
    ],
)
def test_a_variable_with_one_underscore_is_refused_with_the_right_form(
    monkeypatch: pytest.MonkeyPatch, variable: str, meant: str | None
) -> None:
    """`ETERNAL_PROFILE=live` was ignored silently: the operator believed that it held."""
    monkeypatch.setenv(variable, "live")
    (told,) = refused()
    assert told.startswith(f"{variable} is refused: it is no setting; the names of settings have two underscores")
    assert told.endswith("ETERNAL__API__PORT have." if meant is None else f"; write {meant}.")


def test_the_programs_own_variables_are_no_settings(empty_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_place / "my.toml").write_text("[exchange]\nseed = 9\n")
    monkeypatch.setenv(MARK, "mark")
    monkeypatch.setenv("ETERNAL_CONFIG", "my.toml")
    assert load_config().exchange.seed == 9


def test_commands_that_need_the_data_folder_only_refuse_such_a_variable_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from api.client.running_system import find_place

    monkeypatch.setenv("ETERNAL__DATA-FOLDER", "there")
    assert find_place(None, None).data_folder == Path("there")
    monkeypatch.setenv("ETERNAL_DATA_FOLDER", "elsewhere")
    with pytest.raises(ConfigurationError, match="ETERNAL_DATA_FOLDER is refused"):
        find_place(None, None)
