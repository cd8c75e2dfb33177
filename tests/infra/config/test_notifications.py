"""`[notifications]`: what is incomplete or malformed is refused in a sentence, and no secret is ever shown."""

from __future__ import annotations

import json

import pytest

from infra.config import ConfigurationError, load_config
from statemachines.notifications.message import ChannelName

TOKEN = "123456789:AAExampleExampleExampleExample_12345"
KEY = "0123456789abcdef0123456789abcdef"
HOOK, SIGNING = "https://hooks.example.org/path-secret", "a-signing-secret-of-tests"
TELEGRAM = (f"notifications.telegram.bot_token={TOKEN}", 'notifications.telegram.chat_ids=["5", -1006]')
EMAIL = (
    "notifications.email.host=smtp.example.org",
    "notifications.email.sender=engine@example.org",
    'notifications.email.to=["ada@example.org"]',
)
WEBHOOK = (f"notifications.webhook.url={HOOK}", f"notifications.webhook.signing_secret={SIGNING}")


def test_a_channel_is_on_when_it_is_set_and_none_is_by_default() -> None:
    assert load_config().notifications.channels == ()
    config = load_config({}, [*TELEGRAM, *EMAIL, *WEBHOOK, f"notifications.pagerduty.routing_key={KEY}"])
    assert config.notifications.channels == tuple(ChannelName)
    assert config.notifications.telegram.chat_ids == ("5", "-1006")
    shown = json.dumps(config.public()) + repr(config) + config.model_dump_json()
    assert not [secret for secret in (TOKEN, KEY, "path-secret", SIGNING) if secret in shown]


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETERNAL__NOTIFICATIONS__TELEGRAM__BOT_TOKEN", TOKEN)
    config = load_config({}, TELEGRAM[1:])
    assert config.notifications.channels == (ChannelName.TELEGRAM,)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (TELEGRAM[:1], "bot_token needs chat_ids"),
        (TELEGRAM[1:], "need bot_token"),
        (("notifications.telegram.bot_token=short", TELEGRAM[1]), "NUMBER:TEXT"),
        ((TELEGRAM[0], 'notifications.telegram.chat_ids=["@name"]'), "number of a chat"),
        ((TELEGRAM[0], 'notifications.telegram.chat_ids=["5", "5"]'), "twice"),
        ((*TELEGRAM, "notifications.telegram.api_url=http://api.example.org"), "encrypts nothing"),
        (EMAIL[:1], "needs sender and to"),
        (EMAIL[1:], "need host"),
        ((*EMAIL, "notifications.email.user=ada"), "belong together"),
        ((*EMAIL, "notifications.email.tls=none"), "in clear"),
        ((*EMAIL, "notifications.email.port=0"), "1 to 65535"),
        ((*EMAIL[:2], 'notifications.email.to=["Ada <ada@example.org>"]'), "plain mail address"),
        ((*EMAIL[:2], 'notifications.email.to=["a@b.c\\r\\nBcc: d@e.f"]'), "plain mail address"),
        (("notifications.pagerduty.routing_key=no key",), "integration key"),
        (WEBHOOK[:1], "belong together"),
        ((WEBHOOK[0], "notifications.webhook.signing_secret=short"), "16"),
        (("notifications.webhook.url=http://hooks.example.org/x", WEBHOOK[1]), "https://"),
        (("notifications.webhook.url=https://u:p@hooks.example.org/x", WEBHOOK[1]), "without login"),
        (("notifications.rules.time_zone=Mars/Olympus",), "does not exist"),
        (("notifications.rules.time_zone=../../etc/passwd",), "IANA"),
        (("notifications.rules.quiet_from=25:00", "notifications.rules.quiet_until=07:00"), "HH:MM"),
        (("notifications.rules.telegram_from=dire",), "critical"),
        (("notifications.fax.number=5",), "fax"),
    ],
)
def test_what_is_incomplete_or_malformed_is_refused(settings: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config({}, settings)
    told = str(caught.value)
    assert sentence in told
    assert not [secret for secret in (TOKEN, KEY, "path-secret", SIGNING, "short", "u:p@") if secret in told]
