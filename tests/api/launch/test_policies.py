"""RM-6: versions of the policy: recorded with who, when and why; which one a start takes; shown, set, taken back."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from api import policies as service
from api.cli.main import app
from api.policies import PolicyError, back_to, back_to_configuration, by_settings, record, take_in_force
from infra.config import EternalConfig, load_config
from infra.config.policy import policy_of
from infra.database import registers
from infra.database.registers import PolicyChangedError
from infra.database.roles import as_role
from infra.database.urls import APPLICATION
from infra.faults import ConfigurationError
from tests.database import database_url, postgres_server

__all__ = ["database_url", "postgres_server"]

COLLAR = "risk.price_collar=0.02"


def config(*settings: str) -> EternalConfig:
    return load_config({}, settings)


def test_the_configuration_is_the_source_at_the_first_start_and_until_the_operator_sets_something(
    database_url: str,
) -> None:
    first = take_in_force(database_url, config())
    assert (first.version.version, first.version.origin, first.version.who) == (1, "configuration", "launch")
    assert take_in_force(database_url, config()).version == first.version, "nothing has changed"
    second = take_in_force(database_url, config(COLLAR))
    assert (second.version.version, second.version.reason) == (2, "the configuration was changed")
    assert second.config.risk.price_collar == Decimal("0.02") and second.notice == ""


def test_a_version_of_the_operator_overrides_the_configuration_which_is_told(database_url: str) -> None:
    take_in_force(database_url, config())
    change = by_settings(database_url, config(), [COLLAR])
    assert [one.setting for one in change.differences] == ["risk.price_collar"]
    made = record(database_url, change, "ada, command line", "wide books tonight")
    assert (made.version, made.origin, made.who, made.reason) == (
        2,
        "operator",
        "ada, command line",
        "wide books tonight",
    )
    found = take_in_force(database_url, config("risk.price_collar=0.03"))
    assert found.version == made and found.config.risk.price_collar == Decimal("0.02")
    assert "risk.price_collar 0.02, configuration 0.03" in found.notice and "set by ada" in found.notice
    assert "--to-configuration" in found.notice
    assert take_in_force(database_url, config(COLLAR)).notice == "", "what does not differ is not told"


def test_a_rollback_is_a_new_version_and_nothing_is_removed(database_url: str) -> None:
    take_in_force(database_url, config())
    record(database_url, by_settings(database_url, config(), [COLLAR]), "ada", "one")
    record(database_url, by_settings(database_url, config(), ["risk.price_collar=0.04"]), "ada", "two")
    made = record(database_url, back_to(database_url, config(), 2), "bob", "two was too wide")
    assert (made.version, made.origin, made.policy["risk"]["price_collar"]) == (4, "rollback", "0.02")
    last = record(database_url, back_to_configuration(database_url, config()), "bob", "the file again")
    assert (last.version, last.origin, last.policy) == (5, "configuration", policy_of(config()))
    assert take_in_force(database_url, config("risk.price_collar=0.05")).config.risk.price_collar == Decimal("0.05")
    assert [one.version for one in registers.policy_history(database_url)] == [6, 5, 4, 3, 2, 1]


def test_of_two_changes_made_for_one_version_the_second_is_refused(database_url: str) -> None:
    take_in_force(database_url, config())
    first, second = (by_settings(database_url, config(), [f"risk.price_collar={one}"]) for one in ("0.02", "0.03"))
    record(database_url, first, "ada", "first")
    with pytest.raises(PolicyChangedError, match=r"newest version is 2 of ada \(first\).*for version 1"):
        record(database_url, second, "bob", "second")
    assert len(registers.policy_history(database_url)) == 2


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (lambda url: by_settings(url, config(), ["risk.price_collar=7"]), "price_collar"),
        (lambda url: by_settings(url, config(), ["database.port=7"]), "a policy has the sections"),
        (lambda url: by_settings(url, config("risk.price_collar=0.02"), [f"risk.price_collar={_now(url)}"]), "Nothing"),
        (lambda url: back_to(url, config(), 9), "Policy version 9 does not exist; 1 to 1 are allowed"),
        (lambda url: back_to(url, config(), 1), "Nothing would change"),
        (lambda url: back_to_configuration(url, config()), "applies already, as version 1"),
        (lambda url: record(url, by_settings(url, config(), [COLLAR]), "ada", " x "), "reason"),
        (lambda url: record(url, by_settings(url, config(), [COLLAR]), "ada", "tab\there"), "reason"),
    ],
)
def test_what_is_refused_records_nothing(database_url: str, work: Callable[[str], object], told: str) -> None:
    take_in_force(database_url, config())
    with pytest.raises((PolicyError, ConfigurationError), match=told):
        work(database_url)
    assert len(registers.policy_history(database_url)) == 1


def _now(url: str) -> str:
    return str(service.newest_of(url).policy["risk"]["price_collar"])


def test_a_version_that_this_program_cannot_use_keeps_it_from_starting_and_can_be_left(database_url: str) -> None:
    take_in_force(database_url, config())
    odd = {**policy_of(config()), "risk": {**policy_of(config())["risk"], "moods": 1}}
    registers.record_policy(database_url, 1, odd, "a later program", "moods", "operator")
    with pytest.raises(PolicyError, match=r"Policy version 2 of a later program \(moods\) cannot be used.*moods"):
        take_in_force(database_url, config())
    record(database_url, back_to_configuration(database_url, config()), "ada", "an older program runs")
    assert take_in_force(database_url, config()).version.version == 3


def test_versions_are_only_ever_appended_even_by_the_owner(database_url: str) -> None:
    take_in_force(database_url, config())
    for statement in ("UPDATE policy_versions SET who = 'x'", "DELETE FROM policy_versions"):
        for url in (database_url, as_role(database_url, APPLICATION)):
            with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    record(as_role(database_url, APPLICATION), by_settings(database_url, config(), [COLLAR]), "ada", "the application")


def test_the_commands_of_the_operator(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)

    def policy(*arguments: str, given: str | None = None) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["policy", *arguments], input=given)
        return done.exit_code, done.output

    code, text = policy("show")
    assert code == 3 and "There is no policy yet" in text
    take_in_force(database_url, config())
    assert policy("diff") == (0, "There is no difference.\n")
    before = _now(database_url)
    assert policy("diff", COLLAR) == (0, f"risk.price_collar: {before} -> 0.02\n")
    assert policy("diff", "risk.price_collar=7")[0] == 2
    assert policy("set", COLLAR, "--reason", "wide books", given="n\n")[0] == 1, "it asks"
    for command in (["set", COLLAR], ["rollback", "1"]):
        code, text = policy(*command, "--reason", "x", given="y\n")
        assert code == 2 and "reason 'x' is refused" in text and "Record this" not in text, "refused before it asks"
    code, text = policy("set", COLLAR, "--reason", "wide books", "--yes")
    assert (
        code == 0
        and "version 2 is recorded. No system runs on this data folder; it applies from the next start" in text
    )
    assert policy("diff") == (0, f"risk.price_collar: 0.02 -> {before}\n")
    code, text = policy("history")
    assert code == 0 and "version 2" in text and "wide books [1 settings]" in text and "version 1" in text
    assert "risk.price_collar = 0.02" in policy("show")[1]
    assert f"risk.price_collar = {before}" in policy("show", "--version", "1")[1]
    assert json.loads(policy("show", "--json")[1])["policy"]["risk"]["price_collar"] == "0.02"
    assert policy("diff", "--from", "1", "--to", "2") == (0, f"risk.price_collar: {before} -> 0.02\n")
    assert policy("diff", COLLAR, "--from", "1")[0] == 2 and policy("rollback", "--reason", "why not")[0] == 2
    assert policy("rollback", "1", "--reason", "narrow again", "--yes")[0] == 0
    assert policy("rollback", "--to-configuration", "--reason", "the file", "--yes")[0] == 0
    assert [one["origin"] for one in json.loads(policy("history", "--json")[1])] == [
        "configuration", "rollback", "operator", "configuration",
    ]  # fmt: skip
