"""One-time codes of the commands that are given in two steps. Pure but for the chance behind a code."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import NamedTuple

from api.telegram.commands import Asked

CODE_S = 60.0
"""How long a code is valid."""

DIGITS = 6
MOST_WRONG = 3
"""After so many wrong codes from a person in a chat the waiting command is dropped."""


class Place(NamedTuple):
    """Who asked where."""

    chat: int
    user: int


class _Waiting(NamedTuple):
    asked: Asked
    code: str
    update_id: int
    until_s: float
    wrong: int = 0


class CodeRefused(NamedTuple):
    """Why a code gives no command, as a sentence."""

    why: str


def _six_digits() -> str:
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


class Codes:
    """At most one command waits per person and chat: a newer one replaces it, and its code. They are in memory only: a
    restart drops them."""

    def __init__(self, draw: Callable[[], str] = _six_digits) -> None:
        self._draw = draw
        self._waiting: dict[Place, _Waiting] = {}

    def issue(self, place: Place, asked: Asked, update_id: int, now_s: float) -> str:
        """The code for this very command. The same update asks for the same code."""
        known = self._waiting.get(place)
        if known is None or known.update_id != update_id or now_s > known.until_s:
            known = self._waiting[place] = _Waiting(asked, self._draw(), update_id, now_s + CODE_S)
        return known.code

    def redeem(self, place: Place, code: str, now_s: float) -> Asked | CodeRefused:
        """The command that waits here for this code, which counts once."""
        known = self._waiting.get(place)
        if known is None:
            return CodeRefused("No command of yours waits for a code in this chat. Give the command again.")
        if now_s > known.until_s:
            del self._waiting[place]
            return CodeRefused(f"The code has expired after {CODE_S:.0f} s; nothing was done. Give the command again.")
        if not secrets.compare_digest(code.encode(), known.code.encode()):
            return self._wrong(place, known)
        del self._waiting[place]
        return known.asked

    def _wrong(self, place: Place, known: _Waiting) -> CodeRefused:
        wrong = known.wrong + 1
        if wrong >= MOST_WRONG:
            del self._waiting[place]
            return CodeRefused(f"The code is wrong for the {wrong}. time: the command is dropped, nothing was done.")
        self._waiting[place] = known._replace(wrong=wrong)
        return CodeRefused("The code is wrong; nothing was done.")
