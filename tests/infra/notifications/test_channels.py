"""Each channel against a real local server (IF-4): deliveries, outages, slower paces, wrong credentials, pages of HTML,
silence; and no secret in any outcome or log."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from infra.config.notifications import (
    EmailConfig,
    NotificationsConfig,
    PagerDutyConfig,
    TelegramConfig,
    WebhookConfig,
    restored,
)
from infra.notifications import asynchronous, http, telegram
from infra.notifications import email as mail
from infra.notifications.channels import channels_of
from infra.notifications.email import EmailChannel
from infra.notifications.pagerduty import PagerDutyChannel
from infra.notifications.telegram import MOST, TelegramChannel, as_html
from infra.notifications.webhook import WebhookChannel, signature
from infra.processes.ports import free_port
from statemachines.notifications.message import (
    ChannelName,
    Delivered,
    Message,
    Outcome,
    Part,
    RefusedForGood,
    TryAgain,
)
from tests.infra.notifications.receivers import (
    BOT_TOKEN,
    PASSWORD,
    ROUTING_KEY,
    USER,
    Answer,
    Mailbox,
    Receiver,
    html,
    mail_server,
    pagerduty_takes,
    receiving,
    silence,
    status,
    telegram_refuses,
    telegram_takes,
)

SIGNING, PATH_SECRET = "signing-secret-of-this-test", "path-secret-of-this-test"
SECRETS = (BOT_TOKEN, BOT_TOKEN.partition(":")[2], ROUTING_KEY, PASSWORD, SIGNING, PATH_SECRET)


def part(title: str = "Stop is missing", text: str = "No stop rests at the exchange.", **changes: Any) -> Part:
    values: dict[str, Any] = {
        "alert_id": "trend-1:7:0",
        "dedup_key": "abc123:trend-1:7:0",
        "action": "raise",
        "severity": "critical",
    }
    values |= {"title": title, "text": text, "actor": "trend-1", "market_ms": 1_735_689_600_000}
    return Part(**{**values, **changes})


def message(*parts: Part, **changes: Any) -> Message:
    return Message(**{"message_id": "abc123-7-1", "kind": "alert", "parts": parts or (part(),), **changes})


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(http, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(mail, "TIMEOUT_S", 4.0)
    monkeypatch.setattr(asynchronous, "LONGEST_S", 5.0)


@pytest.fixture(autouse=True)
def _no_secret_leaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a library logs, at any level."""
    caplog.set_level(logging.DEBUG)
    yield
    lines = [record.getMessage() for record in caplog.get_records("call")]
    assert not [line for line in lines if any(secret in line for secret in SECRETS)]


def outcome_of(found: Outcome) -> Outcome:
    assert not [secret for secret in SECRETS if secret in repr(found)]
    return found


# --- Telegram ---


@pytest.fixture
def bot_api() -> Iterator[Receiver]:
    with receiving(Receiver(telegram_takes)) as found:
        yield found


def telegram_channel(receiver: Receiver, *chats: str) -> TelegramChannel:
    config = TelegramConfig(bot_token=SecretStr(BOT_TOKEN), chat_ids=chats or ("5",), api_url=receiver.url)
    return TelegramChannel(config)


def test_telegram_takes_a_message_in_every_chat(bot_api: Receiver) -> None:
    channel = telegram_channel(bot_api, "5", "-1006")
    assert outcome_of(channel.send(message())) == Delivered("5:77, -1006:77")
    assert [one.path for one in bot_api.requests] == [f"/bot{BOT_TOKEN}/sendMessage"] * 2
    fields = bot_api.requests[0].fields
    assert (fields["chat_id"], fields["parse_mode"]) == ("5", "HTML")
    assert fields["text"] == (
        "<b>CRITICAL: Stop is missing</b>\nNo stop rests at the exchange.\n"
        "<i>trend-1, 2025-01-01 00:00 market time, alert trend-1:7:0</i>"
    )
    assert BOT_TOKEN not in repr(channel)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (telegram_refuses(429, "Too Many Requests", retry_after=17), TryAgain("slower pace", 17.0, is_pace=True)),
        (telegram_refuses(401, "Unauthorized"), TryAgain("bot_token")),
        (telegram_refuses(404, "Not Found"), TryAgain("bot_token")),
        (telegram_refuses(403, "Forbidden: bot was blocked by the user"), TryAgain("blocked by the user")),
        (telegram_refuses(400, "Bad Request: chat not found"), TryAgain("send /start")),
        (telegram_refuses(400, "Bad Request: can't parse entities"), RefusedForGood("Can't parse entities")),
        (telegram_refuses(400, "Bad Request: message is too long"), RefusedForGood("too long")),
        (telegram_refuses(400, "Bad Request: message text is empty"), RefusedForGood("empty")),
        *(
            (telegram_refuses(400, f"Bad Request: {why}"), TryAgain("chat 5 does not take messages of this bot"))
            for why in (
                "not enough rights to send text messages to the chat",
                "have no rights to send a message",
                "need administrator rights in the channel chat",
                "message thread not found",
                "TOPIC_CLOSED",
                "PEER_ID_INVALID",
                "CHAT_WRITE_FORBIDDEN",
                "CHAT_RESTRICTED",
                "group chat was deactivated",
            )
        ),
        (telegram_refuses(502, "Bad Gateway"), TryAgain("cannot be reached")),
        (html(200), TryAgain("cannot be reached")),
        (html(503), TryAgain("cannot be reached")),
        (silence(3), TryAgain("not known")),
        (silence(0), TryAgain("cannot be reached")),
    ],
)
def test_telegram_fails_in_every_way(bot_api: Receiver, answer: Answer, expected: Outcome) -> None:
    bot_api.answers = [answer]
    channel = telegram_channel(bot_api)
    assert_like(channel.send(message()), expected)
    assert isinstance(channel.send(message()), Delivered), "the next try"


def test_a_chat_that_has_it_is_not_sent_it_again_when_another_fails(bot_api: Receiver) -> None:
    bot_api.answers = [telegram_takes, telegram_refuses(502, "Bad Gateway")]
    channel = telegram_channel(bot_api, "5", "6")
    assert isinstance(channel.send(message()), TryAgain)
    assert isinstance(channel.send(message(message_id="another-try")), Delivered)
    assert [one.fields["chat_id"] for one in bot_api.requests] == ["5", "6", "6"]
    channel.send(message())
    assert len(bot_api.requests) == 5, "a later message of this text is another one"


@pytest.mark.parametrize("count", [1, 3, 20])
@pytest.mark.parametrize("text", ["<b>&amp; " * 4_000, "&" * 9_000, "🛑" * 5_000, "x\n" * 5_000, ""])
def test_telegrams_limit_is_kept_and_nothing_is_taken_for_markup(count: int, text: str) -> None:
    parts = tuple(part(title=f"{text[:500]}<i>", text=text, alert_id=f"a:{n}:0") for n in range(count))
    found = as_html(message(*parts, omitted=7))
    assert len(found) <= MOST
    assert found.count("<b>") == found.count("</b>") == found.count("<i>") == found.count("</i>") == count
    assert all(f"alert a:{n}:0" in found for n in range(count)), "the number is never cut off"
    bare = found.replace("<b>", "").replace("</b>", "").replace("<i>", "").replace("</i>", "")
    assert "<" not in bare and ">" not in bare
    entities = bare.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert "&" not in entities, "no entity is cut"


# --- e-mail ---


def email_config(port: int, **changes: Any) -> EmailConfig:
    values = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "engine@example.org"}
    return EmailConfig.model_validate({**values, "to": ["ada@example.org", "bob@example.org"], **changes})


def test_a_mail_is_delivered_once_to_all_recipients() -> None:
    mailbox, port = Mailbox(), free_port(0)
    with mail_server(mailbox, port):
        found = EmailChannel(email_config(port)).send(message(part(), part("Second", severity="info"), omitted=3))
    assert isinstance(found, Delivered)
    assert found.remote_id.startswith("2 of 2 recipients")
    (one,) = mailbox.mails
    assert mailbox.envelopes == [("engine@example.org", ["ada@example.org", "bob@example.org"])]
    assert one["Subject"] == "CRITICAL: Stop is missing (and 4 more)"
    assert one["Message-ID"] == "<abc123-7-1@example.org>"
    text = one.get_content()
    assert "No stop rests at the exchange." in text
    assert "alert trend-1:7:0" in text
    assert "3 more alerts" in text


def test_a_report_has_both_forms() -> None:
    mailbox, port = Mailbox(), free_port(0)
    report = part("Day 2026-11-28", "Equity 1,000", action="report", severity="info")
    with mail_server(mailbox, port):
        EmailChannel(email_config(port)).send(message(report, kind="report", html="<p>Equity <b>1,000</b></p>"))
    (one,) = mailbox.mails
    assert one["Subject"] == "Day 2026-11-28"
    plain, page = one.get_body(("plain",)), one.get_body(("html",))
    assert plain is not None and "Equity 1,000" in plain.get_content()
    assert page is not None and "<b>1,000</b>" in page.get_content()


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r", "\u2028", "\x0b", "\x85"])
def test_no_text_of_an_alert_becomes_a_header(break_: str) -> None:
    evil = f"Title{break_}Bcc: eve@example.org{break_}{break_}body"
    mailbox, port = Mailbox(), free_port(0)
    with mail_server(mailbox, port):
        found = EmailChannel(email_config(port)).send(message(part(evil, evil, alert_id=evil, actor=evil)))
    assert isinstance(found, Delivered)
    (one,) = mailbox.mails
    assert one["Bcc"] is None
    assert one["Subject"] == "CRITICAL: Title Bcc: eve@example.org body"
    assert mailbox.envelopes[0][1] == ["ada@example.org", "bob@example.org"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("451 try later", TryAgain("451")),
        ("421 too many", TryAgain("421")),
        ("554 content rejected", RefusedForGood("554")),
    ],
)
def test_a_mail_server_refuses(answer: str, expected: Outcome) -> None:
    mailbox, port = Mailbox(refusals=[answer]), free_port(0)
    with mail_server(mailbox, port):
        assert_like(EmailChannel(email_config(port)).send(message()), expected)
        assert isinstance(EmailChannel(email_config(port)).send(message()), Delivered)


def test_one_recipient_that_is_refused_does_not_keep_it_from_the_other() -> None:
    mailbox, port = Mailbox(recipient_refusals={"bob@example.org": "550 unknown"}), free_port(0)
    with mail_server(mailbox, port):
        found = EmailChannel(email_config(port)).send(message())
        assert isinstance(found, Delivered)
        assert found.remote_id.startswith("1 of 2 recipients")
        mailbox.recipient_refusals["ada@example.org"] = "550 unknown"
        assert_like(EmailChannel(email_config(port)).send(message()), TryAgain("every recipient"))


def test_a_wrong_password_and_a_right_one() -> None:
    mailbox, port = Mailbox(), free_port(0)
    with mail_server(mailbox, port, needs_login=True):
        wrong = EmailChannel(email_config(port, user=USER, password="wrong-password"))
        assert_like(wrong.send(message()), TryAgain("refuses the login"))
        right = EmailChannel(email_config(port, user=USER, password=PASSWORD))
        assert isinstance(outcome_of(right.send(message())), Delivered)
        assert PASSWORD not in repr(right)


def test_no_mail_server_and_one_without_encryption() -> None:
    mailbox, port = Mailbox(), free_port(0)
    assert_like(EmailChannel(email_config(port)).send(message()), TryAgain("cannot be used"))
    with mail_server(mailbox, port):
        found = EmailChannel(email_config(port, tls="starttls")).send(message())
        assert isinstance(found, TryAgain)
        assert isinstance(EmailChannel(email_config(port, tls="tls")).send(message()), TryAgain)
    assert mailbox.mails == [], "nothing left in clear"


# --- PagerDuty ---


@pytest.fixture
def events_api() -> Iterator[Receiver]:
    with receiving(Receiver(pagerduty_takes)) as found:
        yield found


def pagerduty(receiver: Receiver) -> PagerDutyChannel:
    return PagerDutyChannel(PagerDutyConfig(routing_key=SecretStr(ROUTING_KEY), url=receiver.url))


@pytest.mark.parametrize(
    ("action", "event"),
    [
        ("raise", "trigger"), ("change", "trigger"), ("repeat", "trigger"),
        ("acknowledge", "acknowledge"), ("resolve", "resolve"),
    ],
)  # fmt: skip
def test_pagerduty_takes_every_action_by_its_key(events_api: Receiver, action: str, event: str) -> None:
    found = pagerduty(events_api).send(message(part(action=action)))
    assert outcome_of(found) == Delivered("abc123:trend-1:7:0")
    (request,) = events_api.requests
    assert request.path == "/v2/enqueue"
    assert (request.fields["event_action"], request.fields["dedup_key"]) == (event, "abc123:trend-1:7:0")
    assert ("payload" in request.fields) == (event == "trigger")
    if event == "trigger":
        assert request.fields["payload"]["summary"] == "Stop is missing"
        assert request.fields["payload"]["severity"] == "critical"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (status(429), TryAgain("slower pace", 60.0, is_pace=True)),
        (status(429, None, Retry_After="3"), TryAgain("slower pace", 3.0, is_pace=True)),
        (
            status(400, {"status": "invalid event", "message": "Event object is invalid", "errors": ["no summary"]}),
            RefusedForGood("Event object is invalid; no summary"),
        ),
        (status(403), TryAgain("credential")),
        (status(500), TryAgain("status 500")),
        (status(503, None, Retry_After="120"), TryAgain("status 503", 120.0)),
        (status(302, None, Location="http://127.0.0.1:9/"), TryAgain("status 302")),
        (html(200), TryAgain("not that of its Events API")),
        (silence(3), TryAgain("not known")),
        (silence(0), TryAgain("cannot be reached")),
    ],
)
def test_pagerduty_fails_in_every_way(events_api: Receiver, answer: Answer, expected: Outcome) -> None:
    events_api.answers = [answer]
    assert_like(pagerduty(events_api).send(message()), expected)
    assert isinstance(pagerduty(events_api).send(message()), Delivered)


# --- webhook ---


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiving(Receiver(status(204))) as found:
        yield found


def webhook(receiver: Receiver) -> WebhookChannel:
    config = WebhookConfig(url=SecretStr(f"{receiver.url}/{PATH_SECRET}"), signing_secret=SecretStr(SIGNING))
    return WebhookChannel(config, "abc123", lambda: 1_700_000_000.9)


def test_the_webhook_is_signed_over_time_and_body(hook: Receiver) -> None:
    assert outcome_of(webhook(hook).send(message(part(), part(action="resolve")))) == Delivered()
    (request,) = hook.requests
    assert request.path == f"/{PATH_SECRET}"
    assert request.headers["x-eternal-timestamp"] == "1700000000"
    # As a receiver computes it, from the documents alone.
    expected = hmac.new(SIGNING.encode(), b"1700000000." + request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-eternal-signature"] == f"v1={expected}"
    assert request.headers["x-eternal-message"] == "abc123-7-1"
    body = orjson.loads(request.body)
    assert [one["action"] for one in body["alerts"]] == ["raise", "resolve"]
    assert {one["alert_id"] for one in body["alerts"]} == {"trend-1:7:0"}


@pytest.mark.parametrize("changed", ["body", "stamp", "secret"])
def test_a_signature_of_anything_else_is_another(changed: str) -> None:
    right = {"secret": b"secret", "stamp": "17", "body": b"{}"}
    other: dict[str, Any] = {**right, changed: b"x" if changed != "stamp" else "18"}
    assert signature(**other) != signature(**right)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (status(500), TryAgain("status 500")),
        (status(404), TryAgain("status 404")),
        (status(401), TryAgain("credential")),
        (status(422, {"error": "I do not take this"}), RefusedForGood("I do not take this")),
        (status(429, None, Retry_After="7"), TryAgain("slower pace", 7.0, is_pace=True)),
        (silence(3), TryAgain("not known")),
        (silence(0), TryAgain("cannot be reached")),
    ],
)
def test_the_webhook_fails_in_every_way(hook: Receiver, answer: Answer, expected: Outcome) -> None:
    hook.answers = [answer]
    assert_like(webhook(hook).send(message()), expected)
    assert isinstance(webhook(hook).send(message()), Delivered)


def test_an_answer_without_end_is_not_read_to_it(hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER", 1_000)
    hook.answers = [status(500, {"error": "x" * 100_000})]
    assert_like(webhook(hook).send(message()), TryAgain("status 500"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        (" 5 ", 5.0),
        ("soon", None),
        ("-5", None),
        ("1" * 12, None),
        ("", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 10000 00:00:00 GMT", None),
        ("Mon, 01 Jan 2035 00:00:00 +9999999999", None),
    ],
)
def test_retry_after_is_read_strictly(text: str | None, seconds: float | None) -> None:
    assert http.seconds_of(text) == seconds


def test_retry_after_may_be_an_instant() -> None:
    assert http.seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


# --- all ---


def test_the_channels_that_are_on_are_made_and_their_settings_travel_in_the_open_only_to_their_user() -> None:
    config = NotificationsConfig.model_validate(
        {
            "telegram": {"bot_token": BOT_TOKEN, "chat_ids": ["5"]},
            "email": {"host": "127.0.0.1", "tls": "none", "sender": "a@b.c", "to": ["d@e.f"]},
            "pagerduty": {"routing_key": ROUTING_KEY},
            "webhook": {"url": f"https://example.org/{PATH_SECRET}", "signing_secret": SIGNING},
        }
    )
    assert set(channels_of(config, "abc123")) == set(ChannelName)
    assert not [secret for secret in SECRETS if secret in repr(config) or secret in config.model_dump_json()]
    assert restored(config.opened(*ChannelName)) == config
    assert set(config.opened(ChannelName.TELEGRAM)) == {"telegram"}
    assert config.without_channels().channels == ()
    assert channels_of(NotificationsConfig(), "abc123") == {}


def assert_like(found: Outcome, expected: Outcome) -> None:
    """The same kind of outcome; the reason contains the expected words."""
    assert type(outcome_of(found)) is type(expected), found
    if isinstance(found, TryAgain) and isinstance(expected, TryAgain):
        assert expected.reason in found.reason
        assert (found.after_s, found.is_pace) == (expected.after_s, expected.is_pace)
    if isinstance(found, RefusedForGood) and isinstance(expected, RefusedForGood):
        assert expected.reason in found.reason
