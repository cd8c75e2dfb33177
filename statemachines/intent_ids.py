"""Ids of intents, `<issuer>-<counter in base 36>`: the only module that formats and parses them (EX-5, RM-1)."""

from __future__ import annotations

import re
from typing import NamedTuple

from statemachines.values import ActorName

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ISSUERS = frozenset(ActorName)
_ID = re.compile(r"(?P<issuer>.+)-(?P<counter>[0-9a-z]+)", re.ASCII)


class IntentId(NamedTuple):
    """The parts of an intent id. `counter` is text in base 36, as it also appears in client order ids."""

    issuer: ActorName
    counter: str

    @property
    def number(self) -> int:
        """The counter."""
        return int(self.counter, 36)


def intent_id(issuer: ActorName, number: int) -> str:
    """The id of an issuer's intent.

    Raises:
        ValueError: the number is negative.
    """
    return f"{issuer}-{base36(number)}"


def parse_intent_id(text: str) -> IntentId:
    """Issuer and counter of an intent id.

    Raises:
        ValueError: it is not `<issuer>-<base36 counter>` with the name of an actor.
    """
    match = _ID.fullmatch(text)
    if match is None or match["issuer"] not in _ISSUERS:
        raise ValueError(f"intent id {text!r} is not allowed; it must be <issuer>-<base36 counter> of an actor")
    return IntentId(ActorName(match["issuer"]), match["counter"])


def base36(number: int) -> str:
    """A counter in base 36, without leading zeros.

    Raises:
        ValueError: it is negative.
    """
    if number < 0:
        raise ValueError(f"counter {number} is not allowed; it must be 0 or more")
    text = _DIGITS[number % 36]
    while number := number // 36:
        text = _DIGITS[number % 36] + text
    return text
