"""`eternal notify`: a labelled test over each channel with what came of it, and how the channels are; exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.cli.notify.commands import lines_of
from api.client.models import ChannelRow
from tests.infra.notifications.receivers import (
    BOT_TOKEN,
    ROUTING_KEY,
    Receiver,
    pagerduty_takes,
    receiving,
    status,
    telegram_takes,
)


@pytest.fixture
def bot_api() -> Iterator[Receiver]:
    with receiving(Receiver(telegram_takes)) as found:
        yield found


@pytest.fixture
def events_api() -> Iterator[Receiver]:
    with receiving(Receiver(pagerduty_takes)) as found:
        yield found


@pytest.fixture
def environment(bot_api: Receiver, events_api: Receiver, tmp_path: Any) -> dict[str, str]:
    settings = {
        "TELEGRAM__BOT_TOKEN": BOT_TOKEN,
        "TELEGRAM__CHAT_IDS": "[5]",
        "TELEGRAM__API_URL": bot_api.url,
        "PAGERDUTY__ROUTING_KEY": ROUTING_KEY,
        "PAGERDUTY__URL": events_api.url,
    }
    found = {f"ETERNAL__NOTIFICATIONS__{name}": value for name, value in settings.items()}
    return {**found, "ETERNAL__DATA_FOLDER": str(tmp_path / "data")}


def notify(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    told = CliRunner().invoke(app, ["notify", *arguments], env=environment)
    assert BOT_TOKEN not in told.output and ROUTING_KEY not in told.output
    return told.exit_code, told.output


def test_every_channel_takes_a_message_that_is_labelled_a_test(
    environment: dict[str, str], bot_api: Receiver, events_api: Receiver
) -> None:
    code, told = notify(environment, "test")
    assert code == 0
    assert "telegram: delivered (5:77)." in told
    assert "pagerduty: delivered" in told
    assert "Test message: no action is required" in bot_api.requests[0].fields["text"]
    events = [(one.fields["event_action"], one.fields["dedup_key"]) for one in events_api.requests]
    assert [action for action, _ in events] == ["trigger", "resolve"], "the incident does not stay open"
    assert len({key for _, key in events}) == 1


def test_it_says_which_file_it_has_read(
    environment: dict[str, str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "Configuration: no file (there is no eternal.toml here" in notify(environment, "test")[1]
    (tmp_path / "eternal.toml").write_text("", encoding="utf-8")
    assert f"Configuration: the file {tmp_path / 'eternal.toml'}." in notify(environment, "test")[1]
    (tmp_path / "other.toml").write_text("", encoding="utf-8")
    assert "other.toml." in notify(environment, "test", "--config", "other.toml")[1]


def test_one_channel_alone(environment: dict[str, str], bot_api: Receiver, events_api: Receiver) -> None:
    code, told = notify(environment, "test", "--channel", "pagerduty", "--json")
    assert code == 0
    assert [one["channel"] for one in json.loads(told[told.index("[") :])] == ["pagerduty"]
    assert bot_api.requests == []


def test_a_channel_that_fails_is_said_and_is_the_exit_code(environment: dict[str, str], events_api: Receiver) -> None:
    events_api.usual = status(403)
    code, told = notify(environment, "test")
    assert code == 1
    assert "telegram: delivered" in told
    assert "pagerduty: not delivered: PagerDuty answered with HTTP status 403: it refuses the credential." in told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--channel", "fax"), "channel 'fax' does not exist; allowed: telegram, email, pagerduty, webhook."),
        (("--channel", "email"), "channel email is not configured; set [notifications.email]"),
        (("--set", "notifications.telegram.chat_ids=[]"), "notifications.telegram.chat_ids"),
    ],
)
def test_what_cannot_be_tried_is_refused(
    environment: dict[str, str], arguments: tuple[str, ...], sentence: str, bot_api: Receiver
) -> None:
    code, told = notify(environment, "test", *arguments)
    assert (code, sentence in told) == (2, True), told
    assert bot_api.requests == []


def test_without_a_channel_nothing_is_sent(tmp_path: Any) -> None:
    code, told = notify({"ETERNAL__DATA_FOLDER": str(tmp_path)}, "test")
    assert (code, "no channel is configured" in told) == (2, True)
    code, told = notify({"ETERNAL__DATA_FOLDER": str(tmp_path)}, "status")
    assert (code, "No system runs on" in told) == (3, True)


def test_the_status_for_people() -> None:
    working: ChannelRow = {
        "channel": "telegram", "state": "WORKING", "russian": "", "waiting": 0, "delivered": 12, "failures": 0,
        "last_error": "",
        "delivered_at": "2026-11-29T19:00:00+00:00", "next_at": None,
    }  # fmt: skip
    down: ChannelRow = {**working, "channel": "email", "state": "DOWN", "failures": 4, "last_error": "no answer",
            "waiting": 2, "next_at": "2026-11-29T19:30:00+00:00"}  # fmt: skip
    off: ChannelRow = {**working, "channel": "webhook", "state": "OFF"}
    untried: ChannelRow = {**working, "channel": "pagerduty", "delivered": 0, "delivered_at": None}
    channels = [working, down, off, untried]
    found = lines_of({"state": "DELIVERING", "russian": "", "critical_unacknowledged": 1, "channels": channels})
    assert found == [
        "The notifier is DELIVERING. 1 critical alerts stand and are not acknowledged.",
        "telegram   WORKING  12 delivered, newest 2026-11-29 19:00:00 UTC; 0 waiting",
        "email      DOWN     12 delivered, newest 2026-11-29 19:00:00 UTC; 2 waiting; 4 failures in a row: no "
        "answer; next try 2026-11-29 19:30:00 UTC",
        "webhook    OFF",
        "pagerduty  UNUSED   no alert was sent over it yet; `eternal notify test` tries it and is not counted here; 0 "
        "waiting",
    ]
