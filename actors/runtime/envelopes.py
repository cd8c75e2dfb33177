"""Envelopes between logic and wire: how bodies travel, and how a message is read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statemachines.messages.envelope import Body, Envelope
from statemachines.messages.kinds import parse_body


def as_json(body: Body) -> dict[str, Any]:
    """What travels between processes and lies in the database."""
    return body.model_dump(mode="json")


def as_it_is(body: Body) -> Body:
    """Within one process: bodies are frozen, so sender and recipients may share them."""
    return body


def message_of(envelope: Mapping[str, Any]) -> Envelope:
    """The message in an envelope.

    Raises:
        ValueError: its kind or its body is not known.
    """
    body = envelope["body"]
    return Envelope(
        id=str(envelope["id"]),
        sender=str(envelope["sender"]),
        market_ms=int(envelope["market_time"]),
        cause=str(envelope["cause"]),
        trace=str(envelope["trace"]),
        body=body if isinstance(body, Body) else parse_body(str(envelope["kind"]), body),
    )
