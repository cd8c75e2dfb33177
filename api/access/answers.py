"""What is presented, and what is answered to it: granted, or refused and why."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from api.access.scopes import Scope


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request presents of itself. `bearer` stands behind "Bearer ", `csrf` and `code` in headers of that kind;
    None where nothing does. `is_change`: it may change something. `is_foreign`: a page of another origin sent it."""

    address: str
    bearer: str | None = field(default=None, repr=False)
    cookie: str | None = field(default=None, repr=False)
    csrf: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    is_change: bool = False
    is_foreign: bool = False


class Granted(NamedTuple):
    """Who asks, and how far that reaches now; `withheld` is how far it would reach after a code."""

    person: str
    scope: Scope
    session_id: str = ""
    withheld: Scope | None = None


class Refused(NamedTuple):
    """Why nothing is granted: HTTP status, sentence, seconds to wait (0: no use in waiting)."""

    status: int
    sentence: str
    wait_s: int = 0


def wait(why: str, wait_s: float) -> Refused:
    """Refused for some seconds."""
    seconds = max(1, math.ceil(wait_s))
    return Refused(429, f"{why}: wait {seconds} s.", seconds)
