"""Keys of requests: deterministic and permanently unique within the order manager.

`<link id>:<place|cancel|amend|look>:<n>`, `transfer:<id>:<n>`, `transfer-look:<id>:<n>`, `stake:<id>:<n>`,
`stake-look:<id>:<n>`, `account:<name>:<n>`, `market:<n>`, `leverage:<account>:<symbol>:<n>`,
`resurrected:<link id>:<n>`, `flatness:<account>:<number>:<n>`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Topic(StrEnum):
    """The kind of a request."""

    PLACE = "place"
    CANCEL = "cancel"
    AMEND = "amend"
    LOOK = "look"
    TRANSFER = "transfer"
    TRANSFER_LOOK = "transfer-look"
    STAKE = "stake"
    STAKE_LOOK = "stake-look"
    ACCOUNT = "account"
    MARKET = "market"
    LEVERAGE = "leverage"
    RESURRECTED = "resurrected"
    FLATNESS = "flatness"


_FORMER_NAMES = {"revenant": Topic.RESURRECTED}
"""Former topic names, in keys of requests of an earlier version that may still be pending."""

CANCEL_ANSWERED, CANCEL_UNANSWERED = "cancel", "cancel_unanswered"
AMEND_ANSWERED, AMEND_UNANSWERED = "amend", "amend_unanswered"
"""Names under which repetitions are counted. Answered and without effect is a contradiction, which ends after
`loop_limit` repetitions; without an answer nothing is contradicted, and the request is repeated with growing pauses."""

ORDER_TOPICS = frozenset({Topic.PLACE, Topic.CANCEL, Topic.AMEND, Topic.LOOK})


class KeyParts(NamedTuple):
    """Topic and subject of a key; the subject is a client id, a transfer id, an account or "account:symbol"."""

    topic: Topic
    subject: str


def order_key(client_order_id: str, topic: Topic, number: int) -> str:
    return f"{client_order_id}:{topic}:{number}"


def other_key(topic: Topic, subject: str, number: int) -> str:
    return f"{topic}:{subject}:{number}" if subject else f"{topic}:{number}"


def parse_key(key: str) -> KeyParts:
    """Topic and subject of one of our keys.

    Raises:
        ValueError: the key was not created by this module.
    """
    parts = key.split(":")
    if len(parts) == 3 and parts[1] in ORDER_TOPICS:
        return KeyParts(Topic(parts[1]), parts[0])
    if len(parts) >= 2 and parts[0] in _FORMER_NAMES:
        return KeyParts(_FORMER_NAMES[parts[0]], ":".join(parts[1:-1]))
    if len(parts) >= 2 and parts[0] in set(Topic) - ORDER_TOPICS:
        return KeyParts(Topic(parts[0]), ":".join(parts[1:-1]))
    raise ValueError(f"request key {key!r} is not one of the order manager's")
