"""Changes of the policy by a way in (RM-6): tried on what is there, then recorded by the orchestrator.

The interface reads the database and writes nothing itself. The orchestrator appends the version; every actor takes it
between two cycles, as one that the command line recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NamedTuple, TypeVar

import psycopg
from pydantic import BaseModel, ConfigDict, Field

from actors.runtime.ports import StoreUnavailableError
from api.control import ControlUnavailableError, Printable, Reason, Send
from api.policies import Change, PolicyError, back_to, by_settings, newest_of, version_of
from api.policy_trial import Effects, TrialError, effects
from api.views.arguments import BadValueError
from infra.config import EternalConfig
from infra.config.policy import Difference, settings_of, with_policy
from infra.database.reading.reader import QueryUnavailableError
from infra.database.registers import PolicyChangedError, PolicyVersion
from infra.faults import ConfigurationError
from statemachines.limits.operator_actions import LEAST_REASON
from statemachines.values import ActorName

T = TypeVar("T")

READS_ONLY = "This interface only reads; it has no policy that it could change."
NOTHING = "Nothing was recorded; try again."
UNKNOWN = "The change may be recorded; give it again: it is recorded once, and `eternal policy history` shows it."

HERE = "the change"
"""Where the settings of a change were given, in refusals of them."""

MOST_SETTINGS = 100
Settings = Annotated[
    list[Annotated[Printable, Field(max_length=400)]],
    Field(max_length=MOST_SETTINGS, examples=[["risk.price_collar=0.01"]]),
]


class PolicyWanted(BaseModel):
    """A change of the policy: `settings` as section.field=value on top of the newest version, or the number of an
    earlier version whose policy is to be in force again; one of the two."""

    model_config = ConfigDict(extra="forbid")

    settings: Settings = []
    back_to: int | None = Field(default=None, ge=1, le=2**31 - 1, description="the number of an earlier version")


class PolicyOrdered(PolicyWanted):
    """A change to be recorded. `after` is the number of the newest version, as the trial of the change has shown it:
    when it is not the newest any more, nothing is recorded."""

    after: int = Field(ge=1, le=2**31 - 1, description="number of the newest version")
    reason: Reason = Field(min_length=LEAST_REASON, max_length=500, examples=["calmer entries until autumn"])


class SettingChanged(BaseModel):
    """One setting, by its dotted name; null: it is not set."""

    setting: str
    before: Any
    after: Any


class PolicySetting(BaseModel):
    """A setting that a change may name, with its value in the newest version."""

    setting: str = Field(description="its dotted name; of a table of values one entry")
    value: Any = Field(description="decimals as text, lists as lists; null: it is not set")
    unit: str | None = Field(description="of a number, in words")
    allowed: str = Field(description="what may stand there, in words")
    meaning: str


class PolicyTrial(BaseModel):
    """What a change would do now. `text` says it as sentences; `obstacles` are the actors that could not apply it."""

    after: int = Field(description="number of the newest version, which the change would follow")
    differences: list[SettingChanged]
    text: list[str]
    obstacles: list[str]


class PolicyAnswer(BaseModel):
    """That the version is recorded; /api/v1/policies shows where it is in force."""

    version: int = Field(description="its number")
    text: str


class Place(NamedTuple):
    """Where the policies are: the database, to be read, and the configuration that the system was started with."""

    url: str
    config: EternalConfig


class PolicyChanges:
    """Tries and records changes. Blocks; safe to use from several threads. `place` None: this way in has none."""

    def __init__(self, place: Place | None, send: Send) -> None:
        self._place = place
        self._send = send

    def settings(self) -> list[PolicySetting]:
        """Every setting that a change may name.

        Raises ControlUnavailableError when the database does not answer, or this way in has no policy; BadValueError
        when this program cannot use the newest version, whose settings then have no value here.
        """
        place = self._place
        if place is None:
            raise ControlUnavailableError(READS_ONLY)
        newest = _read(lambda: newest_of(place.url))
        try:
            config = with_policy(place.config, newest.policy, f"policy version {newest.version}")
        except ConfigurationError as error:
            raise BadValueError("settings", newest.version, sentence=str(error)) from None
        return [PolicySetting(**one._asdict()) for one in settings_of(config)]

    def trial(self, wanted: PolicyWanted) -> PolicyTrial:
        """What the change would do now; nothing is recorded.

        Raises BadValueError for settings that are refused, ControlUnavailableError when the database does not answer.
        """
        place, change = self._change(wanted)
        found = _effects(place, change)
        lines = ["No actor has run on this database yet."] if found is None else found.lines()
        return PolicyTrial(
            after=change.after,
            differences=[_shown(one) for one in change.differences],
            text=lines,
            obstacles=[] if found is None else found.obstacles(),
        )

    def record(self, ordered: PolicyOrdered, holder: str) -> PolicyAnswer:
        """Record the change in the name of `holder`, who presented the credential.

        Raises BadValueError for settings that are refused, change nothing or that an actor could not apply,
        PolicyChangedError when another version was recorded meanwhile, ControlUnavailableError when it was not taken,
        or it is not known whether it was: /api/v1/policies shows it, and the same change again is answered with its
        version.
        """
        if self._place is not None and (newest := _read(partial(newest_of, self._place.url)).version) != ordered.after:
            return self._behind(ordered, holder, newest)
        place, change = self._change(ordered)
        if not change.differences:
            raise BadValueError("settings", ", ".join(ordered.settings), hint="a change that changes something is")
        found_now = _effects(place, change)
        if found_now is not None and (obstacles := found_now.obstacles()):
            raise BadValueError("settings", ", ".join(ordered.settings), hint="; ".join(obstacles))
        body = {
            "after": change.after,
            "policy": change.policy,
            "who": holder,
            "reason": ordered.reason.strip(),
            "origin": change.origin,
        }
        self._send(ActorName.ORCHESTRATOR, "record_policy", (body,))
        number = change.after + 1
        last = _read(lambda: newest_of(place.url), UNKNOWN)
        found = last if last.version <= number else _read(lambda: version_of(place.url, number), UNKNOWN)
        if not _is_of(found, change, holder, ordered.reason):
            raise PolicyChangedError(
                f"Version {last.version} of {last.who} was recorded meanwhile ({last.reason}). Yours was not; "
                "try it again on what is in force now."
            )
        return _answer(found, last.version)

    def _behind(self, ordered: PolicyOrdered, holder: str, newest: int) -> PolicyAnswer:
        """The answer to a change that was tried on an older version: unless it is the one that was recorded behind
        that version, whose answer was lost, it is refused."""
        if newest > ordered.after:
            place, change = self._change(ordered, ordered.after)
            found = _read(lambda: version_of(place.url, ordered.after + 1))
            if _is_of(found, change, holder, ordered.reason):
                return _answer(found, newest)
        raise PolicyChangedError(
            f"The newest version of the policy is {newest}, and the change was tried on version "
            f"{ordered.after}. Nothing was recorded; try it again on what is in force now."
        )

    def _change(self, wanted: PolicyWanted, after: int | None = None) -> tuple[Place, Change]:
        """The change, of the newest version or of the one of the number `after`."""
        place = self._place
        if place is None:
            raise ControlUnavailableError(READS_ONLY)
        if (wanted.back_to is None) is not bool(wanted.settings):
            raise BadValueError(
                "settings", ", ".join(wanted.settings), hint="settings, or the number of a version in back_to, are"
            )
        back, field = wanted.back_to, "settings" if wanted.back_to is None else "back_to"
        try:
            if back is not None:
                return place, _read(lambda: back_to(place.url, place.config, back, after))
            return place, _read(lambda: by_settings(place.url, place.config, wanted.settings, after, HERE))
        except (ConfigurationError, PolicyError) as error:
            raise BadValueError(field, _given(wanted), sentence=str(error)) from None


def _effects(place: Place, change: Change) -> Effects | None:
    return _read(lambda: effects(place.url, place.config, newest_of(place.url).policy, change.policy))


def _given(wanted: PolicyWanted) -> object:
    return ", ".join(wanted.settings) if wanted.back_to is None else wanted.back_to


def _is_of(found: PolicyVersion, change: Change, holder: str, reason: str) -> bool:
    """Whether a version is this very change; two changes of one person may have one reason."""
    said = (change.after + 1, holder, reason.strip(), change.origin)
    return (found.version, found.who, found.reason, found.origin) == said and found.policy == change.policy


def _answer(found: PolicyVersion, newest: int) -> PolicyAnswer:
    since = "" if newest == found.version else f" Version {newest} was recorded since, and applies instead."
    return PolicyAnswer(
        version=found.version,
        text=f"Policy version {found.version} is recorded; every actor takes it between two cycles, without a restart. "
        f"`eternal policy show` says where it is in force.{since}",
    )


def _read(work: Callable[[], T], became: str = NOTHING) -> T:
    """What the database says; `became` says, should it not answer, what became of the change."""
    try:
        return work()
    except (QueryUnavailableError, StoreUnavailableError, TrialError, psycopg.OperationalError) as error:
        raise ControlUnavailableError(f"{str(error).rstrip('.')}. {became}") from error


def _shown(one: Difference) -> SettingChanged:
    return SettingChanged(setting=one.setting, before=one.before, after=one.after)
