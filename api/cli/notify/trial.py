"""A test message over each configured channel, sent from this process: the system need not run."""

from __future__ import annotations

import getpass
import socket
import uuid
from typing import NamedTuple

from actors.notifications.ports import ChannelPort
from infra.config import EternalConfig
from infra.config.notifications import restored
from infra.faults import OperatorError
from infra.notifications.channels import channels_of
from statemachines.notifications.message import Action, ChannelName, Delivered, Message, Outcome, Part, RefusedForGood

TITLE = "Test message: no action is required"


class NotifyError(OperatorError):
    """There is no channel to try; the text says what to set."""


class Tried(NamedTuple):
    """What came of the message over one channel."""

    channel: str
    is_delivered: bool
    sentence: str


def try_channels(config: EternalConfig, only: str | None = None) -> list[Tried]:
    """Send a test message over every channel that is on, or over one.

    Raises NotifyError: there is no such channel, it is not configured, or none is.
    """
    names = [str(name) for name in ChannelName]
    if only is not None and only not in names:
        raise NotifyError(f"channel '{only}' does not exist; allowed: {', '.join(names)}.")
    section = config.notifications
    if only is not None and only not in section.channels:
        raise NotifyError(f"channel {only} is not configured; set [notifications.{only}], see docs/operations.md.")
    if not section.channels:
        raise NotifyError("no channel is configured; set [notifications], see docs/operations.md. Nothing was sent.")
    whole = restored(section.opened(*ChannelName, proxy=config.live.proxy_url))
    number = f"test-{uuid.uuid4().hex[:12]}"
    return [
        _tried(name, _sent(port, number, name))
        for name, port in channels_of(whole, "test").items()
        if only in (None, name)
    ]


def _sent(channel: ChannelPort, number: str, name: ChannelName) -> Outcome:
    outcome = channel.send(_message(number, "raise"))
    if name is ChannelName.PAGERDUTY and isinstance(outcome, Delivered):
        return channel.send(_message(number, "resolve"))  # the incident of a test does not stay open
    return outcome


def _message(number: str, action: Action) -> Message:
    text = (
        f"This is a test of the notifications of Eternal Engine, sent by {_who()} with `eternal notify test`. Nothing "
        "has happened and the system did nothing. No action is required."
    )
    part = Part(number, f"eternal-engine:{number}", action, "info", TITLE, text, "eternal notify test")
    return Message(f"{number}-{action}", "alert", (part,))


def _who() -> str:
    try:
        return f"{getpass.getuser()} on {socket.gethostname()}"
    except (KeyError, OSError):  # an account without a name, as in some containers
        return socket.gethostname()


def _tried(name: ChannelName, outcome: Outcome) -> Tried:
    if isinstance(outcome, Delivered):
        number = f" ({outcome.remote_id})" if outcome.remote_id else ""
        return Tried(name, True, f"{name}: delivered{number}. Look whether it has arrived.")
    kind = "refused" if isinstance(outcome, RefusedForGood) else "not delivered"
    return Tried(name, False, f"{name}: {kind}: {outcome.reason}.")
