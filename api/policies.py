"""The policy in force (RM-6): which one a start takes, and the operator's changes to it, for every way in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args

import psycopg

from actors.runtime.ports import StoreUnavailableError
from api.text import is_reason
from infra.config.policy import Difference, Policy, changed, differences, policy_of, with_policy
from infra.database import registers
from infra.database.connection import Line
from infra.database.registers import Origin, PolicyVersion
from infra.faults import NotFoundError, NothingThereError, OperatorError
from statemachines.limits.operator_actions import LEAST_REASON

if TYPE_CHECKING:
    from infra.config import EternalConfig
    from statemachines.messages.control import PolicyRecorded

LAUNCH = "launch"
SHOWN = 5


class PolicyError(OperatorError):
    """The policy cannot be shown or changed so; the text says why, and nothing was recorded."""


class NoPolicyError(PolicyError, NothingThereError):
    """No system has run yet, so there is no version."""


class UnknownVersionError(PolicyError, NotFoundError):
    """There is no version of this number."""


class InForce(NamedTuple):
    """What a start works with: the configuration under the newest version, and what the configuration file has
    differently (nothing when the version is the file's own)."""

    config: EternalConfig
    version: PolicyVersion
    overridden: Sequence[Difference]

    @property
    def notice(self) -> str:
        """What the operator has to know of the difference, as sentences; "" when there is none."""
        if not self.overridden:
            return ""
        return (
            f"Policy version {self.version.version}, set by {self.version.who} ({self.version.reason}), is in force. "
            f"{len(self.overridden)} settings of the configuration differ and do not apply: "
            f"{shown(self.overridden)}. `eternal policy rollback --to-configuration` makes the configuration apply."
        )


class PolicyWatch:
    """Implements `actors.runtime.policies.ports.PolicyWatchPort`: versions recorded after that of the system's start,
    `started`."""

    def __init__(self, url: str, config: EternalConfig, started: int) -> None:
        self._url, self._config, self._newest = url, config, started
        self._line = Line(url, "policy watch")

    def newer(self) -> PolicyRecorded | None:
        """The newest version, once. Raises UnusablePolicyError and StoreUnavailableError."""
        from actors.runtime.policies.ports import UnusablePolicyError
        from statemachines.messages.control import PolicyRecorded

        newest = self._line.perform(registers.newest_version)
        if newest <= self._newest:
            return None
        found = self._line.perform(lambda connection: registers.read_version(connection, newest))
        assert found is not None
        self._newest = newest
        try:
            with_policy(self._config, found.policy, f"policy version {newest}")
        except OperatorError as error:
            raise UnusablePolicyError(
                f"Policy version {newest} of {found.who} ({found.reason}) cannot be used by the running program: "
                f"{error} The version before stays in force; correct the setting with `eternal policy set`."
            ) from None
        return PolicyRecorded(version=newest, policy=dict(found.policy), who=found.who, reason=found.reason)

    def record(self, after: int, policy: Mapping[str, Any], who: str, reason: str, origin: str) -> bool:
        """Append the version that follows `after`. Raises StoreUnavailableError."""
        if origin not in get_args(Origin):
            raise ValueError(f"origin {origin!r} of a policy is not allowed; {', '.join(get_args(Origin))} are")
        try:
            registers.record_policy(self._url, after, policy, who, reason, cast(Origin, origin))
        except registers.PolicyChangedError:
            return False
        except psycopg.OperationalError as error:
            raise StoreUnavailableError(f"the policy could not be recorded: {error}") from error
        return True


class Change(NamedTuple):
    """A change that was validated and can be recorded: `policy` would follow version `after`."""

    after: int
    policy: Policy
    differences: Sequence[Difference]
    origin: Origin


def take_in_force(url: str, config: EternalConfig) -> InForce:
    """The policy for this start. The configuration is the source until the operator has set a version; from then on
    the newest version applies.

    Raises:
        PolicyError: this program cannot use the newest version.
    """
    own = policy_of(config)
    last = registers.newest_policy(url)
    if last is None or (last.origin == "configuration" and last.policy != own):
        reason = "the first start" if last is None else "the configuration was changed"
        after = 0 if last is None else last.version
        return InForce(config, registers.record_policy(url, after, own, LAUNCH, reason, "configuration"), ())
    if last.origin == "configuration":
        return InForce(config, last, ())
    try:
        effective = with_policy(config, last.policy, f"policy version {last.version}")
    except OperatorError as error:
        raise PolicyError(
            f"Policy version {last.version} of {last.who} ({last.reason}) cannot be used: {error} Nothing was started. "
            "Change what it names with `eternal policy set`, or take the configuration's policy with `eternal policy "
            "rollback --to-configuration`."
        ) from None
    return InForce(effective, last, differences(policy_of(effective), own))


def newest_of(url: str) -> PolicyVersion:
    """The newest version. Raises PolicyError: there is none yet."""
    found = registers.newest_policy(url)
    if found is None:
        raise NoPolicyError("There is no policy yet: the first `eternal run` records the configuration's as version 1.")
    return found


def version_of(url: str, number: int) -> PolicyVersion:
    """The version of this number. Raises PolicyError: there is none."""
    found = registers.policy_version(url, number)
    if found is None:
        last = newest_of(url).version
        raise UnknownVersionError(f"Policy version {number} does not exist; 1 to {last} are allowed.")
    return found


def by_settings(
    url: str,
    config: EternalConfig,
    settings: Sequence[str],
    after: int | None = None,
    origin: str = "the command line",
) -> Change:
    """The newest version, or the one of the number `after`, with these settings. Raises ConfigurationError and
    PolicyError."""
    last = newest_of(url) if after is None else version_of(url, after)
    return _change(last, changed(config, last.policy, settings, origin), "operator")


def back_to(url: str, config: EternalConfig, number: int, after: int | None = None) -> Change:
    """An earlier version again, behind the newest or the one of the number `after`. Raises ConfigurationError and
    PolicyError."""
    wanted = version_of(url, number)
    policy = policy_of(with_policy(config, wanted.policy, f"policy version {number}"))
    return _change(newest_of(url) if after is None else version_of(url, after), policy, "rollback")


def back_to_configuration(url: str, config: EternalConfig) -> Change:
    """The configuration's own policy: from then on the configuration is the source again. Raises PolicyError."""
    last = newest_of(url)
    if last.origin == "configuration" and last.policy == policy_of(config):
        raise PolicyError(f"The configuration's policy applies already, as version {last.version}.")
    return Change(last.version, policy_of(config), differences(last.policy, policy_of(config)), "configuration")


def record(url: str, change: Change, who: str, reason: str) -> PolicyVersion:
    """Commit a change. Raises PolicyChangedError, and PolicyError for a reason that says nothing."""
    check_reason(reason)
    return registers.record_policy(url, change.after, change.policy, who, reason.strip(), change.origin)


def check_reason(reason: str) -> None:
    """Raises PolicyError for a reason that says nothing."""
    if not is_reason(reason) or not reason.isprintable():
        raise PolicyError(
            f"reason {reason[:40]!r} is refused: at least {LEAST_REASON} printable characters are required."
        )


def holders_of(url: str) -> list[dict[str, Any]]:
    """By actor the version in force, the one that waits, and the newest that it could not apply."""
    from infra.database.queries import Queries

    queries = Queries(url)
    try:
        return list(queries.policies()["actors"])
    finally:
        queries.close()


def where_in_force(holders: Sequence[Mapping[str, Any]], version: int) -> str:
    """Where a version is in force, as sentences."""
    missing = [one for one in holders if one["version"] < version and one["refused"] != version]
    refused = [one["actor"] for one in holders if one["refused"] == version]
    has_it = [one["actor"] for one in holders if one["version"] >= version]
    sentences = []
    if has_it:
        all_of_them = "every actor" if len(has_it) == len(holders) else ", ".join(has_it)
        sentences.append(f"It is in force at {all_of_them}.")
    if refused:
        sentences.append(f"It could not be applied by {', '.join(refused)}: the alert says why (`eternal alerts`).")
    if missing:
        named = ", ".join(f"{one['actor']} (version {one['version']})" for one in missing)
        sentences.append(f"It is not in force yet at {named}.")
    return " ".join(sentences)


def shown(found: Sequence[Difference]) -> str:
    """The first differences, as a clause."""
    parts = [f"{one.setting} {text_of(one.before)}, configuration {text_of(one.after)}" for one in found[:SHOWN]]
    more = len(found) - SHOWN
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def text_of(value: Any) -> str:
    """A setting's value for people."""
    return "not set" if value is None else str(value)


def _change(last: PolicyVersion, policy: Policy, origin: Origin) -> Change:
    found = differences(last.policy, policy)
    if not found:
        raise PolicyError(f"Nothing would change: policy version {last.version} has these settings already.")
    return Change(last.version, policy, found, origin)
