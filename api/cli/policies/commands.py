"""`eternal policy`: limits, weights and parameters as versions: shown, compared, set, taken back (RM-6)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.faults import OperatorError

if TYPE_CHECKING:
    from api.policies import Change
    from api.policy_trial import Effects
    from infra.config import EternalConfig
    from infra.config.policy import Difference
    from infra.database.registers import PolicyVersion

policy_app = typer.Typer(no_args_is_help=True, help="Limits, weights and parameters as versions (RM-6).")

Folder = Annotated[Path | None, typer.Option("--data", help="data folder (default .eternal)")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file (default eternal.toml, if there is one)")]
Assignments = Annotated[list[str], typer.Argument(help="section.field=value, may be repeated")]
Reason = Annotated[str, typer.Option(help="why; it is recorded")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="record nothing; say what it would do now")]
Json = Annotated[bool, typer.Option("--json", help="as JSON")]
STOPPED = "No system runs on this data folder; it applies from the next start on."
WAIT_S = 10.0
"""How long a change is watched on its way to the actors; a daily cycle under way may take longer."""

LOOK_S = 0.25


class PolicyOptionsError(OperatorError):
    """The options of the command contradict each other, or an actor could not apply what they say."""


@policy_app.command()
def show(
    number: Annotated[int | None, typer.Option("--version", help="an earlier version; the newest without it")] = None,
    as_json: Json = False,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Show a version: who set it, when and why, and every setting."""
    from api.policies import holders_of, newest_of, text_of, version_of, where_in_force
    from infra.config.policy import differences

    with _database(data, config_file) as url:
        found = newest_of(url) if number is None else version_of(url, number)
        holders = holders_of(url)
    if as_json:
        whole = {**_head(found), "policy": found.policy, "actors": holders}
        typer.echo(json.dumps(whole, indent=1, ensure_ascii=False))
        return
    typer.echo(_line(found))
    if number is None and _is_running(data, config_file):
        typer.echo(where_in_force(holders, found.version))
    for one in differences({}, found.policy):
        typer.echo(f"{one.setting} = {text_of(one.after)}")


@policy_app.command()
def history(as_json: Json = False, data: Folder = None, config_file: ConfigFile = None) -> None:
    """List the newest 50 versions with who, when, why and the number of settings that each changed."""
    from infra.config.policy import differences
    from infra.database import registers

    with _database(data, config_file) as url:
        found = registers.policy_history(url, 51)
    older = {one.version: one.policy for one in found}
    rows = [
        (one, None if one.version - 1 not in older else differences(older[one.version - 1], one.policy))
        for one in found[:50]
    ]
    if as_json:
        shown = [{**_head(one), "differences": _plain(changes or [])} for one, changes in rows]
        typer.echo(json.dumps(shown, indent=1, ensure_ascii=False))
        return
    for one, changes in rows:
        typer.echo(f"{_line(one)}{'' if changes is None else f' [{len(changes)} settings]'}")


@policy_app.command()
def diff(
    settings: Annotated[list[str] | None, typer.Argument(help="section.field=value: what these would change")] = None,
    first: Annotated[int | None, typer.Option("--from", help="a version; without it the newest")] = None,
    second: Annotated[int | None, typer.Option("--to", help="a version; without it the configuration")] = None,
    as_json: Json = False,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Compare the newest version with the configuration, two versions, or validate settings and show what they change.
    Nothing is recorded."""
    from api.policies import by_settings, newest_of, version_of
    from infra.config.policy import differences, policy_of

    if settings and (first is not None or second is not None):
        raise PolicyOptionsError("settings and --from or --to exclude each other: settings change the newest version.")
    with _database(data, config_file) as url:
        if settings:
            config = _config(data, config_file)
            change = by_settings(url, config, settings)
            found = change.differences
            effects = _effects(url, config, change)
        else:
            effects = None
            before = newest_of(url) if first is None else version_of(url, first)
            after = policy_of(_config(data, config_file)) if second is None else version_of(url, second).policy
            found = differences(before.policy, after)
    if as_json:
        shown: Any = _plain(found)
        if effects is not None:
            shown = {"differences": shown, "effects": effects.as_json()}
        typer.echo(json.dumps(shown, indent=1, ensure_ascii=False))
        return
    _print(found)
    _print_effects(effects)


@policy_app.command("set")
def set_(
    settings: Assignments,
    reason: Annotated[str | None, typer.Option(help="why; it is recorded")] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Record a new version with these settings, validated like the configuration. A running system takes it between two
    daily cycles, a stopped one at its next start."""
    from api.policies import by_settings, check_reason

    if reason is None and not dry_run:
        raise PolicyOptionsError("--reason is missing: a change is recorded with the reason for it.")
    if reason is not None:
        check_reason(reason)
    config = _config(data, config_file)
    with _database(data, config_file) as url:
        change = by_settings(url, config, settings)
        if dry_run:
            _try(url, config, change)
            return
        assert reason is not None
        _record(url, config, change, reason, yes=yes)


@policy_app.command()
def rollback(
    reason: Reason,
    number: Annotated[int | None, typer.Argument(help="the version to return to")] = None,
    to_configuration: Annotated[
        bool, typer.Option("--to-configuration", help="let the configuration be the source again")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    data: Folder = None,
    config_file: ConfigFile = None,
) -> None:
    """Record an earlier version, or the configuration's policy, as a new version; nothing recorded is ever removed."""
    from api.policies import back_to, back_to_configuration, check_reason

    if (number is None) is not to_configuration:
        raise PolicyOptionsError("give the number of a version, or --to-configuration.")
    check_reason(reason)
    config = _config(data, config_file)
    with _database(data, config_file) as url:
        change = back_to_configuration(url, config) if number is None else back_to(url, config, number)
        if dry_run:
            _try(url, config, change)
            return
        _record(url, config, change, reason, yes=yes)


def _try(url: str, config: EternalConfig, change: Change) -> None:
    _print(change.differences)
    _print_effects(_effects(url, config, change))
    typer.echo("Nothing was recorded.")


def _record(url: str, config: EternalConfig, change: Change, reason: str, *, yes: bool) -> None:
    from api.cli.asking.control import user_name
    from api.policies import record

    _print(change.differences)
    found = _effects(url, config, change)
    if found is not None and found.cannot:
        raise PolicyOptionsError(
            "\n".join([*found.obstacles(), "Nothing was recorded: the next start would fail on it."])
        )
    if not yes:
        typer.confirm(f"Record this as version {change.after + 1}?", abort=True)
    made = record(url, change, user_name(), reason)
    reached = watched(url, made.version) if _is_running(config.data_folder) else STOPPED
    typer.echo(f"Policy version {made.version} is recorded. {reached}")


def _is_running(data: Path | None, config_file: Path | None = None) -> bool:
    from api.cli.status import running_pid
    from api.client.running_system import find_place

    return running_pid(find_place(data, config_file).data_folder) is not None


def watched(url: str, version: int, wait_s: float = WAIT_S) -> str:
    """Where the version is in force, once it is everywhere or after `wait_s` seconds, as sentences."""
    from api.policies import holders_of, where_in_force

    until = time.monotonic() + wait_s
    while True:
        holders = holders_of(url)
        if holders and all(one["version"] >= version or one["refused"] == version for one in holders):
            return where_in_force(holders, version)
        if time.monotonic() > until:
            return (
                f"{where_in_force(holders, version)} The system takes it between two daily cycles, without a restart; "
                "`eternal policy show` shows where it is in force."
            )
        time.sleep(LOOK_S)


def _effects(url: str, config: EternalConfig, change: Change) -> Effects | None:
    from api.policies import newest_of
    from api.policy_trial import effects

    return effects(url, config, newest_of(url).policy, change.policy)


def _print_effects(found: Effects | None) -> None:
    for line in [] if found is None else found.lines():
        typer.echo(line)


def _print(found: Any) -> None:
    from api.policies import text_of

    if not found:
        typer.echo("There is no difference.")
    for one in found:
        typer.echo(f"{one.setting}: {text_of(one.before)} -> {text_of(one.after)}")


def _line(one: PolicyVersion) -> str:
    return f"version {one.version}, {one.recorded_at:%Y-%m-%d %H:%M:%S} UTC, {one.origin}, by {one.who}: {one.reason}"


def _head(one: PolicyVersion) -> dict[str, Any]:
    return {
        "version": one.version,
        "recorded_at": one.recorded_at.isoformat(),
        "origin": one.origin,
        "who": one.who,
        "reason": one.reason,
    }


def _plain(found: list[Difference] | Any) -> list[dict[str, Any]]:
    return [one._asdict() for one in found]


def _config(data: Path | None, file: Path | None) -> EternalConfig:
    from infra.config import load_config

    return load_config({} if data is None else {"data_folder": str(data)}, (), file)


@contextmanager
def _database(data: Path | None, config_file: Path | None) -> Iterator[str]:
    """The URL of the database for appending; an embedded one of a stopped system is started for it. Where it is up, the
    configuration is not loaded: that takes longer than all the rest."""
    from api.cli.status import running_pid
    from api.client.running_system import find_database, find_place, own_database
    from infra.database.outage import told_as_sentence

    place = find_place(data, config_file)
    with told_as_sentence():
        if own_database(config_file) or running_pid(place.data_folder) is not None:
            yield find_database(place, config_file).for_writing
        else:
            from api.cli.ledger_sources import database_of

            with database_of(_config(data, config_file)) as url:
                from infra.database.migrations import upgrade

                upgrade(url)
                yield url
