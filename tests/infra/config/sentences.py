"""What a refusal of the configuration must be: sentences for people, in no programming language's words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from infra.config import ConfigurationError, load_config

PYTHON_WORDS = re.compile(
    r"\b([Tt]uple|[Ff]rozenset|[Dd]ict|dictionary|decimal object|instance of|NoneType|None|True|False|pydantic|"
    r"[Tt]raceback|[Ss]tring should|[Ii]nput should|valid (string|integer|number|list)|[Ff]ield required|"
    r"[Ee]xtra inputs|\w+Parameters|\w+Config|\w+Model|StrEnum)\b|<[\w.]+ ?[:.'\"]|Decimal\("
)
"""What a person who has no Python would stumble over."""

PLAIN = re.compile(r"(?s)\S.*\b((is|are) refused|is not valid TOML): .*[^.;, ]\.")


def demand_plain(problem: str) -> None:
    """One sentence that names the field, says what is refused and what is allowed.

    The value is not our word: `--set profile=None` may be shown as it was written.
    """
    assert PLAIN.fullmatch(problem), problem
    ours = re.sub(r"'[^']*'|\"[^\"]*\"", "", problem)
    assert not (found := PYTHON_WORDS.search(ours)), (found, problem)
    assert len(problem) < 4_000


def refused(*settings: str, **arguments: Any) -> list[str]:
    """The sentences with which settings are refused; each is plain."""
    with pytest.raises(ConfigurationError) as caught:
        load_config(settings=settings, **arguments)
    for problem in caught.value.problems:
        demand_plain(problem)
    return list(caught.value.problems)
