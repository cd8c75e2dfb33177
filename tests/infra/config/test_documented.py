"""The documented configuration file and its JSON Schema are what the models say, and each field says enough."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import Field
from typer.testing import CliRunner

from api.cli.main import app
from infra.config import ConfigurationError, EternalConfig, load_config
from infra.config.example import HEAD, NOT_SET, example, toml_value
from infra.config.fields import FieldFacts, UndocumentedFieldError, facts_of
from infra.config.schema import schema
from statemachines.parameters import Allowed, ParameterModel, Unit

DOCS = Path(__file__).resolve().parents[3] / "docs"
VALUE = re.compile(r"^#(?=[\w\"-]+ = )", re.MULTILINE)
"""The # before a value that is a comment; meaning and facts have a space after it."""


def all_fields() -> list[FieldFacts]:
    return [field for section in facts_of(EternalConfig()).walk() for field in section.fields]


def loaded(text: str) -> EternalConfig:
    Path("eternal.toml").write_text(text, encoding="utf-8")
    return load_config()


def with_defaults(text: str) -> str:
    """Every commented default as a value; the examples of fields that are not set stay comments."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        part if NOT_SET in " ".join(part.replace("#", "").split()) else VALUE.sub("", part) for part in paragraphs
    )


def judged(text: str) -> list[str]:
    """What an editor would complain about; TOML's days are texts to a JSON Schema."""
    tree = json.loads(json.dumps(tomllib.loads(text), default=date.isoformat))
    found = Draft202012Validator(json.loads(schema())).iter_errors(tree)
    return [f"{'.'.join(str(part) for part in one.absolute_path)}: {one.message}" for one in found]


def test_the_files_are_what_is_generated() -> None:
    told = "run `make docs`: the configuration has changed"
    assert (DOCS / "eternal.example.toml").read_text(encoding="utf-8") == example(), told
    assert (DOCS / "eternal.schema.json").read_text(encoding="utf-8") == schema(), told


def test_the_commands_write_them(tmp_path: Path) -> None:
    for name, text in (("example", example()), ("schema", schema())):
        target = tmp_path / "new" / name
        told = CliRunner().invoke(app, ["config", name, "--target", str(target)])
        assert (told.exit_code, told.stdout) == (0, f"{target} is written.\n")
        assert target.read_text(encoding="utf-8") == text


def test_the_loader_takes_the_example_as_it_is() -> None:
    assert loaded(example()) == EternalConfig()


def test_the_loader_takes_every_default_of_the_example() -> None:
    text = with_defaults(example())
    given = [line for line in text.splitlines() if VALUE.match(f"#{line}")]
    assert len(given) == sum(1 for field in all_fields() if field.default is not None) > 200
    assert loaded(text) == EternalConfig()


def test_the_loader_takes_every_value_of_the_example() -> None:
    """Also those of fields that are not set by default; other addresses stand for the profiles that have their own."""
    config, others = (loaded(text) for text in _in_two_profiles(VALUE.sub("", example())))
    assert all(value is not None for _, value in others.addresses)
    assert config.database.url is not None
    assert config.live.proxy() is not None
    assert config.exchange.from_day == date(2020, 1, 1)
    assert config.risk.capital_limit_usdt == 10_000


def _in_two_profiles(text: str) -> tuple[str, str]:
    """The file for paper without `[addresses]`, and that section alone for testnet."""
    before, addresses = text.split("[addresses]\n")
    section, after = addresses.split("\n[", 1)
    return f"{before}[{after}", f'profile = "testnet"\n[addresses]\n{section}'


def test_the_file_names_each_field_with_what_belongs_to_it() -> None:
    text = " ".join(line.lstrip("# ") for line in example().splitlines())
    for field in all_fields():
        assert field.meaning in text
        assert f"allowed: {field.allowed}" in text
    block = example().split("[engines.trend_2]")[1].split("\n\n")[2]
    assert block == (
        "# Length of the fast moving average (TR-2, TR-3, TR-11).\n"
        "#   unit: daily bars | allowed: a whole number from 2 to 10000, below `slow_sma_bars` | default: 20 | rule: "
        "TR-2, TR-3,\n#   TR-11\n"
        "#fast_sma_bars = 20"
    )


def test_most_fields_of_the_rules_name_their_rule() -> None:
    for section in facts_of(EternalConfig()).walk():
        if section.path[:1] in (("engines",), ("risk",)):
            assert [".".join(field.path) for field in section.fields if not field.rules] == []


def test_the_schema_takes_the_example_and_all_its_values() -> None:
    assert judged(example()) == []
    assert judged(with_defaults(example())) == []
    assert judged(VALUE.sub("", example())) == []
    assert judged('[live]\ncanary_limit_usdt = "none"\n') == []
    assert judged("[trend]\nadx_threshold = 22\n[funding]\npositive_periods = 3\n") == []
    assert (
        judged("[risk.engines.trend-1]\nmax_order_of_equity = 1.5\n[engines.core_hodl]\nweights = { SOL = 1 }\n") == []
    )


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("profil = 'live'", "", "'profil' was unexpected"),
        ("profile = 'real'", "profile", "'real' is not one of"),
        ("[engines.trend_1]\nadx = 3", "engines.trend_1", "'adx' was unexpected"),
        ("[risk.engines.funding]\nmax_oder = 1", "risk.engines.funding", "'max_oder' was unexpected"),
        ("[api]\nport = 70000", "api.port", "70000 is greater than the maximum"),
        ("[engines.core_hodl.staking]\nreplay_yield = 2", "engines.core_hodl.staking.replay_yield", "2 is not valid"),
        ("[orchestrator.weights]\napi = 0.1", "orchestrator.weights", "'api' is not one of ['core-hodl'"),
        ("[risk.engines.api]\nuniverse = ['spot:BTCUSDT']", "risk.engines", "'api' is not one of ['core-hodl'"),
        ("[orchestrator]\ncycle = ['funding']", "orchestrator.cycle.0", "'funding' is not one of ['core-hodl'"),
        ("[orchestrator]\ncycle = []", "orchestrator.cycle", "[] should be non-empty"),
        ("[orchestrator]\ncycle = ['tactical', 'tactical']", "orchestrator.cycle", "has non-unique elements"),
        (
            "[risk.switches.orders_rejected]\nlevel = 0",
            "risk.switches.orders_rejected.level",
            "0 is not one of [1, 2, 3]",
        ),
        ("[risk.drawdown.NEW]\nalert = 0.1", "risk.drawdown.NEW", "'engines' is a required property"),
        ("[risk.drawdown.'a b']\nengines = ['funding']", "risk.drawdown", "'a b' does not match"),
        ("[trend]\nadx_bars = 1", "trend.adx_bars", "1 is less than the minimum of 2"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(text: str, place: str, told: str) -> None:
    complaints = judged(text)
    assert any(one.startswith(f"{place}:") and told in one for one in complaints), complaints
    with pytest.raises(ConfigurationError):
        loaded(text)


def test_the_schema_shows_the_default_of_each_place() -> None:
    """TREND-2 has other averages than its class; an editor that shows 50 for it would mislead."""
    engines = json.loads(schema())["properties"]["engines"]["properties"]
    averages = [engines[name]["properties"]["fast_sma_bars"]["default"] for name in ("trend_1", "trend_2")]
    assert averages == [50, 20]


# --- the checks can fail ---


class Told(ParameterModel):
    """A section as it should be."""

    wait_ms: Annotated[int, Field(gt=0)] = 5
    """How long it waits (TR-7)."""


def one_field(annotation: Any, default: Any, description: str | None = "What it does.") -> ParameterModel:
    body = {"__annotations__": {"depth": annotation}, "depth": Field(default, description=description)}
    model: type[ParameterModel] = type("Planted", (ParameterModel,), {**body, "__module__": __name__})
    return model()


def test_a_field_that_says_everything_is_taken() -> None:
    (field,) = facts_of(Told()).fields
    assert (field.unit, field.allowed, field.rules) == ("milliseconds", "a whole number greater than 0", ("TR-7",))


@pytest.mark.parametrize(
    ("planted", "lacking"),
    [
        (one_field(Annotated[int, Field(gt=0), Unit("m")], 1, None), "a description (a text below the field)"),
        (one_field(Annotated[int, Field(gt=0)], 1), "a unit, in its name or as a `Unit`"),
        (one_field(Annotated[int, Unit("m")], 1), "a range, since it is a number"),
        (one_field(Annotated[tuple[Decimal, ...], Unit("m")], ()), "a range, since it is a number"),
        (one_field(dict[str, Annotated[int, Field(gt=0), Unit("m")]], {}), "what is allowed (an `Allowed`)"),
        (one_field(str, "deep"), "what is allowed (an `Allowed`), since it is a text"),
        (one_field(Annotated[str, Allowed("a word")] | None, None), "an example (`Field(examples=[...])`)"),
    ],
)
def test_a_planted_field_that_says_too_little_is_refused(planted: ParameterModel, lacking: str) -> None:
    """The story: a limit was added without its unit, and the file showed a bare number."""
    with pytest.raises(UndocumentedFieldError) as caught:
        facts_of(planted)
    assert f"The field depth of the configuration lacks {lacking}" in str(caught.value)


def test_values_are_written_as_toml_reads_them() -> None:
    values: dict[str, Any] = {
        "a": Decimal("0.00000001"),
        "b": ("x", 'y"z'),
        "c": {"spot:BTCUSDT": 1, "d-e": Decimal(2)},
        "f": frozenset({"b", "a"}),
        "g": {},
        "h": 1.5,
    }
    read = tomllib.loads(
        "\n".join(f"{name} = {toml_value(value)}" for name, value in values.items()), parse_float=Decimal
    )
    assert read == {**values, "b": ["x", 'y"z'], "f": ["a", "b"]}


def test_the_first_line_points_editors_to_the_schema() -> None:
    named = HEAD.splitlines()[0].removeprefix("#:schema ./")
    assert (DOCS / named).is_file()


def test_a_section_is_introduced_by_its_own_meaning() -> None:
    """Each table of the documented file was introduced by the meaning of its last field."""
    fields = EternalConfig.model_fields
    for section in facts_of(EternalConfig()).sections:
        description = fields[section.path[0]].description
        if len(section.path) == 1 and description:
            assert section.meaning == " ".join(description.split())
