"""EX-5: formatting and parsing the deterministic client id `<installation 6><engine 2><intent base36>-<child>`.

The id alone identifies intent and child, so a report of an order discarded long ago is still recognised as ours.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from statemachines.intent_ids import parse_intent_id
from statemachines.values import IDENTITY_OF, ActorName

MAX_LENGTH = 36
"""Longest orderLinkId that the exchange accepts (bybit-v5 6.2)."""

CODES: dict[ActorName, str] = {
    **{name: engine.code for name, engine in IDENTITY_OF.items()},
    ActorName.RISK_MANAGER: "rm",
    ActorName.ORCHESTRATOR: "or",
}
"""Two characters per issuer of intents; the risk manager issues those of the operator's flatten commands."""

_ISSUERS = {code: name for name, code in CODES.items()}
if len(_ISSUERS) != len(CODES):
    raise ValueError(f"the codes of the issuers are not all different: {sorted(CODES.values())}")
_INSTALLATION = re.compile(r"[0-9a-z]{6}")
_LINK = re.compile(r"([0-9a-z]{6})([0-9a-z]{2})([0-9a-z]+)-([0-9]+)")


class ClientOrderIdParts(NamedTuple):
    """The parts of one of our client ids."""

    intent_id: str
    child: int


def checked_installation(installation: str) -> str:
    """The installation code unchanged.

    Raises:
        ValueError: it is not six characters of 0-9 and a-z.
    """
    if not _INSTALLATION.fullmatch(installation):
        raise ValueError(f"installation {installation!r} is not allowed; it must be six characters of 0-9 and a-z")
    return installation


def client_order_id(installation: str, of_intent: str, child: int) -> str:
    """The client id of the `child`-th order (from 1) of an intent.

    Raises:
        ValueError: the intent id is not `<issuer>-<base36>`, its issuer is not known, or the id gets too long.
    """
    issuer, counter = parse_intent_id(of_intent)
    code = CODES.get(issuer)
    if code is None:
        raise ValueError(f"intent id {of_intent!r} is not allowed; its issuer must be one of {sorted(CODES)}")
    made = f"{installation}{code}{counter}-{child}"
    if len(made) > MAX_LENGTH:
        raise ValueError(f"client id {made!r} of {len(made)} characters is too long; {MAX_LENGTH} are allowed")
    return made


def parse_client_order_id(installation: str, link: str) -> ClientOrderIdParts | None:
    """Intent and child of a client id of this installation; None when it is not one of ours."""
    match = _LINK.fullmatch(link)
    if match is None or match.group(1) != installation:
        return None
    issuer = _ISSUERS.get(match.group(2))
    if issuer is None:
        return None
    return ClientOrderIdParts(f"{issuer}-{match.group(3)}", int(match.group(4)))
